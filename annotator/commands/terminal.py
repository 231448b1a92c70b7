"""What all commands share: the workspace they open, the bar they show, the way they print."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from annotator.progress import Progress
    from annotator.workspace import Workspace

Folder = Annotated[Path, typer.Option("--workspace", "-w", envvar="ANNOTATOR_WORKSPACE", help="the workspace folder")]
AsJson = Annotated[bool, typer.Option("--json", help="print JSON for machines")]
DEFAULT_FOLDER = Path("workspace")


@contextmanager
def opened(folder: Path) -> "Iterator[Workspace]":
    from annotator.workspace import Workspace

    with Workspace.open(folder) as workspace:
        yield workspace


@contextmanager
def bar() -> "Iterator[Progress]":
    """A bar on the terminal with rate and time left; nothing where the output is not a terminal."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(), TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as shown:
        tasks: dict[str, Any] = {}

        def progress(done: int, total: int, what: str) -> None:
            if what not in tasks:
                tasks[what] = shown.add_task(what, total=total or None, rate="")
            speed = shown.tasks[tasks[what]].speed
            shown.update(tasks[what], completed=done, total=total or None, rate=f"{speed:.0f}/s" if speed else "")

        yield progress


def show(value: Any, as_json: bool) -> None:
    """JSON on request, else a table that reads well."""
    if is_dataclass(value) and not isinstance(value, type):
        value = asdict(value)
    if as_json:
        typer.echo(json.dumps(value, ensure_ascii=False, default=str))
        return
    from rich.console import Console

    Console(soft_wrap=True, highlight=False).print(_table(value))


def _table(value: Any) -> Any:
    from rich.table import Table

    if isinstance(value, list):
        if not value:
            return "nothing"
        table = Table(*[str(name) for name in value[0]], box=None, pad_edge=False)
        for row in value:
            table.add_row(*[_cell(cell) for cell in row.values()])
        return table
    table = Table(show_header=False, box=None, pad_edge=False)
    for name, cell in value.items():
        table.add_row(f"[bold]{name}[/]", _table(cell) if isinstance(cell, dict) and cell else _cell(cell))
    return table


def _cell(value: Any) -> Any:
    from rich.markup import escape

    if isinstance(value, float):
        return f"{value:,.3f}"
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return _table(value)
    if isinstance(value, list):
        return escape("\n".join(str(item) for item in value))
    return escape(f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value))
