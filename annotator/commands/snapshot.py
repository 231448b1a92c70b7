"""`annotator snapshot …`: the labels at one moment, kept under a name."""

from pathlib import Path
from typing import Annotated

import typer

from annotator.commands.base import DEFAULT_FOLDER, AsJson, Folder, bar, opened, show

snapshot = typer.Typer(
    name="snapshot",
    help="Freeze the labels under a name with a data card; compare, restore, rename, delete.",
    no_args_is_help=True,
)
Name = Annotated[str, typer.Argument(help="the snapshot")]


@snapshot.command()
def create(
    name: Name,
    note: Annotated[str, typer.Option(help="why it was made")] = "",
    folder: Folder = DEFAULT_FOLDER,
    as_json: AsJson = False,
) -> None:
    """Freeze the labels as they are now; whole or not at all."""
    from annotator.services import frozen

    with opened(folder) as workspace, bar() as progress:
        about = frozen.create(workspace, name, note, progress)
    show(about, as_json)


@snapshot.command("list")
def list_(folder: Folder = DEFAULT_FOLDER, as_json: AsJson = False) -> None:
    """Every snapshot, the oldest first."""
    from annotator.services import frozen

    with opened(folder) as workspace:
        show(frozen.listed(workspace), as_json)


@snapshot.command("show")
def show_(
    name: Name,
    card: Annotated[Path | None, typer.Option(help="write the data card there, as Markdown")] = None,
    folder: Folder = DEFAULT_FOLDER,
    as_json: AsJson = False,
) -> None:
    """The data card: counts, what is proven, sources, splits, known gaps, rights."""
    from annotator.arrays import write_whole
    from annotator.services import frozen

    with opened(folder) as workspace:
        about = frozen.shown(workspace, name)
        if card is not None:
            write_whole(card.expanduser().absolute(), (frozen.folder_of(workspace, name) / "card.md").read_bytes())
    show(about, as_json)


@snapshot.command()
def compare(
    before: Annotated[str, typer.Argument(help="the earlier snapshot")],
    after: Annotated[str, typer.Argument(help="the later one, or now")] = "now",
    out: Annotated[Path | None, typer.Option(help="every changed pair, as CSV")] = None,
    folder: Folder = DEFAULT_FOLDER,
    as_json: AsJson = False,
) -> None:
    """What changed between two snapshots, tag by tag."""
    from annotator.services import frozen

    with opened(folder) as workspace:
        show(frozen.compare(workspace, before, after, out), as_json)


@snapshot.command()
def rename(
    name: Name,
    new: Annotated[str, typer.Argument(help="its new name")],
    folder: Folder = DEFAULT_FOLDER,
    as_json: AsJson = False,
) -> None:
    """Give a snapshot another name."""
    from annotator.services import frozen

    with opened(folder) as workspace:
        show(frozen.rename(workspace, name, new), as_json)


@snapshot.command()
def delete(name: Name, folder: Folder = DEFAULT_FOLDER, as_json: AsJson = False) -> None:
    """Remove a snapshot."""
    from annotator.services import frozen

    with opened(folder) as workspace:
        show(frozen.delete(workspace, name), as_json)


@snapshot.command()
def restore(
    name: Name,
    into: Annotated[Path, typer.Argument(help="a folder that does not exist yet")],
    folder: Folder = DEFAULT_FOLDER,
    as_json: AsJson = False,
) -> None:
    """A new workspace that says what the snapshot says; pictures stay where they are."""
    from annotator.services.restoring import restore as restored

    with opened(folder) as workspace:
        show(restored(workspace, name, into), as_json)
