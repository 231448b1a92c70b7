"""WebDataset: tar files of pictures, each with its labels as JSON beside it, in pieces a training reads one by one."""

import io
import tarfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from annotator.exporters.base import UNREADABLE, Exporter, Sink, to_json
from annotator.exporters.json import entries
from annotator.records import Records
from annotator.terms import Split

BYTES = 1_000_000_000  # of a tar file: the size its authors advise
SAMPLES = 10_000


def webdataset(records: Records, sink: Sink) -> None:
    """<split>-000000.tar, …: <number>.<ending> and <number>.json, as `json` tells an image; "tags" are the present."""
    entry = entries(records.header)
    names = [tag.name for tag in records.header.tags]
    with _shards(sink) as shards:
        for number, record in enumerate(records.read()):
            found = sink.picture(records.header, record)
            if found is None:
                sink.leave_out_image(UNREADABLE, record.labels)
                continue
            content, ending = found
            tags = [names[label.tag] for label in record.labels if label.state == 1]
            told = to_json({**entry(record), "tags": tags}).encode()
            shards.write(record.split or Split.TRAIN, f"{number:09d}", {ending: content, "json": told})


class _Shards:
    """The open tar file of each split; a full one is closed and the next begun."""

    def __init__(self, sink: Sink) -> None:
        self.sink = sink
        self.open: dict[str, tuple[ExitStack, tarfile.TarFile]] = {}
        self.begun: dict[str, int] = {}
        self.fill: dict[str, tuple[int, int]] = {}

    def write(self, split: str, key: str, files: dict[str, bytes]) -> None:
        samples, size = self.fill.get(split, (0, 0))
        size += sum(map(len, files.values()))
        if split in self.open and (samples >= SAMPLES or size > BYTES):
            self.open.pop(split)[0].close()
            samples, size = 0, sum(map(len, files.values()))
        tar = self._tar(split)
        for ending, content in files.items():
            member = tarfile.TarInfo(f"{key}.{ending}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
        self.fill[split] = samples + 1, size

    def close(self) -> None:
        while self.open:
            self.open.popitem()[1][0].close()

    def _tar(self, split: str) -> tarfile.TarFile:
        if split not in self.open:
            number = self.begun.get(split, 0)
            self.begun[split] = number + 1
            stack = ExitStack()
            out = stack.enter_context(self.sink.open(f"{split}-{number:06d}.tar"))
            tar = tarfile.open(fileobj=out, mode="w|")  # noqa: SIM115 (the stack closes it)
            self.open[split] = stack, stack.enter_context(tar)
        return self.open[split][1]


@contextmanager
def _shards(sink: Sink) -> Iterator[_Shards]:
    shards = _Shards(sink)
    try:
        yield shards
    finally:
        shards.close()


WEBDATASET = Exporter(
    webdataset, "tar files of pictures and labels, for training", None, "definitions of tags", "must", suggestions=True
)
