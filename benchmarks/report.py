"""What the benchmarks share: options, where the labelled packs are, and a table that reads well."""

import argparse
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from tqdm import tqdm

from annotator.settings import Settings


def options(description: str, extend: Callable[[argparse.ArgumentParser], Any] | None = None) -> argparse.Namespace:
    """--quick (under a minute, smaller input) and --json FILE, and what `extend` adds."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--quick", action="store_true", help="smaller input, under a minute")
    parser.add_argument("--json", type=Path, help="write the figures here")
    if extend is not None:
        extend(parser)
    return parser.parse_args()


def packs() -> Path:
    folder = Settings().real_data
    if not (folder / "README.md").exists():
        raise SystemExit(f"no labelled packs in {folder}; set ANNOTATOR_REAL_DATA to their folder")
    return folder.resolve()


def show(title: str, rows: Sequence[dict[str, Any]]) -> None:
    table = Table(*rows[0], title=title, title_justify="left")
    for row in rows:
        table.add_row(
            *[
                f"{cell:,.3f}" if isinstance(cell, float) else "–" if cell is None else str(cell)
                for cell in row.values()
            ]
        )
    Console(width=160).print(table)


def write(file: Path | None, figures: dict[str, Any]) -> None:
    if file is not None:
        file.write_text(json.dumps(figures, indent=1))


@contextmanager
def console_progress(what: str) -> Iterator[Callable[[int, int, str], None]]:
    """A bar in the terminal, told (done, total, word)."""
    with tqdm(desc=what, leave=False, mininterval=1) as bar:

        def tell(done: int, total: int, _word: str) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield tell


def process_kb(what: str) -> int:
    """Memory of this process as Linux counts it: VmRSS now, VmHWM at its peak (getrusage would show the parent's)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(what))
