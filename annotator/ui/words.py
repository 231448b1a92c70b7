"""Every string of the browser components, in one place so that it can be translated."""

from typing import Any

WORDS: dict[str, Any] = {
    "label": "Label one picture",
    "tags": "Tags",
    "why": "Why this picture was picked",
    "add": "Add a tag (press / )",
    "accept": "Accept and next",
    "nothing": "Nothing applies",
    "undo": "Undo",
    "undoPage": "Undo page",
    "keys": "Keys",
    "verify": "Verify one tag",
    "page": "Pictures of this page",
    "submit": "Submit page",
    "gridHint": "Click or Space marks an exception, Shift marks a range, ? cannot tell, arrows move, Enter submits.",
    "saved": "saved",
    "saving": "saving {n} …",
    "offline": "{n} waiting for the server, kept in this browser",
    "signedOut": "signed out: {n} waiting, kept in this browser; reload the page to sign in",
    "answered": "{n} answered here",
    "reload": "This page is too old to sign in; reload it.",
    "noQuestions": "No questions could be fetched:",
    "nothingLeft": "Nothing left to ask. Train, look at the rounds, or import more pictures.",
    "help": [
        ["1-9", "tag present or absent"],
        ["Enter", "accept and next"],
        ["x", "nothing applies"],
        ["?", "cannot tell (the tag in focus)"],
        ["/", "add any tag"],
        ["u", "undo, any number of steps"],
        ["arrows", "move between tags"],
        ["z", "zoom"],
        ["h", "these keys"],
    ],
}
