"""Commands about labels that come in."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from annotator.commands.base import DEFAULT_FOLDER, AsJson, Folder, bar, opened, show


def round_trip(
    formats: Annotated[list[str] | None, typer.Argument(help="formats (default: all that go out and come in)")] = None,
    folder: Folder = DEFAULT_FOLDER,
    as_json: AsJson = False,
) -> None:
    """Export, read back into a fresh workspace, compare: what a format keeps of this project's labels."""
    from annotator.services.round_trip import round_trips

    with opened(folder) as workspace, bar() as progress:
        found = [asdict(trip) for trip in round_trips(workspace, formats or [], progress)]
    if not as_json:
        found = [
            {"format": one["format"], "snapshot_equal": one["snapshot_equal"], **one["labels"], "loses": one["loses"]}
            for one in found
        ]
    show(found, as_json)


def import_labels(
    file: Annotated[Path, typer.Argument(help="file or folder with labels of pictures that are imported already")],
    folder: Folder = DEFAULT_FOLDER,
    format: Annotated[str | None, typer.Option(help="coco, json, csv, … (default: what the content proposes)")] = None,
    map: Annotated[Path | None, typer.Option("--map", help="CSV with from,to: which tag is which; empty: none")] = None,
    annotator: Annotated[str, typer.Option(help="in whose name")] = "import",
    keep_people: Annotated[bool, typer.Option("--keep-people", help="in the names the file gives")] = False,
    as_truth: Annotated[
        bool, typer.Option("--as-truth", help="as the truth, for Replay, instead of as labels")
    ] = False,
    as_suggestions: Annotated[
        bool, typer.Option("--as-suggestions", help="as proposals that nobody has confirmed, instead of as labels")
    ] = False,
    complete: Annotated[bool, typer.Option("--complete", help="what an image does not list is absent")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="where people say otherwise, the file counts")] = False,
    add_tags: Annotated[bool, typer.Option("--add-tags", help="make tags that are not there")] = False,
    preview: Annotated[bool, typer.Option("--preview", help="say what would be done, and do nothing")] = False,
    as_json: AsJson = False,
) -> None:
    """Bring labels in from COCO, LVIS, Open Images, CSV, JSON, Parquet, YOLO, CVAT and others; all of them or none."""
    from annotator.services.import_options import ImportOptions
    from annotator.services.importing_records import import_records

    options = ImportOptions(
        format, map, annotator, keep_people, as_truth, as_suggestions, complete, overwrite, add_tags, preview
    )  # fmt: skip
    with opened(folder) as workspace, bar() as progress:
        report = asdict(import_records(workspace, file, options, progress))
    if not as_json:
        report = {name: value for name, value in report.items() if value not in ([], {}, 0)}
    show(report, as_json)
