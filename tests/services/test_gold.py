from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import select

from annotator.errors import BadInputError, TableError, UsageError
from annotator.services import gold, labelling, questions, status, tasks
from annotator.services.snapshots import take
from annotator.services.training import training_set
from annotator.terms import LabelState, Origin, TaskKind
from annotator.workspace import Workspace
from db.models import Task
from tests.services.crew import NO, TAG, YES, answer, make_questions, review

KNOWN = [(row, TAG, YES if row % 2 else NO) for row in range(10)]


@pytest.fixture
def crew(workspace: Workspace) -> Workspace:
    """Forty images asked about boats; of the first ten the answer is known."""
    make_questions(workspace, 40)
    gold.declare(workspace, "rita", KNOWN)
    workspace.change_project(gold_share=0.5)
    return workspace


def claimed(workspace: Workspace, name: str, count: int = 8) -> list[Task]:
    return tasks.claim(workspace, name, TAG, count)


def test_known_pairs_are_not_asked_for_their_own_sake(crew: Workspace) -> None:
    crew.change_project(gold_share=0)
    assert {task.image_row for task in claimed(crew, "anna", 100)} == set(range(10, 40))


def test_everybody_gets_each_known_pair_once_and_who_declared_it_never(crew: Workspace) -> None:
    with crew.transaction() as session:
        tasks.add_verify_picks(session, TAG, list(range(10, 40)), "more", dict.fromkeys(range(10, 40), 1))
    crew.change_project(overlap=3)
    asked: dict[str, Counter[int]] = {name: Counter() for name in ("anna", "ben", "rita")}
    for _ in range(30):
        for name, counts in asked.items():
            for task in claimed(crew, name, 4):
                counts[task.image_row] += task.kind == TaskKind.GOLD
                answer(crew, name, task, YES)
    assert max(asked["anna"].values()) == max(asked["ben"].values()) == 1
    assert sum(asked["anna"].values()) > 0 and sum(asked["ben"].values()) > 0
    assert not sum(asked["rita"].values())


def test_what_is_known_cannot_be_looked_up_among_the_pictures_found(crew: Workspace) -> None:
    labelling.set_labels(crew, "anna", [(1, TAG, YES), (11, TAG, YES)])
    assert [one["caption"] for one in status.shown(crew, [1, 11])] == ["", "boat"]


def test_gold_looks_like_the_questions_it_stands_among(crew: Workspace) -> None:
    found = claimed(crew, "anna", 20)
    assert {task.kind for task in found} == {TaskKind.GOLD, TaskKind.PICK}
    assert [task.position for task in found] == sorted(task.position for task in found)
    shown = [(one["kind"], one["reason"], one["expected"]) for one in questions.described(crew, "anna", found)]
    assert set(shown) == {("pick", "likely to show it", "present")}


def test_the_share_of_gold_is_about_what_was_agreed_on(workspace: Workspace) -> None:
    make_questions(workspace, 400)
    gold.declare(workspace, "rita", [(row, TAG, YES) for row in range(200)])
    workspace.change_project(gold_share=0.2)
    found: list[Task] = []
    for _ in range(10):
        page = claimed(workspace, "anna", 20)
        for task in page:
            answer(workspace, "anna", task, YES)
        found += page
    share = sum(task.kind == TaskKind.GOLD for task in found) / len(found)
    assert 0.1 < share < 0.3


def test_answers_to_gold_are_no_votes_and_train_and_measure_nothing(crew: Workspace) -> None:
    for task in claimed(crew, "anna", 20):
        answer(crew, "anna", task, NO)
    snapshot = take(crew)
    assert snapshot.labels[:10, 0].tolist() == [0, 1] * 5
    assert set(snapshot.origins[:10, 0].tolist()) == {Origin.GOLD}
    assert {snapshot.decider_names[place] for place in snapshot.deciders[:10, 0].tolist()} == {"rita"}
    data = training_set(crew, snapshot, len(snapshot))
    assert not {*data.train_rows.tolist(), *data.held_rows.tolist()} & set(range(10))
    assert len(data.train_rows)


def test_gold_that_is_known_no_longer_leaves_no_vote_behind(crew: Workspace) -> None:
    for task in claimed(crew, "anna", 20):
        answer(crew, "anna", task, NO)
    assert gold.remove(crew, [(row, TAG) for row in range(10)]) == 10
    assert set(take(crew).origins[:10, 0].tolist()) == {Origin.NOBODY}


def test_a_reviewers_verdict_goes_before_what_was_declared_and_the_pair_stays_gold(crew: Workspace) -> None:
    review(crew, 1, NO)
    snapshot = take(crew)
    assert (snapshot.labels[1, 0], snapshot.origins[1, 0]) == (NO, Origin.GOLD)
    assert snapshot.decider_names[snapshot.deciders[1, 0]] == "rita"


@pytest.mark.parametrize("instant", [True, False])
def test_only_gold_that_is_told_at_once_is_told(crew: Workspace, instant: bool) -> None:
    gold.declare(crew, "rita", KNOWN, instant=instant)
    notes = []
    for task in claimed(crew, "anna", 20):
        if task.kind == TaskKind.GOLD:
            notes += answer(crew, "anna", task, YES).notes
    wrong = [note["message"] for note in notes]
    assert bool(wrong) == instant
    assert all(message.endswith(": boat is absent") for message in wrong)


