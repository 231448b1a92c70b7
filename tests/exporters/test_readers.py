"""Each format as another program reads it."""

import csv
import io
import json
import tarfile
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import yaml

from annotator.cells import RISKY
from annotator.exporters import EXPORTERS
from annotator.records import Record, RecordLabel, Records
from annotator.terms import LabelState
from tests.exporters.memory import (
    NO,
    STATES,
    TAGS,
    UNCLEAR,
    YES,
    collection,
    empty,
    make,
    on_disk,
    with_everything,
    written,
)

FILES = ("0/same.png", "1/same.png", "ünï 2.png")
ALL = {
    (file, TAGS[tag], state)
    for file, states in zip(FILES, STATES, strict=True)
    for tag, state in enumerate(states)
    if state is not None
}
PRESENT = {(file, tag) for file, tag, state in ALL if state == YES}
WORDS = {state.name.lower(): state for state in LabelState}


def told(entries: list[dict]) -> set[tuple[str, str, LabelState]]:
    return {(one["file"], label["tag"], WORDS[label["state"]]) for one in entries for label in one["labels"]}


def test_json_names_the_state_of_each_asked_pair_and_no_other() -> None:
    document = json.loads(written(EXPORTERS["json"], make()).files["labels.json"])
    assert told(document["images"]) == ALL
    assert [tag["name"] for tag in document["tags"]] == list(TAGS)
    assert document["images"][0]["labels"][0]["at"] == "2023-11-14T22:13:20+00:00"


def test_jsonl_is_the_json_document_line_by_line() -> None:
    document = json.loads(written(EXPORTERS["json"], with_everything()).files["labels.json"])
    lines = written(EXPORTERS["jsonl"], with_everything()).files["labels.jsonl"].decode().splitlines()
    header, *images = map(json.loads, lines)
    assert images == document.pop("images")
    assert header["header"] == document


@pytest.mark.parametrize("format", ["json", "coco"])
def test_a_long_document_is_read_line_by_line(format: str) -> None:
    lines = written(EXPORTERS[format], make()).files["labels.json"].decode().splitlines()
    assert sum('"sha256"' in line for line in lines) == 3


def test_coco_keeps_absent_unclear_and_never_asked_apart() -> None:
    document = json.loads(written(EXPORTERS["coco"], make()).files["labels.json"])
    found = {(document["images"][one["image_id"] - 1]["file_name"], TAGS[one["category_id"] - 1], YES)
             for one in document["annotations"]}  # fmt: skip
    for image in document["images"]:
        for key, state in (("neg_category_ids", NO), ("not_exhaustive_category_ids", UNCLEAR)):
            found |= {(image["file_name"], TAGS[category - 1], state) for category in image[key]}
    assert found == ALL
    assert [one["supercategory"] for one in document["categories"]] == ["tag", TAGS[0], TAGS[0], TAGS[0]]


@pytest.mark.parametrize("records", [make(), empty(), with_everything()], ids=["full", "empty", "boxes"])
@pytest.mark.parametrize("format", ["coco", "coco_plain"])
def test_pycocotools_reads_the_coco_exports_with_the_same_counts(records: Records, format: str, tmp_path: Path) -> None:
    from pycocotools.coco import COCO

    on_disk(EXPORTERS[format], records, tmp_path)
    coco = COCO(str(tmp_path / "labels.json"))
    images = list(records.read())
    assert len(coco.getImgIds()) == len(images)
    assert [one["name"] for one in coco.loadCats(coco.getCatIds())] == [tag.name for tag in records.header.tags]
    for place, category in enumerate(sorted(coco.getCatIds())):
        positives = [
            number
            for number, record in enumerate(images, 1)
            if any(label.tag == place and label.state == YES for label in record.labels)
        ]
        assert sorted(coco.getImgIds(catIds=[category])) == positives
    assert len(Counter(one["id"] for one in coco.loadAnns(coco.getAnnIds()))) == len(coco.getAnnIds())


