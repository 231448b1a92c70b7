"""Browser components: their Python side. The scripts beside this file come from /api/ui, cached by the browser."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import streamlit as st

from annotator.services.accounts import SignedIn
from annotator.services.pace import STRETCH, Turn
from annotator.services.reviewing import Filter
from annotator.terms import WorkMode
from annotator.ui.words import component_words
from annotator.web.signing import COOKIE, page_token, sitting_of
from annotator.workspace import Workspace

# Streamlit calls this again for each change of data; the component itself is made once for each person.
LOADER = """
export default function ({ data, parentElement, setTriggerValue }) {
  const work = parentElement.annotator ??= {};
  work.data = data;
  work.tell = setTriggerValue;
  if (work.scope !== data.scope) {
    const old = parentElement.querySelector(".mount");
    const root = old.cloneNode(false);
    old.replaceWith(root);
    work.component?.unmount();
    work.component = null;
    work.scope = data.scope;
    const made = import(location.origin + data.script);
    const tell = (name, value) => work.tell(name, value);
    work.made = made.then((module) => (work.component = module.mount(root, work.data, tell)));
  } else work.component?.update(data);
  return () => {
    work.scope = null;
    work.made.then((made) => made.unmount());
  };
}
"""
STYLES = ("base.css", "label.css", "cells.css", "review.css")
STYLE = "".join((Path(__file__).parent / name).read_text(encoding="utf-8") for name in STYLES)
PICTURES_A_TURN, PAGES_A_TURN = STRETCH[WorkMode.LABEL], STRETCH[WorkMode.VERIFY]


def labeler(workspace: Workspace, person: str, turn: Turn | None = None) -> None:
    """Image first: one picture, its suggested tags, keys. With `turn`, for a stretch of pictures."""
    served = None if turn is None else {"answers": PICTURES_A_TURN}
    _mount("labeler", workspace, person, {"turn": served}, "turn")


def verify(
    workspace: Workspace,
    person: str,
    tag_id: int | None,
    size: int,
    *,
    chosen_size: int | None = None,
    waiting: Sequence[dict[str, Any]] = (),
    turn: Turn | None = None,
) -> None:
    """Tag first: pages of one tag's pictures. Without `tag_id` and `chosen_size` those of the session that goes on
    count, else the first of the `waiting` tags ({id, name, count}, whose audits wait) and `size`."""
    served = None if turn is None else {"pages": PAGES_A_TURN}
    data = {"tag": tag_id, "size": size, "chosenSize": chosen_size, "waiting": list(waiting), "turn": served}
    _mount("verify", workspace, person, data, "turn")


def bulk(workspace: Workspace, person: str, items: list[dict[str, Any]], tag_id: int | None = None) -> int | None:
    """Pictures {image, name, caption} to be selected and tagged at once; the row of the one to find similar ones of."""
    row: int | None = _mount("bulk", workspace, person, {"items": items, "tag": tag_id}, "like")
    return row


def review(workspace: Workspace, person: str, filter: Filter) -> None:
    """Labels that reviewers should look at again, one by one: what of them is the `filter`."""
    asked = {"cause": filter.cause, "tag": filter.tag_id, "person": filter.person}
    _mount("review", workspace, person, {"filter": asked}, "turn")


def enter(workspace: Workspace, who: SignedIn) -> None:
    """Give the browser the cookie of `who`, and open the app anew with it."""
    _mount("enter", workspace, who.name, {}, "token", who.sitting)


def serve(workspace: Workspace, person: str, turn: Turn) -> None:
    """The way of working that `turn` chose, until its stretch is over."""
    if turn.mode == WorkMode.VERIFY:
        verify(workspace, person, turn.tag_id, turn.page_size, chosen_size=turn.page_size, turn=turn)
    else:
        labeler(workspace, person, turn)


def _mount(
    name: str, workspace: Workspace, person: str, data: dict[str, Any], trigger: str, sitting: str | None = None
) -> Any:
    """One component. `trigger` runs the script anew: the value it came with, or None. So does a sign-out ("token").

    `sitting`: None is that of the browser's cookie.
    """
    if sitting is None:
        sitting = sitting_of(workspace, st.context.cookies.get(COOKIE, ""))
    component = st.components.v2.component(f"annotator_{name}", html='<div class="mount"></div>', css=STYLE, js=LOADER)
    common = {
        "token": page_token(workspace, person, sitting),
        "scope": f"{workspace.secret[:8]}:{quote(person, safe='')}",
        "person": person,
        "words": component_words(),
        "script": f"/api/ui/{name}.js",
    }
    callbacks: dict[str, Any] = {f"on_{event}_change": _again for event in (trigger, "token")}
    result = component(key=name, data={**common, **data}, **callbacks)
    return getattr(result, trigger, None)


def _again() -> None:
    """Nothing but the new run of the script that follows."""
