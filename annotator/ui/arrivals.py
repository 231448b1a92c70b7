"""Where what is imported comes from: the server's machine or the browser."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from annotator.services import arriving, rights
from annotator.ui import Visit
from annotator.ui.words import say

WHERE = ("path", "upload")


def source(part: str, visit: Visit) -> str:
    """ "path" or "upload", as the person chooses; what nobody may read is not proposed first."""
    with visit.workspace.reading() as session:
        alone = not rights.has_accounts(session)
    first = "path" if alone or visit.workspace.settings.import_folders else "upload"
    return str(
        st.segmented_control(
            say("import.where"), WHERE, default=first, required=True, key=f"where {part}",
            format_func=lambda one: say(f"import.{one}"),
        )
    )  # fmt: skip


def uploaded(visit: Visit, files: Sequence[Any]) -> list[Path]:
    """Where Streamlit's uploads lie once they are kept."""
    return arriving.keep(visit.workspace, [(file.name, file.getvalue()) for file in files])
