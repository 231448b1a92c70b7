"""Every text of the browser part, one JSON file a language, by keys: ``say("home.images")``.

A new language is a copy of en.json under its code, translated; the setting ANNOTATOR_LANGUAGE chooses it.
"""

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from annotator.errors import UnknownNameError
from annotator.settings import Settings

FOLDER = Path(__file__).parent
LANGUAGES = sorted(file.stem for file in FOLDER.glob("*.json"))


def say(key: str, **values: object) -> str:
    """The text of `key` ("page.name") in the language of the settings, with `values` in its {places}."""
    page, name = key.split(".")
    text: str = catalogue(Settings().language)[page][name]
    return text.format(**values) if values else text


def component_words() -> dict[str, Any]:
    """What the components in the browser say."""
    words: dict[str, Any] = catalogue(Settings().language)["components"]
    return words


@lru_cache(maxsize=8)
def catalogue(language: str) -> dict[str, Any]:
    """The whole file of a language. Raises UnknownNameError when there is none."""
    if language not in LANGUAGES:
        raise UnknownNameError("language", language, LANGUAGES)
    read: dict[str, Any] = json.loads((FOLDER / f"{language}.json").read_text(encoding="utf-8"))
    return read
