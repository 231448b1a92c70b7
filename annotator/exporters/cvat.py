"""CVAT for images 1.1: XML with one image-level tag a present tag.

Tags that are absent are not written: without an attribute that says so, every reader would take them for present.
"""

from xml.sax.saxutils import escape, quoteattr

from annotator.exporters.base import Exporter, Sink, not_present, open_text, present
from annotator.records import Record, Records
from annotator.terms import Origin


def cvat(records: Records, sink: Sink) -> None:
    """annotations.xml: <image> with its <tag>s, and <box> where there are boxes."""
    header = records.header
    names = [_clean(tag.name) for tag in header.tags]
    with open_text(sink, "annotations.xml") as out:
        labels = "".join(f"<label><name>{escape(name)}</name><attributes></attributes></label>" for name in names)
        out.write('<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n<version>1.1</version>\n')
        out.write(f"<meta><task><size>{header.images}</size><labels>{labels}</labels></task></meta>\n")
        quoted = [quoteattr(name) for name in names]
        for number, record in enumerate(records.read()):
            sink.leave_out("only present tags can be said", not_present(record))
            out.write(_image(number, record, quoted))
        out.write("</annotations>\n")


def _image(number: int, record: Record, names: list[str]) -> str:
    subset = f" subset={quoteattr(record.split)}" if record.split else ""
    lines = [
        f'<image id="{number}" name={quoteattr(_clean(record.file))}{subset}'
        f' width="{record.width}" height="{record.height}">'
    ]
    lines += [
        f'<tag label={names[label.tag]} source="{"auto" if label.origin == Origin.ROUND else "manual"}"></tag>'
        for label in present(record)
    ]
    lines += [
        f'<box label={names[box.tag]} occluded="0" xtl="{box.left:g}" ytl="{box.top:g}"'
        f' xbr="{box.left + box.width:g}" ybr="{box.top + box.height:g}" z_order="0"></box>'
        for box in record.boxes
    ]
    return "\n".join([*lines, "</image>\n"])


def _clean(text: str) -> str:
    """Without the characters that no XML document can hold."""
    return "".join(char for char in text if char >= " " and char not in "\ufffe\uffff")


CVAT = Exporter(
    cvat,
    "XML for CVAT, with image-level tags",
    "annotations.xml",
    "absent, cannot tell and never asked; who decided and when; definitions; suggestions",
)
