"""What a person chooses of an import of labels, and what is reported of it."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from annotator.errors import UsageError
from annotator.services.importing_labels import IMPORTER


@dataclass(frozen=True)
class ImportOptions:
    """What a person chooses.

    mapping: CSV with from,to, the tags of the file and of the workspace. annotator: in whose name. keep_people: in the
    names the file gives, verdicts and truth as such. as_truth: as the truth instead of as labels. as_suggestions: as
    proposals that nobody has confirmed. complete: what an image does not list of the file's tags is absent. overwrite:
    where people say otherwise, the file counts. add_tags: make tags that are not there. preview: say what would be
    done, and do nothing. Raises UsageError for as_truth together with as_suggestions.
    """

    format: str | None = None
    mapping: Path | None = None
    annotator: str = IMPORTER
    keep_people: bool = False
    as_truth: bool = False
    as_suggestions: bool = False
    complete: bool = False
    overwrite: bool = False
    add_tags: bool = False
    preview: bool = False

    def __post_init__(self) -> None:
        if self.as_truth and self.as_suggestions:
            raise UsageError("labels are either the truth or suggestions; leave out --as-truth or --as-suggestions")


@dataclass
class RecordsReport:
    """What was, or in a preview would be, imported.

    labels: by state, as the file says them of images and tags that are here. left_out: labels and the like that were
    not taken, by reason. conflicts: at most a thousand, conflict_count all.
    """

    format: str
    preview: bool
    images: int = 0
    labels: dict[str, int] = field(default_factory=dict)
    written: int = 0
    unchanged: int = 0
    overwritten: int = 0
    suggestions: int = 0
    boxes: int = 0
    truth: int = 0
    tags: list[dict[str, Any]] = field(default_factory=list)
    conflict_count: int = 0
    conflicts: list[dict[str, Any]] = field(default_factory=list)
    left_out: dict[str, int] = field(default_factory=dict)
    refused_count: int = 0
    refused: list[str] = field(default_factory=list)
