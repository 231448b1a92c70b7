"""What the project agreed on, by name: read and changed from the command line."""

import json
from collections.abc import Sequence
from typing import Any

from annotator.errors import UnknownNameError, UsageError
from annotator.learning.heads import HEADS
from annotator.learning.losses import LOSSES
from annotator.learning.queries import BANDIT, QUERIES
from annotator.learning.votes import VOTES
from annotator.services.rights import Right, needs
from annotator.workspace import Project, Workspace

FAMILIES: dict[str, Any] = {"strategy": [*QUERIES, BANDIT], "head": HEADS, "loss": LOSSES, "vote_policy": VOTES}


def described(workspace: Workspace) -> list[dict[str, Any]]:
    """Every agreed value with what it means."""
    values = workspace.project.model_dump(mode="json")
    return [
        {"name": name, "value": json.dumps(values[name], ensure_ascii=False), "what": field.description}
        for name, field in Project.model_fields.items()
    ]


@needs(Right.PROJECT)
def change(workspace: Workspace, changes: Sequence[str]) -> None:
    """Apply changes written as NAME=VALUE; a value is JSON, or text where it is none. All of them or none.

    Raises UsageError for what is no change, UnknownNameError for a name that nothing is agreed on.
    """
    values = {}
    for text in changes:
        name, is_change, value = text.partition("=")
        if not is_change:
            raise UsageError(f"{text!r} is no change; write NAME=VALUE, for example overlap=2")
        if name not in Project.model_fields:
            raise UnknownNameError("agreed value", name, Project.model_fields)
        try:
            values[name] = json.loads(value)
        except ValueError:
            values[name] = value
    for name, family in FAMILIES.items():
        if name in values and values[name] not in family:
            raise UnknownNameError(name, str(values[name]), family)
    workspace.change_project(**values)
