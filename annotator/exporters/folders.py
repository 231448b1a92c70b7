"""Folders named like the tags, as classifiers read them: torchvision's ImageFolder, and YOLO's classification."""

from annotator.exporters.base import (
    SPLIT_FOLDERS,
    UNREADABLE,
    Exporter,
    Sink,
    not_present,
    open_text,
    present,
    to_json,
)
from annotator.exporters.names import folder_names, inner_name
from annotator.records import Header, Record, RecordLabel, Records
from annotator.terms import Split

PRESENT_ONLY = "only present tags can be said"
NOTHING = "no present tag"


def imagefolder(records: Records, sink: Sink) -> None:
    """<split>/<tag>/<picture>: a picture stands in the folder of each tag that is present."""
    _write(records, sink, every=True)


def yolo_classification(records: Records, sink: Sink) -> None:
    """<split>/<tag>/<picture>: a picture stands in the folder of its first present tag, in the vocabulary's order.

    Such a model knows one class a picture: the same picture in two folders would be two truths.
    """
    _write(records, sink, every=False)


def _write(records: Records, sink: Sink, *, every: bool) -> None:
    header = records.header
    folders = folder_names([tag.name for tag in header.tags])
    with open_text(sink, "tags.json") as out:
        out.write(to_json({name: tag.name for name, tag in zip(folders, header.tags, strict=True)}) + "\n")
    for record in records.read():
        sink.leave_out(PRESENT_ONLY, not_present(record))
        labels = present(record)
        if not labels:
            sink.leave_out_image(NOTHING)
            continue
        written = labels if every else labels[:1]
        sink.leave_out("a picture has one class here", labels[len(written) :])
        _place(header, record, written, folders, sink)


def _place(header: Header, record: Record, labels: list[RecordLabel], folders: list[str], sink: Sink) -> None:
    split = SPLIT_FOLDERS[record.split or Split.TRAIN]
    name = inner_name(record.file, record.sha256)
    places = [sink.place(header, record, f"{split}/{folders[label.tag]}/{name}") for label in labels]
    if None in places:
        sink.leave_out_image(UNREADABLE, labels)


LOST = "absent, cannot tell and never asked; images without a present tag; who decided; definitions; suggestions"
IMAGEFOLDER = Exporter(imagefolder, "one folder a tag, for torchvision and others", None, LOST, pictures="must")
YOLO_CLASSIFICATION = Exporter(
    yolo_classification,
    "one folder a tag, for YOLO's classifiers",
    None,
    f"all present tags of an image but the first; {LOST}",
    pictures="must",
)
