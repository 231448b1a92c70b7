"""Labels files that are bad in many ways: each answer names the file, the place, the value and what would do."""

import re
from pathlib import Path

import pytest

from annotator.errors import EntryError
from annotator.importers.labels import LABEL_IMPORTERS, Problems, open_labels, sniff
from tests.importers.labels.bad import BAD
from tests.importers.labels.bad.base import Bad, write
from tests.importers.labels.bad.good import GOOD

CASES = [(format, kind) for format, kinds in BAD.items() for kind in kinds]
IDS = [f"{format}: {kind}" for format, kind in CASES]
REMEDY = re.compile(
    r"[;,:?] (?:[a-z' ]* )?(?:add|check|close|copy|correct|export|fill|give|keep|leave|move|name|pack|put|remove|"
    r"retype|save|separate|shorten|use|write)\b"
)

Said = tuple[str, frozenset[tuple[str, int]]]


def said(path: Path, problems: Problems, format: str) -> set[Said]:
    """Each picture of a file with its tags and their states."""
    records = open_labels(path, problems, format)
    tags, here = records.header.tags, f"{path.parent}/"
    return {
        (record.file.removeprefix(here), frozenset((tags[label.tag].name, int(label.state)) for label in record.labels))
        for record in records.read()
    }


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[Said]]:
    """What the good file of each format says."""
    found = {}
    for format, (name, content) in GOOD.items():
        path = write(tmp_path_factory.mktemp(format) / name, content())
        found[format] = said(path, Problems(path), format)
    return found


def check(error: EntryError, bad: Bad, path: Path) -> None:
    """The file, the place, and what would do; nothing that floods or spoils a screen."""
    assert error.file.startswith(str(path))
    assert error.file.endswith(bad.file or path.name)
    assert error.where
    assert REMEDY.search(error.message), error
    assert len(str(error)) < 1000
    assert str(error).isprintable()


@pytest.mark.parametrize(("format", "kind"), CASES, ids=IDS)
def test_bad_input_is_refused_by_file_place_value_and_remedy(
    format: str, kind: str, tmp_path: Path, good: dict[str, set[Said]]
) -> None:
    bad = BAD[format][kind]
    path = write(tmp_path / GOOD[format][0], bad.content)
    problems = Problems(path)
    if bad.whole:
        with pytest.raises(EntryError) as caught:
            said(path, problems, format)
        found = [caught.value]
    else:
        assert said(path, problems, format) & good[format], "the good entries go on"
        found = problems.kept
        assert len(found) == problems.count
    for error in found:
        check(error, bad, path)
    fitting = [error for error in found if re.search(bad.says, error.message) and re.search(bad.where, error.where)]
    assert fitting, list(map(str, found))


@pytest.mark.parametrize("format", LABEL_IMPORTERS)
def test_each_format_is_tried_in_many_bad_ways(format: str) -> None:
    kinds = BAD[format].values()
    assert len({repr(bad.content) for bad in kinds}) == len(kinds), "each is another file"
    assert len(kinds) >= 15
    assert all(bad.says for bad in kinds)
    assert all(bad.where for bad in kinds if not bad.whole)


@pytest.mark.parametrize("format", LABEL_IMPORTERS)
def test_guessing_the_format_of_a_bad_file_never_crashes(format: str, tmp_path: Path) -> None:
    for number, bad in enumerate(BAD[format].values()):
        (tmp_path / str(number)).mkdir()
        path = write(tmp_path / str(number) / GOOD[format][0], bad.content)
        try:
            assert sniff(path) in LABEL_IMPORTERS
        except EntryError as error:
            assert "--format" in str(error)
