"""The matrix of rights: every service that is marked, every role, and nobody forgotten."""

import ast
import importlib
import pkgutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import annotator.services
from annotator import jobs
from annotator.errors import ForbiddenError
from annotator.services import accounts, labelling, rights
from annotator.services.rights import RIGHTS, Right
from annotator.settings import Settings
from annotator.terms import LabelState, Role
from annotator.workspace import Workspace
from tests.services.rows import add_images, add_tags

FOLDER = Path(annotator.services.__file__).parent
NAMES = {Role.ADMIN: "Ada", Role.REVIEWER: "Rob", Role.ANNOTATOR: "Ann"}
INTERNAL = {
    "accounts.sign_in": "gives rights",
    "accounts.change_own_password": "asks for the password",
    "accounts.accept_invitation": "the invitation is the right",
    "accounts.invited_as": "counts guesses",
    "rounds.ask_further": "part of claiming questions",
    "accounts.end_sitting": "a sign-out, of whoever shows the cookie",
    "rights.note": "writes what a marked service did",
}
"""Services that write and need no right, and why. The rest of those without a mark run inside a marked one, in the
worker, or at the command line; they are listed by module below."""
UNREACHED = {
    "cascading", "certificates", "demo", "importing_store", "label_files", "picking", "replaying", "round_replay",
    "savings", "scripted", "simulating", "standing_audit", "suggesting", "round_questions", "round_views",
}  # fmt: skip


def marked() -> Iterator[tuple[str, Callable[..., Any]]]:
    modules = [f"annotator.services.{found.name}" for found in pkgutil.iter_modules([str(FOLDER)])]
    for name in [*modules, jobs.__name__]:
        module = importlib.import_module(name)
        for label, value in sorted(vars(module).items()):
            if callable(value) and hasattr(value, "needs") and value.__module__ == name:
                yield f"{name.rpartition('.')[2]}.{label}", value


SERVICES = dict(marked())


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """One workspace for all: a service that is refused changes nothing, and one that is allowed stops at its arguments.

    With addresses instead of passwords, which take their time to be kept.
    """
    folder = tmp_path_factory.mktemp("team") / "workspace"
    with Workspace.create(folder, Settings(device="cpu")) as workspace:
        add_images(workspace, 2)
        add_tags(workspace, ["boat"])
        for role, name in NAMES.items():
            accounts.add(workspace, name, role, email=f"{name}@example.org")
        accounts.add(workspace, "Pat", Role.ADMIN, email="pat@example.org")
        accounts.set_paused(workspace, "Pat", True)
        yield workspace


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("role", [*Role, None], ids=lambda role: role or "paused")
def test_a_service_is_open_to_the_roles_that_have_its_right_and_to_no_other(
    team: Workspace, service: str, role: Role | None
) -> None:
    theirs, call = team.acting_for(NAMES[role] if role else "Pat"), SERVICES[service]
    if role is not None and call.needs in RIGHTS[role]:  # type: ignore[attr-defined]
        with pytest.raises(TypeError):
            call(theirs, unknown_argument=None)  # past the gate: only now are the arguments looked at
    else:
        with pytest.raises(ForbiddenError, match="may not"):
            call(theirs)


def test_every_service_that_writes_says_who_may_call_it() -> None:
    forgotten = []
    for file in sorted(FOLDER.glob("*.py")):
        for function in ast.parse(file.read_text()).body:
            name = f"{file.stem}.{getattr(function, 'name', '')}"
            if not isinstance(function, ast.FunctionDef) or function.name.startswith("_"):
                continue
            writes = ".transaction()" in ast.unparse(function)
            if writes and name not in SERVICES and name not in INTERNAL and file.stem not in UNREACHED:
                forgotten.append(name)
    assert forgotten == []


def test_nobody_answers_as_somebody_else(team: Workspace) -> None:
    labels = [(0, 1, LabelState.POSITIVE)]
    assert labelling.set_labels(team.acting_for("Ann"), "Ann", labels) == 1
    with pytest.raises(ForbiddenError, match="Ann may not do this as Rob"):
        labelling.set_labels(team.acting_for("Ann"), "Rob", labels)


def test_whoever_has_the_machine_may_do_everything(team: Workspace) -> None:
    with team.reading() as session:
        assert rights.rights_of(session, None) == frozenset(Right)
        assert rights.rights_of(session, "a stranger") == frozenset()


def test_while_nobody_has_an_account_everybody_may_do_everything(workspace: Workspace) -> None:
    assert rights.allows(workspace.acting_for("me"), Right.PEOPLE)


def test_each_role_may_do_what_the_one_below_may() -> None:
    assert RIGHTS[Role.ANNOTATOR] < RIGHTS[Role.REVIEWER] < RIGHTS[Role.ADMIN]
