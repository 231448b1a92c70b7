"""A folder that `datasets.load_dataset("imagefolder", data_dir=…)` reads: pictures and metadata.jsonl, by split."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TextIO

from annotator.exporters.base import UNREADABLE, Exporter, Sink, open_text, present, to_json
from annotator.exporters.names import inner_name
from annotator.records import Record, Records
from annotator.terms import LabelState, Split


def huggingface(records: Records, sink: Sink) -> None:
    """<split>/metadata.jsonl: file_name, sha256, tags (a list of the present ones), absent and cannot_tell (joined by
    |, which no tag's name holds); <split>/<picture>.

    The library demands one type of a column in all splits and takes none from a list that is always empty: where a
    whole split has no present tag, tags are joined by | as well.
    """
    names = [tag.name for tag in records.header.tags]
    joined = _some_split_is_empty(records)
    with split_files(sink, "metadata.jsonl") as files:
        for record in records.read():
            split = record.split or Split.TRAIN
            name = sink.place(records.header, record, f"{split}/{inner_name(record.file, record.sha256)}")
            if name is None:
                sink.leave_out_image(UNREADABLE, record.labels)
                continue
            told = {
                "file_name": name.removeprefix(f"{split}/"),
                "sha256": record.sha256,
                **_states(record, names, joined=joined),
            }
            files(split).write(to_json(told) + "\n")


def _states(record: Record, names: list[str], *, joined: bool) -> dict[str, list[str] | str]:
    of_state: dict[LabelState, list[str]] = {state: [] for state in LabelState}
    for label in record.labels:
        of_state[label.state].append(names[label.tag])
    tags = of_state[LabelState.POSITIVE]
    return {
        "tags": "|".join(tags) if joined else tags,
        "absent": "|".join(of_state[LabelState.NEGATIVE]),
        "cannot_tell": "|".join(of_state[LabelState.UNKNOWN]),
    }


def _some_split_is_empty(records: Records) -> bool:
    filled: dict[str, bool] = {}
    for record in records.read():
        split = record.split or Split.TRAIN
        filled[split] = filled.get(split, False) or bool(present(record))
    return not all(filled.values())


class SplitFiles:
    """One text file a split, opened when its first line comes."""

    def __init__(self, sink: Sink, name: str, stack: ExitStack) -> None:
        self.sink, self.name, self.stack = sink, name, stack
        self.files: dict[str, TextIO] = {}

    def __call__(self, split: str) -> TextIO:
        if split not in self.files:
            self.files[split] = self.stack.enter_context(open_text(self.sink, f"{split}/{self.name}"))
        return self.files[split]


@contextmanager
def split_files(sink: Sink, name: str) -> Iterator[SplitFiles]:
    with ExitStack() as stack:
        yield SplitFiles(sink, name, stack)


HUGGINGFACE = Exporter(
    huggingface,
    "a folder for Hugging Face datasets",
    None,
    "who decided and when; definitions; suggestions",
    pictures="must",
)