def test_plain_coco_gives_every_annotation_a_box() -> None:
    document = json.loads(written(EXPORTERS["coco_plain"], make()).files["labels.json"])
    assert len(document["annotations"]) == len(PRESENT)
    for one in document["annotations"]:
        assert (one["bbox"], one["area"], one["iscrowd"]) == ([0, 0, 640, 480], 307_200, 0)


def test_coco_has_the_box_where_there_is_one() -> None:
    document = json.loads(written(EXPORTERS["coco"], with_everything()).files["labels.json"])
    assert [one["bbox"] for one in document["annotations"] if "bbox" in one] == [[64.0, 48.0, 320.0, 240.0]]


def test_pandas_reads_the_long_table() -> None:
    import pandas as pd

    table = pd.read_csv(io.BytesIO(written(EXPORTERS["csv"], make()).files["labels.csv"]))
    assert list(table.columns) == ["file", "tag", "state", "origin", "by", "at"]
    rows = zip(table["file"], table["tag"].str.replace("'=", "=", regex=False), table["state"].map(WORDS), strict=True)
    assert set(rows) == ALL
    assert set(table["by"]) == {"anna", "round 1"}


def test_the_wide_table_keeps_four_states_apart() -> None:
    lines = list(csv.reader(io.StringIO(written(EXPORTERS["csv_wide"], make()).files["labels.csv"].decode())))
    assert lines[0] == ["file", "split", TAGS[0], "'=1+1", *TAGS[2:3], "'quoted', \"x\""]
    assert lines[1] == ["0/same.png", "train", "1", "0", "?", ""]
    assert lines[2] == ["1/same.png", "validation", "", "1", "0", "?"]


@pytest.mark.parametrize("format", ["csv", "csv_wide"])
def test_no_cell_is_run_by_a_spreadsheet(format: str) -> None:
    evil = ("=1+1", "+1", "-1", "@x", "\tx", "'=1")
    labels = tuple(RecordLabel(tag, YES, by=name) for tag, name in enumerate(evil))
    records = collection(*(Record(file, "", 4, 3, labels=labels) for file in evil), tags=evil)
    content = written(EXPORTERS[format], records).files["labels.csv"].decode()
    cells = [cell for line in csv.reader(io.StringIO(content)) for cell in line]
    assert not [cell for cell in cells if cell.startswith(RISKY)]
    assert {"'" + name for name in evil} <= set(cells)


def test_pyarrow_reads_the_parquet_export_whole(tmp_path: Path) -> None:
    from pyarrow import parquet

    on_disk(EXPORTERS["parquet"], with_everything(), tmp_path)
    table = parquet.read_table(tmp_path / "labels.parquet")
    rows = table.to_pylist()
    assert told(rows) == ALL
    assert [row["split"] for row in rows] == ["train", "validation", "test"]
    assert rows[0]["labels"][0]["at"].timestamp() == 1_700_000_000
    assert rows[0]["suggestions"] == [{"tag": TAGS[3], "score": 0.75, "origin": "model"}]
    assert rows[0]["boxes"][0]["width"] == 320
    header = json.loads(table.schema.metadata[b"annotator"])
    assert header["relations"] == [{"kind": "excludes", "a": TAGS[0], "b": TAGS[1]}]


def test_pandas_reads_the_parquet_export(tmp_path: Path) -> None:
    import pandas as pd

    on_disk(EXPORTERS["parquet"], make(), tmp_path)
    table = pd.read_parquet(tmp_path / "labels.parquet")
    assert list(table["file"]) == list(FILES)
    assert sum(map(len, table["labels"])) == len(ALL)


def test_parquet_keeps_a_label_without_a_time_without_one(tmp_path: Path) -> None:
    from pyarrow import parquet

    records = collection(Record("1.png", labels=(RecordLabel(0, UNCLEAR),)))
    on_disk(EXPORTERS["parquet"], records, tmp_path)
    assert parquet.read_table(tmp_path / "labels.parquet").to_pylist()[0]["labels"][0]["at"] is None


