"""`annotator tags`: look at the vocabulary and change it."""

from typing import Annotated, Any

import typer

from annotator.commands.base import DEFAULT_FOLDER, AsJson, Folder, opened, show
from annotator.errors import UsageError

app = typer.Typer(help="Look at the vocabulary and change it; nothing people answered is lost.", no_args_is_help=True)

Preview = Annotated[bool, typer.Option("--preview", help="say what would change, and change nothing")]
Person = Annotated[str, typer.Option("--annotator", help="who changes it")]
Tag = Annotated[str, typer.Argument(help="a tag's name")]
LISTS = ("synonyms", "prompts", "examples")


@app.command("list")
def list_(
    folder: Folder = DEFAULT_FOLDER,
    search: Annotated[str, typer.Option(help="part of a name, a synonym or a name in another language")] = "",
    archived: Annotated[bool, typer.Option(help="those that are archived")] = False,
    start: Annotated[int, typer.Option(min=0, help="leave out so many")] = 0,
    count: Annotated[int, typer.Option(min=1, help="show so many")] = 50,
    as_json: AsJson = False,
) -> None:
    """The tags with what is known of each."""
    from annotator.services.vocabulary_list import listing

    with opened(folder) as workspace:
        show(listing(workspace, search, archived=archived, start=start, count=count)["tags"], as_json)


@app.command()
def add(
    name: Tag,
    folder: Folder = DEFAULT_FOLDER,
    parent: Annotated[str | None, typer.Option(help="the tag it is a kind of")] = None,
    preview: Preview = False,
    annotator: Person = "cli",
    as_json: AsJson = False,
) -> None:
    """Add a tag."""
    _change(folder, annotator, preview, as_json, "add", name=name, parent=parent)


@app.command()
def rename(
    tag: Tag,
    name: Annotated[str, typer.Argument(help="its new name")],
    folder: Folder = DEFAULT_FOLDER,
    preview: Preview = False,
    annotator: Person = "cli",
    as_json: AsJson = False,
) -> None:
    """Give a tag another name."""
    _change(folder, annotator, preview, as_json, "rename", tag=tag, name=name)


@app.command()
def merge(
    tag: Tag,
    into: Annotated[str, typer.Argument(help="the tag that is left")],
    folder: Folder = DEFAULT_FOLDER,
    preview: Preview = False,
    annotator: Person = "cli",
    as_json: AsJson = False,
) -> None:
    """Make two tags one, with all their labels."""
    _change(folder, annotator, preview, as_json, "merge", tag=tag, into=into)


@app.command()
def split(
    tag: Tag,
    into: Annotated[list[str], typer.Argument(help="two tags or more; those that are new are made")],
    folder: Folder = DEFAULT_FOLDER,
    preview: Preview = False,
    annotator: Person = "cli",
    as_json: AsJson = False,
) -> None:
    """Ask anew, about several tags, where a tag was present; the tag is archived."""
    _change(folder, annotator, preview, as_json, "split", tag=tag, into=into)


@app.command()
def archive(
    tag: Tag,
    folder: Folder = DEFAULT_FOLDER,
    back: Annotated[bool, typer.Option("--back", help="bring an archived tag back")] = False,
    preview: Preview = False,
    annotator: Person = "cli",
    as_json: AsJson = False,
) -> None:
    """Ask a tag no more; its labels are kept."""
    _change(folder, annotator, preview, as_json, "unarchive" if back else "archive", tag=tag)


@app.command()
def relate(
    tag: Tag,
    relation: Annotated[str, typer.Argument(help="implies, excludes or 'same as'")],
    other: Annotated[str, typer.Argument(help="the other tag")],
    folder: Folder = DEFAULT_FOLDER,
    remove: Annotated[bool, typer.Option("--remove", help="take the relation away")] = False,
    preview: Preview = False,
    annotator: Person = "cli",
    as_json: AsJson = False,
) -> None:
    """Add a relation between two tags."""
    kind = "unrelate" if remove else "relate"
    _change(folder, annotator, preview, as_json, kind, relation=relation, tag=tag, other=other)


@app.command("set")
def set_(
    tag: Tag,
    values: Annotated[
        list[str],
        typer.Argument(
            metavar="FIELD=VALUE...",
            help="definition, synonyms, prompts, examples (with | between several), hotkey, colour, names.LANG, parent",
        ),
    ],
    folder: Folder = DEFAULT_FOLDER,
    preview: Preview = False,
    annotator: Person = "cli",
    as_json: AsJson = False,
) -> None:
    """Set what is said of a tag; FIELD= takes it away."""
    fields = dict(_field(text) for text in values)
    if "parent" in fields and len(fields) > 1:
        raise UsageError("parent is a change of its own; set it in a command of its own")
    if "parent" in fields:
        _change(folder, annotator, preview, as_json, "parent", tag=tag, parent=fields["parent"] or None)
        return
    with opened(folder) as workspace:
        from annotator.services.vocabulary_list import names_of_tag

        languages = {name.removeprefix("names."): value for name, value in fields.items() if name.startswith("names.")}
        plain = {name: value for name, value in fields.items() if not name.startswith("names.")}
        if languages:
            plain["names"] = {**names_of_tag(workspace, tag), **languages}
    _change(folder, annotator, preview, as_json, "describe", tag=tag, **plain)


@app.command()
def undo(
    folder: Folder = DEFAULT_FOLDER,
    steps: Annotated[int, typer.Option(min=1, help="how many changes, the last one first")] = 1,
    preview: Preview = False,
    annotator: Person = "cli",
    as_json: AsJson = False,
) -> None:
    """Undo the last changes; what people answered since stays."""
    from annotator.services import vocabulary_changes

    with opened(folder) as workspace:
        act = vocabulary_changes.preview_undo if preview else vocabulary_changes.undo
        show(act(workspace, annotator, steps), as_json)


@app.command()
def history(folder: Folder = DEFAULT_FOLDER, as_json: AsJson = False) -> None:
    """The changes made, the last one first."""
    from annotator.services import vocabulary_changes

    with opened(folder) as workspace:
        show(vocabulary_changes.history(workspace), as_json)


@app.command()
def doctor(folder: Folder = DEFAULT_FOLDER, as_json: AsJson = False) -> None:
    """What is wrong with the vocabulary, and what would mend it."""
    from dataclasses import asdict

    from annotator.services.vocabulary_doctor import examine

    with opened(folder) as workspace:
        found = [asdict(finding) for finding in examine(workspace)]
    show(
        found
        if as_json
        else [{"what": one["kind"], "tags": ", ".join(one["tags"]), "why": one["why"]} for one in found],
        as_json,
    )


def _change(folder: Any, person: str, preview: bool, as_json: bool, kind: str, **arguments: Any) -> None:
    from annotator.services import vocabulary_changes

    with opened(folder) as workspace:
        act = vocabulary_changes.preview if preview else vocabulary_changes.make
        report = act(workspace, person, kind, **arguments)
    show(report if as_json else {name: value for name, value in report.items() if value}, as_json)


def _field(text: str) -> tuple[str, Any]:
    name, is_field, value = text.partition("=")
    if not is_field:
        raise UsageError(f"{text!r} sets nothing; write FIELD=VALUE, for example hotkey=b")
    if name not in LISTS:
        return name, value
    parts = [part.strip() for part in value.split("|") if part.strip()]
    if name != "examples":
        return name, parts
    if not all(part.isdecimal() for part in parts):
        raise UsageError(f"examples {value!r}: give the rows of images, separated by |")
    return name, [int(part) for part in parts]
