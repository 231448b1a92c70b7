"""How well people answer: gold, skill, agreement, sending a stretch back, and questions for one person."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from annotator.commands.base import DEFAULT_FOLDER, AsJson, Folder, opened, show
from annotator.errors import MissingError, UsageError

if TYPE_CHECKING:
    from annotator.workspace import Workspace

gold = typer.Typer(help="Pairs whose answer is known: asked of people, they measure them.", no_args_is_help=True)
FELL = "fell"


def register(app: typer.Typer) -> None:
    """Add this file's commands to the command line."""
    app.add_typer(gold, name="gold")
    app.command()(skill)
    app.command()(agreement)
    app.command("send-back")(send_back)
    app.command()(assign)


@gold.command("add")
def gold_add(
    folder: Folder = DEFAULT_FOLDER,
    source: Annotated[Path | None, typer.Option("--from", help="CSV with image,tag,state")] = None,
    reviewed: Annotated[int | None, typer.Option(min=1, help="so many reviewed pairs")] = None,
    tag: Annotated[str | None, typer.Option(help="reviewed pairs of this tag only")] = None,
    instant: Annotated[bool, typer.Option(help="people are told at once what is known")] = False,
    by: Annotated[str | None, typer.Option(help="who says so")] = None,
    as_json: AsJson = False,
) -> None:
    """Declare pairs known: from a file or from reviews."""
    from annotator.services import gold as service

    if (source is None) == (reviewed is None):
        raise UsageError("say where from: --from FILE.csv, or --reviewed 200")
    with opened(folder) as workspace:
        name = by or workspace.settings.name
        if source is not None:
            report = service.declare_from_file(workspace, name, source, instant=instant)
        else:
            report = service.declare_reviewed(workspace, name, reviewed or 0, tag=tag, instant=instant)
    show(report, as_json)


@gold.command("list")
def gold_list(folder: Folder = DEFAULT_FOLDER, as_json: AsJson = False) -> None:
    """Every known pair."""
    from annotator.services import gold as service

    with opened(folder) as workspace:
        show(service.listed(workspace), as_json)


def skill(folder: Folder = DEFAULT_FOLDER, as_json: AsJson = False) -> None:
    """How well each person answers what is known, tag by tag; who raises an alarm."""
    from annotator.services import skill as service

    with opened(folder) as workspace:
        alarms = [
            {
                "person": alarm.person, "by": alarm.by, "since": alarm.since.isoformat(timespec="seconds"),
                "right": f"{alarm.right} of {alarm.answers}", "at most": round(alarm.at_most, 3),
            }
            for alarm in service.alarms(workspace)
        ]  # fmt: skip
        show({"alarms": alarms, "skills": service.skills(workspace)}, as_json)


def agreement(
    folder: Folder = DEFAULT_FOLDER,
    pairs: Annotated[bool, typer.Option(help="Cohen's kappa of every two people instead")] = False,
    as_json: AsJson = False,
) -> None:
    """How far people agree on each tag: Krippendorff's alpha with its interval."""
    from annotator.services import reliability

    with opened(folder) as workspace:
        show(reliability.between_two(workspace) if pairs else reliability.agreement(workspace), as_json)


def send_back(
    person: Annotated[str | None, typer.Argument(help="whose answers")] = None,
    folder: Folder = DEFAULT_FOLDER,
    since: Annotated[str | None, typer.Option(help="a time such as 2026-05-04T09:00 (UTC), or: fell")] = None,
    until: Annotated[str | None, typer.Option(help="a time; without it, now")] = None,
    preview: Annotated[bool, typer.Option(help="only say what it would take")] = False,
    undo: Annotated[int | None, typer.Option(help="put this stretch back")] = None,
    as_json: AsJson = False,
) -> None:
    """Take back what a person answered in a stretch and ask others; or put it back."""
    from annotator.services import send_back as service

    with opened(folder) as workspace:
        if undo is not None:
            show(service.undo(workspace, undo), as_json)
            return
        if person is None or since is None:
            raise UsageError("say whose answers and since when: annotator send-back anna --since 2026-05-04")
        step = service.preview if preview else service.send_back
        start = _fell(workspace, person) if since == FELL else _time(since)
        show(step(workspace, person, start, _time(until) if until else None), as_json)


def _fell(workspace: "Workspace", person: str) -> datetime:
    from annotator.services import skill as service

    begun = [alarm.since for alarm in service.alarms(workspace) if alarm.person == person]
    if not begun:
        raise MissingError(f"no alarm is raised by {person!r}; give a time: --since 2026-05-04T09:00")
    return min(begun)


def assign(
    person: Annotated[str, typer.Argument(help="who is asked")],
    source: Annotated[Path, typer.Option("--from", help="a file with an image a line: its row, path or sha256")],
    folder: Folder = DEFAULT_FOLDER,
    tag: Annotated[str | None, typer.Option(help="ask about this tag; without it, about whole pictures")] = None,
    as_json: AsJson = False,
) -> None:
    """Ask one person alone about some pictures, before anything else."""
    from annotator.services import assigning
    from annotator.services.label_files import find_image, find_tag

    with opened(folder) as workspace:
        try:
            names = [line.strip() for line in source.read_text(encoding="utf-8").splitlines() if line.strip()]
        except OSError as error:
            raise UsageError(f"{source}: {error.strerror}") from error
        with workspace.reading() as session:
            rows = [find_image(session, name) for name in names]
            tag_id = find_tag(session, tag).id if tag else None
        show({"person": person, "questions": assigning.assign(workspace, person, rows, tag_id)}, as_json)


def _time(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"{text!r} is no time; write one such as 2026-05-04 or 2026-05-04T09:00+02:00") from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)
