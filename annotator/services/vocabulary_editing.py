"""The steps on tags and relations that changes of the vocabulary are made of. Each notes what it takes to undo it."""

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from annotator.errors import ConflictError, MissingError, UnknownNameError, UsageError
from annotator.importers.names import clean_name, name_problem
from annotator.services.vocabulary import key_of, relations_of
from annotator.terms import RelationKind
from annotator.vocabulary import Relations
from annotator.workspace import Workspace
from db.models import ProjectSetting, Relation, Tag, VocabularyChange

GROUPS = "exactly_one"


class Editor:
    """One change of the vocabulary while it is made, inside one transaction.

    `payload` holds what undoing it takes, `report` what it did.
    """

    def __init__(self, workspace: Workspace, session: Session, change: VocabularyChange) -> None:
        self.workspace, self.session, self.change = workspace, session, change
        self.payload: dict[str, Any] = {
            "tags": {}, "relations": [], "groups": None, "dropped": [], "moved": [], "asked": [], "withdrawn": [],
            "reviews": None, "gold": None, "talk": None,
        }  # fmt: skip
        self.report: dict[str, Any] = {
            "labels": 0, "combined": 0, "reviews": 0, "gold": 0, "comments": 0, "rounds": [], "settled": 0,
            "questions dropped": 0, "questions moved": 0, "questions asked": 0, "tags": [], "relations": 0, "notes": [],
        }  # fmt: skip
        self._before = self._problems()

    # Tags

    def tag(self, name: str | int) -> Tag:
        """The tag with this name, or this id; archived ones too. Raises UnknownNameError, MissingError."""
        if isinstance(name, int):
            found = self.session.get(Tag, name)
            if found is None:
                raise MissingError(f"there is no tag {name} in this workspace")
            return found
        found = self.session.scalar(select(Tag).where(Tag.key == key_of(clean_name(name))))
        if found is None:
            names = self.session.scalars(select(Tag.name).where(Tag.archived.is_(False)))
            raise UnknownNameError("tag", name, names)
        return found

    def live(self, name: str | int) -> Tag:
        """`tag`, which must not be archived."""
        found = self.tag(name)
        if found.archived:
            raise ConflictError(f"tag {found.name!r} is archived; bring it back first: annotator tags archive --back")
        return found

    def free_name(self, name: str, tag: Tag | None = None) -> str:
        """`name` as it is kept. Raises UsageError for what cannot be a name, ConflictError where another tag has it."""
        name = clean_name(name)
        problem = name_problem(name)
        if problem:
            raise UsageError(problem)
        other = self.session.scalar(select(Tag).where(Tag.key == key_of(name)))
        if other is not None and other is not tag:
            state = "an archived tag" if other.archived else "a tag"
            raise ConflictError(f"{other.name!r} is {state} already; merge the two, or choose another name")
        return name

    def create(self, name: str) -> Tag:
        tag = Tag(name=self.free_name(name), synonyms=[], prompts=[], definition="", names={}, examples=[])
        tag.key = key_of(tag.name)
        self.session.add(tag)
        self.session.flush()
        # Undone, it is archived and not deleted: somebody may have answered on it meanwhile.
        self.payload["tags"][str(tag.id)] = {"archived": [True, False]}
        self._touched(tag)
        return tag

    def set(self, tag: Tag, **values: Any) -> None:
        """Set fields of a tag."""
        noted = self.payload["tags"].setdefault(str(tag.id), {})
        for field, value in values.items():
            now = getattr(tag, field)
            if now != value:
                first = noted[field][0] if field in noted else now
                noted[field] = [first, value]
                setattr(tag, field, value)
                self._touched(tag)
        self.session.flush()

    def children(self, tag: Tag) -> list[Tag]:
        return list(self.session.scalars(select(Tag).where(Tag.parent_id == tag.id).order_by(Tag.id)))

    def _touched(self, tag: Tag) -> None:
        if tag.name not in self.report["tags"]:
            self.report["tags"].append(tag.name)

    # Relations and groups

    def relate(self, kind: RelationKind, a: int, b: int) -> bool:
        """Add a relation; whether it is new."""
        if a == b:
            raise UsageError(f"a tag cannot be related to itself: {kind.value}")
        if self.session.get(Relation, (kind, a, b)) is not None:
            return False
        self.session.add(Relation(kind=kind, a_id=a, b_id=b))
        self._related("+", kind, a, b)
        return True

    def unrelate(self, kind: RelationKind, a: int, b: int) -> bool:
        """Remove a relation; whether there was one."""
        found = self.session.get(Relation, (kind, a, b))
        if found is None:
            return False
        self.session.delete(found)
        self._related("-", kind, a, b)
        return True

    def _related(self, sign: str, kind: RelationKind, a: int, b: int) -> None:
        self.payload["relations"].append([sign, kind.value, a, b])
        self.report["relations"] += 1
        self.session.flush()

    def relations(self, tag: Tag) -> list[Relation]:
        query = select(Relation).where((Relation.a_id == tag.id) | (Relation.b_id == tag.id))
        return list(self.session.scalars(query.order_by(Relation.kind, Relation.a_id, Relation.b_id)))

    def rename_in_groups(self, before: str, after: str) -> None:
        """The groups of which exactly one is present name their tags."""
        setting = self.session.get(ProjectSetting, GROUPS)
        groups = setting.value["value"] if setting else []
        renamed = [list(dict.fromkeys(after if name == before else name for name in group)) for group in groups]
        renamed = [group for group in renamed if len(group) > 1]
        if setting is not None and renamed != groups:
            setting.value = {"value": renamed}
            first = self.payload["groups"][0] if self.payload["groups"] else groups
            self.payload["groups"] = [first, renamed]
            self.session.flush()

    def finish(self) -> None:
        """Refuse what would make relations contradict each other that did not before."""
        self.session.flush()
        names: dict[int, str] = {}
        for problem, tags in self._problems().items():
            if problem not in self._before:
                if not names:
                    names = dict(self.session.execute(select(Tag.id, Tag.name)).all())
                told = [repr(names[tag]) for tag in tags]
                raise ConflictError(
                    f"{told[0]} would imply {told[1]} and {told[2]}, which exclude each other"
                    if problem[0] == "impossible"
                    else f"these tags would imply each other in a circle: {' → '.join([*told, told[0]])}"
                )

    def _problems(self) -> dict[tuple[Any, ...], tuple[int, ...]]:
        relations: Relations = relations_of(self.session)
        circles = {("circle", frozenset(ring)): ring for ring in relations.cycles()}
        return {**circles, **{("impossible", one.tag): tuple(one) for one in relations.impossible()}}