def test_torchvision_reads_the_folders_of_tags(tmp_path: Path) -> None:
    from torchvision.datasets import ImageFolder

    on_disk(EXPORTERS["imagefolder"], make(), tmp_path)
    folders = json.loads((tmp_path / "tags.json").read_text())
    found = set()
    for split in ("train", "val", "test"):
        pictures = ImageFolder(str(tmp_path / split))
        for path, label in pictures.samples:
            folder = pictures.classes[label]
            found.add((str(Path(path).relative_to(tmp_path / split / folder)), folders[folder]))
        assert pictures[0][0].size == (4, 3)
    assert found == PRESENT


def test_a_classifier_of_one_class_gets_the_first_present_tag_and_the_rest_is_counted() -> None:
    sink = written(EXPORTERS["yolo_classification"], make())
    assert len(sink.placed) == 3
    left_out = Counter(why for (why, _, _), count in sink.left_out.items() for _ in range(count))
    assert left_out == {"only present tags can be said": 5, "a picture has one class here": 2}


def test_yolo_has_boxes_as_shares_and_says_which_tags_had_none(tmp_path: Path) -> None:
    sink = on_disk(EXPORTERS["yolo_detection"], with_everything(), tmp_path)
    described = yaml.safe_load((tmp_path / "data.yaml").read_text())
    assert list(described["names"].values()) == list(TAGS)
    assert (tmp_path / described["train"]).is_dir()
    assert (tmp_path / "labels/train/0/same.txt").read_text() == "0 0.350000 0.350000 0.500000 0.500000\n"
    assert sum(count for (why, _, _), count in sink.left_out.items() if why == "nobody drew a box") == len(PRESENT) - 1


def test_a_png_and_a_jpeg_of_one_name_have_boxes_of_their_own() -> None:
    sink = written(EXPORTERS["yolo_detection"], collection(Record("a.png"), Record("a.jpg")))
    assert len([name for name in sink.files if name.endswith(".txt")]) == 2


def test_hugging_face_reads_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    datasets = pytest.importorskip("datasets", reason="pip install datasets")
    on_disk(EXPORTERS["huggingface"], make(), tmp_path / "data")
    loaded = datasets.load_dataset("imagefolder", data_dir=str(tmp_path / "data"), cache_dir=str(tmp_path / "cache"))
    assert {name: len(split) for name, split in loaded.items()} == {"train": 1, "validation": 1, "test": 1}
    assert loaded["train"][0]["tags"] == [TAGS[0]]
    assert loaded["train"][0]["absent"] == TAGS[1]
    assert loaded["test"][0]["cannot_tell"] == ""
    assert loaded["train"][0]["image"].size == (4, 3)


