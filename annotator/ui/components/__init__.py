"""Browser components: their Python side. The scripts beside this file come from /api/ui, cached by the browser."""

from pathlib import Path
from typing import Any

import streamlit as st

from annotator.ui.words import WORDS
from annotator.web.signing import page_token
from annotator.workspace import Workspace

# Streamlit calls this again for each change of data; the component itself is made once for each person.
LOADER = """
export default function ({ data, parentElement }) {
  const work = parentElement.annotator ??= {};
  work.data = data;
  if (work.scope !== data.scope) {
    const old = parentElement.querySelector(".mount");
    const root = old.cloneNode(false);
    old.replaceWith(root);
    work.component?.unmount();
    work.component = null;
    work.scope = data.scope;
    const made = import(location.origin + data.script);
    work.made = made.then((module) => (work.component = module.mount(root, work.data)));
  } else work.component?.update(data);
  return () => {
    work.scope = null;
    work.made.then((made) => made.unmount());
  };
}
"""
STYLE = (Path(__file__).parent / "components.css").read_text(encoding="utf-8")


def labeler(workspace: Workspace, person: str, tags: list[dict[str, Any]], exactly_one: list[list[int]]) -> None:
    """Image first: one picture, its suggested tags, keys."""
    _mount("labeler", "labeler", {**_common(workspace, person), "tags": tags, "exactlyOne": exactly_one})


def grid(workspace: Workspace, person: str, tag: dict[str, Any], size: int, unmarked: str) -> None:
    """Tag first: a page of pictures of one tag. `unmarked`: "present", "absent", or "proposed" for what the page is."""
    data = {**_common(workspace, person), "tag": tag, "size": size, "unmarked": unmarked}
    _mount("grid", "grid", data)


def _common(workspace: Workspace, person: str) -> dict[str, Any]:
    return {
        "token": page_token(workspace, person),
        "scope": f"{workspace.secret[:8]}:{person}",
        "words": WORDS,
    }


def _mount(name: str, key: str, data: dict[str, Any]) -> None:
    component = st.components.v2.component(f"annotator_{name}", html='<div class="mount"></div>', css=STYLE, js=LOADER)
    component(key=key, data={**data, "script": f"/api/ui/{name}.js"})
