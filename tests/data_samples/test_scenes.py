import csv
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

import data_samples
from data_samples import scenes
from data_samples.kinds import GROUPS, KINDS, PLACES
from data_samples.layout import STANDING, Thing, draw_scene
from data_samples.scenes import EXCLUDES, TAGS, compose, scene, tags_of, write_scenes

COMMITTED = Path(data_samples.__file__).parent
NAMES = {tag.name for tag in TAGS}


@pytest.fixture(scope="module")
def many() -> list[frozenset[str]]:
    """Labels of 400 scenes."""
    return [tags_of(compose(*draw_scene(np.random.default_rng((11, index))))[1]) for index in range(400)]


def rows(table: Path) -> list[dict[str, str]]:
    with table.open(newline="") as lines:
        return list(csv.DictReader(lines))


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_same_generator_state_gives_the_same_picture() -> None:
    (picture, tags), (again, tags_again) = (scene(np.random.default_rng(5)) for _ in range(2))
    assert (picture.tobytes(), tags) == (again.tobytes(), tags_again)


def test_pictures_are_rgb_and_lie_or_stand() -> None:
    pictures = [scene(np.random.default_rng(seed))[0] for seed in range(30)]
    assert {(p.mode, p.size) for p in pictures} == {("RGB", (320, 240)), ("RGB", (240, 320))}


def test_the_same_seed_writes_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        assert write_scenes(tmp_path / name, 4, seed=3) == tmp_path / name / "labels.csv"
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    assert len(contents(tmp_path / "one")) == 6


def test_another_seed_writes_other_pictures(tmp_path: Path) -> None:
    write_scenes(tmp_path / "one", 2, seed=3)
    write_scenes(tmp_path / "two", 2, seed=4)
    assert not set(contents(tmp_path / "one").values()) & {
        content for name, content in contents(tmp_path / "two").items() if name.startswith("images")
    }


