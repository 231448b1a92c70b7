"""What Label Studio and FiftyOne themselves make of our exports, where their packages are installed."""

import csv
import json
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

import pytest

from annotator.exporters import EXPORTERS
from annotator.importers.labels import Problems, open_labels
from tests.exporters.memory import NO, STATES, TAGS, UNCLEAR, YES, on_disk, with_everything

FILES = ("0/same.png", "1/same.png", "ünï 2.png")
PRESENT = {
    (file, TAGS[tag])
    for file, states in zip(FILES, STATES, strict=True)
    for tag, state in enumerate(states)
    if state == YES
}


@pytest.fixture
def studio() -> str:
    """The interface that the tasks are for."""
    pytest.importorskip("label_studio_sdk.converter", reason="pip install label-studio-sdk")
    choices = "".join(f"<Choice value={quoteattr(tag)}/>" for tag in TAGS)
    named = '<Choices name="tags" toName="image" choice="multiple">'
    return f'<View><Image name="image" value="$image"/>{named}{choices}</Choices></View>'


@pytest.fixture
def fiftyone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """FiftyOne, which is to store and to tell nothing."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("FIFTYONE_DO_NOT_TRACK", "1")
    return pytest.importorskip("fiftyone", reason="pip install fiftyone")


def chosen(cell: str) -> list[str]:
    """One choice is a text, several are an object, in the converter's tables."""
    return json.loads(cell)["choices"] if cell.startswith('{"choices"') else [cell]


def test_label_studio_finds_each_annotation_and_prediction_valid(studio: str, tmp_path: Path) -> None:
    from label_studio_sdk.label_interface import LabelInterface

    interface = LabelInterface(studio)
    on_disk(EXPORTERS["label_studio"], with_everything(), tmp_path)
    tasks = json.loads((tmp_path / "tasks.json").read_text())
    assert sum(len(task.get("predictions", [])) for task in tasks) == 1
    for task in tasks:
        assert all(interface.validate_annotation(one) for one in task["annotations"])
        assert all(interface.validate_prediction(one) for one in task.get("predictions", []))


def test_label_studio_converts_the_tasks_into_a_table_with_the_present_tags(studio: str, tmp_path: Path) -> None:
    from label_studio_sdk.converter import Converter

    on_disk(EXPORTERS["label_studio"], with_everything(), tmp_path)
    converter = Converter(studio, str(tmp_path), download_resources=False)
    converter.convert_to_csv(str(tmp_path / "tasks.json"), str(tmp_path / "out"), is_dir=False, sep=",", header=True)
    with (tmp_path / "out" / "result.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert {(row["file"], tag) for row in rows for tag in chosen(row["tags"])} == PRESENT


def test_what_label_studio_makes_of_our_tasks_comes_in_again(studio: str, tmp_path: Path) -> None:
    from label_studio_sdk.converter import Converter

    on_disk(EXPORTERS["label_studio"], with_everything(), tmp_path)
    converter = Converter(studio, str(tmp_path), download_resources=False)
    converter.convert_to_json_min(str(tmp_path / "tasks.json"), str(tmp_path / "out"), is_dir=False)
    path = tmp_path / "out" / "result.json"
    problems = Problems(path)
    records = open_labels(path, problems, "label_studio")
    names = [tag.name for tag in records.header.tags]
    states = {(record.file, names[label.tag]): label.state for record in records.read() for label in record.labels}
    assert problems.kept == []
    assert {pair for pair, state in states.items() if state == YES} == PRESENT
    assert {states[FILES[0], TAGS[1]], states[FILES[0], TAGS[2]]} == {NO, UNCLEAR}


def test_fiftyone_reads_each_sample_with_its_states(fiftyone: Any, tmp_path: Path) -> None:
    on_disk(EXPORTERS["fiftyone"], with_everything(), tmp_path)
    found = set()
    for one in json.loads((tmp_path / "samples.json").read_text())["samples"]:
        sample = fiftyone.Sample.from_dict(one)
        for field, state in (("ground_truth", YES), ("absent", NO), ("cannot_tell", UNCLEAR)):
            said = sample[field].classifications if sample[field] else []
            assert all(isinstance(label, fiftyone.Classification) for label in said)
            found |= {(one["filepath"].removeprefix("data/"), label.label, state) for label in said}
    assert found == {
        (file, TAGS[tag], state)
        for file, states in zip(FILES, STATES, strict=True)
        for tag, state in enumerate(states)
        if state is not None
    }


def test_fiftyone_reads_boxes_scores_and_splits(fiftyone: Any, tmp_path: Path) -> None:
    on_disk(EXPORTERS["fiftyone"], with_everything(), tmp_path)
    first = fiftyone.Sample.from_dict(json.loads((tmp_path / "samples.json").read_text())["samples"][0])
    (box,) = first["detections"].detections
    assert isinstance(box, fiftyone.Detection)
    assert box.bounding_box == pytest.approx([0.1, 0.1, 0.5, 0.5])
    assert [(one.label, one.confidence) for one in first["predictions"].classifications] == [(TAGS[3], 0.75)]
    assert first.tags == ["train"]


def test_fiftyone_knows_the_kind_of_each_field(fiftyone: Any, tmp_path: Path) -> None:
    from fiftyone.core.odm import SampleFieldDocument

    on_disk(EXPORTERS["fiftyone"], with_everything(), tmp_path)
    described = json.loads((tmp_path / "metadata.json").read_text())["sample_fields"]
    fields = {one["name"]: SampleFieldDocument.from_dict(one).to_field() for one in described}
    assert fields["ground_truth"].document_type is fiftyone.Classifications
    assert fields["detections"].document_type is fiftyone.Detections
    assert isinstance(fields["tags"], fiftyone.ListField)
