"""Our own Parquet export read again, row group by row group: what a frozen snapshot is restored and compared from."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from annotator.errors import BadInputError
from annotator.exporters import headers
from annotator.exporters.base import ORIGIN_KEYS, STATE_KEYS
from annotator.exporters.parquet import KEY, ROWS
from annotator.records import Record, RecordBox, RecordLabel, Records, RecordScore
from annotator.terms import LabelState, Origin, Split

STATES = {STATE_KEYS[state]: state for state in LabelState}
ORIGINS = {ORIGIN_KEYS[origin]: origin for origin in Origin}


def read_parquet(file: Path) -> Records:
    """The records of a Parquet export. Raises BadInputError for a file that is none of ours."""
    from pyarrow import ArrowException, parquet

    try:
        about = parquet.ParquetFile(file)
        told = json.loads((about.schema_arrow.metadata or {})[KEY])
    except (ArrowException, OSError, KeyError) as error:
        raise BadInputError(f"{file} is no Parquet export of this program: {error}") from error
    header = headers.of_json(told, about.metadata.num_rows)
    about.close()
    place = {tag.name: number for number, tag in enumerate(header.tags)}

    def read() -> Iterator[Record]:
        with parquet.ParquetFile(file) as opened:
            for batch in opened.iter_batches(ROWS):
                for row in batch.to_pylist():
                    yield _record(row, place)

    return Records(header, read)


def _record(row: dict[str, Any], place: dict[str, int]) -> Record:
    labels = (
        RecordLabel(
            place[one["tag"]],
            STATES[one["state"]],
            ORIGINS[one["origin"]],
            one["by"],
            int(one["at"].timestamp()) if one["at"] else 0,
        )
        for one in row["labels"]
    )
    boxes = (RecordBox(place[one.pop("tag")], *one.values()) for one in row["boxes"])
    scores = (RecordScore(place[one["tag"]], one["score"], one["origin"]) for one in row["suggestions"])
    split = Split(row["split"]) if row["split"] else None
    plain = (row["file"], row["sha256"], row["width"], row["height"])
    return Record(*plain, split, tuple(labels), tuple(scores), tuple(boxes))
