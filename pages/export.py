"""Export: what is in it, and the file."""

import pandas as pd
import streamlit as st

from annotator.exporters import EXPORTERS
from annotator.services import exporting
from annotator.ui import open_page
from annotator.ui.words import say

visit = open_page("export", wide=False)
format = st.segmented_control(say("export.format"), list(EXPORTERS), default=next(iter(EXPORTERS)), required=True)
with st.spinner(say("export.collecting")):
    files, table = exporting.files(visit.workspace, format)
images, tags, asked = st.columns(3)
images.metric(say("export.images"), f"{table['images']:,}")
tags.metric(say("export.tags"), f"{table['tags']:,}")
asked.metric(say("export.decided"), f"{table['states']['positive'] + table['states']['negative']:,}")
pairs = say("export.pairs")
states, origins = st.columns(2)
states.dataframe(
    pd.DataFrame(table["states"].items(), columns=[say("export.state"), pairs]), hide_index=True, width="stretch"
)
origins.dataframe(
    pd.DataFrame(table["origins"].items(), columns=[say("export.decided_by"), pairs]), hide_index=True, width="stretch"
)
for name, content in files.items():
    label = say("export.download", name=name, size=f"{len(content) / 1e6:.1f}")
    st.download_button(label, content, f"{format}-{name}", type="primary")
st.caption(say("export.snapshot", hash=table["snapshot"][:16]))