def test_gold_comes_from_reviews_and_from_files(crew: Workspace, tmp_path: Path) -> None:
    for row in (20, 21, 22):
        review(crew, row, NO)
    assert gold.declare_reviewed(crew, "rita", 2, tag="boat").added == 2
    file = tmp_path / "known.csv"
    file.write_text("image,tag,state\n30.jpg,boat,positive\n31,boat,unknown\n32,ship,negative\n33,boat,negative\n")
    report = gold.declare_from_file(crew, "rita", file)
    assert (report.added, len(report.refused)) == (2, 2)
    assert len(gold.listed(crew)) == 14


def test_ones_own_answers_can_be_made_known(crew: Workspace) -> None:
    for task in claimed(crew, "anna", 20):
        answer(crew, "anna", task, YES)
    rows = [one["image"] for one in gold.own_answers(crew, "anna", TAG)]
    assert rows and not set(rows) & set(range(10))
    gold.declare(crew, "anna", [(row, TAG, YES) for row in rows])
    assert gold.own_answers(crew, "anna", TAG) == []


@pytest.mark.parametrize(
    ("known", "error"),
    [([(0, TAG, LabelState.UNKNOWN)], UsageError), ([(99, TAG, YES)], BadInputError), ([(0, 7, YES)], BadInputError)],
)
def test_what_cannot_be_known_is_refused(crew: Workspace, known: list[gold.Known], error: type[Exception]) -> None:
    with pytest.raises(error):
        gold.declare(crew, "rita", known)


def test_gold_in_a_whole_picture_measures_its_tags(workspace: Workspace) -> None:
    make_questions(workspace, 10)
    gold.declare(workspace, "rita", [(0, TAG, YES)])
    workspace.change_project(gold_share=0.5)
    with workspace.transaction() as session:
        for row in range(1, 10):
            session.add(Task(kind=TaskKind.PICK, image_row=row, position=row, reason="test"))
    found = [task for _ in range(6) for task in tasks.claim(workspace, "anna", None, 9)]
    assert (0, TaskKind.GOLD) in {(task.image_row, task.kind) for task in found}


def test_a_gold_answer_ends_nobody_elses_question(crew: Workspace) -> None:
    crew.change_project(gold_share=0.5)
    with crew.transaction() as session:
        for row in range(10):
            session.add(Task(kind=TaskKind.AUDIT, image_row=row, tag_id=TAG, position=0, reason="audit"))
    for task in claimed(crew, "anna", 20):
        if task.kind == TaskKind.GOLD:
            answer(crew, "anna", task, NO)
    with crew.reading() as session:
        audits = select(Task).where(Task.reason == "audit", Task.kind == TaskKind.AUDIT, Task.done_at.is_not(None))
        assert session.scalars(audits).all() == []


@pytest.mark.parametrize(
    "line",
    [
        b"~nobody-of-this-name/1.jpg,boat,positive", b"\xc2\xb2,boat,positive", b"\xff.jpg,boat,positive",
        b"1.jpg,\xff,positive", b"1.jpg\x00,boat,positive", b"1.jpg,bo\x00at,positive",
        b"../../etc/passwd,boat,positive", b"file:///etc/passwd,boat,positive",
        b'"' + b"x" * 200_000 + b'",boat,positive',
        b"x" * 100_000 + b",boat,positive", b"1.jpg,boat,positive,more,cells", b"%,boat,positive", b"=1+1,=1+1,=1+1",
    ],
    ids=range(13),
)  # fmt: skip
def test_a_hostile_line_is_listed_and_the_next_one_counts(crew: Workspace, tmp_path: Path, line: bytes) -> None:
    file = tmp_path / "known.csv"
    file.write_bytes(b"image,tag,state\n" + line + b"\n30.jpg,boat,positive\n")
    report = gold.declare_from_file(crew, "rita", file)
    assert (report.added, len(report.refused)) == (1, 1)
    assert "root:" not in report.refused[0] and len(report.refused[0]) < 1000


@pytest.mark.parametrize("header", [b"x" * 3_000_000, b"a," * 1_500_000, b"\x00" * 1000, b'"' * 100_001])
def test_a_line_without_an_end_is_no_table(crew: Workspace, tmp_path: Path, header: bytes) -> None:
    file = tmp_path / "known.csv"
    file.write_bytes(header)
    with pytest.raises(TableError, match="no column") as caught:
        gold.declare_from_file(crew, "rita", file)
    assert len(str(caught.value)) < 2000


def test_a_file_too_large_to_be_one_is_not_read(crew: Workspace, tmp_path: Path) -> None:
    file = tmp_path / "known.csv"
    file.write_bytes(b"image,tag,state\n".ljust(gold.MOST_BYTES + 1, b"\n"))
    with pytest.raises(BadInputError, match="10,000,001 bytes"):
        gold.declare_from_file(crew, "rita", file)


def test_a_file_of_bad_lines_is_given_up_and_leaves_nothing(crew: Workspace, tmp_path: Path) -> None:
    file = tmp_path / "known.csv"
    file.write_text("image,tag,state\n30.jpg,boat,positive\n" + "31.jpg,boat,maybe\n" * (gold.MOST_REFUSED + 1))
    with pytest.raises(BadInputError, match="more than 1,000 lines"):
        gold.declare_from_file(crew, "rita", file)
    assert len(gold.listed(crew)) == len(KNOWN)
