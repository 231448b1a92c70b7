"""Work serves the way that gives a person more correct answers a minute."""

import pytest

from annotator.services import labelling, pace
from annotator.services.answers import Answer
from annotator.terms import LabelState, TaskKind, WorkMode
from annotator.workspace import Workspace
from db.models import Task
from tests.services.rows import add_images, add_tags

YES, NO = LabelState.POSITIVE, LabelState.NEGATIVE
BOAT = 1


@pytest.fixture
def stocked(any_workspace: Workspace) -> Workspace:
    add_images(any_workspace, 700)
    add_tags(any_workspace, ["boat", "car", "tree"])
    return any_workspace


class Worker:
    """Somebody who works at a given pace."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace, self.seq, self.row = workspace, 0, 0

    def record(
        self, labels: list[tuple[int, int, LabelState]], seconds: float, mode: WorkMode, tag: int | None
    ) -> None:
        self.seq += 1
        given = Answer(self.seq, tuple(labels), (), seconds, mode=mode, tag=tag)
        assert labelling.record(self.workspace, "anna", "c", [given]).acked == self.seq

    def label(self, pictures: int, seconds: float, state: LabelState = YES) -> None:
        for _ in range(pictures):
            self.record([(self.row, tag, state) for tag in (1, 2, 3)], seconds, WorkMode.LABEL, None)
            self.row += 1

    def verify(self, pages: int, size: int, seconds: float, state: LabelState = YES) -> None:
        for _ in range(pages):
            labels = [(row, BOAT, state) for row in range(self.row, self.row + size)]
            self.record(labels, seconds, WorkMode.VERIFY, BOAT)
            self.row += size


@pytest.fixture
def anna(stocked: Workspace) -> Worker:
    return Worker(stocked)


def test_an_untried_way_is_measured_before_it_is_judged(stocked: Workspace, anna: Worker) -> None:
    anna.label(20, seconds=3)
    assert pace.serve(stocked, "anna", BOAT).mode == WorkMode.VERIFY
    anna.verify(3, 24, seconds=5)
    assert {one.mode for one in pace.paces(stocked, "anna", BOAT)} == {WorkMode.LABEL, WorkMode.VERIFY}


def test_the_faster_way_is_served(stocked: Workspace, anna: Worker) -> None:
    anna.label(20, seconds=3)  # 60 answers a minute
    anna.verify(3, 24, seconds=5)  # 288 answers a minute
    turn = pace.serve(stocked, "anna", BOAT)
    assert turn.mode == WorkMode.VERIFY
    assert "correct answers a minute" in turn.reason


def test_fast_and_wrong_is_not_fast(stocked: Workspace, anna: Worker) -> None:
    anna.label(30, seconds=1.5)
    start = anna.row
    anna.verify(5, 24, seconds=18)  # 80 answers a minute against 120 in Label
    assert pace.serve(stocked, "anna", BOAT).mode == WorkMode.LABEL
    others = [(row, BOAT, NO if row < start else YES) for row in range(anna.row)]
    labelling.set_labels(stocked, "ben", others)  # what Anna said in Label was wrong, in Verify it was right
    by_mode = {one.mode: one for one in pace.paces(stocked, "anna", BOAT)}
    assert by_mode[WorkMode.LABEL].accuracy < 0.5 < by_mode[WorkMode.VERIFY].accuracy
    assert pace.serve(stocked, "anna", BOAT).mode == WorkMode.VERIFY


def test_the_slower_way_is_measured_again_now_and_then(stocked: Workspace, anna: Worker) -> None:
    anna.verify(2, 24, seconds=5)
    anna.label(20, seconds=1)  # three tags a second: faster than Verify here
    anna.verify(2, 24, seconds=60)
    served = []
    for _ in range(2 * pace.LOOK_AGAIN):
        turn = pace.serve(stocked, "anna", BOAT)
        served.append(turn.mode)
        if turn.mode == WorkMode.LABEL:
            anna.label(pace.STRETCH[WorkMode.LABEL], seconds=1)
        else:
            anna.verify(pace.STRETCH[WorkMode.VERIFY], 12, seconds=30)
    assert served.count(WorkMode.VERIFY) == 2
    assert WorkMode.VERIFY not in served[: pace.LOOK_AGAIN - 1]


def test_the_page_size_with_most_answers_a_minute_is_proposed(stocked: Workspace, anna: Worker) -> None:
    assert pace.best_page_size(stocked, "anna") == pace.DEFAULT_PAGE
    anna.verify(3, 12, seconds=6)
    anna.verify(3, 60, seconds=15)
    assert pace.best_page_size(stocked, "anna") == 60


def test_breaks_and_what_was_taken_back_do_not_count(stocked: Workspace, anna: Worker) -> None:
    anna.verify(1, 24, seconds=10_000)
    (row,) = pace.table(stocked, "anna")
    assert row["minutes"] == 5
    labelling.record(stocked, "anna", "c", [Answer(2, undo=1)])
    assert pace.table(stocked, "anna") == []


def test_without_a_tag_the_one_with_most_audits_is_served_or_else_whole_pictures(stocked: Workspace) -> None:
    assert pace.serve(stocked, "anna") == pace.Turn(
        WorkMode.LABEL, None, pace.DEFAULT_PAGE, "no tag waits for an audit: whole pictures teach most"
    )


def test_nobody_elses_pace_counts(stocked: Workspace, anna: Worker) -> None:
    anna.label(20, seconds=3)
    assert pace.paces(stocked, "ben", BOAT) == []
    assert pace.table(stocked, "ben") == []


def test_a_question_of_a_round_makes_its_tag_the_one_that_is_needed(stocked: Workspace, anna: Worker) -> None:
    from datetime import UTC, datetime

    from annotator.services.people import annotator_called
    from annotator.terms import RoundStatus
    from db.models import Model, Round

    now = datetime.now(UTC)
    with stocked.transaction() as session:
        person = annotator_called(session, "anna").id
        session.add(
            Model(
                id=1, backbone="b", head="h", snapshot_hash="", tag_ids=[2], labels_used=0, images_used=0, metrics={},
                in_use=True, verdict="", at=now,
            )
        )  # fmt: skip
        session.flush()
        session.add(
            Round(
                number=1, status=RoundStatus.PROPOSED, seed=0, pool_hash="", pool_size=1, model_id=1, tag_ids=[2],
                targets={}, annotator_id=person, at=now,
            )
        )  # fmt: skip
        session.flush()
        session.add(Task(kind=TaskKind.AUDIT, image_row=0, tag_id=2, round_number=1, position=0, reason="audit"))
    assert pace.serve(stocked, "anna").tag_id == 2
