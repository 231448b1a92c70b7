"""CSV for spreadsheets: long (one answer a line) and wide (one column a tag)."""

import csv

from annotator.cells import guarded
from annotator.exporters.base import ORIGIN_KEYS, STATE_KEYS, Exporter, Sink, open_text
from annotator.exporters.names import iso_time
from annotator.records import Records

WIDE = ("0", "1", "?")
"""By LabelState: 0, 1 and, from behind, -1."""


def csv_long(records: Records, sink: Sink) -> None:
    """labels.csv: file, tag, state, origin, by, at; what is not listed was never asked about."""
    names = [guarded(tag.name) for tag in records.header.tags]
    with open_text(sink, "labels.csv") as out:
        table = csv.writer(out)
        table.writerow(["file", "tag", "state", "origin", "by", "at"])
        for record in records.read():
            file = guarded(record.file)
            table.writerows(
                (file, names[tag], STATE_KEYS[state], ORIGIN_KEYS[origin], guarded(by), iso_time(at) or "")
                for tag, state, origin, by, at in record.labels
            )


def csv_wide(records: Records, sink: Sink) -> None:
    """labels.csv: file, split and one column a tag: 1, 0, ? for "cannot tell", empty for never asked."""
    names = [guarded(tag.name) for tag in records.header.tags]
    with open_text(sink, "labels.csv") as out:
        table = csv.writer(out)
        table.writerow(["file", "split", *names])
        for record in records.read():
            cells = [""] * len(names)
            for label in record.labels:
                cells[label.tag] = WIDE[label.state]
            table.writerow([guarded(record.file), record.split or "", *cells])


CSV = Exporter(
    csv_long,
    "one answer a line, for spreadsheets",
    "labels.csv",
    "images without an answer; sizes, splits, definitions; suggestions",
)
CSV_WIDE = Exporter(
    csv_wide, "one column a tag, for spreadsheets", "labels.csv", "who decided and when; definitions; suggestions"
)
