"""`annotator people`: accounts and rights from the command line, which needs none: who has it has the files."""

from typing import Annotated, Any

import typer

from annotator.commands.base import DEFAULT_FOLDER, AsJson, Folder, opened, show
from annotator.errors import UsageError
from annotator.terms import Role

app = typer.Typer(help="Who works here and may do what.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="the person's name")]
AsRole = Annotated[Role, typer.Option(help="what the person may do")]
Password = Annotated[
    str | None, typer.Option(envvar="ANNOTATOR_PASSWORD", help="asked for where it is not given", show_default=False)
]


@app.command("list")
def list_(folder: Folder = DEFAULT_FOLDER, as_json: AsJson = False) -> None:
    """Everybody who has an account or ever answered."""
    from annotator.services import accounts

    with opened(folder) as workspace:
        show(accounts.people(workspace), as_json)


@app.command()
def add(
    name: Name,
    folder: Folder = DEFAULT_FOLDER,
    role: AsRole = Role.ANNOTATOR,
    email: Annotated[str | None, typer.Option(help="signs in at the identity provider under this address")] = None,
    password: Password = None,
    as_json: AsJson = False,
) -> None:
    """Give somebody an account. From the first one on, an admin's, everybody signs in."""
    from annotator.services import accounts

    if password is None and email is None:
        password = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    with opened(folder) as workspace:
        show(accounts.add(workspace, name, role, password, email), as_json)


@app.command()
def invite(
    folder: Folder = DEFAULT_FOLDER,
    role: AsRole = Role.ANNOTATOR,
    name: Annotated[str, typer.Option(help="the name to propose")] = "",
    as_json: AsJson = False,
) -> None:
    """An address that makes one account within a week."""
    from annotator.services import accounts

    with opened(folder) as workspace:
        show({"path": f"/invitation/{accounts.invite(workspace, role, name)}"}, as_json)


@app.command("set")
def set_(
    name: Name,
    folder: Folder = DEFAULT_FOLDER,
    role: Annotated[Role | None, typer.Option(help="a new role")] = None,
    quota: Annotated[int | None, typer.Option(help="pictures a day; 0 ends the limit")] = None,
    pause: Annotated[bool | None, typer.Option("--pause/--resume", help="a paused person may do nothing")] = None,
    sign_out: Annotated[bool, typer.Option(help="end every sign-in of this person")] = False,
    as_json: AsJson = False,
) -> None:
    """Change what somebody may do."""
    from annotator.services import accounts

    done: dict[str, Any] | None = None
    with opened(folder) as workspace:
        if role is not None:
            done = accounts.set_role(workspace, name, role)
        if quota is not None:
            done = accounts.set_quota(workspace, name, quota or None)
        if pause is not None:
            done = accounts.set_paused(workspace, name, pause)
        if sign_out:
            done = accounts.sign_out_everywhere(workspace, name)
    if done is None:
        raise UsageError("nothing to change; give --role, --quota, --pause, --resume or --sign-out")
    show(done, as_json)


@app.command()
def password(name: Name, folder: Folder = DEFAULT_FOLDER, new: Password = None, as_json: AsJson = False) -> None:
    """Set somebody's password; every sign-in of the person ends."""
    from annotator.services import accounts

    new = new or typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    with opened(folder) as workspace:
        show(accounts.set_password(workspace, name, new), as_json)


@app.command()
def acts(folder: Folder = DEFAULT_FOLDER, as_json: AsJson = False) -> None:
    """What was done with more than an annotator's rights, the newest first."""
    from annotator.services import accounts

    with opened(folder) as workspace:
        show(accounts.acts(workspace), as_json)