def test_a_broken_off_run_goes_on_and_ends_with_the_same_files(tmp_path: Path) -> None:
    write_scenes(tmp_path / "whole", 5, seed=2)

    def stop(done: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_scenes(tmp_path / "part", 5, seed=2, progress=stop)
    assert not (tmp_path / "part" / "labels.csv").exists()
    write_scenes(tmp_path / "part", 5, seed=2)
    assert contents(tmp_path / "part") == contents(tmp_path / "whole")


def test_pictures_that_are_there_are_not_drawn_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_scenes(tmp_path, 3, seed=2)
    before = contents(tmp_path)
    monkeypatch.setattr(scenes, "scene", None)
    write_scenes(tmp_path, 3, seed=2)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("content", [b"", b"no picture", "another seed"])
def test_a_file_that_is_not_the_picture_is_replaced(tmp_path: Path, content: bytes | str) -> None:
    write_scenes(tmp_path, 2, seed=2)
    before = contents(tmp_path)
    if isinstance(content, str):
        write_scenes(tmp_path, 2, seed=9)
    else:
        (tmp_path / "images" / "scene-0001.jpg").write_bytes(content)
    write_scenes(tmp_path, 2, seed=2)
    assert contents(tmp_path) == before


def test_progress_counts_the_pictures(tmp_path: Path) -> None:
    seen: list[int] = []
    write_scenes(tmp_path, 3, seed=0, progress=seen.append)
    assert seen == [1, 2, 3]


def test_the_command_writes_the_same_as_the_call(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scenes.main([str(tmp_path / "command"), "--count", "2", "--seed", "7"])
    write_scenes(tmp_path / "call", 2, seed=7)
    assert contents(tmp_path / "command") == contents(tmp_path / "call")
    assert capsys.readouterr().out.strip() == str(tmp_path / "command" / "labels.csv")


def test_labels_name_only_known_tags_and_all_of_them_come_up(many: list[frozenset[str]]) -> None:
    assert frozenset().union(*many) == NAMES


def test_tags_that_exclude_each_other_are_never_true_together(many: list[frozenset[str]]) -> None:
    assert not [tags for tags in many for a, b in EXCLUDES if {a, b} <= tags]


def test_a_tag_implies_its_parent_and_a_parent_is_true_without_children_too(many: list[frozenset[str]]) -> None:
    for tag in TAGS:
        if tag.parent is not None:
            assert all(tag.parent in tags for tags in many if tag.name in tags)
    for parent in {tag.parent for tag in TAGS if tag.parent is not None}:
        children = {tag.name for tag in TAGS if tag.parent == parent}
        assert any(parent in tags and not children & tags for tags in many)


def test_rare_tags_are_rare_and_the_others_are_not(many: list[frozenset[str]]) -> None:
    rate = {name: count / len(many) for name, count in Counter(name for tags in many for name in tags).items()}
    rare = {"balloon", "lighthouse"}
    assert all(0.01 <= rate[name] <= 0.03 for name in rare)
    assert all(0.05 <= rate[name] <= 0.6 for name in NAMES - rare)


@pytest.mark.parametrize(
    ("tag", "given", "least"), [("sea", "boat", 0.9), ("road", "car", 0.85), ("person", "dog", 0.5)]
)
def test_tags_that_go_together_do_so_far_more_often_than_by_chance(
    many: list[frozenset[str]], tag: str, given: str, least: float
) -> None:
    together = [tag in tags for tags in many if given in tags]
    assert float(np.mean(together)) > max(least, 2 * float(np.mean([tag in tags for tags in many])))
    assert given not in ("boat", "car") or not all(together)


def test_a_hidden_thing_is_taken_out_of_picture_and_labels() -> None:
    setting = next(
        s for s, _ in (draw_scene(np.random.default_rng(seed)) for seed in range(50)) if s.shore is None and not s.road
    )
    middle, low = setting.width / 2, setting.height - 10.0
    person = Thing("person", STANDING, middle, low - 20, 150, False, 0.1, 1)
    tower = Thing("tower block", STANDING, middle, low, 400, False, 0.0, 2)
    painting, seen = compose(setting, [person, tower])
    assert seen == [tower]
    assert painting.tobytes() == compose(setting, [tower])[0].tobytes()
    assert compose(setting, [replace(person, x=middle - 180), tower])[1] != [tower]


def test_no_scene_holds_a_thing_that_composing_would_take_out() -> None:
    for seed in range(20):
        setting, things = draw_scene(np.random.default_rng(seed))
        painting, seen = compose(setting, things)
        again, seen_again = compose(setting, seen)
        assert (again.tobytes(), seen_again) == (painting.tobytes(), seen)


def test_the_tables_name_only_what_exists() -> None:
    extra = {"ploughed", "road", "cars", "fence", "mountains", "hills", "snow", "flock", "balloon"}
    assert {tag for kind in KINDS.values() for tag in kind.tags} == NAMES
    assert {name for kinds, _ in GROUPS.values() for name in kinds} <= set(KINDS)
    assert sum(place.share for place in PLACES.values()) == pytest.approx(1)
    for place in PLACES.values():
        assert set(place.chances) <= set(GROUPS) | extra
        assert set(place.clutter) <= {name for name, kind in KINDS.items() if not kind.tags}


def test_tags_yaml_holds_vocabulary_and_relations(tmp_path: Path) -> None:
    write_scenes(tmp_path, 0, seed=0)
    held = yaml.safe_load((tmp_path / "tags.yaml").read_text())
    assert [tag["name"] for tag in held["tags"]] == [tag.name for tag in TAGS]
    assert all(set(tag) == {"name", "definition", "synonyms", "parent"} and tag["definition"] for tag in held["tags"])
    assert held["relations"] == [{"kind": "excludes", "a": a, "b": b} for a, b in EXCLUDES]
    words = [word for tag in held["tags"] for word in (tag["name"], *tag["synonyms"])]
    assert len(words) == len(set(words))


def test_the_committed_pictures_are_those_the_generator_gives(tmp_path: Path) -> None:
    fresh = write_scenes(tmp_path, 48, seed=0)
    assert rows(fresh) == rows(COMMITTED / "labels.csv")
    assert (COMMITTED / "tags.yaml").read_text() == (tmp_path / "tags.yaml").read_text()
    for row in rows(fresh):
        with Image.open(tmp_path / row["file"]) as ours, Image.open(COMMITTED / row["file"]) as theirs:
            assert ours.size == theirs.size


def test_the_committed_pictures_are_small_and_in_order() -> None:
    files = [row["file"] for row in rows(COMMITTED / "labels.csv")]
    assert len(files) == 48
    assert all(a < b for a, b in pairwise(files))
    assert sum(path.stat().st_size for path in (COMMITTED / "images").iterdir()) < 1_000_000
