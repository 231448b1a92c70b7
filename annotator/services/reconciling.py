"""What an export holds and what it leaves out and why, so that it adds up to the store, pair by pair."""

from collections import Counter
from typing import Any

from annotator.errors import ConflictError
from annotator.exporters import Sink
from annotator.exporters.base import ORIGIN_KEYS, STATE_KEYS
from annotator.services.records import Collected, Pairs

NEVER_ASKED, ARCHIVED = "never asked", "archived tag"


def reconcile(found: Collected, sink: Sink) -> dict[str, Any]:
    """{"images", "pairs", "labels"}: each with what is in the store, what was written, what was left out by reason.

    pairs: all (image, tag) pairs, those of archived tags too; labels: the decided ones by state and origin. Raises
    ConflictError where the records that were written from were not all there are: a fault of the exporter.
    """
    left_out = _left_out(found, sink)
    handed = found.handed
    filtered = sum((told for told in found.filtered.values()), Counter[Any]())
    if handed is None or handed.pairs + filtered != found.pairs:
        raise ConflictError("the format did not read all records; nothing was written")
    by_format = Counter[Any]()
    for (_, state, origin), count in sink.left_out.items():
        by_format[state, origin] += count
    written = {kind: count - by_format[kind] for kind, count in handed.pairs.items()}
    decided, all_tags = found.pairs.total(), found.tags + found.archived_tags
    images_out = found.filtered_images + sink.images_left_out
    return {
        "images": {
            "store": found.images,
            "written": handed.images - sink.images_left_out.total(),
            "left out": dict(images_out),
        },
        "pairs": {
            "store": found.images * all_tags,
            "written": sum(written.values()),
            "left out": {
                NEVER_ASKED: found.images * found.tags - decided,
                ARCHIVED: found.images * found.archived_tags,
                **{why: told.total() for why, told in left_out.items()},
            },
        },
        "labels": [
            {
                "state": STATE_KEYS[state],
                "origin": ORIGIN_KEYS[origin],
                "store": count,
                "written": written.get((state, origin), 0),
                "left out": {why: told[state, origin] for why, told in left_out.items() if told[state, origin]},
            }
            for (state, origin), count in sorted(found.pairs.items(), reverse=True)
        ],
    }


def _left_out(found: Collected, sink: Sink) -> dict[str, Pairs]:
    told: dict[str, Pairs] = {why: Counter(pairs) for why, pairs in found.filtered.items()}
    for (why, state, origin), count in sink.left_out.items():
        told.setdefault(why, Counter())[state, origin] += count
    return told
