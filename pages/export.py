"""Export: what is in it, and the file."""

import pandas as pd
import streamlit as st

from annotator.exporters import EXPORTERS
from annotator.services import exporting
from annotator.ui import open_page

visit = open_page("Export", wide=False)
format = st.segmented_control("Format", list(EXPORTERS), default=next(iter(EXPORTERS)), required=True)
with st.spinner("Collecting the accepted labels"):
    files, table = exporting.files(visit.workspace, format)
images, tags, asked = st.columns(3)
images.metric("Images", f"{table['images']:,}")
tags.metric("Tags", f"{table['tags']:,}")
asked.metric("Decided", f"{table['states']['positive'] + table['states']['negative']:,}")
states, origins = st.columns(2)
states.dataframe(
    pd.DataFrame(table["states"].items(), columns=["state", "image-tag pairs"]), hide_index=True, width="stretch"
)
origins.dataframe(
    pd.DataFrame(table["origins"].items(), columns=["decided by", "image-tag pairs"]), hide_index=True, width="stretch"
)
for name, content in files.items():
    st.download_button(f"Download {name} ({len(content) / 1e6:.1f} MB)", content, f"{format}-{name}", type="primary")
st.caption(f"Snapshot {table['snapshot'][:16]}. Absent and never asked stay apart; each label says who decided it.")
