"""Labels tables and lists: the good lines are read, the bad ones named."""

from pathlib import Path

import pytest

from annotator.errors import PictureError, TableError
from annotator.importers.tables import LabelRow, match_rows, read_labels, read_list
from annotator.settings import Settings
from annotator.terms import Split
from tests.importers.bad_tables import LABEL_TABLES


@pytest.mark.parametrize("kind", LABEL_TABLES)
def test_each_kind_of_labels_table_is_read_as_it_should(kind: str, tmp_path: Path) -> None:
    table = LABEL_TABLES[kind]
    path = tmp_path / "labels.csv"
    path.write_bytes(table.content)
    errors: list[TableError] = []
    if table.refused:
        with pytest.raises(TableError, match="column"):
            read_labels(path, errors)
        return
    rows = list(read_labels(path, errors))
    assert [(Path(row.uri).name if "%" not in row.uri else "a\udcff.jpg", row.labels) for row in rows] == list(
        table.rows
    )
    assert tuple(error.line for error in errors) == table.bad_lines


def test_a_missing_column_names_those_found_and_needed(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("picture,tags\n")
    with pytest.raises(TableError, match=r"'file' \(or path, url.*columns found: picture, tags") as caught:
        read_labels(tmp_path / "a.csv", [])
    assert caught.value.line == 1


def test_splits_and_lines_are_kept(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('file,labels,split\n"a\nb.jpg",x,train\nc.jpg,y,VAL\nd.jpg,,\n')
    rows = list(read_labels(tmp_path / "a.csv", []))
    assert [(row.line, row.split) for row in rows] == [(2, Split.TRAIN), (4, Split.VALIDATION), (5, None)]


def test_a_contradicting_row_names_the_first_one(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("file,labels\na.jpg,x\nb.jpg,x\na.jpg,y\n")
    errors: list[TableError] = []
    assert len(list(read_labels(tmp_path / "a.csv", errors))) == 2
    assert "on line 2 too" in str(errors[0])
    assert errors[0].line == 4


def test_unknown_files_and_tags_are_reported_and_known_tags_spelled_as_known() -> None:
    rows = [
        LabelRow(2, "/a.jpg", "/a.jpg", ("DOG", "catt"), None),
        LabelRow(3, "/gone.jpg", "/gone.jpg", ("dog",), None),
        LabelRow(4, "/b.jpg", "/b.jpg", ("catt", "dog", "Dog"), None),
    ]
    errors: list[TableError] = []
    matched = list(match_rows(rows, "/labels.csv", errors, tags=["Dog", "cat"], uris={"/a.jpg", "/b.jpg"}))
    assert [(row.uri, row.labels) for row in matched] == [("/a.jpg", ("Dog",)), ("/b.jpg", ("Dog",))]
    assert [error.line for error in errors] == [2, 3]
    assert "did you mean 'cat'" in str(errors[0])
    assert "/gone.jpg" in str(errors[1])


def test_rows_that_need_no_matching_pass_unchanged() -> None:
    rows = [LabelRow(2, "/a.jpg", "/a.jpg", ("x",), None)]
    assert list(match_rows(rows, "/labels.csv", [])) == rows


def test_lists_of_all_formats_name_the_same_pictures(tmp_path: Path) -> None:
    texts = {
        "a.csv": "path;who\na.jpg;me\n/b.jpg;you\ns3://x/c.jpg;\n",
        "a.tsv": "file\twho\na.jpg\tme\n/b.jpg\tyou\ns3://x/c.jpg\t\n",
        "a.jsonl": '"a.jpg"\n{"path": "/b.jpg"}\n\n{"url": "s3://x/c.jpg"}\n',
        "a.txt": "a.jpg\r\n\r\n/b.jpg\r\ns3://x/c.jpg",
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
        errors: list[TableError] = []
        rows = list(read_list(tmp_path / name, errors))
        assert [row.uri for row in rows] == [str(tmp_path / "a.jpg"), "/b.jpg", "s3://x/c.jpg"]
        assert errors == []


def test_a_table_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(PictureError, match="does not exist"):
        read_labels(tmp_path / "gone.csv", [])
    with pytest.raises(PictureError, match="is a folder"):
        read_list(tmp_path, [])


@pytest.mark.parametrize("name", ["corel5k", "coco256", "grocery"])
def test_real_labels_are_read_whole(name: str) -> None:
    path = Settings().real_data / name / "labels.csv"
    if not path.exists():
        pytest.skip(f"the real data set {name} is not here; set ANNOTATOR_REAL_DATA")
    errors: list[TableError] = []
    rows = list(read_labels(path, errors))
    assert errors == []
    assert len(rows) == path.read_text(encoding="utf-8").count("\n") - 1
    assert Path(rows[0].uri).exists()
