"""What a Streamlit user would write first: st.image and st.button, a rerun a press. Its argument is a folder."""

import sqlite3
import sys
from pathlib import Path

import streamlit as st

folder = Path(sys.argv[1])
pictures = sorted((folder / "pictures").iterdir())
st.set_page_config(layout="wide")
place = st.session_state.setdefault("place", 0)


def store(*rows: tuple[str, int]) -> None:
    with sqlite3.connect(folder / "answers.sqlite") as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS answer (file TEXT, state INTEGER)")
        connection.executemany("INSERT INTO answer VALUES (?, ?)", rows)


if st.query_params.get("mode") == "grid":
    page = [pictures[(place + step) % len(pictures)] for step in range(60)]
    columns = st.columns(10)
    marks = []
    for step, file in enumerate(page):
        with columns[step % 10]:
            st.image(str(file), width=200)
            marks.append(st.checkbox("no", key=f"{place}-{step}"))
    if st.button("Submit", shortcut="Enter"):
        store(*[(file.name, int(not mark)) for file, mark in zip(page, marks, strict=True)])
        st.session_state["place"] = place + 60
        st.rerun()
else:
    file = pictures[place % len(pictures)]
    st.image(str(file), width=900)
    tags = [st.checkbox(f"tag {number}", key=f"{place}-{number}") for number in range(24)]
    if st.button("Next", shortcut="Enter"):
        store(*[(file.name, int(tag)) for tag in tags])
        st.session_state["place"] = place + 1
        st.rerun()
