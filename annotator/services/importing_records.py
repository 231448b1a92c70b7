"""`annotator import-labels`: labels in any format onto the images of a workspace, all of them or none."""

import hashlib
import re
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock

from annotator.errors import EntryError
from annotator.importers.labels import Problems, open_labels, sniff
from annotator.progress import Progress, silent
from annotator.records import Records
from annotator.services.image_matching import ImageMatcher
from annotator.services.import_options import ImportOptions, RecordsReport
from annotator.services.imported_arrays import write_files
from annotator.services.importing_run import ImportRun
from annotator.services.labels_said import LabelsSaid
from annotator.services.rights import Right, needs
from annotator.services.tag_mapping import check_map, map_tags, read_map
from annotator.workspace import Workspace


class _OnlyPreview(Exception):
    """Ends a transaction that was not to write anything."""


@needs(Right.IMPORT)
def import_records(
    workspace: Workspace, path: Path, options: ImportOptions | None = None, progress: Progress = silent
) -> RecordsReport:
    """Labels, suggestions and boxes of `path` in one transaction: after an error nothing of it is there.

    Images are found by content, whole address, path below the file's root or folder, or a unique end of their path.
    What nobody listed stays unasked. The file is read to its end before the store is locked, so that others can answer
    meanwhile. Raises EntryError for a file that cannot be read, UsageError for options that do not fit.
    """
    options = options or ImportOptions()
    format = options.format or sniff(path)
    problems = Problems(path)
    records = open_labels(path, problems, format)
    report = RecordsReport(format, options.preview)
    table = read_map(options.mapping) if options.mapping else {}
    with FileLock(workspace.folder / "import-labels.lock"), LabelsSaid(workspace.folder) as said:
        _read(workspace, path, records, table, said, problems, progress)
        try:
            with workspace.transaction() as session:
                mapped = map_tags(session, records.header, table, add=options.add_tags)
                run = ImportRun(workspace, session, said, mapped, options, problems)
                run.take(progress)
                run.report(report)
                if options.preview:
                    raise _OnlyPreview
                _finish(workspace, run, path)
        except _OnlyPreview:
            pass
    return report


def _read(
    workspace: Workspace,
    path: Path,
    records: Records,
    table: dict[str, str],
    said: LabelsSaid,
    problems: Problems,
    progress: Progress,
) -> None:
    """The whole file, matched with the images; whatever is wrong with it as a whole is found here."""
    with workspace.reading() as session:
        check_map(session, records.header, table)
        matcher = ImageMatcher(session, records.header.root, path.parent if path.is_file() else path)
        said.read(records, matcher, problems, progress)
    if not said.images:
        first = f"; first: {problems.kept[0]}" if problems.kept else ""
        raise EntryError(problems.file, "as a whole", f"none of its pictures is imported here{first}")


def _finish(workspace: Workspace, run: ImportRun, path: Path) -> None:
    """What follows from the rows; the files last, so that an error before leaves none of them."""
    run.rows.finish(datetime.now(UTC))
    run.save_truth()
    run.session.flush()
    # The same file again takes the place of what it brought before; another file of that name does not.
    where = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:8]
    name = re.sub(r"[^\w.-]+", "_", path.name)[:80] or "labels"
    write_files(run.gathered.files(workspace, f"{name}-{where}"))
