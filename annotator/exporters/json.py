"""JSON: per image every answered tag with its state, and who or what decided it, and when."""

from collections.abc import Callable
from typing import Any

from annotator.exporters import headers
from annotator.exporters.base import ORIGIN_KEYS, STATE_KEYS, Exporter, Sink, json_lines, open_text, to_json
from annotator.exporters.names import iso_time
from annotator.records import Header, Record, Records


def write_json(records: Records, sink: Sink) -> None:
    """{"snapshot", "root", "tags", "relations", "images"}; a tag missing from an image was never asked about."""
    entry = entries(records.header)
    with open_text(sink, "labels.json") as out:
        out.write(to_json(headers.as_json(records.header))[:-1] + ',"images":[')
        json_lines(out, map(entry, records.read()))
        out.write("\n]}\n")


def write_jsonl(records: Records, sink: Sink) -> None:
    """First {"header": …} of the same fields, then one image a line."""
    entry = entries(records.header)
    with open_text(sink, "labels.jsonl") as out:
        out.write(to_json({"header": headers.as_json(records.header)}) + "\n")
        for record in records.read():
            out.write(to_json(entry(record)) + "\n")


def entries(header: Header) -> Callable[[Record], dict[str, Any]]:
    """How one record of a collection is told; suggestions and boxes only where there are any."""
    names = [tag.name for tag in header.tags]

    def entry(record: Record) -> dict[str, Any]:
        told: dict[str, Any] = {
            "file": record.file,
            "sha256": record.sha256,
            "width": record.width,
            "height": record.height,
            "split": record.split,
            "labels": [
                {
                    "tag": names[tag],
                    "state": STATE_KEYS[state],
                    "origin": ORIGIN_KEYS[origin],
                    "by": by,
                    "at": iso_time(at),
                }
                for tag, state, origin, by, at in record.labels
            ],
        }
        if record.suggestions:
            told["suggestions"] = [
                {"tag": names[tag], "score": round(score, 4), "origin": origin}
                for tag, score, origin in record.suggestions
            ]
        if record.boxes:
            told["boxes"] = [{"tag": names[tag], "box": box} for tag, *box in record.boxes]
        return told

    return entry


JSON = Exporter(write_json, "one document, everything", "labels.json", suggestions=True)
JSONL = Exporter(write_jsonl, "one image a line, everything", "labels.jsonl", suggestions=True)
