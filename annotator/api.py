"""The project from Python: `import annotator; ws = annotator.open("project")`. Thin over the services; tables are
pandas DataFrames. docs/python.md shows it at work.
"""

from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np
from sqlalchemy import select

from annotator.errors import UnknownNameError
from annotator.exporters import ExportOptions
from annotator.services import (
    embedding,
    exporting,
    importing,
    importing_records,
    label_files,
    labelling,
    searching,
    snapshots,
    status,
    suggesting,
    training,
    vocabulary,
)  # fmt: skip
from annotator.services.embedding import EmbedReport
from annotator.services.import_options import ImportOptions, RecordsReport
from annotator.services.importing import ImportReport
from annotator.services.label_files import STATES, find_image, find_tag
from annotator.services.training import TrainReport
from annotator.snapshot import SPLIT_CODES, Snapshot
from annotator.terms import LabelState, Origin
from annotator.workspace import Workspace
from db.models import Tag

if TYPE_CHECKING:
    import pandas as pd

BY = "python"  # who labels where nobody is named
STATE_NAMES = {int(state): state.name.lower() for state in LabelState}
ORIGIN_NAMES = {int(origin): origin.name.lower() for origin in Origin}


def open(folder: str | Path) -> "Project":
    """The project in `folder`. Raises MissingError where there is none."""
    return Project(Workspace.open(Path(folder)))


def create(folder: str | Path, tags: str | Path | Iterable[str] = ()) -> "Project":
    """A project in a new or empty folder, or the one that is there already, with `tags` added: names, or a file of
    tags as `annotator init` takes it."""
    workspace = Workspace.create(Path(folder))
    if isinstance(tags, str | Path):
        vocabulary.add_from_file(workspace, Path(tags))
    else:
        with workspace.transaction() as session:
            vocabulary.add_names(session, list(tags))
    return Project(workspace)


