"""Everything a person can name is named in the README or the docs."""

import re
from collections.abc import Iterable
from pathlib import Path

import pytest
import typer

from annotator.backbones import BACKBONES
from annotator.backbones.fine_tuning import TUNINGS
from annotator.cli import app
from annotator.exporters import EXPORTERS
from annotator.importers.labels import LABEL_IMPORTERS
from annotator.learning.calibration import CALIBRATIONS
from annotator.learning.extra import EXTRA
from annotator.learning.heads import HEADS
from annotator.learning.losses import LOSSES
from annotator.learning.partial import PARTIAL
from annotator.learning.queries import BANDIT, QUERIES
from annotator.learning.votes import VOTES
from annotator.services.reviewing import CAUSES
from annotator.services.vocabulary_fields import FIELDS
from annotator.services.vocabulary_operations import OPERATIONS
from annotator.settings import Settings
from annotator.terms import Verdict

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
TEXT = "\n".join(page.read_text() for page in PAGES)
VERBS = sorted(typer.main.get_command(app).commands)  # type: ignore[attr-defined]


@pytest.mark.parametrize("verb", VERBS)
def test_every_command_is_named(verb: str) -> None:
    assert re.search(rf"annotator {verb}\b", TEXT), f"write of `annotator {verb}` in docs/guide.md"


FAMILIES: dict[str, Iterable[str]] = {
    "exporter": EXPORTERS,
    "label importer": LABEL_IMPORTERS,
    "query strategy": [*QUERIES, BANDIT],
    "head": HEADS,
    "loss": LOSSES,
    "way to read unknown labels": PARTIAL,
    "calibration": CALIBRATIONS,
    "extra material": EXTRA,
    "backbone": BACKBONES,
    "way to tune": TUNINGS,
    "vote policy": VOTES,
    "change of the vocabulary": OPERATIONS,
    "field of a tag": FIELDS,
    "cause of a review": CAUSES,
    "verdict": Verdict,
}


@pytest.mark.parametrize("name", [f"{family}: {name}" for family, names in FAMILIES.items() for name in names])
def test_every_member_of_a_family_is_named(name: str) -> None:
    name = name.partition(": ")[2]
    assert re.search(rf"(?<!\w){name}(?!\w)", TEXT, re.IGNORECASE), f"write of {name!r} in docs/guide.md"


@pytest.mark.parametrize("field", Settings.model_fields)
def test_every_setting_is_named(field: str) -> None:
    name = f"ANNOTATOR_{field.upper()}"
    assert name in TEXT, f"write of {name} in docs/operations.md"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_to_a_file_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", page.read_text())
    for link in links:
        if "://" not in link:
            assert (page.parent / link).exists(), f"{page.name} names {link}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_annotator_command_in_the_docs_exists(page: Path) -> None:
    """In code only: a command is what stands at the beginning of a line or in backquotes."""
    for verb in re.findall(r"(?:^ {4}|`)annotator ([a-z-]+)", page.read_text(), re.MULTILINE):
        assert verb in VERBS, f"{page.name} names `annotator {verb}`"
