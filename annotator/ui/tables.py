"""Tables that read well, and some that can be taken along."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

from annotator.cells import guarded
from annotator.ui import table_height
from annotator.ui.words import say

MOST_LINES = 200
Rows = pd.DataFrame | Sequence[dict[str, Any]]


def table(rows: Rows, *, most: int = 14, **options: Any) -> Any:
    """Show `rows`, up to `most` of them without an inner scroll bar; `options` and the result are st.dataframe's."""
    frame = pd.DataFrame(rows)
    return st.dataframe(frame, hide_index=True, width="stretch", height=table_height(len(frame), most), **options)


def lines(texts: Sequence[str]) -> None:
    """The first of many texts, one a row."""
    st.dataframe(list(texts[:MOST_LINES]), hide_index=True, width="stretch")


def table_to_take(rows: Rows, name: str, **options: Any) -> None:
    """Show `rows`, and offer them as NAME.csv; `options` are those of `table`."""
    table(rows, **options)
    label = say("dashboard.download")
    written = csv_of(pd.DataFrame(rows))
    st.download_button(label, written, f"{name}.csv", "text/csv", key=f"download-{name}", on_click="ignore")


def csv_of(frame: pd.DataFrame) -> bytes:
    """UTF-8 with a mark that spreadsheets need; text that one would take for a formula begins with an apostrophe."""
    return frame.map(_safe).rename(columns=_safe).to_csv(index=False).encode("utf-8-sig")


def _safe(cell: object) -> object:
    return guarded(cell) if isinstance(cell, str) else cell