class Project:
    """One project. Everything is read when it is asked for: what others do meanwhile is seen. Use it in a `with`, or
    close it."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace

    def __enter__(self) -> "Project":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<annotator project in {self.workspace.folder}>"

    def close(self) -> None:
        self.workspace.close()

    # What is there

    @property
    def images(self) -> "pd.DataFrame":
        """One image a row, by its row in all arrays: file, sha256, width, height, split, group of near duplicates."""
        import pandas as pd

        snapshot = self.snapshot()
        columns = {
            "file": snapshot.files,
            "sha256": snapshot.sha256,
            "width": snapshot.sizes[:, 0],
            "height": snapshot.sizes[:, 1],
            "split": [SPLIT_CODES[code].value for code in snapshot.splits.tolist()],
            "group": snapshot.groups,
        }
        return pd.DataFrame(columns, index=pd.Index(snapshot.rows, name="row"))

    @property
    def tags(self) -> "pd.DataFrame":
        """One tag in use a row, by its id: name, definition, synonyms, parent."""
        import pandas as pd

        tags = self.snapshot().tags
        rows = [(tag.name, tag.definition, list(tag.synonyms), tag.parent) for tag in tags]
        index = pd.Index([tag.id for tag in tags], name="id", dtype="int64")
        return pd.DataFrame(rows, index=index, columns=["name", "definition", "synonyms", "parent"])

    @overload
    def labels(self, as_frame: Literal[True] = True) -> "pd.DataFrame": ...
    @overload
    def labels(self, as_frame: Literal[False]) -> np.ndarray[Any, np.dtype[np.int8]]: ...
    def labels(self, as_frame: bool = True) -> "pd.DataFrame | np.ndarray[Any, np.dtype[np.int8]]":
        """The accepted labels: one answered pair a row with row, file, tag, state, origin, by, at (UTC, NaT where not
        known); or, not `as_frame`, (N, C) int8 with 1 present, 0 absent, -1 cannot tell or never asked."""
        snapshot = self.snapshot()
        if not as_frame:
            return snapshot.labels
        import pandas as pd

        images, tags = np.nonzero(snapshot.origins != Origin.NOBODY)
        names, deciders = (
            np.array([tag.name for tag in snapshot.tags], object),
            np.array(snapshot.decider_names, object),
        )
        seconds = snapshot.decided_at[images, tags].astype(np.int64)
        return pd.DataFrame(
            {
                "row": snapshot.rows[images],
                "file": np.array(snapshot.files, object)[images],
                "tag": names[tags],
                "state": [STATE_NAMES[state] for state in snapshot.labels[images, tags].tolist()],
                "origin": [ORIGIN_NAMES[origin] for origin in snapshot.origins[images, tags].tolist()],
                "by": deciders[snapshot.deciders[images, tags]],
                "at": pd.to_datetime(pd.Series(seconds).where(seconds > 0), unit="s", utc=True),
            }
        )

    def snapshot(self) -> Snapshot:
        """The accepted labels at this moment as arrays; `snapshot().hash` names them."""
        return snapshots.take(self.workspace)

    def status(self) -> dict[str, Any]:
        """Counts of everything."""
        return status.status(self.workspace)

    # What comes in

    def import_pictures(self, *paths: str | Path) -> ImportReport:
        """Folders, pictures, archives, lists, URLs, in place."""
        return importing.import_pictures(self.workspace, paths)

    def import_labels(self, path: str | Path, **options: Any) -> RecordsReport:
        """Labels of any format; options as ImportOptions has them, such as preview=True or add_tags=True."""
        return importing_records.import_records(self.workspace, Path(path), ImportOptions(**options))

    def embed(self, backbone: str | None = None) -> EmbedReport:
        """The missing vectors, then the suggestions that follow from them."""
        report = embedding.embed(self.workspace, backbone)
        suggesting.refresh(self.workspace)
        return report

    # What is asked and answered

    def suggest(self, image: int | str | None = None, tag: str | None = None, most: int = 20) -> "pd.DataFrame":
        """The likeliest tags of an image, the likeliest images of a tag, or, of neither, the likeliest tag of each of
        the first `most` images: row, tag, score, origin, best first.

        An image is named by its row, its path or the start of its sha256. Scores the images first where that was not
        done yet, which raises MissingError before the first `embed`.
        """
        import pandas as pd

        board = suggesting.current(self.workspace)
        if board is None:
            suggesting.refresh(self.workspace)
            board = suggesting.current(self.workspace)
            assert board is not None
        with self.workspace.reading() as session:
            row = None if image is None else find_image(session, str(image))
            tag_id = None if tag is None else find_tag(session, tag).id
        if tag_id is None:
            asked = range(min(most, len(board.scores))) if row is None else (row,)
            found = [(one, said) for one in asked for said in board.ranked(one, 1 if row is None else most)]
        else:
            rows = board.best_images(tag_id, most) if row is None else [row]
            found = [(one, said) for one in rows if (said := board.suggestion(one, tag_id)) is not None]
        table = [(one, said.tag, said.score, said.origin.value) for one, said in found]
        return pd.DataFrame(table, columns=["row", "tag", "score", "origin"])

    def search(self, words: str, most: int = 20) -> "pd.DataFrame":
        """Pictures by words where the backbone knows words, else by the tag of that name: row, score, file."""
        import pandas as pd

        hits = [asdict(hit) for hit in searching.by_words_or_tag(self.workspace, words, most)]
        return pd.DataFrame(hits, columns=["row", "score", "file"])

    def label(self, image: int | str, tag: str, state: str = "positive", by: str = BY) -> bool:
        """Say that a tag is positive, negative or unknown (cannot tell) on an image; whether that changed anything."""
        return bool(label_files.label_by_name(self.workspace, str(image), tag, state, by)["changed"])

    def label_many(self, table: "pd.DataFrame", by: str = BY) -> int:
        """`label` for each line of a table with the columns row, tag and maybe state, in one transaction; how many
        changed something. Raises UnknownNameError for a tag or state that is not there; nothing is written then."""
        states = table["state"] if "state" in table else ["positive"] * len(table)
        with self.workspace.reading() as session:
            ids = dict(session.execute(select(Tag.name, Tag.id).where(Tag.archived.is_(False))).all())
            names = {name: find_tag(session, name).id for name in map(str, table["tag"].unique()) if name not in ids}
        for state in states:
            if state not in STATES:
                raise UnknownNameError("state", str(state), STATES)
        ids |= names
        said = zip(table["row"].tolist(), table["tag"].tolist(), states, strict=True)
        return labelling.set_labels(
            self.workspace, by, [(int(row), ids[tag], STATES[state]) for row, tag, state in said]
        )

    def train(self) -> TrainReport:
        """Train on the accepted labels and score all images anew."""
        report = training.train(self.workspace)
        suggesting.refresh(self.workspace)
        return report

    # What goes out

    def export(self, format: str, path: str | Path, **options: Any) -> dict[str, Any]:
        """The accepted labels in a format of `annotator export`; options as ExportOptions has them, such as
        suggestions=True. The table of what was written and what left out and why."""
        return exporting.export(self.workspace, format, Path(path), ExportOptions(**options))
