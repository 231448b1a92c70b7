"""Promises of every exporter."""

from dataclasses import replace
from pathlib import PurePosixPath

import pytest

from annotator.exporters import EXPORTERS, Exporter
from annotator.exporters.names import folder_names, inner_name, iso_time, relative_names
from annotator.records import Record, RecordLabel, Records
from annotator.terms import LabelState
from tests.exporters.memory import STATES, UNCLEAR, YES, MemorySink, collection, empty, make, with_everything, written

every = pytest.mark.parametrize("exporter", EXPORTERS.values(), ids=EXPORTERS)
lossless = pytest.mark.parametrize("name", [name for name, one in EXPORTERS.items() if not one.loses])


@every
def test_the_same_records_give_the_same_bytes(exporter: Exporter) -> None:
    first, second = (written(exporter, make()) for _ in range(2))
    assert first.files == second.files
    assert first.placed == second.placed


@every
def test_an_empty_collection_can_be_exported(exporter: Exporter) -> None:
    sink = written(exporter, empty())
    assert exporter.file is None or sink.files[exporter.file]


@every
def test_images_without_tags_can_be_exported(exporter: Exporter) -> None:
    sink = written(exporter, collection(Record("1.png", "f" * 64, 4, 3), tags=()))
    assert not sink.left_out


@every
def test_it_writes_the_file_it_says(exporter: Exporter) -> None:
    if exporter.file is not None:
        assert list(written(exporter, make()).files) == [exporter.file]


@every
def test_file_names_stay_inside_the_folder(exporter: Exporter) -> None:
    strange = ("../../etc/x.png", "zip:///a/b.zip!c/../d.png", "s3://bucket/e.png", "/elsewhere/f.png")
    records = collection(*(Record(file, f"{place:064x}", 4, 3) for place, file in enumerate(strange)))
    sink = written(exporter, records)
    for name in (*sink.files, *sink.placed):
        path = PurePosixPath(name)
        assert not path.is_absolute()
        assert ".." not in path.parts


@every
def test_what_is_not_counted_as_left_out_is_in_the_files(exporter: Exporter) -> None:
    """Without a label either the count of what is lost is another one, or the files are."""
    for place, states in enumerate(STATES):
        for tag, state in enumerate(states):
            if state is None:
                continue
            before, after = written(exporter, make()), written(exporter, make(_without(place, tag)))
            assert before.left_out != after.left_out or (before.files, before.placed) != (after.files, after.placed)


@every
def test_a_label_is_lost_only_where_the_format_says_so(exporter: Exporter) -> None:
    if written(exporter, make()).left_out:
        assert exporter.loses


@every
def test_a_picture_that_cannot_be_read_leaves_its_image_out_and_is_counted(exporter: Exporter) -> None:
    if exporter.pictures == "never":
        return
    label = RecordLabel(0, YES)
    good, bad = (Record(file, file * 10, 4, 3, labels=(label,)) for file in ("good.png", "broken.png"))
    sink = written(exporter, collection(good, bad))
    assert sink.images_left_out.total() == 1
    assert "broken" not in b"".join(sink.files.values()).decode(errors="replace")
    assert sink.left_out["the picture cannot be read", label.state, label.origin] == 1


@every
def test_suggestions_change_nothing_where_there_is_no_place_for_them(exporter: Exporter) -> None:
    plain = [record._replace(suggestions=()) for record in with_everything().read()]
    told = written(exporter, with_everything()).files
    without = written(exporter, Records(make().header, lambda: iter(plain))).files
    assert (told != without) == exporter.suggestions


@every
def test_an_export_that_fails_raises(exporter: Exporter) -> None:
    def breaking():
        yield next(make().read())
        raise RuntimeError("out of paper")

    with pytest.raises(RuntimeError, match="out of paper"):
        exporter(replace(make(), read=breaking), MemorySink())


@lossless
def test_a_lossless_format_tells_who_decided_and_what_a_tag_means(name: str) -> None:
    content = b"".join(written(EXPORTERS[name], make()).files.values())
    for told in ("anna", "round 1", "what =1+1 is"):
        assert told.encode() in content


@every
def test_unclear_never_becomes_absent_or_present(exporter: Exporter) -> None:
    """Present, absent, cannot tell and never asked give as many different exports as the format can tell apart."""
    told = set()
    for state in (YES, LabelState.NEGATIVE, UNCLEAR, None):
        states = ((*STATES[0][:3], state), *STATES[1:])
        sink = written(exporter, make(states))
        told.add((tuple(sink.files.values()), tuple(sink.placed), tuple(sorted(sink.left_out.items()))))
    assert len(told) == 4


def _without(image: int, tag: int) -> tuple[tuple[LabelState | None, ...], ...]:
    states = [list(row) for row in STATES]
    states[image][tag] = None
    return tuple(map(tuple, states))


@pytest.mark.parametrize(
    ("uris", "root", "names"),
    [
        ([], "", []),
        (["/a/1.jpg"], "/a", ["1.jpg"]),
        (["/a/b/1.jpg", "/a/bc/1.jpg"], "/a", ["b/1.jpg", "bc/1.jpg"]),
        (["/1.jpg", "/a/1.jpg"], "/", ["1.jpg", "a/1.jpg"]),
        (["s3://x/1.jpg", "s3://y/1.jpg"], "", ["s3://x/1.jpg", "s3://y/1.jpg"]),
        (["/a/1.jpg", "s3://x/1.jpg"], "/a", ["1.jpg", "s3://x/1.jpg"]),
    ],
)
def test_names_are_relative_to_the_deepest_common_folder(uris: list[str], root: str, names: list[str]) -> None:
    assert relative_names(uris) == (root, names)


def test_two_addresses_that_end_alike_stay_two_files() -> None:
    names = {inner_name(f"zip:///{one}.zip!a/1.png", digest * 64) for one, digest in (("x", "a"), ("y", "b"))}
    assert len(names) == 2


def test_tags_that_differ_little_have_folders_of_their_own() -> None:
    folders = folder_names(["a/b", "a%2Fb", "Dog", "dog", "..", " x", "x", "字" * 200])
    assert len({name.casefold() for name in folders}) == 8
    assert not {".", ".."} & set(folders)
    assert all(len(name.encode()) <= 130 and "/" not in name for name in folders)


def test_no_time_is_no_time() -> None:
    assert iso_time(0) is None
