"""The changes of a vocabulary, each made of steps that can be undone."""

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import select

from annotator.errors import ConflictError, UnknownNameError, UsageError
from annotator.services import vocabulary_effects as effects
from annotator.services.vocabulary import key_of
from annotator.services.vocabulary_editing import Editor
from annotator.services.vocabulary_fields import FIELDS
from annotator.terms import LabelState, RelationKind
from db.models import Label, Review, Tag

Name = str | int
"""A tag by its name, or by its id."""


def add(editor: Editor, *, name: str, parent: Name | None = None) -> str:
    """A new tag."""
    tag = editor.create(name)
    if parent is not None:
        editor.set(tag, parent_id=editor.live(parent).id)
    return f"add {tag.name!r}"


def rename(editor: Editor, *, tag: Name, name: str) -> str:
    """Another name for a tag; its labels stay with it."""
    found = editor.tag(tag)
    before, after = found.name, editor.free_name(name, found)
    synonyms = [word for word in found.synonyms if key_of(word) != key_of(after)]
    editor.set(found, name=after, key=key_of(after), synonyms=synonyms)
    editor.rename_in_groups(before, after)
    effects.count_labels(editor, found)
    return f"rename {before!r} to {after!r}"


def merge(editor: Editor, *, tag: Name, into: Name) -> str:
    """One tag becomes part of another one, with its labels, verdicts, questions, children, relations and words.

    Where a person answered both, present counts before cannot tell before absent. What settled rounds proved of either
    is taken back: it was proved of something else. Given truth is read as that of the tag that is left.
    """
    gone, kept = editor.live(tag), editor.live(into)
    if gone is kept:
        raise UsageError(f"{gone.name!r} cannot be merged into itself; name two tags")
    effects.refuse_open_round(editor, gone, kept)
    effects.withdraw(editor, gone)
    effects.withdraw(editor, kept)
    for each in (gone, kept):
        effects.drop_questions(editor, each, only_of_rounds=True)
    effects.move_labels(editor, gone, kept)
    effects.move_questions(editor, gone, kept)
    _take_over_relations(editor, gone, kept)
    words = [*kept.synonyms, gone.name, *gone.synonyms]
    editor.set(
        kept,
        synonyms=FIELDS["synonyms"](editor, kept, words),
        prompts=list(dict.fromkeys([*kept.prompts, *gone.prompts])),
        names={**gone.names, **kept.names},
    )
    editor.set(gone, archived=True, merged_into_id=kept.id)
    editor.rename_in_groups(gone.name, kept.name)
    if editor.report["rounds"]:
        editor.report["notes"].append("what these rounds settled of the two tags is open again")
    return f"merge {gone.name!r} into {kept.name!r}"


def _take_over_relations(editor: Editor, gone: Tag, kept: Tag) -> None:
    for child in editor.children(gone):
        editor.set(child, parent_id=kept.id if child is not kept else gone.parent_id)
    if kept.parent_id is None and gone.parent_id != kept.id:
        editor.set(kept, parent_id=gone.parent_id)
    for relation in editor.relations(gone):
        a, b = (kept.id if end == gone.id else end for end in (relation.a_id, relation.b_id))
        editor.unrelate(relation.kind, relation.a_id, relation.b_id)
        if a != b:
            editor.relate(relation.kind, a, b)


def split(editor: Editor, *, tag: Name, into: Sequence[str]) -> str:
    """A tag becomes several: where people said it is present, each of them is asked anew. Nothing is guessed, and the
    tag is archived with all its labels."""
    gone = editor.live(tag)
    names = list(dict.fromkeys(into))
    if len(names) < 2:
        raise UsageError(f"{gone.name!r} can be split into two tags or more; {len(names)} named")
    known = {name: editor.session.scalar(select(Tag).where(Tag.key == key_of(name))) for name in names}
    parts = [editor.create(name) if found is None else editor.live(found.id) for name, found in known.items()]
    if gone in parts:
        raise UsageError(f"{gone.name!r} cannot be split into itself; rename it first")
    for part in parts:
        if part.parent_id is None and gone.parent_id != part.id:
            editor.set(part, parent_id=gone.parent_id)
    effects.refuse_open_round(editor, gone)
    effects.drop_questions(editor, gone)
    rows = _shows(editor, gone)
    for part in parts:
        effects.ask(editor, part, rows, f"it was tagged {gone.name!r}, which is now {', '.join(p.name for p in parts)}")
    effects.count_labels(editor, gone)
    editor.set(gone, archived=True)
    return f"split {gone.name!r} into {', '.join(repr(part.name) for part in parts)}"


