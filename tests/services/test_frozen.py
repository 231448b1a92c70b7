import csv
import json
from pathlib import Path

import numpy as np
import pytest

from annotator.errors import ConflictError, MissingError, UnknownNameError, UsageError
from annotator.importers.labels import Strict, open_labels
from annotator.services import certificates, frozen, labelling, rounds
from annotator.services.restoring import restore
from annotator.services.scripted import answer_tag_from_truth
from annotator.services.snapshots import take
from annotator.terms import LabelState, RelationKind, RoundStatus, Split
from annotator.workspace import Workspace
from db.models import Annotator, Image, JournalEntry, Label, Relation, Tag
from tests.services.rows import add_images, add_tags, review, settle, truth
from tests.services.worlds import make_world, put_model

YES, NO, UNKNOWN = LabelState.POSITIVE, LabelState.NEGATIVE, LabelState.UNKNOWN


@pytest.fixture
def stocked(any_workspace: Workspace) -> Workspace:
    """Every origin, two rounds of which one counts, an archived tag, a relation, a parent, a given split."""
    add_images(any_workspace, 6)
    add_tags(any_workspace, ["boat", "car", "old", "bär"])
    settle(any_workspace, 1, [[1, -1]] * 4 + [[-1, -1]] * 2, RoundStatus.SETTLED)
    settle(any_workspace, 2, [[0, 0]] * 6, RoundStatus.PROPOSED)
    truth(any_workspace, [[0, -1]] * 3 + [[-1, 1]] * 3)
    labelling.set_labels(any_workspace, "anna", [(0, 1, YES), (1, 1, YES), (2, 2, UNKNOWN), (3, 3, YES)])
    labelling.set_labels(any_workspace, "bea", [(1, 1, YES), (5, 2, NO)])
    review(any_workspace, 0, 1, NO)
    with any_workspace.transaction() as session:
        session.get_one(Image, 5).near_duplicate_group = 0
        session.get_one(Image, 3).given_split = Split.TEST.value
        session.get_one(Tag, 3).archived = True
        session.get_one(Tag, 2).parent_id = 1
        session.add(Relation(kind=RelationKind.EXCLUDES, a_id=1, b_id=4))
    any_workspace.change_project(licence="CC BY 4.0", exactly_one=[["boat", "car"]])
    return any_workspace


def test_a_snapshot_restored_is_the_same_snapshot(stocked: Workspace, tmp_path: Path) -> None:
    before = take(stocked)
    frozen.create(stocked, "v1", "first")
    labelling.set_labels(stocked, "anna", [(4, 1, YES)])
    restore(stocked, "v1", tmp_path / "back")
    with Workspace.open(tmp_path / "back") as back:
        after = take(back)
        assert after.hash == before.hash != take(stocked).hash
        for name in ("files", "sha256", "tags"):
            assert getattr(after, name) == getattr(before, name)
        for name in ("labels", "origins", "decided_at", "splits", "groups", "sizes"):
            np.testing.assert_array_equal(getattr(after, name), getattr(before, name))
        told = [[one.decider_names[place] for place in one.deciders.ravel()] for one in (before, after)]
        assert told[0] == told[1]
        with back.reading() as session:
            assert {label.annotator_id for label in session.query(Label)} == {
                person.id for person in session.query(Annotator) if person.name in ("anna", "bea")
            }
            assert session.query(JournalEntry).count() == session.query(Label).count() == 6
            assert session.query(Relation).one().b_id == 4
        assert back.project == stocked.project
        assert certificates.certificates(back) == _certificates_of(stocked, "v1")
        labelling.set_labels(back, "anna", [(4, 1, YES)])
        assert take(back).hash == take(stocked).hash


def _certificates_of(workspace: Workspace, name: str) -> list[dict]:
    """Of the store as it was: the card has the bounds, the rest follows from counts."""
    known = {tag["tag"]: tag for tag in frozen.shown(workspace, name)["tags"]}
    labelled = certificates.certificates(workspace)
    for row in labelled:
        row.update({what: known[row["tag"]][what] for what in ("precision", "recall", "recall with the open")})
        if row["tag"] in ("boat", "bär"):  # answered since, and what follows from it
            row["by people"], row["open"] = row["by people"] - 1, row["open"] + 1
    return labelled


def test_a_changed_snapshot_is_not_restored(stocked: Workspace, tmp_path: Path) -> None:
    frozen.create(stocked, "v1")
    file = stocked.folder / "snapshots" / "v1" / "header.json"
    header = json.loads(file.read_text())
    file.write_text(json.dumps({**header, "project": {**header["project"], "splits": {"test": 1.0}}}))
    with pytest.raises(ConflictError, match="its files were changed"):
        restore(stocked, "v1", tmp_path / "back")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["workspace"]


def test_a_snapshot_is_not_restored_over_anything(stocked: Workspace, tmp_path: Path) -> None:
    frozen.create(stocked, "v1")
    with pytest.raises(UsageError, match="exists"):
        restore(stocked, "v1", tmp_path)


