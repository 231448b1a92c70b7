"""Tag lists: one tag each name, in the file's order; what is wrong is named."""

import json
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from annotator.errors import TableError, UnknownNameError
from annotator.importers.names import name_problem, same_name
from annotator.importers.vocabulary_files import RelationEntry, TagEntry, TagList, read_tags
from annotator.importers.vocabulary_formats import READERS
from annotator.settings import Settings
from annotator.terms import RelationKind

FULL = {
    "tags": [
        {"name": "animal", "definition": "a living thing"},
        {"name": "dog", "parent": "Animal", "synonyms": ["hound", "Dog"], "prompts": ["a photo of a dog"]},
        "1990",
        {"name": "no"},
    ],
    "relations": [
        {"kind": "implies", "a": "dog", "b": "animal"},
        {"kind": "same_as", "a": "no", "b": "1990"},
        {"kind": "excludes", "a": "dog", "b": "cat"},
        {"kind": "eats", "a": "dog", "b": "animal"},
        {"kind": "excludes", "a": "dog", "b": "dog"},
    ],
}


def read(folder: Path, name: str, text: str, **options: bool) -> TagList:
    """Write a list and read it."""
    (folder / name).write_text(text, encoding="utf-8")
    return read_tags(folder / name, **options)


def test_json_and_yaml_carry_all_there_is_to_a_tag(tmp_path: Path) -> None:
    lists = [read(tmp_path, "a.json", json.dumps(FULL, indent=1)), read(tmp_path, "a.yaml", yaml.safe_dump(FULL))]
    for result in lists:
        assert result.tags == (
            TagEntry("animal", "a living thing"),
            TagEntry("dog", "", ("hound",), ("a photo of a dog",), "animal"),
            TagEntry("1990"),
            TagEntry("no"),
        )
        assert result.relations == (
            RelationEntry(RelationKind.IMPLIES, "dog", "animal"),
            RelationEntry(RelationKind.SAME_AS, "no", "1990"),
        )
        assert all(word in str(error) for error, word in zip(result.errors, ("'cat'", "'eats'", "itself"), strict=True))


def test_text_csv_and_plain_lists_give_the_same_names(tmp_path: Path) -> None:
    texts = {
        "a.txt": "\ufeff# my tags\n cat \n\ndog\t house\n",
        "a.csv": "id;Tag;definition\n1; cat ;\n2;dog  house;\n",
        "a.tsv": "name\tparent\ncat\t\ndog house\t\n",
        "a.json": '["cat", "dog house"]',
        "a.yml": "- cat\n- dog house\n",
    }
    for name, text in texts.items():
        assert [tag.name for tag in read(tmp_path, name, text).tags] == ["cat", "dog house"]
    assert {"." + name.split(".")[1] for name in texts} | {".yaml"} == set(READERS)


def test_a_mapping_of_names_to_definitions_is_a_list_too(tmp_path: Path) -> None:
    result = read(tmp_path, "a.yaml", "tags:\n  cat: purrs\n  dog: {parent: cat}\n  cow:\n")
    assert result.tags == (TagEntry("cat", "purrs"), TagEntry("dog", parent="cat"), TagEntry("cow"))


def test_spellings_of_one_name_become_one_tag(tmp_path: Path) -> None:
    result = read(tmp_path, "a.csv", "name,definition,synonyms\nCafé,,bar\nCAFE\u0301,serves coffee,bistro|bar\n")
    assert result.tags == (TagEntry("Café", "serves coffee", ("bar", "bistro"), line=2),)
    assert "line 3" in result.notes[0]


@pytest.mark.parametrize("name", ["a|b", "x" * 201, "a\u202eb", "a\x07b"])
def test_what_cannot_be_a_name_is_reported_with_its_line(name: str, tmp_path: Path) -> None:
    result = read(tmp_path, "a.txt", f"cat\n{name}\ndog\n")
    assert [tag.name for tag in result.tags] == ["cat", "dog"]
    assert [error.line for error in result.errors] == [2]


def test_a_parent_that_is_no_tag_names_its_line_and_the_nearest(tmp_path: Path) -> None:
    text = "name,parent\nanimal,\ndog,anmal\ncat,cat\n"
    result = read(tmp_path, "a.csv", text)
    assert [tag.parent for tag in result.tags] == [None, None, None]
    assert result.errors[0].line == 3
    assert "did you mean 'animal'" in str(result.errors[0])
    added = read(tmp_path, "a.csv", text, add_parents=True)
    assert [tag.name for tag in added.tags] == ["animal", "dog", "cat", "anmal"]
    assert added.errors == ()


