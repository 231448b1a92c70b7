"""The words of the project as enums: one meaning each, on screen, in the store and in files."""

from enum import IntEnum, StrEnum


class LabelState(IntEnum):
    """What is said of one tag on one image. The values are those of every (N, C) int8 label array."""

    POSITIVE = 1
    NEGATIVE = 0
    UNKNOWN = -1
    """Nobody was asked, or the annotator could not tell. Never treated as NEGATIVE."""


class Origin(IntEnum):
    """Who or what decided an accepted label. The values are those of every (N, C) uint8 origin array."""

    NOBODY = 0
    HUMAN = 1
    REVIEW = 2
    ROUND = 3
    TRUTH = 4
    """Brought along by an import that was declared to be true (``import --as-truth``)."""
    GOLD = 5
    """Declared known by a person, to measure people: neither trains nor measures a model."""


class SuggestionOrigin(StrEnum):
    """Which source proposed a tag. New ones come last: their places are the codes of stored suggestions."""

    ZERO_SHOT = "zero-shot"
    NEIGHBOURS = "neighbours"
    MODEL = "model"
    FUSED = "fused"
    TILES = "tiles"
    IMPORTED = "imported"
    """Scores a file brought along."""


class Role(StrEnum):
    ANNOTATOR = "annotator"
    REVIEWER = "reviewer"
    ADMIN = "admin"


class Verdict(StrEnum):
    """What a reviewer says of the label that stood."""

    ACCEPTED = "accepted"
    WRONG = "label wrong"
    ALSO_VALID = "also valid"
    """Both answers can be defended; the reviewer's counts."""
    FINER = "finer distinction"
    """Right in the coarse, but the definition asks for more."""
    MAJOR = "major error"
    """So plain that no later model may make it again: joins the regression set."""


class RelationKind(StrEnum):
    IMPLIES = "implies"
    EXCLUDES = "excludes"
    SAME_AS = "same as"


class TaskKind(StrEnum):
    """Why a question is asked. Only PICK, RANDOM and BULK answers may train a model."""

    PICK = "pick"
    RANDOM = "random"
    CALIBRATION = "calibration"
    AUDIT = "audit"
    GOLD = "gold"
    REVIEW = "review"
    BULK = "bulk"
    """Several images at once, chosen by the person in Search or a cluster: never measures."""


class SkipReason(StrEnum):
    """Why a person does not answer a question."""

    BROKEN = "cannot be seen"
    UNCLEAR_TAG = "tag unclear"
    NOT_SURE = "not my field"
    UNSUITABLE = "should not be here"
    OTHER = "other"


class WorkMode(StrEnum):
    """How a person works."""

    LABEL = "label"
    """Image first: one picture, its tags."""
    VERIFY = "verify"
    """Tag first: a page of pictures of one tag, the exceptions marked."""
    BULK = "bulk"
    """A selection of pictures gets tags at once."""
    REVIEW = "review"
    """A reviewer decides labels of others."""


class SessionState(StrEnum):
    OPEN = "open"
    PAUSED = "paused"
    ENDED = "ended"


class Split(StrEnum):
    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"


class RoundStatus(StrEnum):
    PROPOSED = "proposed"
    SETTLED = "settled"
    ROLLED_BACK = "rolled back"


class JobState(StrEnum):
    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
