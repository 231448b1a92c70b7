"""The reviewers' queue over many labels: python -m benchmarks.reviewing [--quick] [--json FILE].

A made-up workspace (`benchmarks.million`) of 100 tags in which one person labelled a million pairs and a second one
every twentieth of them again; a model in use; nobody's skill or gold. Asked the way the page asks: the first look after
the server starts, the next looks, one look after each answer of somebody who labels meanwhile, and looks by a filter.
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import insert, select

from annotator.arrays import write_array
from annotator.services import labelling, reviewing
from annotator.services.people import annotator_called
from annotator.services.reviewing import Filter
from annotator.terms import LabelState, TaskKind
from annotator.workspace import Workspace
from benchmarks import million, report
from db.models import Label, Model

TAGS = 100
LABELLED, QUICK_LABELLED = 42_000, 4_200  # images, 24 labels each
AGAIN = 20  # the second person answers each so manieth label again
LOOKS = 7


def second_person(workspace: Workspace, rng: np.random.Generator) -> int:
    """Another's answers on every twentieth pair, one in ten of them the other way round; how many."""
    now = datetime.now(UTC)
    with workspace.transaction() as session:
        person = annotator_called(session, "another").id
        pairs = session.execute(select(Label.image_row, Label.tag_id, Label.state).where(Label.id % AGAIN == 0)).all()
        turned = rng.random(len(pairs)) < 0.1
        rows = [
            {
                "image_row": row, "tag_id": tag, "annotator_id": person, "kind": TaskKind.PICK, "round_number": None,
                "state": LabelState(1 - state) if other else state, "at": now,
            }
            for (row, tag, state), other in zip(pairs, turned.tolist(), strict=True)
        ]  # fmt: skip
        for part in million.parts(iter(rows)):
            session.execute(insert(Label), part)
    return len(rows)


def put_model(workspace: Workspace, images: int, rng: np.random.Generator) -> None:
    """A model whose probabilities are drawn at random, near 0 and 1 for the most part."""
    drawn: NDArray[np.float32] = rng.beta(0.2, 0.8, (images, TAGS)).astype(np.float32)
    with workspace.transaction() as session:
        write_array(workspace.predictions_file(1), drawn)
        model = Model(
            id=1, backbone="descriptor@1", head="text_anchored", snapshot_hash="", tag_ids=list(range(1, TAGS + 1)),
            labels_used=0, images_used=0, metrics={}, in_use=True, verdict="", at=datetime.now(UTC),
        )  # fmt: skip
        session.add(model)


def seconds(what: Callable[[], Any]) -> float:
    began = time.perf_counter()
    what()
    return time.perf_counter() - began


def median(what: Callable[[], Any]) -> float:
    return statistics.median(seconds(what) for _ in range(LOOKS))


def main() -> None:
    options = report.options(__doc__ or "")
    labelled = QUICK_LABELLED if options.quick else LABELLED
    photos = sorted((report.packs() / "coco256" / "images").glob("*.jpg"))
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        workspace = million.make(Path(folder) / "w", photos, labelled + 1000, TAGS, 0, 0, answered=labelled)
        again = second_person(workspace, rng)
        put_model(workspace, labelled + 1000, rng)
        rita = workspace.acting_for("rita")
        rows = iter(range(labelled))

        def after_an_answer() -> None:
            labelling.set_labels(workspace, "somebody", [(next(rows), 1, LabelState.POSITIVE)])
            reviewing.queue(rita)

        figures = {
            "labels": labelled * million.ASKED_EACH + again,
            "first_look_s": seconds(lambda: reviewing.queue(rita)),
            "next_look_s": median(lambda: reviewing.queue(rita)),
            "look_after_an_answer_s": median(after_an_answer),
            "one_tag_s": median(lambda: reviewing.queue(rita, Filter(tag_id=7))),
            "one_person_s": median(lambda: reviewing.queue(rita, Filter(person="another"))),
            "one_cause_s": median(lambda: reviewing.queue(rita, Filter("disagreement"))),
            "waiting": reviewing.queue(rita)["total"],
        }
        workspace.close()
    report.show("The reviewers' queue", [figures])
    report.write(options.json, figures)


if __name__ == "__main__":
    main()
