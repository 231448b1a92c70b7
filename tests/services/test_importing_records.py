"""Labels in any format onto a workspace: which image, which tag, what stands, and all or nothing."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import text

from annotator.errors import EntryError, TableError, UsageError
from annotator.services import imported_arrays, labelling, labels_said, suggesting, vocabulary
from annotator.services.import_options import ImportOptions, RecordsReport
from annotator.services.importing_records import import_records
from annotator.services.snapshots import take
from annotator.services.votes import live_tags
from annotator.terms import LabelState, Origin, Split, SuggestionOrigin
from annotator.workspace import Workspace
from db.models import Annotator, Image, ImageFile, JournalEntry, Label, Review, Tag, Task
from tests.services.worlds import make_world

COUNT = 6
P, N, U = LabelState.POSITIVE, LabelState.NEGATIVE, LabelState.UNKNOWN


@pytest.fixture
def world(workspace: Workspace) -> Workspace:
    """Six images /pictures/0.jpg … with the tags boat, car, tree."""
    make_world(workspace, COUNT)
    return workspace


def document(folder: Path, *images: dict[str, Any], tags: list[Any] | None = None, root: str = "/pictures") -> Path:
    path = folder / "labels.json"
    path.write_text(json.dumps({"root": root, "tags": tags or ["boat", "car", "tree"], "images": images}))
    return path


def image(file: str, **states: LabelState) -> dict[str, Any]:
    return {"file": file, "labels": [{"tag": tag, "state": state.name.lower()} for tag, state in states.items()]}


def bring(workspace: Workspace, path: Path, **options: Any) -> RecordsReport:
    return import_records(workspace, path, ImportOptions(**options))


def says(workspace: Workspace) -> dict[tuple[int, str], LabelState]:
    snapshot = take(workspace)
    return {
        (int(row), snapshot.tags[tag].name): LabelState(snapshot.labels[row, tag])
        for row, tag in np.argwhere(snapshot.origins != Origin.NOBODY)
    }


def counted(workspace: Workspace) -> tuple[int, ...]:
    with workspace.reading() as session:
        tables = (Label, JournalEntry, Review, Tag, Annotator)
        given = session.query(Image).filter(Image.given_split.is_not(None)).count()
        return (*(session.query(table).count() for table in tables), given, len(list(workspace.folder.rglob("*.npz"))))


def test_states_are_kept_apart_and_the_unlisted_stays_unasked(world: Workspace, tmp_path: Path) -> None:
    report = bring(world, document(tmp_path, image("0.jpg", boat=P, car=N, tree=U), image("1.jpg", car=P)))
    assert says(world) == {(0, "boat"): P, (0, "car"): N, (0, "tree"): U, (1, "car"): P}
    assert (report.images, report.written, report.refused) == (2, 4, [])
    assert report.labels == {"unknown": 1, "negative": 1, "positive": 2}


def test_complete_lists_say_what_is_absent_of_the_files_tags(world: Workspace, tmp_path: Path) -> None:
    path = document(tmp_path, image("0.jpg", boat=P), image("1.jpg"), tags=["boat", "car"])
    bring(world, path, complete=True)
    assert says(world) == {(0, "boat"): P, (0, "car"): N, (1, "boat"): N, (1, "car"): N}


def test_every_label_has_its_entry_in_the_journal(world: Workspace, tmp_path: Path) -> None:
    bring(world, document(tmp_path, image("0.jpg", boat=P, car=N)))
    with world.reading() as session:
        labels = {(label.image_row, label.tag_id, label.state, label.at) for label in session.query(Label)}
        entries = {(entry.image_row, entry.tag_id, entry.state, entry.at) for entry in session.query(JournalEntry)}
        assert labels == entries
        assert {entry.previous for entry in session.query(JournalEntry)} == {None}


def test_imported_twice_changes_nothing(world: Workspace, tmp_path: Path) -> None:
    path = document(tmp_path, image("0.jpg", boat=P, car=N))
    bring(world, path)
    before = counted(world)
    report = bring(world, path)
    assert (report.written, report.unchanged, report.conflict_count) == (0, 2, 0)
    assert counted(world) == before


def test_an_empty_vocabulary_takes_the_tags_with_all_that_is_said_of_them(workspace: Workspace, tmp_path: Path) -> None:
    make_world(workspace, COUNT, tags=())
    tags = ["boat", {"name": "sail", "definition": "with a sail", "synonyms": ["yacht"], "parent": "boat"}]
    path = document(tmp_path, image("0.jpg", sail=P), tags=tags)
    whole = json.loads(path.read_text())
    path.write_text(json.dumps({**whole, "relations": [{"kind": "excludes", "a": "boat", "b": "sail"}]}))
    report = bring(workspace, path)
    assert [(tag["name"], tag["how"], tag["labels"]) for tag in report.tags] == [("boat", "new", 0), ("sail", "new", 1)]
    snapshot = take(workspace)
    assert [(tag.name, tag.definition, tag.synonyms, tag.parent) for tag in snapshot.tags] == [
        ("boat", "", (), None), ("sail", "with a sail", ("yacht",), "boat")
    ]  # fmt: skip


# Which image


@pytest.mark.parametrize(
    "file", ["2.jpg", "./2.jpg", "/pictures/2.jpg", "file:///pictures/2.jpg", "pictures/2.jpg", "pictures\\2.jpg",
             "/home/anna/pictures/2.jpg", "https://example.org/x/pictures/2.jpg", "x/../2.jpg"],
)  # fmt: skip
def test_images_are_found_by_each_kind_of_name(world: Workspace, tmp_path: Path, file: str) -> None:
    bring(world, document(tmp_path, image(file, boat=P)))
    assert says(world) == {(2, "boat"): P}


def test_content_counts_before_any_name(world: Workspace, tmp_path: Path) -> None:
    sha = take(world).sha256[3]
    bring(world, document(tmp_path, {**image("2.jpg", boat=P), "sha256": sha}))
    assert says(world) == {(3, "boat"): P}


@pytest.mark.parametrize(
    ("file", "says_so"),
    [("9.jpg", "import it first"), ("../../etc/passwd", "climbs out"), ("/etc/passwd", "import it first"),
     ("/2.jpg", "import it first"), ("/home/anna/other/2.jpg", "import it first"), ("same.jpg", "fits several")],
)  # fmt: skip
def test_names_of_no_image_are_refused_and_the_rest_is_taken(
    world: Workspace, tmp_path: Path, file: str, says_so: str
) -> None:
    with world.transaction() as session:
        for row in (0, 1):
            session.add(ImageFile(uri=f"/elsewhere/{row}/same.jpg", image_row=row))
    report = bring(world, document(tmp_path, image(file, boat=P), image("1.jpg", boat=P)))
    assert says(world) == {(1, "boat"): P}
    assert report.refused_count == 1
    assert repr(file) in report.refused[0]
    assert says_so in report.refused[0]
    assert report.left_out == {"labels of pictures that are not here": 1}


def test_a_file_of_other_pictures_is_refused_as_a_whole(world: Workspace, tmp_path: Path) -> None:
    before = counted(world)
    with pytest.raises(EntryError, match=r"none of its pictures.*9\.jpg"):
        bring(world, document(tmp_path, image("9.jpg", boat=P)))
    assert counted(world) == before


# Which tag


def test_tags_are_found_by_name_in_any_case_and_by_synonym(world: Workspace, tmp_path: Path) -> None:
    with world.transaction() as session:
        session.query(Tag).filter_by(name="car").one().synonyms = ["auto mobile"]
    tags = ["BOAT", "auto mobile", {"name": "fir", "synonyms": ["tree"]}]
    states = {"BOAT": P, "auto mobile": N, "fir": P}
    path = document(tmp_path, image("0.jpg", **states), tags=tags)
    report = bring(world, path)
    assert [(tag["name"], tag["to"], tag["how"]) for tag in report.tags] == [
        ("BOAT", "boat", "name"), ("auto mobile", "car", "synonym"), ("fir", "tree", "synonym")
    ]  # fmt: skip
    assert says(world) == {(0, "boat"): P, (0, "car"): N, (0, "tree"): P}


def test_unknown_tags_are_told_with_what_may_be_meant_and_their_labels_counted(
    world: Workspace, tmp_path: Path
) -> None:
    path = document(tmp_path, image("0.jpg", boatt=P, car=P), tags=["boatt", "car"])
    report = bring(world, path)
    assert report.tags[0] == {"name": "boatt", "to": "(did you mean 'boat'?)", "how": "unknown", "labels": 0}
    assert report.left_out == {"labels of tags that are not here": 1}
    assert bring(world, path, add_tags=True).tags[0]["how"] == "new"
    assert says(world) == {(0, "boatt"): P, (0, "car"): P}


def test_a_table_maps_tags_and_leaves_some_out(world: Workspace, tmp_path: Path) -> None:
    table = tmp_path / "map.csv"
    table.write_text("from,to\nship,boat\nvessel,boat\nsky,\n")
    path = document(tmp_path, image("0.jpg", ship=N, vessel=P, sky=P), tags=["ship", "vessel", "sky"])
    report = bring(world, path, mapping=table)
    assert says(world) == {(0, "boat"): P}, "of two tags that are one here present counts"
    assert [tag["how"] for tag in report.tags] == ["table", "table", "left out"]
    assert report.left_out == {"labels that the table leaves out": 1}


@pytest.mark.parametrize(
    ("table", "error", "says_so"),
    [("from,to\nship,bort\n", UsageError, "'bort'.*did you mean 'boat'"), ("from,to\nshp,boat\n", UsageError, "'shp'"),
     ("from\nship\n", TableError, "'to'"), ("from,to\nship,boat\nShip,car\n", TableError, "line 3.*two tags")],
)  # fmt: skip
def test_a_table_that_names_nothing_is_refused(
    world: Workspace, tmp_path: Path, table: str, error: type[Exception], says_so: str
) -> None:
    (tmp_path / "map.csv").write_text(table)
    with pytest.raises(error, match=says_so):
        bring(world, document(tmp_path, image("0.jpg", ship=P), tags=["ship"]), mapping=tmp_path / "map.csv")


# What stands


def tag_ids(workspace: Workspace) -> dict[str, int]:
    with workspace.reading() as session:
        return {tag.name: tag.id for tag in live_tags(session)}


def test_people_who_say_otherwise_are_listed_and_never_overwritten(world: Workspace, tmp_path: Path) -> None:
    ids = tag_ids(world)
    labelling.set_labels(world, "anna", [(0, ids["boat"], N), (0, ids["car"], P), (1, ids["car"], U)])
    report = bring(world, document(tmp_path, image("0.jpg", boat=P, car=P), image("1.jpg", car=P)))
    assert says(world) == {(0, "boat"): N, (0, "car"): P, (1, "car"): P}
    assert report.conflicts == [{"image": 0, "tag": "boat", "file": "positive", "workspace": "negative", "by": "anna"}]


def test_overwriting_decides_without_touching_what_people_said(world: Workspace, tmp_path: Path) -> None:
    ids = tag_ids(world)
    labelling.set_labels(world, "anna", [(0, ids["boat"], N)])
    report = bring(world, document(tmp_path, image("0.jpg", boat=P)), overwrite=True)
    assert report.overwritten == 1
    assert says(world) == {(0, "boat"): P}
    with world.reading() as session:
        assert session.query(Label).one().state == N


def test_an_annotators_own_newer_word_stands_unless_overwritten(world: Workspace, tmp_path: Path) -> None:
    path = document(tmp_path, image("0.jpg", boat=P))
    bring(world, path, annotator="anna")
    labelling.set_labels(world, "anna", [(0, tag_ids(world)["boat"], N)])
    assert bring(world, path, annotator="anna").conflicts[0]["by"] == "anna"
    assert says(world) == {(0, "boat"): N}
    bring(world, path, annotator="anna", overwrite=True)
    assert says(world) == {(0, "boat"): P}


def test_people_and_verdicts_are_kept_on_request(world: Workspace, tmp_path: Path) -> None:
    labels = [
        {"tag": "boat", "state": "positive", "origin": "human", "by": "anna", "at": "2026-01-02T03:04:05Z"},
        {"tag": "car", "state": "negative", "origin": "review", "by": "rita"},
        {"tag": "tree", "state": "positive", "origin": "truth", "by": "truth"},
    ]
    bring(world, document(tmp_path, {"file": "0.jpg", "labels": labels}), keep_people=True)
    snapshot = take(world)
    assert snapshot.origins[0].tolist() == [Origin.HUMAN, Origin.REVIEW, Origin.TRUTH]
    assert [snapshot.decider_names[decider] for decider in snapshot.deciders[0]] == ["anna", "rita", "truth"]
    assert snapshot.decided_at[0, 0] == 1767323045


def test_what_a_machine_settled_comes_in_as_a_suggestion(world: Workspace, tmp_path: Path) -> None:
    labels = [{"tag": "boat", "state": "positive", "origin": "round", "by": "round 3"}]
    report = bring(world, document(tmp_path, {"file": "0.jpg", "labels": labels}), keep_people=True)
    assert says(world) == {}
    assert report.left_out == {"labels a machine settled, kept as suggestions": 1}
    assert imported_arrays.of_image(world, 0) == [(tag_ids(world)["boat"], pytest.approx(0.95, abs=1e-3), "round 3")]


def test_as_truth_no_label_is_written(world: Workspace, tmp_path: Path) -> None:
    report = bring(world, document(tmp_path, image("0.jpg", boat=P, car=N)), as_truth=True, complete=True)
    assert report.truth == 3
    assert take(world).origins[0].tolist() == [Origin.TRUTH] * 3
    assert take(world).labels[0].tolist() == [1, 0, 0]
    with world.reading() as session:
        assert session.query(Label).count() == 0


@pytest.mark.parametrize("at_once", [1, 2000])
@pytest.mark.parametrize("as_truth", [False, True])
def test_what_several_entries_say_of_one_image_is_taken_together(
    world: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: int, as_truth: bool
) -> None:
    monkeypatch.setattr(labels_said, "IMAGES", at_once)
    path = document(tmp_path, image("0.jpg", boat=P), image("1.jpg", tree=P), image("0.jpg", car=P))
    report = bring(world, path, complete=True, as_truth=as_truth)
    assert report.conflict_count == 0
    assert take(world).labels[:2].tolist() == [[1, 1, 0], [0, 0, 1]]


def test_files_of_one_name_keep_their_suggestions_each(world: Workspace, tmp_path: Path) -> None:
    for place, folder in enumerate(("train", "val")):
        (tmp_path / folder).mkdir()
        for _ in range(2):  # the second time in place of the first
            bring(world, document(tmp_path / folder, image(f"{place}.jpg", boat=P)), as_suggestions=True)
    assert [len(imported_arrays.of_image(world, row)) for row in (0, 1, 2)] == [1, 1, 0]


def test_as_suggestions_nobody_has_said_anything_yet(world: Workspace, tmp_path: Path) -> None:
    path = document(tmp_path, image("0.jpg", boat=P, car=U), {"file": "1.jpg", "labels": []})
    report = bring(world, path, as_suggestions=True, complete=True)
    ids = tag_ids(world)
    assert (says(world), report.written, report.suggestions) == ({}, 0, 5)
    told = {tag: score for tag, score, _ in imported_arrays.of_image(world, 0)}
    assert told[ids["boat"]] == pytest.approx(0.95, abs=1e-3)
    assert told[ids["tree"]] == pytest.approx(0.05, abs=1e-3)
    assert ids["car"] not in told
    assert report.left_out == {"labels of 'cannot tell', which no suggestion says": 1}
    with pytest.raises(UsageError, match="either the truth or suggestions"):
        bring(world, path, as_suggestions=True, as_truth=True)


def test_splits_are_taken(world: Workspace, tmp_path: Path) -> None:
    bring(world, document(tmp_path, {"file": "0.jpg", "split": "test"}, {"file": "1.jpg", "split": "validation"}))
    snapshot = take(world)
    assert snapshot.in_split(Split.TEST)[0]
    assert snapshot.in_split(Split.VALIDATION)[1]


def test_open_questions_about_imported_pairs_end(world: Workspace, tmp_path: Path) -> None:
    from annotator.terms import TaskKind

    ids = tag_ids(world)
    with world.transaction() as session:
        for name in ("boat", "car"):
            session.add(Task(kind=TaskKind.PICK, image_row=0, tag_id=ids[name], position=1, reason=""))
    bring(world, document(tmp_path, image("0.jpg", boat=P)))
    with world.reading() as session:
        assert {task.tag_id: task.done_at is not None for task in session.query(Task)} == {
            ids["boat"]: True, ids["car"]: False
        }  # fmt: skip


def test_a_file_in_any_order_and_of_many_parts_is_imported_whole(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(labels_said, "IMAGES", 7)
    monkeypatch.setattr(labels_said, "LABELS", 11)
    make_world(workspace, 60)
    rng = np.random.default_rng(0)
    states = rng.integers(-1, 2, (60, 3))
    listed = rng.random((60, 3)) < 0.7
    wanted = {
        (row, tag): LabelState(states[row, place])
        for row in range(60)
        for place, tag in enumerate(("boat", "car", "tree"))
        if listed[row, place]
    }
    images = [
        image(f"{row}.jpg", **{tag: state for (one, tag), state in wanted.items() if one == row})
        for row in rng.permutation(60).tolist()
    ]
    report = bring(workspace, document(tmp_path, *images))
    assert says(workspace) == wanted
    assert (report.images, report.written) == (60, len(wanted))
    with workspace.reading() as session:
        journal = [(entry.image_row, entry.tag_id) for entry in session.query(JournalEntry).order_by(JournalEntry.id)]
    assert journal == sorted(journal), "in the order of the store, whose indexes then grow at their ends"


def test_of_an_image_that_is_listed_twice_all_labels_count(world: Workspace, tmp_path: Path) -> None:
    report = bring(world, document(tmp_path, image("1.jpg", boat=N), image("0.jpg", car=P), image("1.jpg", boat=P)))
    assert says(world) == {(1, "boat"): P, (0, "car"): P}
    assert (report.images, report.written) == (3, 2)


def test_others_answer_while_a_file_is_read_and_are_not_overwritten(world: Workspace, tmp_path: Path) -> None:
    ids = tag_ids(world)
    answered = []

    def answer(_done: int, _total: int, what: str) -> None:
        if what == "reading labels":
            labelling.set_labels(world, "anna", [(0, ids["boat"], N)])  # waits for nobody
            answered.append(what)

    report = import_records(world, document(tmp_path, image("0.jpg", boat=P, car=P)), progress=answer)
    assert answered
    assert says(world) == {(0, "boat"): N, (0, "car"): P}
    assert [conflict["by"] for conflict in report.conflicts] == ["anna"]


def test_imported_times_are_stored_as_those_of_answers_are(world: Workspace, tmp_path: Path) -> None:
    labelling.set_labels(world, "anna", [(0, tag_ids(world)["boat"], N)])
    bring(world, document(tmp_path, image("0.jpg", car=P)))
    with world.reading() as session:
        for table in ("label", "journal_entry"):
            stored = session.execute(text(f"SELECT at FROM {table}")).scalars().all()
            assert [re.sub(r"\d", "0", at) for at in stored] == ["0000-00-00 00:00:00.000000"] * 2


# Suggestions and boxes


def test_scores_are_one_more_source_of_suggestions(world: Workspace, tmp_path: Path) -> None:
    scores = [{"tag": "boat", "score": 0.9, "origin": "detector"}, {"tag": "car", "score": 0.01, "origin": "detector"}]
    report = bring(world, document(tmp_path, {"file": "0.jpg", "suggestions": scores}))
    assert report.suggestions == 2
    suggesting.refresh(world)
    board = suggesting.current(world)
    assert board is not None
    boat, car, tree = (board.suggestion(0, tag_id) for tag_id in tag_ids(world).values())
    assert boat is not None and car is not None and tree is not None
    assert boat.origin == SuggestionOrigin.IMPORTED
    assert boat.score > 0.5 > tree.score >= car.score
    assert says(world) == {}


def test_boxes_are_kept_beside_the_store(world: Workspace, tmp_path: Path) -> None:
    box = {"tag": "boat", "box": [1, 2, 3, 4.5]}
    assert bring(world, document(tmp_path, {**image("2.jpg", boat=P), "boxes": [box]})).boxes == 1
    boxes = imported_arrays.boxes(world)
    assert boxes is not None
    assert boxes.of_image(2) == [(tag_ids(world)["boat"], (1, 2, 3, 4.5))]
    assert boxes.of_image(1) == []


# All or nothing


def test_a_preview_says_it_all_and_writes_nothing(workspace: Workspace, tmp_path: Path) -> None:
    make_world(workspace, COUNT, tags=("boat",))
    labelling.set_labels(workspace, "anna", [(0, tag_ids(workspace)["boat"], N)])
    before = counted(workspace)
    rich = {**image("0.jpg", boat=P, car=N), "split": "test", "boxes": [{"tag": "boat", "box": [1, 2, 3, 4]}],
            "suggestions": [{"tag": "car", "score": 0.5}]}  # fmt: skip
    path = document(tmp_path, rich, image("1.jpg", boat=U))
    options: dict[str, Any] = {"add_tags": True, "keep_people": True}
    preview = bring(workspace, path, preview=True, **options)
    assert counted(workspace) == before
    report = bring(workspace, path, **options)
    preview.preview = False
    assert preview == report


def test_entries_that_contradict_each_other_are_listed(world: Workspace, tmp_path: Path) -> None:
    entries = image("0.jpg", boat=N), image("1.jpg", boat=N), image("0.jpg", boat=P, car=P), image("1.jpg", boat=N)
    report = bring(world, document(tmp_path, *entries))
    assert says(world) == {(0, "boat"): P, (0, "car"): P, (1, "boat"): N}
    (refused,) = report.refused
    assert "labels.json, the picture '0.jpg': several entries say of the tag 'boat' negative and positive" in refused


def test_a_file_cut_off_after_many_images_leaves_nothing(workspace: Workspace, tmp_path: Path) -> None:
    make_world(workspace, 3000)
    before = counted(workspace)
    path = document(tmp_path, *(image(f"{row}.jpg", boat=P) for row in range(3000)))
    whole = json.loads(path.read_text())
    path.write_text(json.dumps({"relations": [], **whole})[:-50])
    with pytest.raises(EntryError, match=r"images\[\d+\].*cut off"):
        bring(workspace, path)
    assert counted(workspace) == before


def test_an_error_at_the_end_takes_everything_back(
    world: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from annotator.services import importing_records

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    before = counted(world)
    monkeypatch.setattr(importing_records, "write_files", full)
    path = document(tmp_path, image("0.jpg", boat=P), image("1.jpg", ship=P), tags=["boat", "ship"])
    with pytest.raises(OSError, match="No space"):
        bring(world, path, add_tags=True)
    assert counted(world) == before


def test_real_instances_bring_labels_and_boxes(workspace: Workspace, real_data: Path) -> None:
    from annotator.services.importing import import_pictures

    folder = real_data / "coco256"
    first = sorted((folder / "images").iterdir())[:12]
    import_pictures(workspace, first)
    report = bring(workspace, folder / "instances.json", complete=True)
    whole = json.loads((folder / "instances.json").read_text())
    ids = {entry["id"] for entry in whole["images"] if Path(entry["file_name"]).name in {path.name for path in first}}
    pairs = {(a["image_id"], a["category_id"]) for a in whole["annotations"] if a["image_id"] in ids}
    assert report.images == 12
    assert report.labels == {"positive": len(pairs), "negative": 12 * 80 - len(pairs)}
    assert report.boxes == sum(a["image_id"] in ids for a in whole["annotations"])
    assert report.refused_count == 256 - 12


def test_postgres_takes_labels_too(any_workspace: Workspace, tmp_path: Path) -> None:
    make_world(any_workspace, COUNT)
    path = document(tmp_path, image("0.jpg", boat=P, car=N), image("1.jpg", tree=U))
    assert bring(any_workspace, path).written == 3
    assert says(any_workspace) == {(0, "boat"): P, (0, "car"): N, (1, "tree"): U}
    vocabulary_size = vocabulary.browser_list(any_workspace)["tags"]
    assert len(vocabulary_size) == 3
