"""A round on a part of each labelled pack: recomputed bit for bit, and taken back without a trace."""

import csv
import zipfile
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import expit
from sqlalchemy import select

from annotator.services import labelling, round_replay, rounds, vocabulary
from annotator.services.importing import import_pictures
from annotator.services.scripted import Truth, answer_from_truth
from annotator.services.snapshots import live_tags, take
from annotator.services.vocabulary_changes import make
from annotator.terms import LabelState
from annotator.workspace import Workspace
from db.models import ImageFile
from tests.services.test_rounds import audit, sure
from tests.services.worlds import make_world, put_model, whole

PICTURES, BY_PEOPLE, TAGS = 240, 15, 3
Labelled = list[tuple[Path, set[str]]]


def need(folder: Path) -> Path:
    if not folder.exists():
        pytest.skip(f"no pack in {folder}; ANNOTATOR_REAL_DATA names the folder of packs")
    return folder


def pictures_of(folder: Path) -> Labelled:
    """Pictures of a pack, evenly from its whole list, which is sorted by what they show."""
    with (need(folder) / "labels.csv").open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    chosen = rows[:: max(1, len(rows) // PICTURES)][:PICTURES]
    return [(folder / row["file"], set(row["labels"].split("|"))) for row in chosen]


def cifar_pictures(folder: Path, into: Path) -> Labelled:
    with (need(folder) / "test_votes.csv").open(newline="") as lines:
        rows = list(csv.DictReader(lines))[:PICTURES]
    with zipfile.ZipFile(folder / "images.zip") as archive:
        return [(Path(archive.extract(row["file"], into)), {row["label"]}) for row in rows]


def filled(workspace: Workspace, pictures: Labelled) -> Truth:
    """The pictures, and their most frequent tags."""
    names = [name for _, labels in pictures for name in sorted(labels)]
    tags = sorted(sorted(set(names)), key=names.count)[-TAGS:]
    with workspace.transaction() as session:
        vocabulary.add_names(session, tags)
    import_pictures(workspace, [file for file, _ in pictures])
    with workspace.reading() as session:
        rows = {Path(uri).name: row for uri, row in session.execute(select(ImageFile.uri, ImageFile.image_row))}
        ids = tuple(tag.id for tag in live_tags(session))
    labels = np.full((max(rows.values()) + 1, TAGS), LabelState.NEGATIVE, np.int8)
    for file, said in pictures:
        labels[rows[file.name]] |= np.array([tag in said for tag in tags], np.int8)
    return Truth(labels, ids, {})


def check(workspace: Workspace, truth: Truth, probabilities: NDArray[np.float64]) -> dict[str, int]:
    """One whole round; how much of it was settled. So few pictures prove no more than a modest promise."""
    workspace.change_project(precision=0.8, recall=0.6)
    people = [label for row in range(BY_PEOPLE) for label in whole(truth, row)]
    labelling.set_labels(workspace, "anna", people)
    put_model(workspace, truth, probabilities)
    rounds.propose(workspace, "anna", whole_images=20)
    answer_from_truth(workspace, truth, "bea", 20)
    audit(workspace, truth, turns=5)
    before = take(workspace)
    report = rounds.settle(workspace)
    assert take(workspace).hash != before.hash
    everything = {"sets": True, "thresholds": True, "draws": True, "decisions": True, "labels": True}
    assert round_replay.replay(workspace, 1) == {"number": 1, "same": True, **everything}
    rounds.roll_back(workspace, 1)
    assert take(workspace).hash == before.hash
    return report


@pytest.mark.parametrize("name", ["coco256", "corel5k"])
def test_a_round_on_photos_is_recomputed_and_taken_back(workspace: Workspace, real_data: Path, name: str) -> None:
    truth = filled(workspace, pictures_of(real_data / name))
    assert check(workspace, truth, sure(truth.labels))["settled_negative"] > 0


def test_a_round_on_tags_of_three_levels_is_recomputed_and_taken_back(workspace: Workspace, real_data: Path) -> None:
    """Every picture shows a root; a tag below one is its child, of which the model knows nothing."""
    pictures = pictures_of(real_data / "grocery")
    truth = filled(workspace, pictures)
    inside = [
        (child, parent)
        for child in range(TAGS)
        for parent in range(TAGS)
        if child != parent and (truth.labels[:, child] <= truth.labels[:, parent]).all()
    ]
    for child, parent in inside:
        make(workspace, "anna", "parent", tag=truth.tag_ids[child], parent=truth.tag_ids[parent])
    probabilities = sure(truth.labels)
    probabilities[:, [parent for _, parent in inside]] = 0.5
    check(workspace, truth, probabilities)


def test_a_round_on_tags_that_exclude_each_other_is_recomputed_and_taken_back(
    workspace: Workspace, real_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    truth = filled(workspace, cifar_pictures(real_data / "cifar10_votes", tmp_path))
    monkeypatch.setattr(labelling, "imply", lambda *_: 0)  # as where the relations were made after the answers
    for one, other in ((0, 1), (0, 2), (1, 2)):
        pair = {"tag": truth.tag_ids[one], "other": truth.tag_ids[other]}
        make(workspace, "anna", "relate", relation="excludes", **pair)
    probabilities = sure(truth.labels)
    probabilities[:, 0] = 0.5  # of this tag only what the others exclude is known
    assert check(workspace, truth, probabilities)["implied"] > 0


def test_a_round_by_real_scores_of_clip_is_recomputed_and_taken_back(workspace: Workspace, real_data: Path) -> None:
    """Its pictures are not at hand: their scores and labels are."""
    file = need(real_data / "features" / "voc12train_clip_rn50x64_scores.npz")
    with np.load(file, allow_pickle=False) as stored:
        known = np.flatnonzero((stored["labels"] >= 0).all(1))[: 8 * PICTURES]
        labels = stored["labels"][known].astype(np.int8)
        scores = np.log(stored["global_softmax"][known].astype(np.float64))
    frequent = np.argsort(labels.sum(0))[-TAGS:]
    z = scores[:, frequent]
    made = make_world(workspace, len(known), tags=tuple(f"tag {place}" for place in range(TAGS)))
    truth = Truth(np.ascontiguousarray(labels[:, frequent]), made.tag_ids, {})
    check(workspace, truth, expit(4 * (z - np.quantile(z, 0.8, axis=0)) / z.std(axis=0)))
