"""A table that reads well and can be taken along."""

import pandas as pd
import streamlit as st

from annotator.cells import guarded
from annotator.ui import table_height
from annotator.ui.words import say


def table(rows: list[dict[str, object]], name: str) -> None:
    """Show `rows`, and offer them as NAME.csv."""
    frame = pd.DataFrame(rows)
    st.dataframe(frame, hide_index=True, width="stretch", height=table_height(len(frame)))
    st.download_button(
        say("dashboard.download"), csv_of(frame), f"{name}.csv", "text/csv", key=f"download-{name}", on_click="ignore"
    )


def csv_of(frame: pd.DataFrame) -> bytes:
    """UTF-8 with a mark that spreadsheets need; text that one would take for a formula begins with an apostrophe."""
    return frame.map(_safe).rename(columns=_safe).to_csv(index=False).encode("utf-8-sig")


def _safe(cell: object) -> object:
    return guarded(cell) if isinstance(cell, str) else cell
