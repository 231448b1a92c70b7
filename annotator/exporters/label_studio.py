"""Label Studio tasks: present tags as annotations, suggestions as predictions, of one choices control called tags.

Absent and "cannot tell" stand among a task's data, where no reader takes them for present.
"""

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from annotator.exporters.base import ORIGIN_KEYS, STATE_KEYS, Exporter, Sink, json_lines, open_text
from annotator.exporters.names import address_of, iso_time
from annotator.records import Header, Record, Records
from annotator.terms import LabelState

FIELDS = {LabelState.NEGATIVE: "absent", LabelState.UNKNOWN: "cannot_tell"}


def label_studio(records: Records, sink: Sink) -> None:
    """tasks.json, for an interface with `<Choices name="tags" toName="image" choice="multiple">` that lists all tags.

    Local files get an address of Label Studio's own file server, whose document root has to be the header's root.
    """
    with open_text(sink, "tasks.json") as out:
        out.write("[")
        json_lines(out, _tasks(records))
        out.write("\n]\n")


def _tasks(records: Records) -> Iterator[dict[str, Any]]:
    header = records.header
    names = [tag.name for tag in header.tags]
    for number, record in enumerate(records.read(), 1):
        task = {"id": number, "data": _data(record, header, names), "meta": _meta(record, names)}
        if record.labels:
            tags = [names[label.tag] for label in record.labels if label.state == LabelState.POSITIVE]
            task["annotations"] = [{"result": _choices(f"{number}-tags", tags)}]
        if record.suggestions:
            tags = [names[suggestion.tag] for suggestion in record.suggestions]
            least = min(suggestion.score for suggestion in record.suggestions)
            result = _choices(f"{number}-suggested", tags)
            task["predictions"] = [{"model_version": "annotator", "score": round(least, 4), "result": result}]
        yield task


def _data(record: Record, header: Header, names: list[str]) -> dict[str, Any]:
    told: dict[str, list[str]] = {"absent": [], "cannot_tell": []}
    for label in record.labels:
        if label.state in FIELDS:
            told[FIELDS[label.state]].append(names[label.tag])
    return {"image": _address(record, header), "file": record.file, "sha256": record.sha256, **told}


def _meta(record: Record, names: list[str]) -> dict[str, Any]:
    decisions = [
        [names[tag], STATE_KEYS[state], ORIGIN_KEYS[origin], by, iso_time(at)]
        for tag, state, origin, by, at in record.labels
    ]
    return {"split": record.split, "decisions": decisions}


def _choices(name: str, tags: list[str]) -> list[dict[str, Any]]:
    chosen = {"id": name, "type": "choices", "from_name": "tags", "to_name": "image", "value": {"choices": tags}}
    return [chosen] if tags else []


def _address(record: Record, header: Header) -> str:
    address = address_of(header.root, record.file)
    return f"/data/local-files/?d={quote(record.file)}" if address.startswith("/") else address


LABEL_STUDIO = Exporter(
    label_studio, "tasks for Label Studio", "tasks.json", "definitions and synonyms of tags", suggestions=True
)
