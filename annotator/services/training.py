"""Train the classifier on accepted labels, measure it on held-out answers, and put it in use unless it is worse."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray
from sqlalchemy import func, select

from annotator.arrays import Tiles, write_array
from annotator.backbones import resolve_device
from annotator.errors import MissingError
from annotator.learning import metrics
from annotator.learning.calibration import Calibration, cross_fitted, fit_calibration
from annotator.learning.fit import fit_head
from annotator.learning.heads import Head
from annotator.learning.tag_tree import parent_places, raise_parents
from annotator.learning.votes import Belief
from annotator.progress import Progress, silent
from annotator.services import majors, models, savings, tiles
from annotator.services.beliefs import beliefs
from annotator.services.embedding import current_backbone, text_vectors
from annotator.services.labelling import answered_count
from annotator.services.rights import Right, needs
from annotator.services.snapshots import take
from annotator.services.votes import Votes, live_tags, votes
from annotator.snapshot import Snapshot
from annotator.terms import LabelState, Origin, RoundStatus, Split, TaskKind
from annotator.workspace import Workspace
from db.models import Model, Round

TOLERANCE = 0.01  # of held-out mAP: a smaller loss is none
RESAMPLES, SURE = 100, 0.95
FEWEST_IMAGES = 10
CHUNK = 8_192  # rows scored at once: their nine tiles of 1,280 float16 are 190 MB


@dataclass(frozen=True)
class TrainReport:
    model: int
    in_use: bool
    verdict: str
    images: int
    labels: int
    metrics: dict[str, Any]


@dataclass(frozen=True)
class TrainingSet:
    """What a model may learn from, and what measures it: the two never share an image.

    train_rows (n,), train_labels (n, C); held_rows (m,), held_labels (m, C): -1 where unknown.
    """

    train_rows: NDArray[np.int64]
    train_labels: NDArray[np.int8]
    held_rows: NDArray[np.int64]
    held_labels: NDArray[np.int8]
    belief: Belief | None = None
    """(n, C) what several people's votes come to, in the place of their labels, where any pair has several."""


@needs(Right.TRAIN)
def train(workspace: Workspace, progress: Progress = silent) -> TrainReport:
    """Train once. Raises MissingError when there are no embeddings or too few answers.

    One training at a time per workspace: a second caller waits.
    """
    with FileLock(workspace.folder / "training.lock"):
        backbone = current_backbone(workspace)
        if backbone is None:
            raise MissingError(f"no embeddings yet; make them with: annotator embed -w {workspace.folder}")
        stored = workspace.embeddings(backbone)
        snapshot = take(workspace)
        data = training_set(workspace, snapshot, len(stored))
        if len(data.train_rows) < FEWEST_IMAGES:
            raise MissingError(
                f"{len(data.train_rows)} answered images can train; answer at least {FEWEST_IMAGES} first: open Label"
            )
        vectors, texts = stored.read(), text_vectors(workspace, snapshot.tags)
        seen = tiles.of_head(workspace, workspace.project.head, backbone, len(stored))
        progress(0, 3, "training")
        head, _ = fit_head(
            workspace.project.head,
            vectors[data.train_rows],
            data.train_labels,
            texts=texts,
            unlabelled=vectors,
            validation=(vectors[data.held_rows], data.held_labels) if len(data.held_rows) else None,
            tiles=None if seen is None else seen[data.train_rows],
            validation_tiles=None if seen is None else seen[data.held_rows],
            device=resolve_device(workspace.settings.device),
            loss=workspace.project.loss,
            **(data.belief._asdict() if data.belief else {}),
        )
        progress(1, 3, "calibrating")
        held_logits = head.logits(vectors[data.held_rows], None if seen is None else seen[data.held_rows])
        calibration = fit_calibration(held_logits, data.held_labels)
        progress(2, 3, "predicting")
        tree = parent_places([tag.name for tag in snapshot.tags], [tag.parent for tag in snapshot.tags])
        probabilities = _predict(head, calibration, (vectors, seen), tree)
        measured = _measured(probabilities[data.held_rows], data)
        measured["ece"] = _calibration_error(held_logits, data, snapshot)
        progress(2, 3, "holding the picks against random ones")
        measured["saving"] = _saving(workspace, data, vectors, texts)
        report = _keep(workspace, snapshot, data, backbone, (head, calibration), probabilities, measured)
        progress(3, 3, "trained")
        return report


