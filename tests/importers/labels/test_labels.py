"""Labels in: what each format says, and what happens to files that say it badly."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from annotator.errors import BadInputError, EntryError, UnknownNameError
from annotator.importers.labels import LABEL_IMPORTERS, Problems, open_labels, sniff
from annotator.importers.labels.parquet import values_of
from annotator.records import Record, RecordBox, RecordLabel, RecordScore
from annotator.terms import LabelState, Origin, Split
from tests.importers.labels.bad import BAD
from tests.importers.labels.bad.base import Content, text, write
from tests.importers.labels.bad.good import GOOD, coco_good

ALL_STATES = ("coco", "json", "jsonl", "csv_wide", "parquet")
ONLY_PRESENT = (
    "webdataset", "csv_wide", "coco_plain", "labels_csv", "imagefolder", "yolo_classification", "yolo_detection",
)  # fmt: skip
ALIKE = {"coco_plain": "coco", "yolo_classification": "imagefolder"}
"""Formats that are read as another one."""


def put(folder: Path, format: str, content: Content | None = None) -> Path:
    name, good = GOOD[format]
    return write(folder / name, good() if content is None else content)


def read(path: Path, format: str | None = None) -> tuple[list[str], list[Record], Problems]:
    problems = Problems(path)
    records = open_labels(path, problems, format)
    return [tag.name for tag in records.header.tags], list(records.read()), problems


def said(tags: list[str], record: Record) -> dict[str, LabelState]:
    return {tags[label.tag]: label.state for label in record.labels}


@pytest.mark.parametrize("format", GOOD)
def test_a_good_file_of_each_format_is_recognised_and_read_without_refusal(format: str, tmp_path: Path) -> None:
    path = put(tmp_path, format)
    assert sniff(path) == ALIKE.get(format, format)
    tags, records, problems = read(path)
    assert problems.kept == []
    assert said(tags, records[0])["cat"] == LabelState.POSITIVE
    assert records[0].file.endswith("a.jpg")
    if format in ALL_STATES:
        assert said(tags, records[0]) == {"cat": 1, "dog": 0, "cow": -1}
    if format not in ONLY_PRESENT:
        assert said(tags, records[0]).get("dog") == LabelState.NEGATIVE


@pytest.mark.parametrize("format", ["coco", "json", "jsonl", "parquet", "label_studio", "fiftyone", "openimages"])
def test_scores_are_suggestions_and_no_labels(format: str, tmp_path: Path) -> None:
    tags, records, _ = read(put(tmp_path, format))
    second = records[1]
    assert second.labels == ()
    assert [(tags[score.tag], score.score) for score in second.suggestions] == [("dog", 0.25)]


@pytest.mark.parametrize("format", ["coco", "json", "jsonl", "parquet", "cvat"])
def test_boxes_are_kept_in_pixels(format: str, tmp_path: Path) -> None:
    tags, records, _ = read(put(tmp_path, format))
    assert records[0].boxes == (RecordBox(tags.index("cat"), 1, 2, 3, 4.5),)


@pytest.mark.parametrize("format", ["label_studio", "fiftyone"])
def test_boxes_in_shares_of_the_sides_become_pixels(format: str, tmp_path: Path) -> None:
    _, records, _ = read(put(tmp_path, format))
    assert records[0].boxes[0][1:] == pytest.approx((10, 15, 20, 3))


@pytest.mark.parametrize("format", GOOD)
def test_records_are_read_any_number_of_times(format: str, tmp_path: Path) -> None:
    path = put(tmp_path, format)
    records = open_labels(path, Problems(path))
    assert list(records.read()) == list(records.read())


def test_real_instances_are_read_whole(real_data: Path) -> None:
    path = real_data / "coco256" / "instances.json"
    whole = json.loads(path.read_text())
    tags, records, problems = read(path)
    assert sniff(path) == "coco"
    assert problems.count == 0
    assert tags == [category["name"] for category in whole["categories"]]
    assert [record.file for record in records] == [image["file_name"] for image in whole["images"]]
    assert sum(len(record.boxes) for record in records) == len(whole["annotations"])
    number = {category["id"]: category["name"] for category in whole["categories"]}
    pairs = {(image["file_name"], number[a["category_id"]]) for image in whole["images"] for a in whole["annotations"]
             if a["image_id"] == image["id"]}  # fmt: skip
    assert {(record.file, tags[label.tag]) for record in records for label in record.labels} == pairs


def test_real_instances_say_what_the_labels_table_says(real_data: Path) -> None:
    boxes, drawn, _ = read(real_data / "coco256" / "instances.json")
    tags, listed, _ = read(real_data / "coco256" / "labels.csv")
    of_boxes = {Path(record.file).name: set(said(boxes, record)) for record in drawn}
    assert {Path(record.file).name: set(said(tags, record)) for record in listed} == of_boxes


def test_lvis_names_pictures_by_their_address_and_knows_absent_from_unasked(tmp_path: Path) -> None:
    document = coco_good()
    for image in document["images"]:
        image["coco_url"] = f"http://images.example.org/val2017/{image.pop('file_name')}"
    document["images"][0]["not_exhaustive_category_ids"] = [7]
    document["images"][1]["neg_category_ids"] = []
    document["categories"][0] |= {"synonyms": ["cat", "kitty"], "def": "a feline", "frequency": "f"}
    path = tmp_path / "lvis.json"
    path.write_bytes(text(document))
    assert sniff(path) == "lvis"
    tags, records, problems = read(path)
    assert problems.count == 0
    assert [record.file for record in records] == ["val2017/a.jpg", "val2017/b.jpg"]
    assert said(tags, records[0]) == {"cat": LabelState.POSITIVE, "dog": LabelState.NEGATIVE}
    header = open_labels(path, Problems(path)).header
    assert header.tags[0].synonyms == ("cat", "kitty")
    assert header.tags[0].definition == "a feline"


def test_results_are_read_with_the_instances_beside_them(tmp_path: Path) -> None:
    put(tmp_path, "coco")
    results = tmp_path / "results.json"
    results.write_bytes(text([{"image_id": 2, "category_id": 7, "score": 0.5, "bbox": [0, 0, 1, 1]},
                              {"image_id": 2, "category_id": 7, "score": 0.75}]))  # fmt: skip
    tags, records, problems = read(results)
    assert problems.count == 0
    assert [record.labels for record in records] == [
        (RecordLabel(2, LabelState.UNKNOWN), RecordLabel(1, LabelState.NEGATIVE))[::-1],
        (),
    ]
    assert records[1].suggestions == (RecordScore(tags.index("cat"), 0.75),)


def test_results_alone_say_what_is_missing(tmp_path: Path) -> None:
    results = tmp_path / "results.json"
    results.write_bytes(text([{"image_id": 2, "category_id": 7, "score": 0.5}]))
    with pytest.raises(EntryError, match="put that file into its folder"):
        read(results)


def test_annotations_in_any_order_reach_their_images(tmp_path: Path) -> None:
    """More images than one bucket and more annotations than one part hold, shuffled; the categories come last."""
    import numpy as np

    count = 5000
    order = np.random.default_rng(0).permutation(np.repeat(np.arange(count), 14))
    document = {
        "annotations": [
            {"id": place, "image_id": int(image) * 3, "category_id": place % 2} for place, image in enumerate(order)
        ],
        "images": [{"id": image * 3, "file_name": f"{image}.jpg"} for image in range(count)],
        "categories": [{"id": 0, "name": "even"}, {"id": 1, "name": "odd"}],
    }
    path = tmp_path / "labels.json"
    path.write_bytes(text(document))
    tags, records, problems = read(path, "coco")
    wanted: dict[int, set[str]] = {image: set() for image in range(count)}
    for place, image in enumerate(order.tolist()):
        wanted[image].add(tags[place % 2])
    assert problems.count == 0
    assert [set(said(tags, record)) for record in records] == [wanted[image] for image in range(count)]


def test_a_document_longer_than_a_part_is_read_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from annotator.importers.labels import json_stream

    path = put(tmp_path, "json")
    whole = [(element.key, element.value) for element in json_stream.elements(path, ("tags", "images"))]
    for size in (1, 2, 3, 7, 50):
        monkeypatch.setattr(json_stream, "CHUNK", size)
        assert [(e.key, e.value) for e in json_stream.elements(path, ("tags", "images"))] == whole


def test_an_element_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from annotator.importers.labels import json_stream

    monkeypatch.setattr(json_stream, "MOST_ELEMENT", 10_000)
    monkeypatch.setattr(json_stream, "CHUNK", 1000)
    path = tmp_path / "labels.json"
    path.write_bytes(b'{"images": [{"file": "' + b"x" * 50_000)
    with pytest.raises(EntryError, match="longer than"):
        read(path, "json")


def test_a_list_longer_than_any_element_is_never_read_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from annotator.importers.labels import json_stream

    monkeypatch.setattr(json_stream, "MOST_ELEMENT", 10_000)
    monkeypatch.setattr(json_stream, "CHUNK", 1000)
    images = [{"id": number, "file_name": f"{number}.jpg"} for number in range(600)]
    annotations = [{"id": number, "image_id": number, "category_id": 7} for number in range(600)]
    whole = {"categories": [{"id": 7, "name": "cat"}], "annotations": annotations, "images": images}
    tags, records, problems = read(put(tmp_path, "coco", json.dumps(whole).encode()), "coco")
    assert [said(tags, record) for record in records] == [{"cat": LabelState.POSITIVE}] * 600
    assert problems.count == 0


def test_who_said_it_and_when_is_read(tmp_path: Path) -> None:
    _, records, _ = read(put(tmp_path, "json"))
    assert records[0].labels[0] == RecordLabel(0, LabelState.POSITIVE, Origin.HUMAN, "anna", 1767323045)
    assert records[0].split == Split.TRAIN
    _, records, _ = read(put(tmp_path, "csv"))
    assert records[0].labels[0] == RecordLabel(0, LabelState.POSITIVE, Origin.HUMAN, "anna", 1767323045)


def test_cells_guarded_against_spreadsheets_are_read_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text("file,tag,state\n'=a.jpg,'-x,positive\n'twas.jpg,''@y,negative\n")
    tags, records, _ = read(path)
    assert tags == ["-x", "'@y"]
    assert [record.file for record in records] == ["=a.jpg", "'twas.jpg"]


def test_open_images_codes_get_the_names_beside_them(tmp_path: Path) -> None:
    (tmp_path / "class-descriptions.csv").write_text('/m/1,"Cat"\n/m/2,Dog\n')
    path = tmp_path / "labels.csv"
    path.write_text("ImageID,Source,LabelName,Confidence\na,verification,/m/1,1\na,verification,/m/2,0\n")
    tags, records, _ = read(path)
    assert said(tags, records[0]) == {"Cat": LabelState.POSITIVE, "Dog": LabelState.NEGATIVE}


def test_a_million_bad_entries_do_not_fill_the_memory(tmp_path: Path) -> None:
    path = tmp_path / "labels.jsonl"
    path.write_bytes(b'{"file":"a.jpg","labels":["cat"]}\n' + b"5\n" * 5000)
    _, _, problems = read(path)
    assert problems.count == 5000
    assert len(problems.kept) == 1000


def test_a_second_reading_does_not_double_the_refusals(tmp_path: Path) -> None:
    path = put(tmp_path, "coco", BAD["coco"]["unknown image"].content)
    problems = Problems(path)
    records = open_labels(path, problems)
    before = [list(records.read()) and problems.count for _ in range(3)]
    assert before == [1, 1, 1]


def test_unknown_formats_and_missing_files_name_what_would_do(tmp_path: Path) -> None:
    with pytest.raises(EntryError, match="does not exist"):
        sniff(tmp_path / "gone.json")
    with pytest.raises(UnknownNameError, match="did you mean 'coco'"):
        open_labels(put(tmp_path, "coco"), Problems(tmp_path), "cocoa")


@pytest.mark.parametrize("format", LABEL_IMPORTERS)
def test_every_format_refuses_what_is_not_there(format: str, tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="gone"):
        read(tmp_path / "gone", format)


def test_values_of_parquet_are_those_that_pyarrow_gives_but_times_are_seconds() -> None:
    at = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    label = pa.struct([("tag", pa.string()), ("score", pa.float32()), ("at", pa.timestamp("us", "UTC"))])
    rows: list[Any] = [
        [{"tag": "boat", "score": 0.5, "at": at}, None], None, [], [{"tag": None, "score": None, "at": None}],
        [{"tag": "car", "score": 1.0, "at": at}] * 3,
    ]  # fmt: skip
    column = pa.array(rows, pa.list_(label))
    for start in range(len(rows)):
        expected = column.slice(start).to_pylist()
        for one in (one for labels in expected for one in labels or () if one and one["at"]):
            one["at"] = int(at.timestamp())
        assert values_of(column.slice(start)) == expected
    assert values_of(pa.array([["a", None], None], pa.list_(pa.string()))) == [["a", None], None]
    assert values_of(pa.array([3, None])) == [3, None]
    naive = pa.array([at.replace(tzinfo=None)], pa.timestamp("ns"))
    assert values_of(naive) == [int(at.timestamp())], "a time without a zone is UTC"
