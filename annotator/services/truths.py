"""The truth a workspace was given: (N, C) labels beside the store, for replay and as the weakest of people's words."""

import io
from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from annotator.arrays import write_whole
from annotator.terms import LabelState
from annotator.workspace import Workspace


def stored_truth(workspace: Workspace, images: int, tag_ids: Sequence[int]) -> NDArray[np.int8]:
    """(images, C) the truth as it is, UNKNOWN where there is none."""
    column = {tag_id: number for number, tag_id in enumerate(tag_ids)}
    labels = np.full((images, len(tag_ids)), LabelState.UNKNOWN, np.int8)
    if workspace.truth_file.exists():
        with np.load(workspace.truth_file, allow_pickle=False) as before:
            for source, tag_id in enumerate(before["tag_ids"].tolist()):
                if tag_id in column:
                    labels[: len(before["labels"]), column[tag_id]] = before["labels"][:, source]
    return labels


def write_truth(workspace: Workspace, labels: NDArray[np.int8], tag_ids: Sequence[int]) -> None:
    """As an array: a complete truth is N x C entries, which as rows of a table would drown the store."""
    buffer = io.BytesIO()
    at = np.array(int(datetime.now(UTC).timestamp()))
    np.savez_compressed(buffer, labels=labels, tag_ids=np.array(tag_ids), at=at)
    write_whole(workspace.truth_file, buffer.getvalue())
