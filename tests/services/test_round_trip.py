"""What goes out in a format comes back: whole where the format is lossless, else as much as it says."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from annotator.errors import UnknownNameError
from annotator.exporters import EXPORTERS
from annotator.importers.labels import LABEL_IMPORTERS, Problems, open_labels, sniff
from annotator.records import Header, Record, RecordBox, RecordLabel, Records, RecordScore, RecordTag
from annotator.services import exporting, imported_arrays, labelling
from annotator.services.import_options import ImportOptions
from annotator.services.imported_arrays import Gathered, write_files
from annotator.services.importing_records import import_records
from annotator.services.round_trip import FILE, GIVEN, round_trip
from annotator.services.sinks import FolderSink
from annotator.services.snapshots import take
from annotator.terms import LabelState, Origin, Split
from annotator.workspace import Workspace
from db.models import Annotator, Review
from tests.services.rows import add_images
from tests.services.worlds import make_world

P, N, U = LabelState.POSITIVE, LabelState.NEGATIVE, LabelState.UNKNOWN
EVERYTHING = ("json", "jsonl", "parquet", "coco")
"""Formats that give back the snapshot's hash: images, tags, labels, origins, splits."""
ALL_STATES = (*EVERYTHING, "csv", "csv_wide", "huggingface", "fiftyone", "label_studio", "webdataset")
BOTH_WAYS = [name for name in EXPORTERS if name in LABEL_IMPORTERS]


def answered(workspace: Workspace) -> Workspace:
    """Answers of two people who sometimes disagree, a review, and an image without an answer."""
    ids = [tag.id for tag in take(workspace).tags[:4]]
    rows = range(1, 9)
    labelling.set_labels(workspace, "anna", [(row, tag, (P, N, U)[(row + tag) % 3]) for row in rows for tag in ids])
    labelling.set_labels(workspace, "ben", [(row, ids[0], (P, N)[row % 2]) for row in rows])
    with workspace.transaction() as session:
        rita = session.query(Annotator).filter_by(name="ben").one().id
        at = session.query(Annotator).first()
        assert at is not None
        session.add(Review(image_row=1, tag_id=ids[1], reviewer_id=rita, state=N, at=at.created_at))
    return workspace


@pytest.fixture
def world(workspace: Workspace) -> Workspace:
    make_world(workspace, 12, tags=("boat", "car", "tree", "=sum", "never asked"))
    return answered(workspace)


@pytest.mark.parametrize("format", EVERYTHING)
def test_lossless_formats_give_back_the_same_snapshot(world: Workspace, format: str) -> None:
    trip = round_trip(world, format)
    pairs = int((take(world).origins != Origin.NOBODY).sum())
    assert trip.snapshot_equal
    assert trip.tags_from == FILE
    assert trip.labels == {"same": pairs, "lost": 0, "changed": 0, "appeared": 0}
    assert trip.decided == {"origin": pairs, "by": pairs, "at": pairs}
    assert trip.refused == 0


def test_csv_gives_back_all_labels_with_who_decided_them(world: Workspace) -> None:
    trip = round_trip(world, "csv")
    pairs = int((take(world).origins != Origin.NOBODY).sum())
    assert trip.tags_from == GIVEN
    assert trip.labels == {"same": pairs, "lost": 0, "changed": 0, "appeared": 0}
    assert trip.decided == {"origin": pairs, "by": pairs, "at": pairs}


@pytest.mark.parametrize("format", BOTH_WAYS)
def test_no_format_changes_or_invents_a_label(filled: Workspace, format: str) -> None:
    answered(filled)
    trip = round_trip(filled, format)
    snapshot = take(filled)
    positive = int(((snapshot.labels == P) & (snapshot.origins != Origin.NOBODY)).sum())
    pairs = int((snapshot.origins != Origin.NOBODY).sum())
    assert trip.labels["changed"] == trip.labels["appeared"] == 0
    assert trip.labels["same"] + trip.labels["lost"] == pairs
    if format in ALL_STATES:
        assert trip.labels["lost"] == 0
    elif format in ("imagefolder", "coco_plain", "cvat"):
        assert trip.labels["same"] == positive
    elif format == "yolo_detection":
        assert trip.labels["same"] == 0, "nobody drew a box"
    else:
        assert 0 < trip.labels["same"] < positive, "one tag a picture"
    assert bool(trip.loses) or trip.snapshot_equal


