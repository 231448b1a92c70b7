"""`annotator watch`."""

import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from annotator.commands.base import DEFAULT_FOLDER, AsJson, Folder, opened, show

if TYPE_CHECKING:
    from annotator.services.watching import Watched


def watch(
    folder: Folder = DEFAULT_FOLDER,
    pictures: Annotated[Path | None, typer.Option("--folder", help="import the pictures that appear here")] = None,
    every: Annotated[float, typer.Option(min=0.1, help="seconds between two looks")] = 10,
    webhook: Annotated[str | None, typer.Option(help="post new labels as JSON to this address")] = None,
    all_labels: Annotated[bool, typer.Option("--all-labels", help="those given before now too")] = False,
    once: Annotated[bool, typer.Option(help="look once and end")] = False,
    as_json: AsJson = False,
) -> None:
    """Let pictures come in and labels go out by themselves, until it is ended (Ctrl+C); it resumes where it was."""
    from annotator.services.watching import Plan
    from annotator.services.watching import watch as go_on

    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    with opened(folder) as workspace:
        plan = Plan(pictures, webhook, workspace.settings.webhook_secret, all_labels)
        show(go_on(workspace, plan, lambda: once or ended.wait(every), _Teller()), as_json)


class _Teller:
    """A line on the terminal for each new trouble."""

    def __init__(self) -> None:
        self.problem = ""

    def __call__(self, watched: "Watched") -> None:
        if watched.problem and watched.problem != self.problem:
            typer.secho(f"annotator: {watched.problem}; trying again", fg=typer.colors.YELLOW, err=True)
        self.problem = watched.problem