def test_the_card_counts_what_is_in_it_and_what_is_missing(stocked: Workspace) -> None:
    about = frozen.create(stocked, "v1", "for the paper")
    assert frozen.shown(stocked, "v1") == about
    assert about["labels"] == {"positive": 4, "negative": 3, "unknown": 1}
    boat, car, bear = about["tags"]
    assert (boat["positive"], boat["negative"], boat["never asked"]) == (2, 2, 2)
    assert car["unknown"] == 1
    assert about["gaps"]["never asked at all"] == ["bär"]
    assert about["gaps"]["without a present image"] == ["bär"]
    assert bear["never asked"] == 6
    assert {(one["origin"], one["by"]) for one in about["sources"]} == {
        ("review", "rita"), ("human", "several people"), ("human", "anna"), ("human", "bea"), ("truth", "truth"),
        ("round", "round 1"),
    }  # fmt: skip
    assert about["licence"] == "CC BY 4.0"
    assert "annotator project contact=" in about["contact"]
    text = (stocked.folder / "snapshots" / "v1" / "card.md").read_text()
    for told in ("# v1", "for the paper", about["snapshot"], "CC BY 4.0", "| boat | 2 | 2 | 0 | 2 |"):
        assert told in text


def test_its_labels_are_the_records_of_the_store(stocked: Workspace) -> None:
    frozen.create(stocked, "v1")
    file = stocked.folder / "snapshots" / "v1" / "labels.parquet"
    records = open_labels(file, Strict(file), "parquet")
    assert records.header.snapshot == take(stocked).hash
    assert sum(len(record.labels) for record in records.read()) == 8


def test_two_snapshots_differ_by_what_was_answered_between(stocked: Workspace, tmp_path: Path) -> None:
    frozen.create(stocked, "v1")
    labelling.set_labels(stocked, "anna", [(5, 1, YES), (2, 2, NO)])
    frozen.create(stocked, "v2")
    report = frozen.compare(stocked, "v1", "v2", tmp_path / "changes.csv")
    assert (report["changed"], report["images"], report["same"]) == (3, {"in both": 6}, False)
    assert report["tags"] == [
        {"tag": "boat", "changes": {"never asked to positive": 1}},
        {"tag": "bär", "changes": {"never asked to negative": 1}},  # a boat excludes it
        {"tag": "car", "changes": {"unknown to negative": 1}},
    ]
    lines = list(csv.reader((tmp_path / "changes.csv").read_text().splitlines()))
    assert sorted(lines[1:]) == [
        ["2.jpg", "car", "unknown", "negative"],
        ["5.jpg", "boat", "never asked", "positive"],
        ["5.jpg", "bär", "never asked", "negative"],
    ]
    assert frozen.compare(stocked, "v2")["same"]


def test_images_added_since_are_counted(workspace: Workspace) -> None:
    add_images(workspace, 2)
    add_tags(workspace, ["boat"])
    frozen.create(workspace, "small")
    with workspace.transaction() as session:
        first = session.get_one(Image, 0)
        values = {column.name: getattr(first, column.name) for column in Image.__table__.columns}
        session.add(Image(**{**values, "row": 2, "sha256": "f" * 64}))
    with workspace.transaction() as session:
        from db.models import ImageFile

        session.add(ImageFile(uri="/pictures/new.jpg", image_row=2, byte_size=1, mtime_ns=1))
    assert frozen.compare(workspace, "small")["images"] == {"in both": 2, "added": 1}


def test_an_empty_workspace_can_be_frozen_and_restored(workspace: Workspace, tmp_path: Path) -> None:
    frozen.create(workspace, "nothing")
    restore(workspace, "nothing", tmp_path / "back")
    with Workspace.open(tmp_path / "back") as back:
        assert take(back).hash == take(workspace).hash


def test_a_snapshot_that_fails_leaves_nothing(stocked: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> str:
        raise RuntimeError("out of paper")

    monkeypatch.setattr("annotator.services.cards.as_markdown", broken)
    with pytest.raises(RuntimeError):
        frozen.create(stocked, "v1")
    assert list((stocked.folder / "snapshots").iterdir()) == []
    assert frozen.listed(stocked) == []


def test_snapshots_are_listed_renamed_and_deleted(workspace: Workspace) -> None:
    for name in ("v1", "v2"):
        frozen.create(workspace, name)
    frozen.rename(workspace, "v1", "release 1.0")
    assert {one["name"] for one in frozen.listed(workspace)} == {"release 1.0", "v2"}
    assert (workspace.folder / "snapshots/release 1.0/card.md").read_text().startswith("# release 1.0")
    with pytest.raises(UnknownNameError, match=r"known: release 1\.0, v2"):
        frozen.shown(workspace, "v1")
    frozen.delete(workspace, "v2")
    frozen.delete(workspace, "release 1.0")
    with pytest.raises(MissingError, match="annotator snapshot create"):
        frozen.shown(workspace, "v2")


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "now", "x" * 101, "a\nb", "dot."])
def test_a_name_that_is_no_folder_is_refused(workspace: Workspace, name: str) -> None:
    with pytest.raises(UsageError, match="snapshot name"):
        frozen.create(workspace, name)


def test_a_name_is_given_once(workspace: Workspace) -> None:
    frozen.create(workspace, "v1")
    with pytest.raises(UsageError, match="already"):
        frozen.create(workspace, "v1")


def test_what_rounds_proved_is_proved_after_a_restore(workspace: Workspace, tmp_path: Path) -> None:
    world = make_world(workspace, 1_000, tags=("boat", "car"))
    put_model(workspace, world, np.where(world.labels == 1, 0.995, 0.0005))
    rounds.propose(workspace, "anna", whole_images=0)
    while sum(answer_tag_from_truth(workspace, world, "bea", tag, 200) for tag in world.tag_ids):
        rounds.progress(workspace)
    rounds.settle(workspace)
    about = frozen.create(workspace, "proved")
    assert all(tag["precision"] > 0.9 for tag in about["tags"])
    before = certificates.certificates(workspace)
    rounds.roll_back(workspace, 1)
    restore(workspace, "proved", tmp_path / "back")
    with Workspace.open(tmp_path / "back") as back:
        assert certificates.certificates(back) == before
