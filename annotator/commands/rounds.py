"""`annotator round`: propose, audit, settle, look, and take back."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from annotator.commands.base import DEFAULT_FOLDER, AsJson, Folder, opened, show
from annotator.errors import UsageError

if TYPE_CHECKING:
    from annotator.workspace import Workspace

NO_ROUNDS = (0, 0)  # rounds are numbered from 1


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