@pytest.mark.parametrize("format", ["coco", "json", "jsonl", "parquet", "fiftyone", "cvat", "yolo_detection"])
def test_boxes_that_came_in_go_out_again(filled: Workspace, tmp_path: Path, format: str) -> None:
    tag = take(filled).tags[0]
    labelling.set_labels(filled, "anna", [(3, tag.id, P)])
    gathered = Gathered()
    gathered.box(3, tag.id, (1, 2, 30, 4.5))
    write_files(gathered.files(filled, "boxes"))
    path = tmp_path / f"out{EXPORTERS[format].suffix}"
    exporting.export(filled, format, path)
    records = open_labels(path, Problems(path), format)
    boxes = [(records.header.tags[box.tag].name, box[1:]) for record in records.read() for box in record.boxes]
    assert boxes == [(tag.name, pytest.approx((1, 2, 30, 4.5), abs=0.01))]


def test_what_a_machine_settled_comes_back_as_a_suggestion_of_it(world: Workspace, tmp_path: Path) -> None:
    from annotator.arrays import write_array
    from annotator.terms import RoundStatus
    from db.models import Model, Round

    tag = take(world).tags[4]
    with world.transaction() as session:
        at = session.query(Annotator).first()
        assert at is not None
        session.add(Model(id=1, backbone="b", head="h", snapshot_hash="", tag_ids=[tag.id], labels_used=0,
                          images_used=0, metrics={}, in_use=False, verdict="", at=at.created_at))  # fmt: skip
        session.flush()
        session.add(Round(number=1, status=RoundStatus.SETTLED, seed=0, pool_hash="", pool_size=12, model_id=1,
                          tag_ids=[tag.id], targets={}, annotator_id=at.id, at=at.created_at))  # fmt: skip
    write_array(world.round_file(1), np.array([[1], [0], *[[-1]] * 10], np.int8))
    trip = round_trip(world, "json")
    assert (trip.settled, trip.labels["lost"], trip.labels["appeared"], trip.snapshot_equal) == (2, 0, 0, False)
    path = tmp_path / "labels.json"
    exporting.export(world, "json", path)
    with Workspace.create(tmp_path / "other") as other:
        make_world(other, 12, tags=())
        import_records(other, path, ImportOptions(keep_people=True))
        assert imported_arrays.of_image(other, 0)[0][1:] == (pytest.approx(0.95, abs=1e-3), "round 1")
        assert imported_arrays.of_image(other, 1)[0][1:] == (pytest.approx(0.05, abs=1e-3), "round 1")


@pytest.mark.parametrize("format", [name for name in BOTH_WAYS if not name.startswith(("coco_plain", "yolo_class"))])
def test_the_format_of_our_own_exports_is_recognised(filled: Workspace, tmp_path: Path, format: str) -> None:
    answered(filled)
    path = tmp_path / f"out{EXPORTERS[format].suffix}"
    exporting.export(filled, format, path)
    assert sniff(path) == format


@pytest.mark.parametrize("format", EVERYTHING)
def test_a_project_without_tags_comes_back(workspace: Workspace, format: str) -> None:
    add_images(workspace, 3)
    assert round_trip(workspace, format).snapshot_equal


def test_a_format_that_only_goes_one_way_is_told(world: Workspace) -> None:
    with pytest.raises(UnknownNameError, match=r"goes out and comes in is called 'openimages'.*known: coco"):
        round_trip(world, "openimages")


# Random records through exporter and importer alone

LETTERS = st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Cf", "Zs", "Zl", "Zp"), exclude_characters="|")
NAME = st.text(LETTERS, min_size=1, max_size=12)
SPACED = st.builds(" ".join, st.lists(NAME, min_size=1, max_size=2))


def tags(names: list[str]) -> tuple[RecordTag, ...]:
    return tuple(RecordTag(name) for name in names)


