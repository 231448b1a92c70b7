"""Labels in: `LABEL_IMPORTERS[format].open(path, problems)` gives records. A new format is one file and one line here.

Where a format is recognised by its content, the first one in the dict that does counts: the special before the general.
"""

from pathlib import Path

from annotator.errors import EntryError, PictureError, UnknownNameError
from annotator.importers.addresses import show
from annotator.importers.labels import recognising
from annotator.importers.labels.base import LabelImporter, Problems, Strict
from annotator.importers.labels.coco import open_coco
from annotator.importers.labels.csv_files import open_cells, open_long, open_openimages, open_wide
from annotator.importers.labels.cvat import open_cvat
from annotator.importers.labels.fiftyone import open_fiftyone
from annotator.importers.labels.folders import open_imagefolder
from annotator.importers.labels.huggingface import open_huggingface
from annotator.importers.labels.json_document import open_json_document
from annotator.importers.labels.json_lines import open_json_lines
from annotator.importers.labels.label_studio import open_label_studio
from annotator.importers.labels.parquet import open_parquet
from annotator.importers.labels.webdataset import open_webdataset
from annotator.importers.labels.yolo import open_yolo_detection
from annotator.records import Records

__all__ = ["LABEL_IMPORTERS", "LabelImporter", "Problems", "Strict", "open_labels", "sniff"]

LABEL_IMPORTERS: dict[str, LabelImporter] = {
    "parquet": LabelImporter(open_parquet, recognising.parquet, "one row an image or a label"),
    "webdataset": LabelImporter(open_webdataset, recognising.webdataset, "tar shards with a .json a picture"),
    "cvat": LabelImporter(open_cvat, recognising.cvat, "CVAT for images 1.1, XML"),
    "fiftyone": LabelImporter(open_fiftyone, recognising.fiftyone, "a FiftyOne dataset, samples.json"),
    "lvis": LabelImporter(open_coco, recognising.lvis, "LVIS instances: absent and not exhaustive categories"),
    "coco": LabelImporter(open_coco, recognising.coco, "COCO instances, image-level labels or results"),
    "coco_plain": LabelImporter(open_coco, recognising.never, "COCO without anything of ours"),
    "label_studio": LabelImporter(open_label_studio, recognising.label_studio, "Label Studio tasks, JSON or JSON_MIN"),
    "json": LabelImporter(open_json_document, recognising.json_document, "one document with tags and images"),
    "huggingface": LabelImporter(open_huggingface, recognising.huggingface, "metadata.jsonl of a folder"),
    "jsonl": LabelImporter(open_json_lines, recognising.json_lines, "one image a line"),
    "openimages": LabelImporter(open_openimages, recognising.openimages, "Open Images: verified image-level labels"),
    "csv": LabelImporter(open_long, recognising.csv_long, "one label a line: file, tag, state"),
    "labels_csv": LabelImporter(open_cells, recognising.csv_cells, "one image a line: file, labels separated by |"),
    "csv_wide": LabelImporter(open_wide, recognising.csv_wide, "one image a line, one tag a column: 1, 0, ?"),
    "yolo_detection": LabelImporter(open_yolo_detection, recognising.yolo, "data.yaml and a text a picture"),
    "yolo_classification": LabelImporter(open_imagefolder, recognising.never, "split and tag are folders"),
    "imagefolder": LabelImporter(open_imagefolder, recognising.folder, "the tag is the folder"),
}
"""Format name to its importer."""


def sniff(path: Path) -> str:
    """The format that the content proposes. Raises EntryError where it is none of them, or not there."""
    if not path.exists():
        raise EntryError(show(str(path)), "as a whole", "does not exist; correct the name")
    start = recognising.start_of(path)
    for name, importer in LABEL_IMPORTERS.items():
        if importer.recognises(path, start):
            return name
    known = ", ".join(LABEL_IMPORTERS)
    what = "is empty" if path.is_file() and not start else "is in no format that is recognised"
    raise EntryError(show(str(path)), "as a whole", f"{what}; name the format with --format: {known}")


def open_labels(path: Path, problems: Problems, format: str | None = None) -> Records:
    """The records of `path` in `format`, or in the one its content proposes. Raises EntryError for a file that is none
    of that format."""
    name = format or sniff(path)
    if name not in LABEL_IMPORTERS:
        raise UnknownNameError("label format", name, LABEL_IMPORTERS)
    try:
        return LABEL_IMPORTERS[name].open(path, problems)
    except PictureError as error:  # what the operating system refuses
        raise problems.whole(str(error).removeprefix(f"{problems.file}: ")) from error
