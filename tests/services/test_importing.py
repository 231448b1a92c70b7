import os
import shutil
import threading
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow
from sqlalchemy import select

from annotator.services import importing, label_files, vocabulary
from annotator.services.importing import ImportReport, import_pictures
from annotator.services.importing_labels import import_labels
from annotator.services.snapshots import take
from annotator.services.status import refused_files, status
from annotator.terms import LabelState, Origin, Split
from annotator.workspace import Workspace
from db.models import ImageFile, Label
from tests.importers.bad_pictures import applicable, make_all

YES, NO, UNKNOWN = LabelState.POSITIVE, LabelState.NEGATIVE, LabelState.UNKNOWN


def picture(file: Path, seed: int, side: int = 48) -> Path:
    """A picture of its own: coarse noise, so that no two look alike."""
    pixels = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), np.uint8)
    file.parent.mkdir(parents=True, exist_ok=True)
    Pillow.fromarray(pixels).resize((side, side), Pillow.Resampling.NEAREST).save(file, quality=95)
    return file


def files_of(workspace: Workspace) -> list[tuple[str, int]]:
    with workspace.reading() as session:
        found = session.execute(select(ImageFile.uri, ImageFile.image_row).order_by(ImageFile.id))
        return [(row.uri, row.image_row) for row in found]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in range(6):
        picture(tmp_path / "pictures" / f"{number}.jpg", number)
    return tmp_path / "pictures"


def test_an_import_of_every_kind_of_bad_input_takes_the_good_and_lists_the_rest(
    workspace: Workspace, tmp_path: Path
) -> None:
    paths = make_all(tmp_path / "bad")
    assert len(paths) >= 40
    report = import_pictures(workspace, list(paths.values()))
    kinds = applicable().values()
    expected = Counter(reason for bad in kinds for reason in bad.refused)
    listed = refused_files(workspace)
    assert Counter(refused["reason"] for refused in listed) == expected
    assert sorted(refused["what is wrong"] for refused in listed) == sorted(report.refused)
    assert report.added + report.duplicates == sum(bad.imported for bad in kinds)
    assert report.duplicates == 1
    counts = status(workspace)
    assert (counts["images"], counts["refused"]) == (report.added, expected.total())
    for size in importing.THUMBNAIL_SIZES:
        assert len(list((workspace.folder / "thumbnails" / str(size)).rglob("*.jpg"))) == report.added


def test_a_second_import_of_bad_input_adds_nothing(workspace: Workspace, tmp_path: Path) -> None:
    paths = list(make_all(tmp_path / "bad").values())
    first = import_pictures(workspace, paths)
    before, refused = files_of(workspace), len(refused_files(workspace))
    again = import_pictures(workspace, paths)
    assert again.added == again.duplicates == 0
    assert again.unchanged >= first.added
    assert files_of(workspace) == before
    assert len(refused_files(workspace)) == refused