def test_hugging_face_reads_a_split_without_a_present_tag(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    datasets = pytest.importorskip("datasets", reason="pip install datasets")
    on_disk(EXPORTERS["huggingface"], make((STATES[0], (None, NO, None, None), STATES[2])), tmp_path / "data")
    loaded = datasets.load_dataset("imagefolder", data_dir=str(tmp_path / "data"), cache_dir=str(tmp_path / "cache"))
    assert loaded["validation"][0]["tags"] == ""
    assert loaded["test"][0]["tags"] == "|".join(TAGS[:3])


def test_the_hugging_face_folder_names_each_picture_and_its_states(tmp_path: Path) -> None:
    on_disk(EXPORTERS["huggingface"], make(), tmp_path)
    found = set()
    for split in ("train", "validation", "test"):
        for line in (tmp_path / split / "metadata.jsonl").read_text().splitlines():
            entry = json.loads(line)
            assert (tmp_path / split / entry["file_name"]).is_file()
            found |= {(entry["file_name"], tag, YES) for tag in entry["tags"]}
            for key, state in (("absent", NO), ("cannot_tell", UNCLEAR)):
                found |= {(entry["file_name"], tag, state) for tag in entry[key].split("|") if tag}
    assert found == ALL


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_webdataset_reads_the_tar_files(tmp_path: Path) -> None:
    webdataset = pytest.importorskip("webdataset", reason="pip install webdataset")
    on_disk(EXPORTERS["webdataset"], make(), tmp_path)
    files = sorted(str(path) for path in tmp_path.glob("*.tar"))
    found = list(webdataset.WebDataset(files, shardshuffle=False, empty_check=False).decode("rgb8"))
    assert told([one["json"] for one in found]) == ALL
    assert all(one["png"].shape == (3, 4, 3) for one in found)


def test_a_tar_file_holds_each_picture_with_its_labels(tmp_path: Path) -> None:
    on_disk(EXPORTERS["webdataset"], make(), tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "test-000000.tar", "train-000000.tar", "validation-000000.tar",
    ]  # fmt: skip
    with tarfile.open(tmp_path / "train-000000.tar") as tar:
        assert tar.getnames() == ["000000000.png", "000000000.json"]


def test_a_full_tar_file_is_followed_by_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("annotator.exporters.webdataset.SAMPLES", 2)
    records = collection(*(Record(f"{place}.png") for place in range(5)))
    assert sorted(written(EXPORTERS["webdataset"], records).files) == [f"train-{number:06d}.tar" for number in range(3)]


def test_fiftyone_finds_its_own_layout(tmp_path: Path) -> None:
    on_disk(EXPORTERS["fiftyone"], with_everything(), tmp_path)
    fields = {one["name"] for one in json.loads((tmp_path / "metadata.json").read_text())["sample_fields"]}
    found = set()
    for sample in json.loads((tmp_path / "samples.json").read_text())["samples"]:
        assert set(sample) - {"_id", "_media_type"} <= fields
        assert (tmp_path / sample["filepath"]).is_file()
        for field, state in (("ground_truth", YES), ("absent", NO), ("cannot_tell", UNCLEAR)):
            for one in (sample[field] or {"classifications": []})["classifications"]:
                found.add((sample["filepath"].removeprefix("data/"), one["label"], state))
    assert found == ALL


def test_label_studio_tasks_have_present_tags_as_choices_and_suggestions_as_predictions() -> None:
    tasks = json.loads(written(EXPORTERS["label_studio"], with_everything()).files["tasks.json"])
    chosen = {
        (task["data"]["file"], tag)
        for task in tasks
        for one in task["annotations"]
        for result in one["result"]
        for tag in result["value"]["choices"]
    }
    assert chosen == PRESENT
    assert tasks[0]["predictions"][0]["result"][0]["value"]["choices"] == [TAGS[3]]
    assert tasks[0]["data"]["absent"] == [TAGS[1]]
    assert tasks[2]["data"]["image"] == "/data/local-files/?d=%C3%BCn%C3%AF%202.png"


def test_cvat_gets_an_image_level_tag_for_each_present_one() -> None:
    root = ElementTree.fromstring(written(EXPORTERS["cvat"], with_everything()).files["annotations.xml"])
    found = {(image.get("name"), tag.get("label")) for image in root.findall("image") for tag in image.findall("tag")}
    assert found == PRESENT
    assert [one.findtext("name") for one in root.findall("meta/task/labels/label")] == list(TAGS)
    box = root.find("image/box")
    assert box is not None
    assert (box.get("xtl"), box.get("ybr")) == ("64", "288")


def test_a_long_parquet_export_comes_in_row_groups(tmp_path: Path) -> None:
    """A reader needs memory for one of them only."""
    from pyarrow import parquet

    many = Records(make().header, lambda: (Record(f"{place}.png") for place in range(20_000)))
    on_disk(EXPORTERS["parquet"], many, tmp_path)
    rows = [parquet.ParquetFile(tmp_path / "labels.parquet").metadata.row_group(place).num_rows for place in range(3)]
    assert np.sum(rows) == 20_000
