"""Names of tags as files write them: one form for each, and what cannot be a name."""

import difflib
import re
import unicodedata
from collections.abc import Collection

LONGEST = 200
_FORBIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069]")


def clean_name(raw: str) -> str:
    """NFC, trimmed, every run of white space one space."""
    return unicodedata.normalize("NFC", " ".join(raw.split()))


def same_name(name: str) -> str:
    """The form under which two names count as one: `Dog` and `dog`, `Straße` and `STRASSE`."""
    return unicodedata.normalize("NFC", name.casefold())


def name_problem(name: str) -> str | None:
    """Why a cleaned name cannot be a tag, and what would do; None for a good one."""
    if not name:
        return "the name is empty; give it one or remove the line"
    if len(name) > LONGEST:
        return f"the name {name[:40]!r}… is longer than {LONGEST} characters; put the rest into 'definition'"
    if "|" in name:
        return f"the name {name!r} holds '|', which separates labels in a table; use '/' or 'or'"
    if _FORBIDDEN.search(name):
        return f"the name {name!r} holds control characters or broken text; save the file as UTF-8 and retype the name"
    return None


def hint(name: str, known: Collection[str]) -> str:
    """' (did you mean …?)' or ''. Slow for long vocabularies: for the first few errors of a file only."""
    near = difflib.get_close_matches(name, known, n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""
