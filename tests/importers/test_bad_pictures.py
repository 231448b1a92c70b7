"""Every kind of bad input ends as it should: imported, or refused under its reason."""

from collections import Counter
from pathlib import Path

import pytest

from annotator.importers.pictures import Picture
from annotator.importers.refusals import REFUSALS, Refused
from annotator.importers.sources import Found, read_found, scan
from tests.importers.bad_pictures import applicable, make_all


def read_all(*paths: str) -> list[Picture | Refused]:
    """Scan and read, as an import does."""
    return [read_found(found) if isinstance(found, Found) else found for found in scan(paths)]


@pytest.mark.parametrize("kind", applicable())
def test_each_kind_of_input_is_imported_or_refused_for_its_reason(kind: str, tmp_path: Path) -> None:
    bad = applicable()[kind]
    results = read_all(bad.make(tmp_path))
    refused = [result for result in results if isinstance(result, Refused)]
    assert sorted(refusal.reason for refusal in refused) == sorted(bad.refused), refused
    assert len(results) - len(refused) == bad.imported
    for refusal in refused:
        assert refusal.message.isprintable()
        assert refusal.reason == "unusable list" or REFUSALS[refusal.reason] in refusal.message


def test_there_are_many_kinds_and_every_reason_is_used() -> None:
    assert len(applicable()) >= 45
    used = {reason for bad in applicable().values() for reason in bad.refused}
    # "unreadable" needs a person who is not root, "changed" an earlier import: both are tested elsewhere.
    assert set(REFUSALS) - used <= {"unreadable", "changed"}


def test_one_import_of_everything_bears_it_all(tmp_path: Path) -> None:
    paths = make_all(tmp_path)
    results = read_all(*paths.values())
    expected = Counter(reason for bad in applicable().values() for reason in bad.refused)
    pictures = [result for result in results if isinstance(result, Picture)]
    assert Counter(result.reason for result in results if isinstance(result, Refused)) == expected
    assert len(pictures) == sum(bad.imported for bad in applicable().values())
    assert len({picture.sha256 for picture in pictures}) == len(pictures) - 1
    assert len({picture.uri for picture in pictures}) == len(pictures)