def test_a_second_import_reads_no_file_again(
    workspace: Workspace, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    assert import_pictures(workspace, [folder]).added == 6
    monkeypatch.setattr(importing, "_read_one", lambda *_: pytest.fail("a known file was read again"))
    report = import_pictures(workspace, [folder])
    assert (report.unchanged, report.added, report.duplicates, report.refused) == (7, 0, 0, [])


def test_files_of_equal_content_are_one_image_at_several_places(workspace: Workspace, folder: Path) -> None:
    (folder / "copies").mkdir()
    for number in range(3):
        shutil.copy(folder / "0.jpg", folder / "copies" / f"{number}.jpg")
    report = import_pictures(workspace, [folder])
    assert (report.added, report.duplicates) == (6, 3)
    assert Counter(row for _, row in files_of(workspace))[0] == 4


def test_a_mended_file_leaves_the_list_of_refused_files(workspace: Workspace, folder: Path) -> None:
    good = (folder / "3.jpg").read_bytes()
    (folder / "3.jpg").write_bytes(good[: len(good) // 2])
    assert import_pictures(workspace, [folder]).added == 5
    assert [refused["reason"] for refused in refused_files(workspace)] == ["truncated"]
    (folder / "3.jpg").write_bytes(good)
    assert import_pictures(workspace, [folder]).added == 1
    assert refused_files(workspace) == []


def test_a_file_that_broke_later_is_listed_and_keeps_its_image(workspace: Workspace, folder: Path) -> None:
    import_pictures(workspace, [folder])
    (folder / "3.jpg").write_bytes(b"\xff\xd8\xff")
    assert len(import_pictures(workspace, [folder]).refused) == 1
    assert len(files_of(workspace)) == 6


def test_a_file_that_became_another_picture_is_listed_and_its_image_stays(workspace: Workspace, folder: Path) -> None:
    import_pictures(workspace, [folder])
    before, content = files_of(workspace), (folder / "2.jpg").read_bytes()
    picture(folder / "2.jpg", 77)
    report = import_pictures(workspace, [folder])
    assert (report.added, len(report.refused)) == (0, 1)
    assert "2.jpg: another picture" in report.refused[0]
    assert files_of(workspace) == before
    assert len(take(workspace).files) == 6
    assert import_pictures(workspace, [folder]).unchanged == 6
    (folder / "2.jpg").write_bytes(content)
    import_pictures(workspace, [folder])
    assert refused_files(workspace) == []


def test_pictures_that_look_nearly_the_same_share_a_group_and_a_split(workspace: Workspace, samples: Path) -> None:
    folder = workspace.folder.parent / "near"
    folder.mkdir()
    for file in sorted((samples / "images").iterdir())[:6]:
        shutil.copy(file, folder)
    with Pillow.open(folder / "scene-0002.jpg") as scene:
        scene.save(folder / "zz-again.jpg", quality=60)
    report = import_pictures(workspace, [folder])
    snapshot = take(workspace)
    assert (report.added, report.near_duplicate_groups) == (7, 1)
    assert snapshot.groups.tolist() == [0, 1, 2, 3, 4, 5, 2]
    assert snapshot.splits[6] == snapshot.splits[2]


def test_near_duplicates_are_found_across_imports(workspace: Workspace, samples: Path, tmp_path: Path) -> None:
    scene = samples / "images" / "scene-0002.jpg"
    assert import_pictures(workspace, [scene]).near_duplicate_groups == 0
    with Pillow.open(scene) as opened:
        opened.save(tmp_path / "again.jpg", quality=60)
    assert import_pictures(workspace, [tmp_path / "again.jpg"]).near_duplicate_groups == 1


def test_rows_follow_the_order_of_the_scan_whoever_reads_fastest(workspace: Workspace, tmp_path: Path) -> None:
    for number in range(12):
        picture(tmp_path / "p" / f"{number:02}.jpg", number, side=1200 if number % 3 == 0 else 48)
    import_pictures(workspace, [tmp_path / "p"])
    assert [(Path(uri).name, row) for uri, row in files_of(workspace)] == [(f"{n:02}.jpg", n) for n in range(12)]


def test_a_killed_import_is_resumed_to_the_same_rows(
    workspace: Workspace, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "BATCH", 2)

    def interrupt(done: int, _total: int, _what: str) -> None:
        if done >= 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_pictures(workspace, [folder], progress=interrupt)
    assert len(files_of(workspace)) == 4
    report = import_pictures(workspace, [folder])
    assert (report.added, report.unchanged) == (2, 4)
    assert [Path(uri).name for uri, _ in files_of(workspace)] == [f"{n}.jpg" for n in range(6)]


def test_two_imports_at_once_add_each_picture_once(workspace: Workspace, folder: Path) -> None:
    reports: list[ImportReport] = []
    threads = [threading.Thread(target=lambda: reports.append(import_pictures(workspace, [folder]))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(report.added for report in reports) == [0, 6]


def test_nothing_but_thumbnails_is_copied(workspace: Workspace, folder: Path) -> None:
    before = {file: (file.stat().st_mtime_ns, file.read_bytes()) for file in folder.iterdir()}
    import_pictures(workspace, [folder])
    assert {file: (file.stat().st_mtime_ns, file.read_bytes()) for file in folder.iterdir()} == before


# Labels that come along


@pytest.fixture
def with_pictures(workspace: Workspace, folder: Path) -> Workspace:
    import_pictures(workspace, [folder])
    return workspace


def table(folder: Path, *lines: str) -> Path:
    file = folder / "labels.csv"
    file.write_text("\n".join(["file,labels,split", *lines]))
    return file


def test_labels_bring_the_vocabulary_of_an_empty_workspace(with_pictures: Workspace, folder: Path) -> None:
    report = import_labels(with_pictures, table(folder, "0.jpg,boat|sea,", "1.jpg,sea,", "2.jpg,,"))
    assert (report.images, report.positive, report.new_tags, report.refused) == (3, 3, 2, [])
    snapshot = take(with_pictures)
    assert [tag.name for tag in snapshot.tags] == ["boat", "sea"]
    assert snapshot.labels[:3].tolist() == [[YES, YES], [UNKNOWN, YES], [UNKNOWN, UNKNOWN]]
    assert snapshot.origins[0, 0] == Origin.HUMAN


def test_unknown_files_and_tags_are_listed_and_the_rest_is_written(with_pictures: Workspace, folder: Path) -> None:
    with with_pictures.transaction() as session:
        vocabulary.add_names(session, ["boat", "sea"])
    file = table(folder, "0.jpg,Boat|plain,", "nowhere.jpg,sea,", "2.jpg,sea,", "3.jpg,sea,never")
    report = import_labels(with_pictures, file)
    assert len(report.refused) == 3
    assert [any(name in refused for refused in report.refused) for name in ("plain", "nowhere.jpg", "never")] == [
        True
    ] * 3
    assert all("line " in refused for refused in report.refused)
    assert take(with_pictures).labels[:3].tolist() == [[YES, UNKNOWN], [UNKNOWN, UNKNOWN], [UNKNOWN, YES]]


def test_given_splits_count_and_the_others_follow_from_the_content(with_pictures: Workspace, folder: Path) -> None:
    derived = take(with_pictures).splits
    import_labels(with_pictures, table(folder, "0.jpg,sea,test", "1.jpg,sea,val", "2.jpg,sea,train", "3.jpg,sea,"))
    snapshot = take(with_pictures)
    assert [bool(snapshot.in_split(split)[row]) for row, split in enumerate((Split.TEST, Split.VALIDATION))] == [
        True
    ] * 2
    assert snapshot.in_split(Split.TRAIN)[2]
    assert snapshot.splits[3:].tolist() == derived[3:].tolist()


def test_labels_declared_true_also_say_what_is_absent(with_pictures: Workspace, folder: Path) -> None:
    import_labels(with_pictures, table(folder, "0.jpg,boat,", "1.jpg,sea|boat,"), as_truth=True)
    snapshot = take(with_pictures)
    assert snapshot.labels[:3].tolist() == [[YES, NO], [YES, YES], [UNKNOWN, UNKNOWN]]
    assert np.unique(snapshot.origins[:2]).tolist() == [Origin.TRUTH]
    with with_pictures.reading() as session:
        assert session.scalars(select(Label)).all() == []


def test_a_second_table_of_truth_adds_to_the_first(with_pictures: Workspace, folder: Path) -> None:
    import_labels(with_pictures, table(folder, "0.jpg,boat|sea,"), as_truth=True)
    import_labels(with_pictures, table(folder, "1.jpg,sea,"), as_truth=True)
    assert take(with_pictures).labels[:3].tolist() == [[YES, YES], [NO, YES], [UNKNOWN, UNKNOWN]]


def test_the_truth_does_not_overwrite_a_person(with_pictures: Workspace, folder: Path) -> None:
    import_labels(with_pictures, table(folder, "0.jpg,boat|sea,"), as_truth=True)
    label_files.label_by_name(with_pictures, "0", "sea", "negative", "anna")
    assert take(with_pictures).labels[0].tolist() == [YES, NO]


def test_labels_imported_twice_change_nothing(with_pictures: Workspace, folder: Path) -> None:
    file = table(folder, "0.jpg,boat|sea,", "1.jpg,sea,")
    import_labels(with_pictures, file)
    first = take(with_pictures).hash
    import_labels(with_pictures, file)
    assert take(with_pictures).hash == first


def test_a_folder_that_is_not_there_is_listed(workspace: Workspace, tmp_path: Path) -> None:
    report = import_pictures(workspace, [tmp_path / "nowhere"])
    assert (report.added, len(report.refused)) == (0, 1)
    assert f"nowhere{os.sep}" in report.refused[0] or "nowhere" in report.refused[0]
