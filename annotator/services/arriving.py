"""What comes in by the browser: uploads, kept in the workspace, and paths of the server's machine."""

import csv
import hashlib
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from annotator.arrays import write_whole
from annotator.errors import ForbiddenError, MissingError, UsageError
from annotator.importers.addresses import scheme_of
from annotator.importers.tables import LIST_SUFFIXES
from annotator.progress import Progress, silent
from annotator.services import rights
from annotator.services.import_options import ImportOptions
from annotator.services.importing_records import import_records
from annotator.services.rights import Right, needs
from annotator.workspace import Workspace

LONGEST_NAME = 200  # bytes; file systems take 255, and a number or a temporary ending may be added


@needs(Right.IMPORT)
def keep(workspace: Workspace, files: Sequence[tuple[str, bytes]]) -> list[Path]:
    """Keep uploaded files (name, content) below the workspace's arrivals/, in a folder that is the same for the same
    files; where each of them lies.

    Names lose their folders and what some file systems do not take; of two that are then the same the later one gets a
    number.
    """
    if not files:
        raise UsageError("nothing was uploaded; choose files first")
    digest = hashlib.sha256()
    for name, content in files:
        digest.update(hashlib.sha256(name.encode(errors="replace")).digest() + hashlib.sha256(content).digest())
    folder = workspace.folder / "arrivals" / digest.hexdigest()[:16]
    folder.mkdir(parents=True, exist_ok=True)
    kept = [folder / name for name in _safe_names(name for name, _ in files)]
    for file, (_, content) in zip(kept, files, strict=True):
        if not file.exists():  # written anew it would look like another file
            write_whole(file, content)
    return kept


@needs(Right.IMPORT, logged=False)
def reachable(workspace: Workspace, path: str, *, pictures: bool = False) -> str:
    """`path`, for the worker to read: a file or folder of the server's machine, or a URL.

    Where people sign in, an admin of the app need not be who owns the machine: only what lies below the folders of
    ANNOTATOR_IMPORT_FROM may be read, nothing of the workspace itself, and no list of `pictures`, which may lead
    anywhere. Raises ForbiddenError, and MissingError where nothing is there.
    """
    path = path.strip()
    if not path:
        raise UsageError("no path; give a folder, a file or a URL")
    with workspace.reading() as session:
        alone = not rights.has_accounts(session)
    if scheme_of(path) and alone:
        return path
    try:
        whole = Path(path).expanduser().resolve()
        there = whole.exists()
    except (OSError, ValueError, RuntimeError) as error:  # a name too long, a zero in it, ~ of nobody
        raise UsageError(f"{path[:100]!r} is no path: {error}; correct it") from error
    folders = workspace.settings.import_folders
    below = any(whole.is_relative_to(folder.resolve()) for folder in folders)
    if not alone and (not below or whole.is_relative_to(workspace.folder.resolve())):
        named = ", ".join(map(str, folders)) or "none is named"
        raise ForbiddenError(
            f"{path} is not below a folder that ANNOTATOR_IMPORT_FROM names ({named}); upload the files, name the "
            "folder there and start the app anew, or import it at the command line"
        )
    if not alone and pictures and whole.suffix.lower() in LIST_SUFFIXES:
        raise ForbiddenError(f"{path} is a list, which may lead anywhere; name the folder of the pictures instead")
    if not there:
        raise MissingError(f"{whole} does not exist on the server's machine; correct the path")
    return str(whole)


@needs(Right.IMPORT)
def import_arrived(
    workspace: Workspace,
    path: Path,
    options: ImportOptions | None = None,
    table: Mapping[str, str] | None = None,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Labels of `path`, as `import_records`; `table`: tag of the file to tag of the workspace, "" to leave it out.

    The report as a dict, with path, table and options, so that a preview can be done for good.
    """
    options, table = options or ImportOptions(), dict(table or {})
    chosen = replace(options, mapping=_written(workspace, table)) if table else options
    report = import_records(workspace, path, chosen, progress)
    return {**asdict(report), "path": str(path), "table": table, "options": asdict(options)}


def _written(workspace: Workspace, table: Mapping[str, str]) -> Path:
    text = io.StringIO()
    csv.writer(text).writerows([("from", "to"), *table.items()])
    content = text.getvalue().encode()
    file = workspace.folder / "arrivals" / f"tags-{hashlib.sha256(content).hexdigest()[:16]}.csv"
    file.parent.mkdir(exist_ok=True)
    write_whole(file, content)
    return file


def _safe_names(names: Iterable[str]) -> list[str]:
    safe: list[str] = []
    for name in names:
        wanted = Path(_safe_name(name))
        taken = {one.casefold() for one in safe}
        tries = (wanted.with_stem(f"{wanted.stem} ({number})").name for number in range(2, len(taken) + 2))
        safe.append(next(one for one in (wanted.name, *tries) if one.casefold() not in taken))
    return safe


def _safe_name(name: str) -> str:
    """Otherwise as it was: labels files find pictures by it."""
    last = re.split(r"[/\\]", name)[-1]
    clean = re.sub(r'[\x00-\x1f\x7f<>:"|?*]', "_", last)
    short = clean.encode(errors="replace")[-LONGEST_NAME:].decode(errors="ignore")  # the ending stays
    return short.lstrip(". ").rstrip() or "file"