def test_parents_in_a_circle_are_refused_and_those_below_it_kept(tmp_path: Path) -> None:
    result = read(tmp_path, "a.csv", "name,parent\na,b\nb,c\nc,a\nd,a\ne,d\n")
    assert [tag.parent for tag in result.tags] == [None, None, None, "a", "d"]
    assert [error.line for error in result.errors] == [2]
    assert "a → b → c → a" in str(result.errors[0])


@pytest.mark.parametrize(
    ("name", "text", "word"),
    [
        ("a.txt", "# nothing\n", "holds no tags"),
        ("a.csv", "word\ncat\n", "no column 'name'"),
        ("a.json", '{"a": [1]}', "no key 'tags'"),
        ("a.json", '{"tags": 3}', "'tags' is a number"),
        ("a.json", '["cat",\n]', "line 2: is not JSON"),
        ("a.json", "[" * 100_000, "is not JSON"),
        ("a.yaml", "tags: [cat\n", "is not YAML"),
        ("a.yaml", "", "'tags' is empty"),
        ("a.yaml", "tags: [\x07]", "is not YAML"),
    ],
)
def test_a_file_without_tags_says_what_is_missing(name: str, text: str, word: str, tmp_path: Path) -> None:
    with pytest.raises(TableError, match=word.replace("[", r"\[")):
        read(tmp_path, name, text)


def test_entries_that_are_no_tags_are_reported_and_the_rest_read(tmp_path: Path) -> None:
    result = read(
        tmp_path, "a.json", '[["cat"], null, true, {"nam": "x"}, {"name": "dog", "synonyms": [3, {}]}, "cow"]'
    )
    assert [tag.name for tag in result.tags] == ["cow"]
    assert all(word in str(error) for error, word in zip(result.errors, ("number 1", "2", "3", "4", "5"), strict=True))


def test_another_ending_names_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match=r"\.csv, \.json"):
        read(tmp_path, "a.xlsx", "")


@settings(max_examples=50, deadline=None)
@given(st.lists(st.text(max_size=12), max_size=12))
def test_names_are_unique_usable_and_stable(tmp_path_factory: pytest.TempPathFactory, raw: list[str]) -> None:
    folder = tmp_path_factory.getbasetemp()
    entries = read(folder, "any.json", json.dumps(["always", *raw])).tags
    again = read(folder, "any.json", json.dumps([tag.name for tag in entries]))
    assert [tag.name for tag in again.tags] == [tag.name for tag in entries]
    assert len({same_name(tag.name) for tag in entries}) == len(entries)
    assert not any(name_problem(tag.name) for tag in entries)


REAL = {
    "vocab/corel5k_words.txt": 374,
    "vocab/ram_tags_4585_en_zh.csv": 4585,
    "vocab/openimages_labels_7881.csv": 7805,
    "vocab/imagenet22k_lvis_22047.csv": 20314,
    "vocab/lvis_1203.csv": 1203,
    "vocab/imet2020_attributes.csv": 3433,
    "grocery/taxonomy.csv": 98,
}


@pytest.mark.parametrize("name", REAL)
def test_real_lists_are_read_whole(name: str) -> None:
    path = Settings().real_data / name
    if not path.exists():
        pytest.skip(f"the real tag list {name} is not here; set ANNOTATOR_REAL_DATA")
    result = read_tags(path, add_parents=True)
    assert len(result.tags) == REAL[name]
    assert len(result.errors) == (1 if "imet" in name else 0)  # one name there holds a control character


@pytest.mark.parametrize("kind", ["json", "yaml"])
def test_groups_of_which_exactly_one_is_present_are_read_and_bad_ones_named(tmp_path: Path, kind: str) -> None:
    given_list = {
        "tags": ["day", "night", "Dusk", "indoors", "outdoors"],
        "exactly_one": [["day", "night", "dusk"], ["indoors", "outdors"], ["night", "outdoors"], "day", ["day"]],
    }
    text = json.dumps(given_list) if kind == "json" else yaml.safe_dump(given_list)
    found = read(tmp_path, f"a.{kind}", text)
    assert found.exactly_one == (("day", "night", "Dusk"),)
    messages = "\n".join(str(error) for error in found.errors)
    assert "'outdors', which is no tag" in messages
    assert "'night' is in two groups" in messages
    assert messages.count("write a list of at least two tags") == 2
