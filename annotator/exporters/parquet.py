"""Parquet: one row an image, its labels a list in it; lossless, small, written and read in row groups.

The header stands as JSON in the file's metadata, under the key "annotator".
"""

from collections.abc import Iterable, Sequence
from typing import Any

from annotator.exporters import headers
from annotator.exporters.base import ORIGIN_KEYS, STATE_KEYS, Exporter, Sink, in_parts, to_json
from annotator.records import Record, Records

KEY = b"annotator"
ROWS = 8192  # of one row group: with 20 labels an image about 160,000 labels, 10 MB while they are written


def parquet(records: Records, sink: Sink) -> None:
    """labels.parquet: file, sha256, width, height, split, labels, suggestions, boxes."""
    from pyarrow import parquet as files

    names = [tag.name for tag in records.header.tags]
    schema = _schema().with_metadata({KEY: to_json(headers.as_json(records.header)).encode()})
    with sink.open("labels.parquet") as out, files.ParquetWriter(out, schema, compression="zstd") as writer:
        for part in in_parts(records.read(), ROWS):
            writer.write_batch(_batch(part, names, schema))


def _schema() -> Any:
    import pyarrow as pa

    label = [("tag", pa.string()), ("state", pa.string()), ("origin", pa.string()), ("by", pa.string())]
    score = [("tag", pa.string()), ("score", pa.float32()), ("origin", pa.string())]
    box = [("tag", pa.string()), *((side, pa.float32()) for side in ("left", "top", "width", "height"))]
    return pa.schema(
        [
            ("file", pa.string()),
            ("sha256", pa.string()),
            ("width", pa.int32()),
            ("height", pa.int32()),
            ("split", pa.string()),
            ("labels", pa.list_(pa.struct([*label, ("at", pa.timestamp("s", "UTC"))]))),
            ("suggestions", pa.list_(pa.struct(score))),
            ("boxes", pa.list_(pa.struct(box))),
        ]
    )


def _batch(part: list[Record], names: list[str], schema: Any) -> Any:
    import pyarrow as pa

    file, sha256, width, height, split, labels, suggestions, boxes = zip(*part, strict=True)
    tags = pa.array(names, pa.string())
    words = {"state": pa.array(STATE_KEYS), "origin": pa.array(ORIGIN_KEYS)}
    tag, state, origin, by, at = _columns(labels, 5)
    of_label = [
        tags.take(pa.array(tag, pa.int32())),
        words["state"].take(pa.array([code % 3 for code in state], pa.int32())),  # -1 stands last: see STATE_KEYS
        words["origin"].take(pa.array(origin, pa.int32())),
        pa.array(by, pa.string()),
        pa.array([time or None for time in at], pa.int64()).cast(pa.timestamp("s", "UTC")),
    ]
    scored, score, source = _columns(suggestions, 3)
    of_score = [tags.take(pa.array(scored, pa.int32())), pa.array(score, pa.float32()), pa.array(source, pa.string())]
    boxed, *sides = _columns(boxes, 5)
    of_box = [tags.take(pa.array(boxed, pa.int32())), *(pa.array(side, pa.float32()) for side in sides)]
    nested = [
        pa.ListArray.from_arrays(
            _offsets(lists), pa.StructArray.from_arrays(columns, fields=list(schema.field(name).type.value_type))
        )
        for name, lists, columns in (
            ("labels", labels, of_label), ("suggestions", suggestions, of_score), ("boxes", boxes, of_box)
        )
    ]  # fmt: skip
    plain = [pa.array(values, kind.type) for values, kind in zip((file, sha256, width, height, split), schema)]  # noqa: B905 (the lists follow)
    return pa.record_batch([*plain, *nested], schema=schema)


def _columns(lists: Iterable[Sequence[tuple[Any, ...]]], width: int) -> list[tuple[Any, ...]]:
    """The fields of all entries of all lists, each as one column."""
    columns = list(zip(*(entry for one in lists for entry in one), strict=True))
    return columns or [()] * width


def _offsets(lists: Iterable[Sequence[Any]]) -> Any:
    import numpy as np
    import pyarrow as pa

    lengths = np.fromiter((len(one) for one in lists), np.int32)
    return pa.array(np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32))


PARQUET = Exporter(parquet, "columns for pandas, Spark, DuckDB; everything", "labels.parquet", suggestions=True)
