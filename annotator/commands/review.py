"""`annotator review`: the reviewers' queue, verdicts and talk from the command line."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from annotator.commands.base import DEFAULT_FOLDER, AsJson, Folder, opened, show
from annotator.errors import UsageError
from annotator.terms import LabelState, Verdict

if TYPE_CHECKING:
    from annotator.services.reviewing import Filter
    from annotator.workspace import Workspace

app = typer.Typer(
    help="Look at labels again: what needs it, verdicts, questions sent back, talk.", no_args_is_help=True
)

OfImage = Annotated[str | None, typer.Option("--image", help="row, path or start of the sha256")]
OfTag = Annotated[str | None, typer.Option("--tag")]
Cause = Annotated[str | None, typer.Option(help="only what has this cause: disagreement, flag, …")]
LabelledBy = Annotated[str | None, typer.Option("--by", help="only what this person labelled")]
Reviewer = Annotated[str, typer.Option(help="who decides")]
Note = Annotated[str, typer.Option(help="a line for the people who labelled it")]
All = Annotated[bool, typer.Option("--all", help="all that --cause, --tag and --by leave; a preview without --yes")]
Yes = Annotated[bool, typer.Option("--yes", help="write what the preview shows")]
STATES = {state.name.lower(): state for state in LabelState}


@app.command("list")
def list_(
    folder: Folder = DEFAULT_FOLDER,
    cause: Cause = None,
    tag: OfTag = None,
    by: LabelledBy = None,
    count: Annotated[int, typer.Option(min=1, help="how many")] = 20,
    start: Annotated[int, typer.Option(min=0, help="leave out as many first")] = 0,
    as_json: AsJson = False,
) -> None:
    """What should be looked at again, what is worth most a second first."""
    from annotator.services import reviewing

    with opened(folder) as workspace:
        found = reviewing.queue(workspace, _filter(workspace, cause, tag, by), count, start)
    if not as_json:
        found["items"] = [_line(item) for item in found["items"]]
    show(found, as_json)


@app.command()
def accept(
    folder: Folder = DEFAULT_FOLDER,
    image: OfImage = None,
    tag: OfTag = None,
    cause: Cause = None,
    by: LabelledBy = None,
    also_valid: Annotated[bool, typer.Option("--also-valid", help="both answers can be defended")] = False,
    all_: All = False,
    yes: Yes = False,
    comment: Note = "",
    reviewer: Reviewer = "cli",
    as_json: AsJson = False,
) -> None:
    """Leave the label as it stands, for good."""
    what = Verdict.ALSO_VALID if also_valid else Verdict.ACCEPTED
    with opened(folder) as workspace:
        shown = (
            _in_bulk(workspace, reviewer, _filter(workspace, cause, tag, by), what, None, yes)
            if all_
            else _one(workspace, reviewer, image, tag, what, None, comment)
        )
    show(shown, as_json)


@app.command()
def change(
    folder: Folder = DEFAULT_FOLDER,
    image: OfImage = None,
    tag: OfTag = None,
    cause: Cause = None,
    by: LabelledBy = None,
    to: Annotated[str | None, typer.Option(help="positive, negative or unknown (default: the opposite)")] = None,
    finer: Annotated[bool, typer.Option("--finer", help="right in the coarse, not by the definition")] = False,
    major: Annotated[bool, typer.Option("--major", help="so plain that no later model may make it again")] = False,
    all_: All = False,
    yes: Yes = False,
    comment: Note = "",
    reviewer: Reviewer = "cli",
    as_json: AsJson = False,
) -> None:
    """Change the label, for good."""
    if finer and major:
        raise UsageError("--finer and --major are two verdicts; give one")
    if to is not None and to not in STATES:
        raise UsageError(f"--to {to!r}; give {', '.join(STATES)}")
    what = Verdict.FINER if finer else Verdict.MAJOR if major else Verdict.WRONG
    state = None if to is None else STATES[to]
    with opened(folder) as workspace:
        shown = (
            _in_bulk(workspace, reviewer, _filter(workspace, cause, tag, by), what, state, yes)
            if all_
            else _one(workspace, reviewer, image, tag, what, state, comment)
        )
    show(shown, as_json)


@app.command("send-back")
def send_back(
    image: Annotated[str, typer.Option(help="row, path or start of the sha256")],
    tag: Annotated[str, typer.Option()],
    comment: Annotated[str, typer.Option(help="what they should look at: the reason they are shown")],
    folder: Folder = DEFAULT_FOLDER,
    to: Annotated[list[str] | None, typer.Option(help="whom to ask (default: everybody who labelled it)")] = None,
    reviewer: Reviewer = "cli",
    as_json: AsJson = False,
) -> None:
    """Ask the people who labelled it again."""
    from annotator.services import label_files, verdicts
    from annotator.services.judgements import Judgement, Step, said

    with opened(folder) as workspace:
        row, tag_id = label_files.pair_by_name(workspace, image, tag)
        asked = Judgement(row, tag_id, Step.SEND_BACK, None, said(comment), tuple(to or ()))
        show(verdicts.decide(workspace, reviewer, [asked]), as_json)


@app.command()
def undo(folder: Folder = DEFAULT_FOLDER, reviewer: Reviewer = "cli", as_json: AsJson = False) -> None:
    """Take back the reviewer's last step, a verdict in bulk included."""
    from annotator.services import verdicts

    with opened(folder) as workspace:
        show({"taken back": verdicts.undo(workspace, reviewer)}, as_json)


