"""What follows from an answer, and what contradicts it."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotator.errors import UsageError
from annotator.terms import LabelState, RelationKind
from annotator.vocabulary import NO_CAUSE, Clash, Implied, Impossible, Relations

POSITIVE, NEGATIVE, UNKNOWN = LabelState.POSITIVE, LabelState.NEGATIVE, LabelState.UNKNOWN
ANIMAL, DOG, PUPPY, CAT, HOUND, CAR = range(1, 7)
PETS = Relations.of(
    range(1, 7),
    {DOG: ANIMAL, PUPPY: DOG, CAT: ANIMAL, CAR: None},
    [(RelationKind.EXCLUDES, DOG, CAT), (RelationKind.SAME_AS, DOG, HOUND)],
)
TAGS = 5
pairs = st.frozensets(st.tuples(st.integers(1, TAGS), st.integers(1, TAGS)).filter(lambda pair: pair[0] != pair[1]))
some_relations = st.builds(Relations, st.just(tuple(range(1, TAGS + 1))), pairs, pairs, pairs)
some_labels = st.lists(st.sampled_from([1, 0, -1]), min_size=TAGS, max_size=TAGS)


def test_a_child_brings_its_ancestors_and_rules_out_what_they_exclude() -> None:
    assert PETS.implied({PUPPY}, set()) == {
        ANIMAL: Implied(POSITIVE, PUPPY),
        DOG: Implied(POSITIVE, PUPPY),
        HOUND: Implied(POSITIVE, PUPPY),
        CAT: Implied(NEGATIVE, PUPPY),
    }


def test_an_absent_parent_takes_its_descendants_along() -> None:
    assert PETS.implied(set(), {DOG}) == {
        PUPPY: Implied(NEGATIVE, DOG),
        HOUND: Implied(NEGATIVE, DOG),
    }


def test_an_absent_child_says_nothing_of_its_parent() -> None:
    assert PETS.implied(set(), {PUPPY}) == {}


def test_what_was_said_is_never_implied_again() -> None:
    assert ANIMAL not in PETS.implied({DOG, ANIMAL}, set())


def test_nothing_follows_from_two_answers_that_contradict_each_other() -> None:
    assert PETS.clashes({PUPPY, CAT, CAR}, {ANIMAL}) == [(PUPPY, ANIMAL), (PUPPY, CAT), (CAT, ANIMAL)]
    assert PETS.implied({PUPPY, CAT, CAR}, {ANIMAL}) == {}


def test_whole_images_are_closed_with_the_cause_of_each_label() -> None:
    labels = np.array([[-1, -1, 1, -1, -1, 0], [-1, 1, -1, 1, -1, -1]], np.int8)
    closed, cause, clashes = PETS.close(labels)
    assert closed.tolist() == [[1, 1, 1, 0, 1, 0], [-1, 1, -1, 1, -1, -1]]
    assert cause.tolist() == [[2, 2, NO_CAUSE, 2, 2, NO_CAUSE], [NO_CAUSE] * 6]
    assert clashes == [Clash(1, 1, 3)]
    assert (closed.dtype, cause.dtype) == (np.int8, np.int32)


def test_labels_of_another_vocabulary_are_refused() -> None:
    with pytest.raises(UsageError, match="shape \\(1, 2\\) for 6 tags"):
        PETS.close(np.zeros((1, 2), np.int8))


def test_what_follows_passes_through_tags_that_are_no_column() -> None:
    without_dog = Relations((PUPPY, ANIMAL), PETS.implies, PETS.excludes, PETS.same_as)
    assert without_dog.close(np.array([[1, -1]], np.int8))[0].tolist() == [[1, 1]]


def test_circles_are_found_in_their_order_once() -> None:
    ring = Relations((1, 2, 3, 4), frozenset({(1, 3), (3, 2), (2, 1), (4, 1)}))
    assert ring.cycles() == [(1, 3, 2)]


def test_tags_called_the_same_are_no_circle() -> None:
    assert Relations((1, 2), frozenset({(1, 2)}), same_as=frozenset({(1, 2)})).cycles() == []
    assert PETS.cycles() == []


def test_a_circle_through_a_synonym_is_found() -> None:
    assert len(Relations((1, 2, 3), frozenset({(1, 2), (3, 1)}), same_as=frozenset({(2, 3)})).cycles()) == 1


def test_a_tag_that_implies_what_it_excludes_is_impossible_and_so_are_its_descendants() -> None:
    relations = Relations((1, 2, 3), frozenset({(1, 2), (3, 1)}), frozenset({(1, 2)}))
    assert relations.impossible() == [Impossible(1, 1, 2), Impossible(3, 1, 2)]
    assert relations.implied({3}, set()) == {}
    assert relations.clashes({3}, set()) == [(3, 3)]


def worlds(relations: Relations) -> list[tuple[int, ...]]:
    """Every way to label all tags that keeps all relations."""
    return [
        world
        for world in product((0, 1), repeat=TAGS)
        if all(world[a - 1] <= world[b - 1] for a, b in relations.implies)
        and all(not (world[a - 1] and world[b - 1]) for a, b in relations.excludes)
        and all(world[a - 1] == world[b - 1] for a, b in relations.same_as)
    ]


@given(some_relations, some_labels)
def test_the_closure_is_what_holds_in_every_world_that_agrees_with_the_labels(
    relations: Relations, labels: list[int]
) -> None:
    closed, cause, clashes = relations.close(np.array([labels], np.int8))
    agree = [
        world
        for world in worlds(relations)
        if all(label in (said, UNKNOWN) for label, said in zip(labels, world, strict=True))
    ]
    assert bool(clashes) == (not agree)
    if not agree:
        return
    related = {tag for pair in relations.implies | relations.excludes | relations.same_as for tag in pair}
    everywhere = {tag: {world[tag - 1] for world in agree} for tag in related}
    # Tags that no image can show are absent in every world without any label; an answer implies no such thing.
    never = {impossible.tag for impossible in relations.impossible()}
    for tag in related - never:
        if labels[tag - 1] == UNKNOWN:
            follows = everywhere[tag]
            assert closed[0, tag - 1] == (follows.pop() if len(follows) == 1 else UNKNOWN)
    filled = (np.array([labels]) == UNKNOWN) & (closed != UNKNOWN)
    assert np.array_equal(filled, cause != NO_CAUSE)


@given(some_relations, some_labels)
def test_one_image_and_an_array_of_images_are_closed_alike(relations: Relations, labels: list[int]) -> None:
    closed, cause, clashes = relations.close(np.array([labels], np.int8))
    positive = {tag for tag in relations.tags if labels[tag - 1] == 1}
    negative = {tag for tag in relations.tags if labels[tag - 1] == 0}
    implied = relations.implied(positive, negative)
    assert {tag: (closed[0, tag - 1], cause[0, tag - 1] + 1) for tag in implied} == {
        tag: tuple(found) for tag, found in implied.items()
    }
    assert int((cause != NO_CAUSE).sum()) == len(implied)
    assert sorted((a - 1, b - 1) for a, b in relations.clashes(positive, negative)) == [clash[1:] for clash in clashes]


@given(some_relations, some_labels)
def test_closing_twice_adds_nothing(relations: Relations, labels: list[int]) -> None:
    closed, _, clashes = relations.close(np.array([labels], np.int8))
    again, cause, _ = relations.close(closed)
    if not clashes:
        assert np.array_equal(again, closed)
        assert (cause == NO_CAUSE).all()
