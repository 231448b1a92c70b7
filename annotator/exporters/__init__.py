"""Records to files: `EXPORTERS[format](records, sink)` streams them; where they go is the service's."""

from annotator.exporters.base import Exporter, ExportOptions, Sink
from annotator.exporters.coco import COCO, COCO_PLAIN
from annotator.exporters.csv import CSV, CSV_WIDE
from annotator.exporters.cvat import CVAT
from annotator.exporters.fiftyone import FIFTYONE
from annotator.exporters.folders import IMAGEFOLDER, YOLO_CLASSIFICATION
from annotator.exporters.huggingface import HUGGINGFACE
from annotator.exporters.json import JSON, JSONL
from annotator.exporters.label_studio import LABEL_STUDIO
from annotator.exporters.parquet import PARQUET
from annotator.exporters.webdataset import WEBDATASET
from annotator.exporters.yolo_detection import YOLO_DETECTION

__all__ = ["EXPORTERS", "ExportOptions", "Exporter", "Sink"]

EXPORTERS: dict[str, Exporter] = {
    "coco": COCO,
    "coco_plain": COCO_PLAIN,
    "json": JSON,
    "jsonl": JSONL,
    "csv": CSV,
    "csv_wide": CSV_WIDE,
    "parquet": PARQUET,
    "huggingface": HUGGINGFACE,
    "fiftyone": FIFTYONE,
    "label_studio": LABEL_STUDIO,
    "cvat": CVAT,
    "yolo_classification": YOLO_CLASSIFICATION,
    "yolo_detection": YOLO_DETECTION,
    "webdataset": WEBDATASET,
    "imagefolder": IMAGEFOLDER,
}