def _shows(editor: Editor, tag: Tag) -> list[int]:
    """Images of which somebody said that the tag is present."""
    rows: set[int] = set()
    for table in (Label, Review):
        query = select(table.image_row).where(table.tag_id == tag.id, table.state == LabelState.POSITIVE)
        rows.update(editor.session.scalars(query))
    return sorted(rows)


def archive(editor: Editor, *, tag: Name) -> str:
    """A tag is asked and shown no more; all that was said of it is kept."""
    found = editor.live(tag)
    effects.drop_questions(editor, found)
    effects.count_labels(editor, found)
    editor.set(found, archived=True)
    return f"archive {found.name!r}"


def unarchive(editor: Editor, *, tag: Name) -> str:
    """An archived tag is in use again, with all that was said of it."""
    found = editor.tag(tag)
    if not found.archived:
        raise ConflictError(f"tag {found.name!r} is not archived")
    if found.merged_into_id is not None:
        editor.report["notes"].append(
            "its labels stay with the tag it was merged into; undo the merge to have them back"
        )
    effects.count_labels(editor, found)
    editor.set(found, archived=False, merged_into_id=None)
    return f"bring back {found.name!r}"


def parent(editor: Editor, *, tag: Name, parent: Name | None) -> str:
    """The tag that this one is a kind of; None for none."""
    found = editor.tag(tag)
    above = None if parent is None else editor.live(parent)
    if above is found:
        raise UsageError(f"{found.name!r} cannot be its own parent")
    editor.set(found, parent_id=above.id if above else None)
    return f"{found.name!r} is a kind of {above.name!r}" if above else f"{found.name!r} has no parent"


def relate(editor: Editor, *, relation: str, tag: Name, other: Name) -> str:
    """A relation between two tags: implies, excludes, same as."""
    one, two, of = editor.live(tag), editor.live(other), _kind(relation)
    if not editor.relate(of, one.id, two.id):
        raise ConflictError(f"{one.name!r} {of.value} {two.name!r} already")
    return f"{one.name!r} {of.value} {two.name!r}"


def unrelate(editor: Editor, *, relation: str, tag: Name, other: Name) -> str:
    """Remove a relation. Of excludes and same as the order of the tags does not matter."""
    one, two, of = editor.tag(tag), editor.tag(other), _kind(relation)
    removed = editor.unrelate(of, one.id, two.id)
    if of != RelationKind.IMPLIES:
        removed |= editor.unrelate(of, two.id, one.id)
    if not removed:
        raise ConflictError(f"there is no relation {one.name!r} {of.value} {two.name!r}")
    return f"no longer: {one.name!r} {of.value} {two.name!r}"


def describe(editor: Editor, *, tag: Name, **fields: Any) -> str:
    """Set what is said of a tag beside its name."""
    found = editor.tag(tag)
    for name, value in fields.items():
        if name not in FIELDS:
            raise UnknownNameError("field of a tag", name, FIELDS)
        editor.set(found, **{name: FIELDS[name](editor, found, value)})
    return f"{', '.join(fields)} of {found.name!r}"


def _kind(name: str) -> RelationKind:
    if name not in list(RelationKind):
        raise UnknownNameError("relation", name, list(RelationKind))
    return RelationKind(name)


OPERATIONS: dict[str, Callable[..., str]] = {
    "add": add,
    "rename": rename,
    "merge": merge,
    "split": split,
    "archive": archive,
    "unarchive": unarchive,
    "parent": parent,
    "relate": relate,
    "unrelate": unrelate,
    "describe": describe,
}
"""What can be done to a vocabulary. Each makes its steps with the editor and says in words what it did."""
