"""Search: by words where the backbone knows words, or by an example picture."""

import streamlit as st

from annotator.errors import AnnotatorError
from annotator.services import embedding, pictures, searching, status
from annotator.ui import open_page

COLUMNS = 6

visit = open_page("Search")
words_work = embedding.has_texts(visit.workspace)
words_column, upload_column, count_column = st.columns([4, 3, 2], vertical_alignment="bottom")
help_text = None if words_work else "The backbone in use has no text tower: words find tags by name, not pictures."
words = words_column.text_input(
    "Words" if words_work else "Tag",
    help=help_text,
    placeholder="a boat at sunset" if words_work else "name of a tag",
)
upload = upload_column.file_uploader("or an example picture", type=["jpg", "jpeg", "png", "webp"])
count = count_column.select_slider("Results", [12, 24, 48, 96], value=24)

try:
    if upload is not None:
        found = searching.by_picture(visit.workspace, upload.getvalue(), upload.name, count)
    elif words:
        found = searching.by_words_or_tag(visit.workspace, words, count)
    else:
        found = []
        st.caption("Type words or drop a picture to find similar ones.")
except AnnotatorError as error:
    st.error(str(error))
    found = []

# Row by row: on a phone, where columns stand one below the other, the best still come first.
for start in range(0, len(found), COLUMNS):
    for column, hit in zip(st.columns(COLUMNS), found[start : start + COLUMNS], strict=False):
        file, _ = pictures.file_of(visit.workspace, hit.row, "320")
        names = status.tags_of(visit.workspace, hit.row)
        column.image(file, caption=f"{hit.score:.2f} · {', '.join(names) or 'no tags yet'}")
