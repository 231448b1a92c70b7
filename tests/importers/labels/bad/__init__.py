"""Many ways in which a labels file of each format can be bad, and a good one of each to compare with."""

from tests.importers.labels.bad.base import Kinds
from tests.importers.labels.bad.coco import COCO
from tests.importers.labels.bad.columns import PARQUET
from tests.importers.labels.bad.documents import HUGGINGFACE, JSON, JSONL
from tests.importers.labels.bad.folders import FOLDERS
from tests.importers.labels.bad.studios import CVAT, FIFTYONE, LABEL_STUDIO
from tests.importers.labels.bad.tables import CSV, CSV_WIDE, LABELS_CSV, OPENIMAGES

BAD: dict[str, Kinds] = {
    **COCO, **FOLDERS, "json": JSON, "jsonl": JSONL, "huggingface": HUGGINGFACE, "label_studio": LABEL_STUDIO,
    "fiftyone": FIFTYONE, "cvat": CVAT, "csv": CSV, "csv_wide": CSV_WIDE, "labels_csv": LABELS_CSV,
    "openimages": OPENIMAGES, "parquet": PARQUET,
}  # fmt: skip
"""Format: kind: file."""
