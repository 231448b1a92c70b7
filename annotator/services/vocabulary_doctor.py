"""What is wrong with a vocabulary, and the change that would mend each finding."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annotator.learning import tag_statistics
from annotator.services import models
from annotator.services.embedding import text_vectors
from annotator.services.implying import contradictions
from annotator.services.snapshots import take
from annotator.services.vocabulary import relations_of
from annotator.snapshot import Snapshot
from annotator.terms import LabelState
from annotator.vocabulary import Relations
from annotator.workspace import Workspace

RARE = 10  # pictures that show a tag, below which neither learning nor proving gets far
FEWEST = 20  # ... from which on its company is looked at
MOST_COMPARED = 2_000  # of the most frequent tags: (C, C) counts of these are 32 MB each
MOST_OF_A_KIND = 200


@dataclass(frozen=True)
class Finding:
    """`change`: the operation and its arguments (annotator.services.vocabulary_changes.make); none where only a person
    can know."""

    kind: str
    tags: list[str]
    why: str
    change: dict[str, Any] = field(default_factory=dict)


def examine(workspace: Workspace) -> list[Finding]:
    """What a look at names, labels, relations, scores and text vectors finds; at most MOST_OF_A_KIND of each kind."""
    snapshot = take(workspace)
    with workspace.reading() as session:
        relations = relations_of(session, [tag.id for tag in snapshot.tags])
        names = models.tag_names(session)
    sources = (
        _contradicting(relations, names),
        _contradicted(workspace),
        _doubles(snapshot),
        _alike(workspace, snapshot),
        _company(snapshot, relations),
        _mixed_up(workspace, snapshot),
        _rare(snapshot),
    )
    seen: Counter[str] = Counter()
    found = []
    for finding in (finding for source in sources for finding in source):
        seen[finding.kind] += 1
        if seen[finding.kind] <= MOST_OF_A_KIND:
            found.append(finding)
    return found


def _contradicting(relations: Relations, names: dict[int, str]) -> Iterator[Finding]:
    for circle in relations.cycles():
        tags = [names[tag] for tag in circle]
        yield Finding("circle", tags, f"they imply each other: {' → '.join([*tags, tags[0]])}")
    for tag, a, b in relations.impossible():
        change = {"kind": "unrelate", "relation": "excludes", "tag": a, "other": b}
        why = f"{names[tag]!r} implies {names[a]!r} and {names[b]!r}, which exclude each other"
        yield Finding("impossible", [names[tag], names[a], names[b]], why, change)


def _contradicted(workspace: Workspace) -> Iterator[Finding]:
    """Relations that people's answers speak against."""
    pairs = Counter((one["present_tag"], one["against_tag"], one["state"]) for one in contradictions(workspace))
    for (present, against, state), count in pairs.most_common():
        ends = "excludes" if state == LabelState.POSITIVE else "implies"
        yield Finding(
            "contradicted", [present, against], f"{present!r} {ends} {against!r}, but {count} answers say otherwise"
        )


def _doubles(snapshot: Snapshot) -> Iterator[Finding]:
    names = [tag.name for tag in snapshot.tags]
    counts = _positives(snapshot)
    for i, j in tag_statistics.near_names(names):
        kept, gone = (i, j) if counts[i] >= counts[j] else (j, i)
        yield Finding(
            "double", [names[gone], names[kept]], "their names are nearly the same",
            {"kind": "merge", "tag": snapshot.tags[gone].id, "into": snapshot.tags[kept].id},
        )  # fmt: skip


def _alike(workspace: Workspace, snapshot: Snapshot) -> Iterator[Finding]:
    vectors = text_vectors(workspace, snapshot.tags)
    if vectors is None:
        return
    for i, j, cosine in tag_statistics.near_texts(vectors):
        one, other = snapshot.tags[i], snapshot.tags[j]
        yield Finding(
            "same as", [one.name, other.name], f"the model's text vectors are {cosine:.2f} alike",
            {"kind": "relate", "relation": "same as", "tag": one.id, "other": other.id},
        )  # fmt: skip


def _company(snapshot: Snapshot, relations: Relations) -> Iterator[Finding]:
    """Relations that the labels keep though nobody wrote them down."""
    places = _frequent(snapshot)
    together = tag_statistics.count_together(snapshot.by_people()[:, places])
    tags = [snapshot.tags[place] for place in places.tolist()]
    implied = {(a, b): share for a, b, share in tag_statistics.implied_by(together)}
    for (a, b), share in implied.items():
        if tags[b].id in relations.above(tags[a].id) or ((b, a) in implied and b < a):
            continue
        same = (b, a) in implied
        kind = "same as" if same else "implies"
        why = f"of {together.one[a, b]} pictures with {tags[a].name!r}, {share:.1%} show {tags[b].name!r}"
        change = {"kind": "relate", "relation": kind, "tag": tags[a].id, "other": tags[b].id}
        yield Finding(kind, [tags[a].name, tags[b].name], why + (", and the other way round" if same else ""), change)
    for a, b, expected in tag_statistics.never_together(together):
        if tags[b].id in relations.ruled_out(tags[a].id):
            continue
        yield Finding(
            "excludes", [tags[a].name, tags[b].name],
            f"never together, though {expected:.0f} pictures would show both by chance",
            {"kind": "relate", "relation": "excludes", "tag": tags[a].id, "other": tags[b].id},
        )  # fmt: skip


def _mixed_up(workspace: Workspace, snapshot: Snapshot) -> Iterator[Finding]:
    model = models.in_use(workspace)
    if model is None or model.tag_ids != [tag.id for tag in snapshot.tags]:
        return
    probabilities = models.predictions(workspace, model)
    places = _frequent(snapshot)
    labels = snapshot.by_people()[: len(probabilities), places]
    for a, b, wrong, of in tag_statistics.mixed_up(labels, probabilities[: len(labels), places]):
        tags = [snapshot.tags[places[a]].name, snapshot.tags[places[b]].name]
        why = f"of {of} pictures with {tags[0]!r} and no {tags[1]!r}, the model sees {tags[1]!r} on {wrong}"
        yield Finding("mixed up", tags, f"{why}; say the difference in the definitions")


def _rare(snapshot: Snapshot) -> Iterator[Finding]:
    for tag, count in zip(snapshot.tags, _positives(snapshot).tolist(), strict=True):
        if count == 0:
            yield Finding(
                "never used", [tag.name], "nobody found it on any picture", {"kind": "archive", "tag": tag.id}
            )
        elif count < RARE:
            yield Finding("rare", [tag.name], f"on {count} pictures: search for more, or merge it into another tag")


def _frequent(snapshot: Snapshot) -> NDArray[np.int64]:
    """Places of the tags whose company is looked at."""
    counts = _positives(snapshot)
    most = np.argsort(-counts, kind="stable")[:MOST_COMPARED]
    return np.sort(most[counts[most] >= FEWEST])


def _positives(snapshot: Snapshot) -> NDArray[np.int64]:
    return np.asarray((snapshot.labels == LabelState.POSITIVE).sum(0), np.int64)