def training_set(workspace: Workspace, snapshot: Snapshot, embedded: int) -> TrainingSet:
    """People's labels, split by image.

    Left out: audits of an open round; calibration answers from training (an image can change its split when
    near-duplicates are found), and the regression set, which measures; audits, bulk answers and reviews of what nobody
    labelled from measuring (they come from sets the model is sure about, or a person or cause chose, not at random).
    """
    labels = snapshot.by_people().copy()
    with workspace.reading() as session:
        tags = live_tags(session)
        found = votes(session, tags)
        pending = set(session.scalars(select(Round.number).where(Round.status == RoundStatus.PROPOSED)))
    kinds = np.array(found.kinds, dtype=object)
    open_audits = (kinds == TaskKind.AUDIT) & np.isin(found.rounds, list(pending))
    labels[embedded:] = LabelState.UNKNOWN
    left_out = open_audits | (kinds == TaskKind.CALIBRATION)
    train = _without(labels, found, left_out)
    with workspace.reading() as session:
        majors.keep_from_training(session, snapshot, train)
    held = _without(labels, found, np.isin(kinds, (TaskKind.AUDIT, TaskKind.BULK)))
    labelled = np.zeros(labels.shape, bool)
    labelled[found.rows, found.columns] = True
    held[(snapshot.origins == Origin.REVIEW) & ~labelled] = LabelState.UNKNOWN
    train_rows, held_rows = (
        np.flatnonzero((part != LabelState.UNKNOWN).any(axis=1) & snapshot.in_split(split))
        for part, split in ((train, Split.TRAIN), (held, Split.VALIDATION))
    )
    soft = beliefs(workspace.project, snapshot, found, left_out, train_rows, train[train_rows])
    return TrainingSet(train_rows, train[train_rows], held_rows, held[held_rows], soft)


def _without(labels: NDArray[np.int8], found: Votes, votes_out: NDArray[np.bool_]) -> NDArray[np.int8]:
    """A copy of (N, C) labels with the pairs of some votes turned to unknown."""
    kept = labels.copy()
    kept[found.rows[votes_out], found.columns[votes_out]] = LabelState.UNKNOWN
    return kept


def due_at(workspace: Workspace, asked_before: int = 0) -> int | None:
    """How many images are answered, if that is enough more than at the last training for another one; else None.

    `asked_before` is the count at which one was asked for already: a training that could not work is not asked for
    again until there are more answers.
    """
    if current_backbone(workspace) is None:
        return None
    project = workspace.project
    with workspace.reading() as session:
        answered = answered_count(session)
        last = session.scalar(select(Model).order_by(Model.id.desc()).limit(1))
    before = max(asked_before, int(last.metrics["answered_images"]) if last else 0)
    return answered if answered - before >= max(project.retrain_images, project.retrain_share * before) else None


def _predict(
    head: Head, calibration: Calibration, seen: tuple[NDArray[Any], Tiles | None], tree: NDArray[np.int64]
) -> NDArray[np.float32]:
    """(N, C) calibrated probabilities, none of a parent below those of its children. `seen`: vectors and tiles."""
    vectors, cut = seen
    slices = [slice(start, start + CHUNK) for start in range(0, len(vectors), CHUNK)]
    parts = [
        calibration.apply(head.logits(vectors[part], None if cut is None else cut[part])).astype(np.float32)
        for part in slices
    ]
    probabilities = np.concatenate(parts) if parts else np.empty((0, len(tree)), np.float32)
    raise_parents(probabilities, tree)
    return probabilities


def _calibration_error(logits: NDArray[np.float32], data: TrainingSet, snapshot: Snapshot) -> float | None:
    """On the answers that calibrate, each by a calibration that did not see it; None where there are none."""
    if not len(data.held_rows):
        return None
    unseen = cross_fitted(fit_calibration, logits, data.held_labels, snapshot.groups[data.held_rows])
    return _number(metrics.pooled_calibration_error(unseen, data.held_labels))


def _measured(probabilities: NDArray[np.float32], data: TrainingSet) -> dict[str, Any]:
    """Figures on the held-out answers; mAP over the tags that have a positive there."""
    if not len(data.held_rows):
        return {"held_out_images": 0, "mAP": None}
    figures = probabilities, data.held_labels
    return {
        "held_out_images": len(data.held_rows),
        "mAP": _number(metrics.mean_average_precision(*figures)),
        "ap": [_number(value) for value in metrics.average_precision(*figures)],
        "micro_f1": _number(metrics.micro_f1(*figures)),
        "macro_f1": _number(metrics.macro_f1(*figures)),
        "coverage": _number(metrics.coverage_error(*figures)),
    }


def _saving(
    workspace: Workspace, data: TrainingSet, vectors: NDArray[Any], texts: NDArray[np.float32] | None
) -> dict[str, Any] | None:
    """What the queue's answers saved against the random slice among them; None while there are too few."""
    order = savings.order_of(workspace, data.train_rows)
    labels = data.train_labels[np.searchsorted(data.train_rows, order.rows)]
    answers = savings.Answers(vectors[order.rows], labels, order.random, vectors[data.held_rows], data.held_labels)
    project = workspace.project
    return savings.stored(savings.measure(answers, project.head, texts, project.seed, project.strategy))


