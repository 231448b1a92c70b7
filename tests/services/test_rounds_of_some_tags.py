"""Rounds about a part of the tags, and two rounds beside each other."""

import numpy as np
import pytest
from sqlalchemy import select

from annotator.errors import MissingError, UnknownNameError
from annotator.services import round_compare, round_replay, rounds
from annotator.services.round_sets import attempts
from annotator.services.scripted import Truth
from annotator.services.snapshots import take
from annotator.services.vocabulary_changes import make
from annotator.terms import Origin
from annotator.workspace import Workspace
from db.models import RoundSet, Task
from tests.services.test_rounds import audit, decisions, sure, truth  # noqa: F401 (a fixture)
from tests.services.worlds import put_model

BOAT, CAR = 1, 2


def test_a_round_about_some_tags_asks_and_settles_nothing_of_the_others(
    workspace: Workspace,
    truth: Truth,  # noqa: F811
) -> None:
    rounds.propose(workspace, "anna", only=["boat"])
    assert {tag for tag, _ in decisions(workspace)} == {BOAT}
    with workspace.reading() as session:
        asked = set(session.scalars(select(Task.tag_id).where(Task.round_number == 1)))
    assert asked == {BOAT}
    audit(workspace, truth)
    rounds.settle(workspace)
    origins = take(workspace).origins
    assert (origins[:, 0] == Origin.ROUND).any()
    assert not (origins[:, 1] == Origin.ROUND).any()
    with workspace.reading() as session:
        assert {tag for tag, _ in attempts(session)} == {BOAT}
    assert round_replay.replay(workspace, 1)["same"]


def test_relations_carry_nothing_to_tags_that_take_no_part(workspace: Workspace, truth: Truth) -> None:  # noqa: F811
    make(workspace, "anna", "relate", relation="excludes", tag="boat", other="car")
    rounds.propose(workspace, "anna", only=["boat"])
    audit(workspace, truth)
    rounds.settle(workspace)
    assert not (take(workspace).origins[:, 1] == Origin.ROUND).any()
    assert {tag for tag, _ in decisions(workspace)} == {BOAT}
    assert round_replay.replay(workspace, 1)["same"]


def test_a_tag_that_is_not_there_is_told(workspace: Workspace, truth: Truth) -> None:  # noqa: F811
    with pytest.raises(UnknownNameError, match="boot"):
        rounds.propose(workspace, "anna", only=["boot"])
    assert rounds.history(workspace) == []


def test_two_rounds_are_compared_tag_by_tag(workspace: Workspace, truth: Truth) -> None:  # noqa: F811
    rounds.propose(workspace, "anna", whole_images=0, only=["boat"])
    audit(workspace, truth, turns=2)
    rounds.settle(workspace)
    rounds.roll_back(workspace, 1)
    put_model(workspace, truth, np.clip(sure(truth.labels), 0.01, 0.98))
    rounds.propose(workspace, "anna", whole_images=0)
    rows = {(row["tag"], row["set"]): row for row in round_compare.compare(workspace, 1, 2)}
    assert set(rows) == {(tag, side) for tag in ("boat", "car") for side in ("present", "absent")}
    boats, cars = rows["boat", "present"], rows["car", "present"]
    with workspace.reading() as session:
        first = session.get_one(RoundSet, (1, BOAT, "accept"))
        assert boats["threshold 1"] == pytest.approx(first.threshold, abs=1e-4)
        assert (boats["images 1"], boats["audited 1"]) == (first.size, first.draws)
        assert boats["positives 1"] == f"{first.low} to {first.high}"
    assert boats["threshold 2"] != boats["threshold 1"]
    assert boats["audited 1"] > boats["audited 2"] == 0
    assert (cars["images 1"], cars["decision 1"], cars["decision 2"]) == (None, None, "go on")
    with pytest.raises(MissingError, match="no round 7"):
        round_compare.compare(workspace, 1, 7)
