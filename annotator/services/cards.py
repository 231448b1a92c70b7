"""The data card of a frozen snapshot: what is in it, who said it, what is proven, and what is missing."""

from collections import Counter
from typing import Any

from annotator.exporters.base import ORIGIN_KEYS, STATE_KEYS
from annotator.records import Record, Records
from annotator.services.certificates import certificates
from annotator.terms import LabelState, Origin
from annotator.workspace import Workspace

NOT_STATED = "not stated; say it with: annotator project {name}=…"
RIGHTS = ("licence", "rights_holder", "contact")
PROVEN = ("precision", "recall", "recall with the open", "confidence")


def card(workspace: Workspace, records: Records) -> dict[str, Any]:
    """Counts of `records`, certificates of the store they were just read from, sources, splits, gaps and rights."""
    counts = _Counts(records)
    project = workspace.project
    proven = {row["tag"]: {name: row[name] for name in PROVEN} for row in certificates(workspace)}
    return {
        "snapshot": records.header.snapshot,
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
            for place, tag in enumerate(records.header.tags)
        ],
        "gaps": counts.gaps(),
        **{name: getattr(project, name) or NOT_STATED.format(name=name) for name in RIGHTS},
    }


class _Counts:
    """One pass over the records."""

    def __init__(self, records: Records) -> None:
        self.tags = [tag.name for tag in records.header.tags]
        self.images = 0
        self.splits: Counter[str] = Counter()
        self.states: Counter[LabelState] = Counter()
        self.sources: Counter[tuple[Origin, str]] = Counter()
        self.by_tag: Counter[tuple[int, LabelState]] = Counter()
        for record in records.read():
            self._count(record)

    def _count(self, record: Record) -> None:
        self.images += 1
        self.splits[record.split or ""] += 1
        for label in record.labels:
            self.states[label.state] += 1
            self.sources[label.origin, label.by] += 1
            self.by_tag[label.tag, label.state] += 1

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