def _number(value: Any) -> float | None:
    return round(float(value), 6) if np.isfinite(value) else None


def _keep(
    workspace: Workspace,
    snapshot: Snapshot,
    data: TrainingSet,
    backbone: str,
    fitted: tuple[Head, Calibration],
    probabilities: NDArray[np.float32],
    measured: dict[str, Any],
) -> TrainReport:
    """Store the model; the files first, so that a row in the store always has them."""
    head, calibration = fitted
    previous = models.in_use(workspace)
    good, verdict = _verdict(workspace, snapshot, data, previous, probabilities, measured)
    measured["majors"] = majors.measured(workspace, snapshot, probabilities, previous)
    if previous is not None:
        good, verdict = _beside_majors(good, verdict, majors.verdict(snapshot, measured["majors"], previous), measured)
    with workspace.reading() as session:
        measured["answered_images"] = answered_count(session)
        model_id = (session.scalar(select(func.max(Model.id))) or 0) + 1
    project = workspace.project
    notes = {
        "head": project.head,
        "loss": project.loss,
        "backbone": backbone,
        "tags": [tag.name for tag in snapshot.tags],
    }
    models.save_arrays(workspace, model_id, {**head.to_arrays(), **asdict(calibration)}, notes)
    write_array(workspace.predictions_file(model_id), probabilities)
    labels_used = int((data.train_labels != LabelState.UNKNOWN).sum())
    with workspace.transaction() as session:
        if good:
            for model in session.scalars(select(Model).where(Model.in_use.is_(True))):
                model.in_use = False
        session.add(
            Model(
                id=model_id, backbone=backbone, head=project.head, snapshot_hash=snapshot.hash, in_use=good,
                verdict=verdict, tag_ids=[tag.id for tag in snapshot.tags], labels_used=labels_used,
                images_used=len(data.train_rows), metrics=measured, at=datetime.now(UTC),
            )
        )  # fmt: skip
    return TrainReport(model_id, good, verdict, len(data.train_rows), labels_used, measured)


def _verdict(
    workspace: Workspace,
    snapshot: Snapshot,
    data: TrainingSet,
    previous: Model | None,
    probabilities: NDArray[np.float32],
    measured: dict[str, Any],
) -> tuple[bool, str]:
    """Whether the new model is put in use, and why, judged with the previous one on the same held-out answers."""
    if previous is None or measured["mAP"] is None or previous.tag_ids != [tag.id for tag in snapshot.tags]:
        return True, "the first model of this vocabulary"
    if not len(data.held_rows) or data.held_rows.max() >= len(models.predictions(workspace, previous)):
        return True, "the previous model never saw some of the held-out images"
    earlier = np.asarray(models.predictions(workspace, previous)[data.held_rows])
    before, now = _number(metrics.mean_average_precision(earlier, data.held_labels)), measured["mAP"]
    measured["previous_mAP"] = before
    figures = f"mAP {now:.3f}, model {previous.id} had {before or 0:.3f}"
    if before is not None and now < before - TOLERANCE:
        if _surely_worse(probabilities[data.held_rows], earlier, data.held_labels):
            return False, f"worse than the model before on the same held-out answers: {figures}"
        return True, f"too few held-out answers to call it worse, and it learned from more: {figures}"
    return True, f"on the same held-out answers: {figures}"


def _beside_majors(good: bool, verdict: str, broken: str, measured: dict[str, Any]) -> tuple[bool, str]:
    """The verdict with what the model breaks of the regression set: then it is put in use only if it is better on the
    held-out answers, by more than chance moves them."""
    if not broken:
        return good, verdict
    before, now = measured.get("previous_mAP"), measured["mAP"]
    better = before is not None and now is not None and now > before + TOLERANCE
    comparable = before is not None
    return good and (better or not comparable), f"{verdict}; {broken}"


def _surely_worse(now: NDArray[np.float32], before: NDArray[np.float32], labels: NDArray[np.int8]) -> bool:
    """Whether the loss shows in nearly every resample of the held-out images (paired bootstrap, Efron 1979).

    Some dozen held-out images hold a handful of positives a tag: there the figures move by chance more than by
    training, and a model that learned from more answers is the better guess.
    """
    rng = np.random.default_rng(0)
    worse = 0
    for _ in range(RESAMPLES):
        rows = rng.integers(0, len(labels), len(labels))
        one, other = (metrics.mean_average_precision(scores[rows], labels[rows]) for scores in (now, before))
        worse += bool(one < other)
    return worse >= SURE * RESAMPLES
