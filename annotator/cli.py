"""The command line: parse, one service call, print. Heavy imports wait until a command needs them."""

import os
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from annotator.commands import labels as label_commands
from annotator.commands import people, quality, review, tags
from annotator.commands.base import DEFAULT_FOLDER, AsJson, Folder, bar, opened, say_error, show, write_report
from annotator.commands.snapshot import snapshot
from annotator.commands.watch import watch
from annotator.errors import AnnotatorError, UsageError
from annotator.terms import Split

if TYPE_CHECKING:
    from annotator.services.embedding import EmbedReport
    from annotator.workspace import Workspace

LOCAL = "127.0.0.1"
NO_ROUNDS = (0, 0)  # rounds are numbered from 1

app = typer.Typer(
    name="annotator",
    help="Tag large image collections with several tags per image, with few answers and a proof of quality.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(people.app, name="people")
app.add_typer(tags.app, name="tags")
app.add_typer(snapshot)
app.add_typer(review.app, name="review")
quality.register(app)


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
    """Import pictures in place; a second run adds nothing, a killed one is resumed."""
    from annotator.services.importing import import_pictures
    from annotator.services.importing_labels import import_labels

    with opened(folder) as workspace:
        with bar() as progress:
            report = import_pictures(workspace, paths, progress=progress)
        shown: dict[str, Any] = {"pictures": asdict(report)}
        if labels is not None:
            shown["labels"] = asdict(import_labels(workspace, labels, as_truth=as_truth))
    show(shown, as_json)


app.command("import-labels")(label_commands.import_labels)
app.command("round-trip")(label_commands.round_trip)
app.command()(watch)


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
def train(folder: Folder = DEFAULT_FOLDER, as_json: AsJson = False) -> None:
    """Train the classifier on accepted labels, score all images, pick new questions."""
    from annotator.services import picking, suggesting, training

    with opened(folder) as workspace, bar() as progress:
        report = training.train(workspace, progress)
        suggesting.refresh(workspace, progress)
        picking.refill(workspace)
    shown = asdict(report)
    if not as_json:
        shown["metrics"].pop("ap", None)
    show(shown, as_json)


@app.command("label-errors")
def label_errors(
    folder: Folder = DEFAULT_FOLDER,
    report: Annotated[
        bool, typer.Option("--report", help="what the last search found, and what the fixes brought")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Look for wrong and missing labels out of fold; Review shows them, the likeliest first."""
    from annotator.services import label_errors

    with opened(folder) as workspace:
        if report:
            shown = label_errors.report(workspace)
        else:
            with bar() as progress:
                shown = label_errors.find(workspace, progress)
    show(shown, as_json)


@app.command("fine-tune")
def fine_tune(
    folder: Folder = DEFAULT_FOLDER,
    way: Annotated[str, typer.Option(help="last_blocks or lora")] = "last_blocks",
    blocks: Annotated[int, typer.Option(min=1, help="how many of the image tower's last blocks learn")] = 2,
    epochs: Annotated[int, typer.Option(min=1, help="passes over the answered pictures, at most")] = 10,
    learning_rate: Annotated[float | None, typer.Option(help="the highest rate (default: the way's own)")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu or cuda (default: ANNOTATOR_DEVICE)")] = None,
    as_json: AsJson = False,
) -> None:
    """Tune the image tower on people's answers; a killed run goes on when the same is asked for again."""
    from annotator.backbones.fine_tuning import TuningSettings
    from annotator.services import fine_tuning

    with opened(folder) as workspace, bar() as progress:
        report = fine_tuning.fine_tune(workspace, TuningSettings(way, blocks, epochs, learning_rate), device, progress)
    show(report, as_json)


@app.command("round")
def round_(
    folder: Folder = DEFAULT_FOLDER,
    plan: Annotated[bool, typer.Option("--plan", help="what a round would propose now, at what cost")] = False,
    propose: Annotated[bool, typer.Option("--propose", help="open a round")] = False,
    tags: Annotated[str | None, typer.Option(help="with --propose: only these tags, separated by commas")] = None,
    audit_next: Annotated[bool, typer.Option("--audit-next", help="ask for the next draws; how far each is")] = False,
    settle: Annotated[bool, typer.Option("--settle", help="end the round: settle what is proved")] = False,
    certificates: Annotated[bool, typer.Option("--certificates", help="what is proven of each tag by now")] = False,
    contradictions: Annotated[
        bool, typer.Option("--contradictions", help="labels that cannot both be right, by the tags' relations")
    ] = False,
    compare: Annotated[
        tuple[int, int],
        typer.Option(help="two rounds: thresholds, sizes, answers, bounds", show_default=False),
    ] = NO_ROUNDS,
    replay: Annotated[int | None, typer.Option(help="recompute this round and compare, bit for bit")] = None,
    rollback: Annotated[int | None, typer.Option(help="take back what this round settled")] = None,
    annotator: Annotated[str, typer.Option(help="who starts it")] = "cli",
    as_json: AsJson = False,
) -> None:
    """One step of the cascade; without an option: propose a round, or show how far the open one is."""
    from annotator.services import certificates as proofs
    from annotator.services import contradictions as opposed
    from annotator.services import round_compare, round_replay, rounds, standing_audit

    only = [name.strip() for name in tags.split(",") if name.strip()] if tags is not None else None
    if only is not None and not propose:
        raise UsageError("--tags says what a new round is about; give it together with --propose")
    steps: list[tuple[bool, Callable[[Workspace], Any]]] = [
        (plan, proofs.forecast),
        (propose, lambda workspace: {"number": rounds.propose(workspace, annotator, only=only)}),
        (audit_next, rounds.progress),
        (settle, rounds.settle),
        (certificates, lambda workspace: {**standing_audit.keep_up(workspace), "tags": proofs.certificates(workspace)}),
        (contradictions, opposed.listed),
        (compare != NO_ROUNDS, lambda workspace: round_compare.compare(workspace, *compare)),
        (replay is not None, lambda workspace: round_replay.replay(workspace, replay or 0)),
        (rollback is not None, lambda workspace: rounds.roll_back(workspace, rollback or 0)),
    ]
    asked = [step for is_asked, step in steps if is_asked]
    if len(asked) > 1:
        raise UsageError(f"{len(asked)} steps were asked for; give one option at a time")
    with opened(folder) as workspace:
        shown = asked[0](workspace) if asked else rounds.propose_or_show(workspace, annotator)
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
def simulate(
    images: Annotated[Path, typer.Option(help="folder with the pictures")],
    truth: Annotated[Path, typer.Option(help="CSV with file,labels[,split]: the whole truth")],
    out: Annotated[Path, typer.Option(help="where the report goes")],
    backbone: Annotated[str, typer.Option(help="as for embed")] = "descriptor",
    strategy: Annotated[str, typer.Option(help="query strategy")] = "facility_location",
    answers_per_step: Annotated[int, typer.Option(min=1, help="images answered between two trainings")] = 50,
    budget: Annotated[int, typer.Option(min=1, help="images answered in all")] = 500,
    seed: Annotated[int, typer.Option()] = 0,
    audits: Annotated[int, typer.Option(min=0, help="images answered to prove a round")] = 300,
    cascade: Annotated[
        str | None, typer.Option(help="then every label by a rule: guarantee, lsun or cut0.5; what it cost, what holds")
    ] = None,
    folder: Annotated[Path | None, typer.Option("--workspace", "-w", help="keep the workspace here")] = None,
    as_json: AsJson = False,
) -> None:
    """Run the real loop with a scripted annotator who answers from the truth; write the learning curve."""
    from annotator.services import simulating

    plan = simulating.Plan(
        images=images, truth=truth, backbone=backbone, strategy=strategy, answers_per_step=answers_per_step,
        budget=budget, seed=seed, audits=audits, cascade=cascade,
    )  # fmt: skip
    with bar() as progress:
        report = simulating.simulate(plan, folder, progress)
    write_report(out, report)
    shown = {name: report[name] for name in ("curve", "cascade", "totals") if name in report}
    show(report if as_json else shown, as_json)


@app.command()
def replay(
    strategies: Annotated[str, typer.Option(help="query strategies, separated by commas; random is always run")] = (
        "facility_location,diversity,badge"
    ),
    heads: Annotated[str, typer.Option(help="heads, separated by commas")] = "text_anchored",
    losses: Annotated[str, typer.Option(help="losses, separated by commas")] = "masked_bce",
    seeds: Annotated[int, typer.Option(min=1)] = 3,
    budget: Annotated[
        int | None, typer.Option(min=1, help="images answered (default: half of those there are)")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="write the whole report here")] = None,
    folder: Folder = DEFAULT_FOLDER,
    as_json: AsJson = False,
) -> None:
    """On the workspace's own labels: what each way of asking would have saved against random choice."""
    from annotator.services import replaying

    asked, on, by = (
        [name.strip() for name in names.split(",") if name.strip()] for names in (strategies, heads, losses)
    )
    with opened(folder) as workspace, bar() as progress:
        recipes = replaying.recipes_of(asked, on, by)
        report = replaying.replay_workspace(workspace, recipes, seeds, budget, progress)
    if out is not None:
        write_report(out, report)
    show(report if as_json else report["table"], as_json)


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
    from annotator.services.agreement import change, described

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
