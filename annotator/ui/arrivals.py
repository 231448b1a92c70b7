"""Where what is imported comes from: the server's machine or the browser."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from annotator.services import arriving, rights
from annotator.ui import Visit
from annotator.ui.words import say

WHERE = ("path", "upload")


@dataclass(frozen=True)
class Source:
    """What a person named or uploaded; false while it is neither."""

    path: str = ""
    files: Sequence[Any] = ()

    def __bool__(self) -> bool:
        return bool(self.path or self.files)

    def place(self, visit: Visit, *, pictures: bool = False) -> str:
        """Where the worker finds it; uploads are kept first. Raises what a person can mend."""
        if not self.files:
            return arriving.reachable(visit.workspace, self.path, pictures=pictures)
        kept = arriving.keep(visit.workspace, [(file.name, file.getvalue()) for file in self.files])
        # Of pictures the folder, not its files: a list among them would be followed to wherever it leads.
        return str(kept[0].parent if pictures else kept[0])


def choose(visit: Visit, part: str, **upload: Any) -> Source:
    """A path or files for the `part` of the page, as the person likes; `upload`: options of the field for files."""
    if _where(visit, part) == "path":
        return Source(path=st.text_input(say(f"import.{part}_path"), help=say(f"import.{part}_path_help")))
    found = st.file_uploader(say(f"import.{part}_upload"), key=f"{part} files", **upload)
    return Source(files=found if isinstance(found, list) else [found] if found else [])


def _where(visit: Visit, part: str) -> str:
    """What nobody may read is not proposed first."""
    with visit.workspace.reading() as session:
        alone = not rights.has_accounts(session)
    first = "path" if alone or visit.workspace.settings.import_folders else "upload"
    return str(
        st.segmented_control(
            say("import.where"), WHERE, default=first, required=True, key=f"where {part}",
            format_func=lambda one: say(f"import.{one}"),
        )
    )  # fmt: skip
