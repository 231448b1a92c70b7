"""Labels files nobody thought of: any value in any place, any byte changed. Refused or read, never a crash."""

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from annotator.errors import BadInputError
from annotator.importers.labels import Problems, open_labels
from tests.importers.labels.bad.base import Content, text, write
from tests.importers.labels.bad.good import GOOD, yolo_good

JSON = ("coco", "json", "label_studio", "fiftyone")
ANY = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from([1 << 80, "é" * 300]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
QUICK = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every value inside a document."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [*([path] if path else []), *(place for key, inner in items for place in places(inner, (*path, key)))]


def read(format: str, content: Content) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder) / GOOD[format][0], content)
        problems = Problems(path)
        try:
            for record in open_labels(path, problems, format).read():
                assert all(label.tag >= 0 for label in record.labels)
                assert all(0 <= score.score <= 1 for score in record.suggestions)
        except BadInputError as error:
            assert path.name in str(error)
        assert all(path.name in str(error) for error in problems.kept)


@pytest.mark.parametrize("format", JSON)
@QUICK
@given(data=st.data())
def test_any_value_in_any_place_is_read_or_refused(format: str, data: st.DataObject) -> None:
    document = json.loads(GOOD[format][1]())
    *path, last = data.draw(st.sampled_from(places(document)))
    inner = document
    for step in path:
        inner = inner[step]
    inner[last] = data.draw(ANY)
    read(format, json.dumps(document).encode())


def changed(content: bytes, data: st.DataObject) -> bytes:
    start = data.draw(st.integers(0, len(content)))
    end = start + data.draw(st.integers(0, 20))
    return content[:start] + data.draw(st.binary(max_size=6)) + content[end:]


@pytest.mark.parametrize("format", [name for name, (_, make) in GOOD.items() if isinstance(make(), bytes)])
@QUICK
@given(data=st.data())
def test_any_changed_bytes_are_read_or_refused(format: str, data: st.DataObject) -> None:
    content = GOOD[format][1]()
    assert isinstance(content, bytes)
    read(format, changed(content, data))


@pytest.mark.parametrize("name", ["data.yaml", "labels/a.txt"])
@QUICK
@given(data=st.data())
def test_any_changed_bytes_in_a_folder_are_read_or_refused(name: str, data: st.DataObject) -> None:
    files = yolo_good()
    read("yolo_detection", {**files, name: changed(files[name], data)})


def test_the_good_documents_are_json() -> None:
    assert all(text(json.loads(GOOD[format][1]())) == GOOD[format][1]() for format in JSON)
