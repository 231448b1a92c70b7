"""The nouns of the project as tables. What each word means stands in docs/concepts.md."""

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, MetaData, SmallInteger, String, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from annotator.terms import LabelState, RelationKind, Role, RoundStatus, SessionState, TaskKind, Verdict, WorkMode
from db.types import EnumValue, UtcDateTime


class Base(DeclarativeBase):
    # Named constraints, because a migration cannot drop what has no name.
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        dict[str, Any]: JSON,
        dict[str, str]: JSON,
        list[str]: JSON,
        list[int]: JSON,
        datetime: UtcDateTime,
    }


class ProjectSetting(Base):
    """One agreed value of the project, such as the precision it promises."""

    __tablename__ = "project_setting"

    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[dict[str, Any]]


class Image(Base):
    """One file's content. `row` is its place in every array and never changes."""

    __tablename__ = "image"

    row: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    byte_size: Mapped[int] = mapped_column(BigInteger)
    format: Mapped[str]
    mode: Mapped[str]
    width: Mapped[int]  # as seen, after the EXIF orientation
    height: Mapped[int]
    orientation: Mapped[int] = mapped_column(SmallInteger)
    frames: Mapped[int]
    perceptual_hash: Mapped[int] = mapped_column(BigInteger)
    near_duplicate_group: Mapped[int | None]  # the smallest row of the group; empty until an import has ended
    given_split: Mapped[str | None]  # from the user's labels file; without it the split follows from the content
    added_at: Mapped[datetime]

    files: Mapped[list["ImageFile"]] = relationship(back_populates="image", order_by="ImageFile.id")


class ImageFile(Base):
    """A place where an image's content was found; two files with one content are two rows here and one Image."""

    __tablename__ = "image_file"

    id: Mapped[int] = mapped_column(primary_key=True)
    uri: Mapped[str] = mapped_column(unique=True)
    image_row: Mapped[int] = mapped_column(ForeignKey("image.row"), index=True)
    byte_size: Mapped[int | None] = mapped_column(BigInteger)
    mtime_ns: Mapped[int | None] = mapped_column(BigInteger)

    image: Mapped[Image] = relationship(back_populates="files")


class RefusedFile(Base):
    """A file that could not be imported, and why."""

    __tablename__ = "refused_file"

    id: Mapped[int] = mapped_column(primary_key=True)
    uri: Mapped[str] = mapped_column(unique=True)
    reason: Mapped[str]
    message: Mapped[str]
    byte_size: Mapped[int | None] = mapped_column(BigInteger)
    mtime_ns: Mapped[int | None] = mapped_column(BigInteger)
    at: Mapped[datetime]


class Tag(Base):
    __tablename__ = "tag"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    key: Mapped[str] = mapped_column(unique=True)  # the name casefolded: 'Boat' and 'boat' are one tag
    definition: Mapped[str] = mapped_column(default="")
    synonyms: Mapped[list[str]] = mapped_column(default=list)
    prompts: Mapped[list[str]] = mapped_column(default=list)
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("tag.id"))
    archived: Mapped[bool] = mapped_column(default=False)
    merged_into_id: Mapped[int | None] = mapped_column(ForeignKey("tag.id"))
    colour: Mapped[str] = mapped_column(default="", server_default="")  # #rrggbb, or none
    hotkey: Mapped[str] = mapped_column(default="", server_default="")  # the key that toggles it beside a picture
    names: Mapped[dict[str, str]] = mapped_column(default=dict, server_default="{}")  # by language, such as "de"
    examples: Mapped[list[int]] = mapped_column(default=list, server_default="[]")  # rows of pictures people chose


class Relation(Base):
    __tablename__ = "relation"

    kind: Mapped[RelationKind] = mapped_column(EnumValue(RelationKind), primary_key=True)
    a_id: Mapped[int] = mapped_column(ForeignKey("tag.id"), primary_key=True)
    b_id: Mapped[int] = mapped_column(ForeignKey("tag.id"), primary_key=True)


