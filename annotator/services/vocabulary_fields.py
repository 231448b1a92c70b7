"""What can be said of a tag, beside its name: each field with how a value is checked."""

import re
from collections.abc import Callable, Collection
from typing import Any

from sqlalchemy import select

from annotator.errors import ConflictError, MissingError, UsageError
from annotator.importers.names import clean_name, name_problem
from annotator.services.label_store import parts
from annotator.services.vocabulary_editing import Editor
from db.models import Image, Tag

MOST_DEFINITION = 4_000
MOST_EXAMPLES = 12
TAKEN_KEYS = "uxnzeh" + "rc"
"""Letters that Label uses itself, and those that Streamlit does."""
COLOUR = re.compile(r"#[0-9a-f]{6}")
LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")


def _definition(_editor: Editor, tag: Tag, value: str) -> str:
    text = " ".join(value.split())
    if len(text) > MOST_DEFINITION:
        raise UsageError(
            f"the definition of {tag.name!r} has {len(text)} characters; at most {MOST_DEFINITION} are kept"
        )
    return text


def _words(_editor: Editor, tag: Tag, value: Collection[str]) -> list[str]:
    """Names without doubles, none of them the tag's own."""
    found: dict[str, str] = {}
    for raw in value:
        name = clean_name(raw)
        problem = name_problem(name)
        if problem:
            raise UsageError(f"{tag.name!r}: {problem}")
        if name.casefold() != tag.key:
            found.setdefault(name.casefold(), name)
    return list(found.values())


def _prompts(_editor: Editor, tag: Tag, value: Collection[str]) -> list[str]:
    prompts = [" ".join(text.split()) for text in value]
    if not all(prompts):
        raise UsageError(f"a prompt of {tag.name!r} is empty; write for example: a photo of a {tag.name}")
    return list(dict.fromkeys(prompts))


def _examples(editor: Editor, tag: Tag, value: Collection[int]) -> list[int]:
    rows = list(dict.fromkeys(value))
    if len(rows) > MOST_EXAMPLES:
        raise UsageError(f"{len(rows)} example pictures for {tag.name!r}; choose at most {MOST_EXAMPLES}")
    there = {
        row for part in parts(rows) for row in editor.session.scalars(select(Image.row).where(Image.row.in_(part)))
    }
    missing = sorted(set(rows) - there)
    if missing:
        raise MissingError(f"there is no image {missing[0]} in this workspace to be an example of {tag.name!r}")
    return rows


def _hotkey(editor: Editor, tag: Tag, value: str) -> str:
    key = value.strip().lower()
    if not key:
        return ""
    if len(key) != 1 or not key.isalpha() or key in TAKEN_KEYS:
        free = ", ".join(letter for letter in "abcdefghijklmnopqrstuvwxyz" if letter not in TAKEN_KEYS)
        raise UsageError(f"hotkey {value!r} is taken or no letter; free are: {free}")
    other = editor.session.scalar(
        select(Tag).where(Tag.hotkey == key, Tag.id != tag.id, Tag.archived.is_(False)).limit(1)
    )
    if other is not None:
        raise ConflictError(f"the key {key!r} toggles {other.name!r} already; give that tag another one first")
    return key


def _colour(_editor: Editor, tag: Tag, value: str) -> str:
    colour = value.strip().lower()
    if colour and not COLOUR.fullmatch(colour):
        raise UsageError(f"colour {value!r} of {tag.name!r}: write #rrggbb, for example #1d4ed8")
    return colour


def _names(_editor: Editor, tag: Tag, value: dict[str, str]) -> dict[str, str]:
    """By language; an empty name takes a language away."""
    names = {}
    for language, raw in value.items():
        if not LANGUAGE.fullmatch(language):
            raise UsageError(f"language {language!r} of {tag.name!r}: write a code such as de, pt-BR or zh")
        name = clean_name(raw)
        if name:
            problem = name_problem(name)
            if problem:
                raise UsageError(f"{tag.name!r} in {language}: {problem}")
            names[language] = name
    return names


FIELDS: dict[str, Callable[[Editor, Tag, Any], Any]] = {
    "definition": _definition,
    "synonyms": _words,
    "prompts": _prompts,
    "examples": _examples,
    "hotkey": _hotkey,
    "colour": _colour,
    "names": _names,
}
"""What `describe` can set. A field is checked with the editor, the tag and the value; it returns what is kept."""