@st.composite
def collections(draw: st.DrawFn) -> tuple[Header, list[Record]]:
    from annotator.importers.names import clean_name, same_name

    names = draw(st.lists(SPACED.map(clean_name).filter(bool), min_size=1, max_size=4, unique_by=same_name))
    folders = st.sampled_from(["", "a/", "b/", "a/b/"])  # two of them may hold the same name
    file = st.builds(lambda folder, name: f"{folder}{name}.jpg", folders, SPACED | st.just("same"))
    files = draw(st.lists(file, min_size=1, max_size=4, unique=True))
    places = st.integers(0, len(names) - 1)
    label = st.builds(
        RecordLabel, places, st.sampled_from(LabelState), st.sampled_from([Origin.HUMAN, Origin.REVIEW, Origin.ROUND]),
        st.sampled_from(["", "anna", "=Ben", "é 猫"]), st.sampled_from([0, 1, 1_767_323_045, 4_294_967_295]),
    )  # fmt: skip
    labels = st.lists(label, max_size=len(names), unique_by=lambda one: one.tag).map(
        lambda found: tuple(sorted(found, key=lambda one: one.tag))
    )
    score = st.builds(RecordScore, places, st.sampled_from([0.0, 0.25, 0.5, 1.0]), st.just("model"))
    scores = st.lists(score, max_size=2, unique_by=lambda one: one.tag).map(tuple)
    side = st.sampled_from([0.0, 0.5, 12.0, 700.25])
    pixels = st.integers(1401, 9000)  # more than any box reaches
    boxes = st.lists(st.builds(RecordBox, places, side, side, side, side), max_size=2).map(tuple)
    digest = st.integers(0, 16**64 - 1).map(lambda number: f"{number:064x}")
    records = [
        Record(file, draw(digest), draw(pixels), draw(pixels), draw(st.sampled_from(Split)),
               draw(labels), draw(scores), draw(boxes))
        for file in files
    ]  # fmt: skip
    return Header(tags(names), root="/pictures", snapshot="x", images=len(records)), records


def through(format: str, header: Header, records: list[Record]) -> tuple[Header, list[Record]]:
    with tempfile.TemporaryDirectory() as folder:
        sink = FolderSink(Path(folder))
        EXPORTERS[format](Records(header, lambda: iter(records)), sink)
        path = Path(folder) / str(EXPORTERS[format].file)
        problems = Problems(path)
        found = open_labels(path, problems, format)
        read = list(found.read())
        assert problems.kept == []
        return found.header, read


QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.mark.parametrize("format", ["json", "jsonl", "parquet"])
@QUICK
@given(drawn=collections())
def test_random_records_come_back_as_they_were(format: str, drawn: tuple[Header, list[Record]]) -> None:
    header, records = drawn
    found, read = through(format, header, records)
    assert read == records
    assert (found.tags, found.root, found.snapshot) == (header.tags, header.root, header.snapshot)


@pytest.mark.parametrize("count", [0, 10_000])
@pytest.mark.parametrize("format", EVERYTHING)
def test_no_tag_and_ten_thousand_come_back(format: str, count: int) -> None:
    header = Header(tags([f"tag {number}" for number in range(count)]), root="/pictures", snapshot="x", images=3)
    labels = tuple(
        RecordLabel(tag, (P, N, U)[tag % 3], Origin.HUMAN, "anna", 1_767_323_045) for tag in range(0, count, 7)
    )
    records = [
        Record(f"{folder}/same.jpg", f"{place:064x}", 640, 480, Split.TRAIN, labels if place == 1 else ())
        for place, folder in enumerate("abc")
    ]
    found, read = through(format, header, records)
    assert found.tags == header.tags
    assert [record._replace(labels=tuple(sorted(record.labels))) for record in read] == records


@QUICK
@given(drawn=collections())
def test_random_records_through_coco_lose_suggestions_and_boxes_without_a_label_only(
    drawn: tuple[Header, list[Record]],
) -> None:
    header, records = drawn
    found, read = through("coco", header, records)

    def sorted_labels(record: Record, **changed: Any) -> Record:
        return record._replace(labels=tuple(sorted(record.labels)), boxes=tuple(sorted(record.boxes)), **changed)

    def kept(record: Record) -> Record:
        present = {label.tag for label in record.labels if label.state == P}
        return record._replace(boxes=tuple(box for box in record.boxes if box.tag in present))

    assert [sorted_labels(record) for record in read] == [
        sorted_labels(kept(record), suggestions=()) for record in records
    ]
    assert found.tags == header.tags


@QUICK
@given(drawn=collections())
def test_random_labels_through_csv_come_back_with_who_decided_them(drawn: tuple[Header, list[Record]]) -> None:
    header, records = drawn
    if not any(record.labels for record in records):
        return
    found, read = through("csv", header, records)

    def told(head: Header, several: list[Record]) -> list[Any]:
        return [(record.file, {(head.tags[one.tag].name, *one[1:]) for one in record.labels}) for record in several]

    assert told(found, read) == told(header, [record for record in records if record.labels])