class Annotator(Base):
    __tablename__ = "annotator"
    __table_args__ = (Index("uq_annotator_email", "email", unique=True),)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    role: Mapped[Role] = mapped_column(EnumValue(Role), default=Role.ANNOTATOR)
    created_at: Mapped[datetime]
    password_hash: Mapped[str | None]  # argon2; none: signs in elsewhere, or is only a name
    email: Mapped[str | None]  # unique; what an identity provider says of who signed in there
    stamp: Mapped[int] = mapped_column(default=0)  # sign-ins made under a lower one have ended
    paused: Mapped[bool] = mapped_column(default=False)
    daily_quota: Mapped[int | None]  # answered pictures a day; none: no end


class Invitation(Base):
    """A link by which one person makes an account. Only the digest of its secret part is kept."""

    __tablename__ = "invitation"

    id: Mapped[int] = mapped_column(primary_key=True)
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    role: Mapped[Role] = mapped_column(EnumValue(Role))
    name: Mapped[str]  # proposed; the person may change it
    invited_by: Mapped[str]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class SignInAttempt(Base):
    """A sign-in that failed: enough of them in a short time close the door for a while."""

    __tablename__ = "sign_in_attempt"
    __table_args__ = (Index(None, "key", "at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str]  # the name that was tried, or the address it was tried from
    at: Mapped[datetime]


class EndedSitting(Base):
    """A sign-in that a sign-out ended before its hours were over."""

    __tablename__ = "ended_sitting"

    sitting: Mapped[str] = mapped_column(String(32), primary_key=True)
    at: Mapped[datetime]


class Act(Base):
    """What somebody did that needs more than an annotator's rights, or changes who may do what."""

    __tablename__ = "act"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    person: Mapped[str]  # empty: whoever has this machine's command line
    what: Mapped[str]
    details: Mapped[dict[str, Any]]


class Label(Base):
    """What one annotator says of one tag on one image now; how it came about is in the journal."""

    __tablename__ = "label"
    __table_args__ = (UniqueConstraint("image_row", "tag_id", "annotator_id"), Index(None, "tag_id", "image_row"))

    id: Mapped[int] = mapped_column(primary_key=True)
    image_row: Mapped[int] = mapped_column(ForeignKey("image.row"))
    tag_id: Mapped[int] = mapped_column(ForeignKey("tag.id"))
    annotator_id: Mapped[int] = mapped_column(ForeignKey("annotator.id"))
    state: Mapped[LabelState] = mapped_column(EnumValue(LabelState))
    kind: Mapped[TaskKind] = mapped_column(EnumValue(TaskKind))  # why it was asked: decides what it may be used for
    round_number: Mapped[int | None] = mapped_column(ForeignKey("round.number"))  # the round whose audit it answers
    because_id: Mapped[int | None] = mapped_column(ForeignKey("tag.id"))  # the tag whose label this one follows from
    at: Mapped[datetime]


class LabellingSession(Base):
    """One stretch of a person's work in the browser: where it stands, so that it goes on on another machine or day."""

    __tablename__ = "labelling_session"
    __table_args__ = (Index(None, "annotator_id", "state"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    annotator_id: Mapped[int] = mapped_column(ForeignKey("annotator.id"))
    state: Mapped[SessionState] = mapped_column(EnumValue(SessionState))
    mode: Mapped[WorkMode] = mapped_column(EnumValue(WorkMode))  # the one it stands in
    tag_id: Mapped[int | None] = mapped_column(ForeignKey("tag.id"))
    page_size: Mapped[int | None]
    in_hand: Mapped[list[int]]  # questions it was paused with, in their order: asked first when it goes on
    started_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class Submission(Base):
    """One item of a client's outbox. (client, seq) is written once, so sending twice counts once."""

    __tablename__ = "submission"
    __table_args__ = (UniqueConstraint("client", "seq"), Index(None, "annotator_id", "at"))

    id: Mapped[int] = mapped_column(primary_key=True)
    client: Mapped[str] = mapped_column(String(64))
    seq: Mapped[int]
    annotator_id: Mapped[int] = mapped_column(ForeignKey("annotator.id"))
    seconds: Mapped[float | None]  # the person's time on it
    problem: Mapped[str | None]  # why nothing came of it, where nothing did
    at: Mapped[datetime]
    session_id: Mapped[int | None] = mapped_column(ForeignKey("labelling_session.id"), index=True)
    mode: Mapped[WorkMode | None] = mapped_column(EnumValue(WorkMode))
    tag_id: Mapped[int | None] = mapped_column(ForeignKey("tag.id"))  # the one asked about; none: all tags shown
    pictures: Mapped[int] = mapped_column(default=0)
    labels: Mapped[int] = mapped_column(default=0)
    undone: Mapped[bool] = mapped_column(default=False)


class JournalEntry(Base):
    """Every change of a label, in order, never changed. A state of None: the label was taken back."""

    __tablename__ = "journal_entry"
    __table_args__ = (Index(None, "image_row", "tag_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    image_row: Mapped[int] = mapped_column(ForeignKey("image.row"))
    tag_id: Mapped[int] = mapped_column(ForeignKey("tag.id"))
    annotator_id: Mapped[int] = mapped_column(ForeignKey("annotator.id"))
    state: Mapped[LabelState | None] = mapped_column(EnumValue(LabelState))
    previous: Mapped[LabelState | None] = mapped_column(EnumValue(LabelState))
    kind: Mapped[TaskKind] = mapped_column(EnumValue(TaskKind))
    submission_id: Mapped[int | None] = mapped_column(ForeignKey("submission.id"), index=True)
    round_number: Mapped[int | None] = mapped_column(ForeignKey("round.number"))
    change_id: Mapped[int | None] = mapped_column(ForeignKey("vocabulary_change.id"), index=True)
    because_id: Mapped[int | None] = mapped_column(ForeignKey("tag.id"))
    at: Mapped[datetime]


class VocabularyChange(Base):
    """One change of the vocabulary, with what it takes to undo it. The last one that stands is undone first."""

    __tablename__ = "vocabulary_change"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    annotator_id: Mapped[int] = mapped_column(ForeignKey("annotator.id"))
    kind: Mapped[str]  # a name of annotator.services.vocabulary_changes.OPERATIONS, or undo
    payload: Mapped[dict[str, Any]]
    undone: Mapped[bool] = mapped_column(default=False)


class Task(Base):
    """A question: tag one image (no tag), or verify one tag on one image. Pages are several tasks claimed at once."""

    __tablename__ = "task"
    # In the order in which claiming looks: open questions of one sort, by position.
    __table_args__ = (Index(None, "tag_id", "done_at", "position"), Index(None, "image_row"))

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[TaskKind] = mapped_column(EnumValue(TaskKind))
    image_row: Mapped[int] = mapped_column(ForeignKey("image.row"))
    tag_id: Mapped[int | None] = mapped_column(ForeignKey("tag.id"))
    round_number: Mapped[int | None] = mapped_column(ForeignKey("round.number"), index=True)
    position: Mapped[int] = mapped_column(BigInteger)  # smaller is asked sooner; see annotator.services.tasks.Band
    reason: Mapped[str]
    annotator_id: Mapped[int | None] = mapped_column(ForeignKey("annotator.id"))
    for_id: Mapped[int | None] = mapped_column(
        ForeignKey("annotator.id")
    )  # asked of this person only; none: of anybody
    leased_until: Mapped[datetime | None]
    done_at: Mapped[datetime | None]


class Skip(Base):
    """A question that somebody would not answer, and why: it is asked of others, and reviewers see it."""

    __tablename__ = "skip"
    __table_args__ = (Index(None, "image_row", "annotator_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    image_row: Mapped[int] = mapped_column(ForeignKey("image.row"))
    tag_id: Mapped[int | None] = mapped_column(ForeignKey("tag.id"))
    annotator_id: Mapped[int] = mapped_column(ForeignKey("annotator.id"))
    reason: Mapped[str]
    at: Mapped[datetime]


class Gold(Base):
    """A pair whose answer is known: asked again of people, it measures them. Never trains or measures a model."""

    __tablename__ = "gold"

    image_row: Mapped[int] = mapped_column(ForeignKey("image.row"), primary_key=True)
    tag_id: Mapped[int] = mapped_column(ForeignKey("tag.id"), primary_key=True)
    state: Mapped[LabelState] = mapped_column(EnumValue(LabelState))
    instant: Mapped[bool] = mapped_column(default=False)  # the person is told at once
    annotator_id: Mapped[int] = mapped_column(ForeignKey("annotator.id"))  # who declared it known
    at: Mapped[datetime]


class Comment(Base):
    """One line of the talk about a picture, or about one tag on it. A thread is open until somebody resolves it."""

    __tablename__ = "comment"
    __table_args__ = (Index(None, "image_row", "tag_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    image_row: Mapped[int] = mapped_column(ForeignKey("image.row"))
    tag_id: Mapped[int | None] = mapped_column(ForeignKey("tag.id"))
    annotator_id: Mapped[int] = mapped_column(ForeignKey("annotator.id"))
    text: Mapped[str]
    at: Mapped[datetime]
    resolved_at: Mapped[datetime | None]


class Review(Base):
    """A reviewer's verdict; final."""

    __tablename__ = "review"

    image_row: Mapped[int] = mapped_column(ForeignKey("image.row"), primary_key=True)
    tag_id: Mapped[int] = mapped_column(ForeignKey("tag.id"), primary_key=True)
    reviewer_id: Mapped[int] = mapped_column(ForeignKey("annotator.id"))
    state: Mapped[LabelState] = mapped_column(EnumValue(LabelState))
    verdict: Mapped[Verdict] = mapped_column(EnumValue(Verdict), server_default="accepted", default=Verdict.ACCEPTED)
    at: Mapped[datetime]


class Model(Base):
    """A trained head on a backbone. Its arrays are files of the workspace."""

    __tablename__ = "model"

    id: Mapped[int] = mapped_column(primary_key=True)
    backbone: Mapped[str]
    head: Mapped[str]
    snapshot_hash: Mapped[str] = mapped_column(String(64))
    tag_ids: Mapped[list[int]]
    labels_used: Mapped[int]
    images_used: Mapped[int]
    metrics: Mapped[dict[str, Any]]
    in_use: Mapped[bool]
    verdict: Mapped[str]  # in words: why it is in use or not
    at: Mapped[datetime]


class Round(Base):
    """One turn of the cascade; a transaction that can be rolled back."""

    __tablename__ = "round"

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    status: Mapped[RoundStatus] = mapped_column(EnumValue(RoundStatus))
    seed: Mapped[int] = mapped_column(BigInteger)
    pool_hash: Mapped[str] = mapped_column(String(64))
    pool_size: Mapped[int]
    model_id: Mapped[int] = mapped_column(ForeignKey("model.id"))
    tag_ids: Mapped[list[int]]  # the columns of the round's array
    targets: Mapped[dict[str, Any]]  # precision, recall, confidence
    annotator_id: Mapped[int] = mapped_column(ForeignKey("annotator.id"))
    at: Mapped[datetime]
    settled_at: Mapped[datetime | None]
    rolled_back_at: Mapped[datetime | None]

    sets: Mapped[list["RoundSet"]] = relationship(order_by="RoundSet.tag_id, RoundSet.side")


class RoundSet(Base):
    """The images one tag's accept or reject set holds in a round, how far its audit is, and what was decided."""

    __tablename__ = "round_set"

    round_number: Mapped[int] = mapped_column(ForeignKey("round.number"), primary_key=True)
    tag_id: Mapped[int] = mapped_column(ForeignKey("tag.id"), primary_key=True)
    side: Mapped[str] = mapped_column(primary_key=True)  # accept, reject, implied present, implied absent
    threshold: Mapped[float]
    size: Mapped[int]
    alpha: Mapped[float]
    draws: Mapped[int]
    positives: Mapped[int]
    low: Mapped[int]  # exact interval for the number of true positives in the set
    high: Mapped[int]
    decision: Mapped[str]  # go on, settled, failed
    plan: Mapped[dict[str, Any]] = mapped_column(server_default="{}", default=dict)
    """expected: positives by the model; draws: until the proof; of a reject set also how many of them were
    expected_accept in the accept set and expected_outside both, and how many images lay outside. Of an implied set:
    causes, each with its tag, side, alpha, and the rows and the bound of wrong ones it gave; rows by people's answers.
    """