@app.command()
def comments(
    image: Annotated[str, typer.Option(help="row, path or start of the sha256")],
    folder: Folder = DEFAULT_FOLDER,
    tag: OfTag = None,
    add: Annotated[str | None, typer.Option(help="say this")] = None,
    resolve: Annotated[bool, typer.Option("--resolve", help="end the open thread")] = False,
    person: Annotated[str, typer.Option(help="who says it")] = "cli",
    as_json: AsJson = False,
) -> None:
    """The talk about a picture: read it, join it, end it."""
    from annotator.services import comments, label_files

    with opened(folder) as workspace:
        row, tag_id = label_files.pair_by_name(workspace, image, tag)
        if add is not None:
            comments.add(workspace, person, row, add, tag_id)
        if resolve:
            comments.resolve(workspace, row, tag_id)
        show(comments.thread(workspace, row), as_json)


def _one(
    workspace: "Workspace",
    reviewer: str,
    image: str | None,
    tag: str | None,
    what: Verdict,
    state: LabelState | None,
    comment: str,
) -> dict[str, int]:
    from annotator.services import label_files, verdicts
    from annotator.services.judgements import Judgement, said

    if image is None or tag is None:
        raise UsageError("name one label with --image and --tag, or take --all that --cause, --tag and --by leave")
    row, tag_id = label_files.pair_by_name(workspace, image, tag)
    return verdicts.decide(workspace, reviewer, [Judgement(row, tag_id, what, state, said(comment))])


def _in_bulk(
    workspace: "Workspace", reviewer: str, filter: "Filter", what: Verdict, state: LabelState | None, yes: bool
) -> dict[str, Any]:
    from annotator.services import verdicts

    if not yes:
        return verdicts.preview(workspace, filter, what, state)
    return verdicts.decide_all(workspace, reviewer, filter, what, state)


def _filter(workspace: "Workspace", cause: str | None, tag: str | None, by: str | None) -> "Filter":
    from annotator.services.label_files import tag_by_name
    from annotator.services.reviewing import Filter

    return Filter(cause, None if tag is None else tag_by_name(workspace, tag), by)


def _line(item: dict[str, Any]) -> dict[str, Any]:
    names = {1: "present", 0: "absent", -1: "cannot tell", None: ""}
    return {
        "image": item["image"], "name": item["name"], "tag": item["tag_name"], "stands": names[item["state"]],
        "why": "; ".join(f"{one['cause']}: {one['words']}" for one in item["causes"]),
        "waits for": ", ".join(item["waiting"]),
    }  # fmt: skip
