"""YOLO detection: data.yaml, images and one text file an image with its boxes, from boxes somebody brought along."""

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
from annotator.exporters.names import inner_name
from annotator.records import Record, Records
from annotator.terms import Split


def yolo_detection(records: Records, sink: Sink) -> None:
    """images/<split>/…, labels/<split>/….txt: class, then centre and size as shares of the picture's."""
    header = records.header
    splits: set[str] = set()
    stems: set[int] = set()
    for record in records.read():
        split, name = SPLIT_FOLDERS[record.split or Split.TRAIN], inner_name(record.file, record.sha256)
        placed = sink.place(header, record, f"images/{split}/{_distinct(name, stems)}")
        if placed is None:
            sink.leave_out_image(UNREADABLE, record.labels)
            continue
        splits.add(split)
        boxed = {box.tag for box in record.boxes}
        sink.leave_out("only present tags can be said", not_present(record))
        sink.leave_out("nobody drew a box", [label for label in present(record) if label.tag not in boxed])
        stem = placed.removeprefix("images/").rpartition(".")[0] or placed.removeprefix("images/")
        with open_text(sink, f"labels/{stem}.txt") as out:
            out.write(_lines(record))
    with open_text(sink, "data.yaml") as out:
        # JSON strings are YAML strings, whatever the tags are called.
        out.write("path: .\n")
        out.writelines(f"{split}: images/{split}\n" for split in SPLIT_FOLDERS.values() if split in splits)
        names = "".join(f"  {place}: {to_json(tag.name)}\n" for place, tag in enumerate(header.tags))
        out.write(f"names:\n{names}" if names else "names: {}\n")


def _distinct(name: str, stems: set[int]) -> str:
    """`name`, or with its ending twice where a.png would share its text file with an a.jpg before it."""
    stem, dot, ending = name.rpartition(".")
    name = f"{name}{dot}{ending}" if hash(stem) in stems else name
    stems.add(hash(stem))
    return name


def _lines(record: Record) -> str:
    width, height = max(record.width, 1), max(record.height, 1)
    return "".join(
        f"{box.tag} {(box.left + box.width / 2) / width:.6f} {(box.top + box.height / 2) / height:.6f}"
        f" {box.width / width:.6f} {box.height / height:.6f}\n"
        for box in record.boxes
    )


YOLO_DETECTION = Exporter(
    yolo_detection,
    "boxes for YOLO's detectors",
    None,
    "tags without a box; absent, cannot tell and never asked; who decided; definitions; suggestions",
    pictures="must",
)
