"""The command line: parse, one service call, print. Heavy imports wait until a command needs them."""

import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from annotator.commands import labels, learning, people, quality, review, rounds, tags
from annotator.commands.base import DEFAULT_FOLDER, AsJson, Folder, bar, opened, say_error, show
from annotator.commands.snapshot import snapshot
from annotator.commands.watch import watch
from annotator.errors import AnnotatorError, UsageError
from annotator.terms import Split

if TYPE_CHECKING:
    from annotator.services.embedding import EmbedReport

LOCAL = "127.0.0.1"
FIRST = ("init", "import", "import-labels", "embed", "ui", "label", "train", "round", "export", "status")


class InOrder(TyperGroup):
    """Help names the commands in the order in which a project needs them."""

    def list_commands(self, ctx: Any) -> list[str]:
        return sorted(super().list_commands(ctx), key=lambda name: FIRST.index(name) if name in FIRST else len(FIRST))


app = typer.Typer(
    name="annotator",
    cls=InOrder,
    help="Tag large image collections with several tags per image, with few answers and a proof of quality.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
learning.register(app)
quality.register(app)
app.command("round")(rounds.round_)
app.command("import-labels")(labels.import_labels)
app.command("round-trip")(labels.round_trip)
app.command()(watch)
app.add_typer(snapshot)
app.add_typer(people.app, name="people")
app.add_typer(review.app, name="review")
app.add_typer(tags.app, name="tags")


def main() -> None:
    """Run a command; an error a person can mend is one line, without a traceback."""
    try:
        app()
    except UsageError as error:
        say_error(error)
        sys.exit(2)
    except AnnotatorError as error:
        say_error(error)
        sys.exit(1)
    except BrokenPipeError:
        # The reader of our output went away: no error of ours, but Python must not try to flush again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@app.command()
def init(
    folder: Folder = DEFAULT_FOLDER,
    tags: Annotated[
        Path | None, typer.Option(help="one tag a line, or CSV/YAML with definition, synonyms, parent")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a workspace with a vocabulary; run again it adds the tags that are new."""
    from annotator.services import vocabulary
    from annotator.workspace import Workspace

    with Workspace.create(folder) as workspace:
        counts = vocabulary.add_from_file(workspace, tags) if tags else {"added": 0, "tags": 0, "relations": 0}
    show({"workspace": str(folder.resolve()), **counts}, as_json)


@app.command("import")
def import_(
    paths: Annotated[list[str], typer.Argument(help="folders, pictures, zip/tar archives, CSV/JSONL lists, URLs")],
    folder: Folder = DEFAULT_FOLDER,
    labels: Annotated[Path | None, typer.Option(help="CSV with file,labels[,split]; labels separated by |")] = None,
    as_truth: Annotated[bool, typer.Option(help="the labels are complete: what is not listed is absent")] = False,
    as_json: AsJson = False,
) -> None:
    """Import pictures in place; a second run adds nothing, a killed one is resumed.

    Ends with 1 where a path leads nowhere or no picture came of it all.
    """
    from annotator.importers.addresses import local_path
    from annotator.services.importing import import_pictures
    from annotator.services.importing_labels import import_labels

    with opened(folder) as workspace:
        with bar() as progress:
            report = import_pictures(workspace, paths, progress=progress)
        shown: dict[str, Any] = {"pictures": asdict(report)}
        if labels is not None:
            shown["labels"] = asdict(import_labels(workspace, labels, as_truth=as_truth))
    show(shown, as_json)
    local = filter(None, map(local_path, paths))
    if not all(path.exists() for path in local) or not (report.added or report.duplicates or report.unchanged):
        raise typer.Exit(1)


@app.command()
def embed(
    folder: Folder = DEFAULT_FOLDER,
    backbone: Annotated[
        str | None, typer.Option(help="descriptor, onnx:FILE.json, open_clip:MODEL/PRETRAINED, …")
    ] = None,
    tiles: Annotated[
        bool | None,
        typer.Option("--tiles/--no-tiles", help="also nine tiles of each picture; remembered for the next time"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compute the missing embeddings, then the suggestions that follow from them."""
    from annotator.services import suggesting
    from annotator.services import tiles as tiling

    with opened(folder) as workspace, bar() as progress:
        whole, of_tiles = tiling.embed(workspace, backbone, tiles, progress)
        suggesting.refresh(workspace, progress)
    show({**_speed(whole), **({"tiles": _speed(of_tiles)} if of_tiles else {})}, as_json)


def _speed(report: "EmbedReport") -> dict[str, Any]:
    return {**asdict(report), "images_per_second": round(report.images_per_second, 1)}


@app.command()
def search(
    words: Annotated[str | None, typer.Argument(help="words, where the backbone has a text tower")] = None,
    folder: Folder = DEFAULT_FOLDER,
    image: Annotated[Path | None, typer.Option(help="find pictures like this one")] = None,
    k: Annotated[int, typer.Option("--k", min=1, help="how many")] = 10,
    as_json: AsJson = False,
) -> None:
    """Find pictures by words or by an example."""
    from annotator.services import searching

    with opened(folder) as workspace:
        if image is not None:
            hits = searching.by_picture(workspace, image.read_bytes() if image.is_file() else b"", str(image), k)
        elif words:
            hits = searching.by_words(workspace, words, k)
        else:
            raise typer.BadParameter("give words or --image FILE")
        show([asdict(hit) for hit in hits], as_json)


@app.command()
def suggest(folder: Folder = DEFAULT_FOLDER, as_json: AsJson = False) -> None:
    """Score all images from every source: zero-shot, neighbours, model; fused."""
    from annotator.services import suggesting

    with opened(folder) as workspace, bar() as progress:
        report = suggesting.refresh(workspace, progress)
    show(report, as_json)


@app.command()
def label(
    folder: Folder = DEFAULT_FOLDER,
    image: Annotated[str | None, typer.Option(help="row, path or start of the sha256")] = None,
    tag: Annotated[str | None, typer.Option()] = None,
    state: Annotated[str, typer.Option(help="positive, negative or unknown")] = "positive",
    annotator: Annotated[str, typer.Option(help="who says so")] = "cli",
    from_: Annotated[Path | None, typer.Option("--from", help="CSV with image,tag,state[,annotator]")] = None,
    as_json: AsJson = False,
) -> None:
    """Set labels from a script."""
    from annotator.services import label_files

    with opened(folder) as workspace:
        if from_ is not None:
            shown = asdict(label_files.label_from_file(workspace, from_, annotator))
        elif image is not None and tag is not None:
            shown = label_files.label_by_name(workspace, image, tag, state, annotator)
        else:
            raise typer.BadParameter("give --image and --tag, or --from FILE")
    show(shown, as_json)


@app.command()
def status(folder: Folder = DEFAULT_FOLDER, as_json: AsJson = False) -> None:
    """Counts of everything."""
    from annotator.services.status import status as counts

    with opened(folder) as workspace:
        show(counts(workspace), as_json)


@app.command()
def export(
    output: Annotated[Path | None, typer.Option("-o", "--output", "--out", help="file or folder")] = None,
    format: Annotated[str, typer.Option(help="coco, json, csv, parquet, …: see --formats")] = "coco",
    pictures: Annotated[
        str, typer.Option(help="reference, copy or resize:SIZE, where the format holds pictures")
    ] = "reference",
    suggestions: Annotated[bool, typer.Option(help="also what nobody has confirmed")] = False,
    only_labelled: Annotated[bool, typer.Option(help="no images without a label")] = False,
    split: Annotated[list[Split] | None, typer.Option(help="this split only; can be given again")] = None,
    check: Annotated[Path | None, typer.Option(help="what of an earlier export still holds")] = None,
    formats: Annotated[
        bool, typer.Option("--formats", help="what there is to choose from, and what each loses")
    ] = False,
    folder: Folder = DEFAULT_FOLDER,
    as_json: AsJson = False,
) -> None:
    """Write the accepted labels, whole or not at all, and what is in it and what is not."""
    from annotator.exporters import ExportOptions
    from annotator.services import export_check, exporting

    if formats:
        show(exporting.formats(), as_json)
        return
    if output is None and check is None:
        raise typer.BadParameter("give --output FILE, --check FILE or --formats")
    options = ExportOptions(pictures, suggestions, only_labelled, tuple(split or ()))
    with opened(folder) as workspace, bar() as progress:
        if output is not None:
            shown = exporting.export(workspace, format, output, options, progress)
        else:
            shown = export_check.check(workspace, check or Path(), progress)
    show(shown, as_json)


@app.command()
def demo(
    folder: Folder = Path("demo-workspace"),
    count: Annotated[int, typer.Option(min=48, help="pictures to draw")] = 600,
    as_json: AsJson = False,
) -> None:
    """Make a ready sample workspace: drawn scenes, embedded, partly answered, trained."""
    from annotator.services.demo import make_demo

    with bar() as progress:
        report = make_demo(folder, count, progress)
    show(report, as_json)


@app.command()
def ui(
    folder: Folder = DEFAULT_FOLDER,
    port: Annotated[int, typer.Option(envvar="PORT")] = 8501,
    host: Annotated[str, typer.Option(help="address to serve on; other machines get in where people sign in")] = LOCAL,
) -> None:
    """Open the app: for one person on this machine, or for everybody who has an account."""
    from annotator.web.server import serve

    with opened(folder):
        pass  # a missing workspace is told here, not in the browser
    serve(folder.resolve(), port, host)


@app.command()
def worker(
    folder: Folder = DEFAULT_FOLDER,
    parent: Annotated[int | None, typer.Option(hidden=True, help="end with this process")] = None,
    nice: Annotated[bool, typer.Option(hidden=True, help="let everything else go first")] = False,
    once: Annotated[bool, typer.Option(help="end when nothing is left to do")] = False,
    list_: Annotated[bool, typer.Option("--list", help="show the jobs and end")] = False,
    cancel: Annotated[str | None, typer.Option(help="end the job with this id")] = None,
    as_json: AsJson = False,
) -> None:
    """Do the long work that was asked for in the app; `annotator ui` runs one by itself."""
    from annotator import jobs
    from annotator.web.server import stop_condition

    with opened(folder) as workspace:
        if cancel is not None:
            jobs.cancel(workspace, cancel)
        elif list_:
            show([asdict(job) for job in jobs.list_jobs(workspace)], as_json)
        else:
            jobs.run_worker(workspace, stop_condition(workspace, parent, nice=nice, once=once), retrain=not once)


@app.command()
def project(
    changes: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME=VALUE]...", help="for example overlap=2")
    ] = None,
    folder: Folder = DEFAULT_FOLDER,
    as_json: AsJson = False,
) -> None:
    """Show what the project agreed on, or change it."""
    from annotator.services.project_values import change, described

    with opened(folder) as workspace:
        if changes:
            change(workspace, changes)
        show(described(workspace), as_json)


@app.command()
def backbones(as_json: AsJson = False) -> None:
    """What can compute embeddings, and how each is named."""
    from annotator.services.doctor import backbone_table

    show(backbone_table(), as_json)


@app.command()
def doctor(folder: Folder = DEFAULT_FOLDER, as_json: AsJson = False) -> None:
    """What works here, and what to do about what does not."""
    from annotator.services.doctor import check

    show([asdict(finding) for finding in check(folder)], as_json)


if __name__ == "__main__":
    main()
