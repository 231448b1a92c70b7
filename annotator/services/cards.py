"""The data card of a frozen snapshot: what is in it, who said it, what is proven, and what is missing."""

from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from annotator.exporters.base import ORIGIN_KEYS, STATE_KEYS
from annotator.services.certificates import Counted
from annotator.services.records import Collected
from annotator.services.spool import Part, Spool
from annotator.snapshot import SPLIT_CODES
from annotator.terms import LabelState, Origin
from annotator.workspace import Workspace

NOT_STATED = "not stated; say it with: annotator project {name}=…"
RIGHTS = ("licence", "rights_holder", "contact")
PROVEN = ("precision", "recall", "recall with the open", "confidence")


def card(workspace: Workspace, session: Session, found: Collected) -> dict[str, Any]:
    """Counts of what was collected, certificates of the store as `session` sees it, sources, splits, gaps, rights."""
    counts = _Counts(found.spool)
    project, header = workspace.project, found.records.header
    proven = {row["tag"]: {name: row[name] for name in PROVEN} for row in _certificates(workspace, session, found)}
    return {
        "snapshot": header.snapshot,
        "images": counts.images,
        "splits": dict(counts.splits),
        "labels": {STATE_KEYS[state]: counts.states[state] for state in LabelState},
        "sources": [
            {"origin": ORIGIN_KEYS[origin], "by": by, "labels": count}
            for (origin, by), count in counts.sources.most_common()
        ],
        "tags": [
            {
                "tag": tag.name,
                "definition": tag.definition,
                **{STATE_KEYS[state]: counts.by_tag[place, state] for state in LabelState},
                "never asked": counts.images - sum(counts.by_tag[place, state] for state in LabelState),
                **proven.get(tag.name, {}),
            }
            for place, tag in enumerate(header.tags)
        ],
        "gaps": counts.gaps(),
        **{name: getattr(project, name) or NOT_STATED.format(name=name) for name in RIGHTS},
    }


def _certificates(workspace: Workspace, session: Session, found: Collected) -> list[dict[str, Any]]:
    counted, tags = Counted(workspace, session), found.tags
    for part in found.spool.parts():
        counted.add(part.dense(part.states, LabelState.UNKNOWN, tags), part.dense(part.origins, Origin.NOBODY, tags))
    return counted.certificates()


class _Counts:
    """One pass over the accepted labels."""

    def __init__(self, spool: Spool) -> None:
        self.tags = spool.tags
        self.images = spool.images
        self.splits: Counter[str] = Counter()
        self.states: Counter[LabelState] = Counter()
        self.sources: Counter[tuple[Origin, str]] = Counter()
        self.by_tag: Counter[tuple[int, LabelState]] = Counter()
        for part in spool.parts():
            self._count(part, spool.names)

    def _count(self, part: Part, names: list[str]) -> None:
        for split, count in _distinct(part.splits):
            self.splits[SPLIT_CODES[split]] += count
        for origin, decider, count in _distinct(part.origins, part.deciders):
            self.sources[Origin(origin), names[decider]] += count
        for tag, state, count in _distinct(part.tags, part.states):
            self.states[LabelState(state)] += count
            self.by_tag[tag, LabelState(state)] += count

    def gaps(self) -> dict[str, Any]:
        asked = {tag for tag, _ in self.by_tag}
        pairs = self.images * len(self.tags)
        unasked = pairs - self.states.total()
        return {
            "never asked at all": [name for place, name in enumerate(self.tags) if place not in asked],
            "without a present image": [
                name for place, name in enumerate(self.tags) if not self.by_tag[place, LabelState.POSITIVE]
            ],
            "share of pairs never asked": round(unasked / pairs, 4) if pairs else 0.0,
        }


def _distinct(*columns: NDArray[np.integer[Any]]) -> list[list[int]]:
    """Each combination of values that occurs at one place of the (n,) columns, with how often."""
    found, counts = np.unique(np.stack([column.astype(np.int64) for column in columns]), axis=1, return_counts=True)
    return [[*values, count] for values, count in zip(found.T.tolist(), counts.tolist(), strict=True)]


def as_markdown(name: str, about: dict[str, Any]) -> str:
    """The card for people."""
    gaps = about["gaps"]
    lines = [
        f"# {name}",
        "",
        *([about["note"], ""] if about.get("note") else []),
        f"Made {about['at']}. {about['images']:,} images, {len(about['tags'])} tags. Snapshot `{about['snapshot']}`.",
        "",
        *(f"- {what.replace('_', ' ').capitalize()}: {about[what]}" for what in RIGHTS),
        "",
        "## Labels",
        "",
        *_table(["state", "pairs"], [[state, count] for state, count in about["labels"].items()]),
        "",
        *_table(["decided by", "who", "pairs"], [list(one.values()) for one in about["sources"]]),
        "",
        *_table(["split", "images"], [[split, count] for split, count in about["splits"].items()]),
        "",
        "## Tags",
        "",
        "Precision and recall are lower bounds that hold together with the confidence beside them; where none is",
        "given, nothing is proven.",
        "",
        *_table(
            ["tag", *STATE_KEYS, "never asked", *PROVEN],
            [
                [tag["tag"], *(tag.get(key, "") for key in (*STATE_KEYS, "never asked", *PROVEN))]
                for tag in about["tags"]
            ],
        ),
        "",
        "## Known gaps",
        "",
        f"- Share of image-tag pairs nobody was asked about: {gaps['share of pairs never asked']:.1%}",
        f"- Tags never asked about: {', '.join(gaps['never asked at all']) or 'none'}",
        f"- Tags without a present image: {', '.join(gaps['without a present image']) or 'none'}",
    ]
    return "\n".join(lines) + "\n"


def _table(names: list[str], rows: list[list[Any]]) -> list[str]:
    cells = [["" if cell is None else str(cell).replace("|", "\\|") for cell in row] for row in [names, *rows]]
    head, *body = ("| " + " | ".join(row) + " |" for row in cells)
    return [head, "|" + "---|" * len(names), *body]
