"""Workspace: a folder, its store, its settings and its arrays."""

import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from functools import cache, cached_property
from pathlib import Path
from typing import Annotated

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from pydantic import BaseModel, Field, ValidationError
from sqlalchemy import Connection, Engine, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

import db
from annotator.arrays import ShardedArray, write_whole
from annotator.backbones.base import slug
from annotator.errors import MissingError, UsageError
from annotator.settings import Settings
from annotator.terms import Split
from db.models import ProjectSetting
from db.session import make_engine, sqlite_url

MARKER = "workspace.json"
THUMBNAIL_SIZES = (320, 1280)


class Project(BaseModel):
    """What the project agreed on; stored in the store, changed by its people."""

    backbone: str = Field("descriptor", description="backbone specification that `embed` uses")
    tiles: bool = Field(False, description="whether `embed` also computes the vectors of each picture's tiles")
    seed: int = Field(0, description="seed of every random choice of the project")
    precision: float = Field(0.95, gt=0.5, lt=1, description="promised precision of what the machine settles")
    recall: float = Field(0.95, gt=0.5, lt=1, description="promised recall per tag")
    confidence: float = Field(0.95, gt=0.5, lt=1, description="confidence of both promises")
    seconds_outside: float = Field(1.2, gt=0, description="of a person for an answer outside a round's sets")
    seconds_accept: float = Field(0.3, gt=0, description="... for a picture of a page that audits present ones")
    seconds_reject: float = Field(0.15, gt=0, description="... for a picture of a page that audits absent ones")
    lease_minutes: float = Field(15, gt=0, description="a question not answered by then is given to somebody else")
    overlap: int = Field(1, ge=1, le=9, description="how many people each picked image is asked of")
    overlap_share: float = Field(1.0, ge=0, le=1, description="share of the images asked of so many, the others of one")
    overlap_tags: dict[str, Annotated[int, Field(ge=1, le=9)]] = Field(
        {}, description="how many people questions about single tags are asked of, by name"
    )
    vote_policy: str = Field("majority", description="how several people's votes become one word")
    vote_threshold: float = Field(
        2 / 3, gt=0.5, le=1, description="share (share_threshold) or probability (dawid_skene, one_coin) that decides"
    )
    gold_share: float = Field(0, ge=0, le=0.5, description="share of the questions whose answer is known (gold)")
    skill_floor: float = Field(
        0.8, gt=0, lt=1, description="share of right answers below which a person raises an alarm"
    )
    audit_votes: int = Field(1, ge=1, le=9, description="how many people answer each picture that a round audits")
    strategy: str = Field("facility_location", description="query strategy of the Label queue")
    head: str = Field("text_anchored", description="head that training fits")
    loss: str = Field("masked_bce", description="loss that training minimises")
    control_share: float = Field(
        0.1,
        ge=0,
        le=0.5,
        description="share of the picks drawn at random: the control the strategy is held against",
    )
    random_share: float = Field(
        0.15,
        ge=0.05,
        le=0.5,
        description="share of the queue drawn at random from the validation split: it calibrates and measures",
    )
    queue_length: int = Field(100, ge=1, description="questions picked at once; refilled after each training")
    retrain_images: int = Field(
        25,
        ge=1,
        description="train again after this many newly answered images: below it a new model ranks hardly differently",
    )
    retrain_share: float = Field(
        0.1,
        ge=0,
        description="... or after this share of the answered ones, whichever is more, so that late trainings get rarer",
    )
    splits: dict[Split, float] = Field(
        {Split.TRAIN: 0.75, Split.VALIDATION: 0.15, Split.TEST: 0.10}, description="shares of the images"
    )
    licence: str = Field("", description="of the pictures and labels; stands on the card of a snapshot")
    rights_holder: str = Field("", description="who holds the rights; stands on the card of a snapshot")
    contact: str = Field("", description="whom to ask; stands on the card of a snapshot")
    exactly_one: list[list[str]] = Field([], description="groups of tags of which exactly one is present")


class Workspace:
    """One project. `Workspace.create` makes it, `Workspace.open` finds it; `transaction` is the way to the store."""

    def __init__(self, folder: Path, settings: Settings, engine: Engine) -> None:
        self.folder, self.settings, self.engine = folder, settings, engine
        self.actor: str | None = None
        """Whose rights count (annotator.services.rights). None: whoever has this machine, who has the files anyway."""

    def acting_for(self, person: str) -> "Workspace":
        """The same workspace in the hands of `person`."""
        theirs = copy(self)
        theirs.actor = person
        return theirs

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Workspace) and (self.folder, self.engine) == (other.folder, other.engine)

    def __hash__(self) -> int:
        return hash((self.folder, id(self.engine)))

    @classmethod
    def create(cls, folder: Path, settings: Settings | None = None) -> "Workspace":
        """Make `folder` a workspace; an existing one is opened and brought to the newest schema."""
        settings = settings or Settings()
        marker = folder / MARKER
        if not marker.exists() and folder.is_dir() and any(folder.iterdir()):
            raise UsageError(f"{folder} is not empty and no workspace; name a new or an empty folder")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if not marker.exists():
                write_whole(marker, json.dumps({"format": 1, "database": settings.database}).encode())
        except OSError as error:
            raise UsageError(
                f"{folder} cannot be a workspace: {error.strerror}; name a folder you may write"
            ) from error
        return cls.open(folder, settings)

    @classmethod
    def open(cls, folder: Path, settings: Settings | None = None) -> "Workspace":
        """The workspace in `folder`.

        Raises MissingError where there is none, naming the command that makes one.
        """
        settings = settings or Settings()
        folder = folder.resolve()
        if not (folder / MARKER).exists():
            raise MissingError(f"no workspace in {folder}; make one with: annotator init -w {folder} --tags FILE")
        url = settings.database or json.loads((folder / MARKER).read_text()).get("database")
        workspace = cls(folder, settings, make_engine(url or sqlite_url(folder / "store.sqlite")))
        workspace._migrate()
        return workspace

    def close(self) -> None:
        self.engine.dispose()

    def __enter__(self) -> "Workspace":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """One writing transaction: committed when the block ends, rolled back when it raises."""
        with Session(self.engine, expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """One consistent view; it waits for no writer and nothing it does is kept."""
        options: dict[str, object] = {"readonly": True}
        if self.engine.dialect.name == "postgresql":
            options["isolation_level"] = "REPEATABLE READ"  # its default would look anew at each statement
        with Session(self.engine.execution_options(**options)) as session:
            yield session

    @property
    def project(self) -> Project:
        with self.reading() as session:
            values = {row.name: row.value["value"] for row in session.scalars(select(ProjectSetting))}
        return Project(**values)

    def change_project(self, **values: object) -> Project:
        """Set agreed values. Raises UsageError naming the field, the value and what is allowed."""
        try:
            project = Project(**{**self.project.model_dump(), **values})
        except ValidationError as error:
            first = error.errors()[0]
            raise UsageError(f"setting {first['loc'][0]}: {first['input']!r}: {first['msg']}") from error
        dumped = project.model_dump(mode="json")
        with self.transaction() as session:
            for name in values:
                session.merge(ProjectSetting(name=name, value={"value": dumped[name]}))
        return project

    # Files

    def thumbnail(self, size: int, sha256: str) -> Path:
        return self.folder / "thumbnails" / str(size) / sha256[:2] / f"{sha256}.jpg"

    def embeddings_folder(self, backbone: str) -> Path:
        return self.folder / "embeddings" / slug(backbone)

    def embeddings(self, backbone: str) -> ShardedArray:
        """The stored vectors of `backbone` (its full name). Raises MissingError where there are none."""
        stored = ShardedArray.open(self.embeddings_folder(backbone))
        if stored is None or len(stored) == 0:
            raise MissingError(f"no embeddings by {backbone}; make them with: annotator embed -w {self.folder}")
        return stored

    def index_file(self, backbone: str) -> Path:
        return self.folder / "index" / f"{slug(backbone)}.faiss"

    def model_folder(self, model_id: int) -> Path:
        return self.folder / "models" / str(model_id)

    def predictions_file(self, model_id: int) -> Path:
        return self.folder / "predictions" / f"{model_id}.npy"

    def round_file(self, number: int) -> Path:
        return self.folder / "rounds" / f"{number}.npy"

    @property
    def truth_file(self) -> Path:
        return self.folder / "truth.npz"

    @property
    def jobs_folder(self) -> Path:
        return self.folder / "jobs"

    @cached_property
    def secret(self) -> str:
        """The key that signs this workspace's browser sessions; made on first use, readable by the owner only."""
        file = self.folder / "secret.key"
        if not file.exists():
            write_whole(file, secrets.token_hex(32).encode())
            file.chmod(0o600)
        return file.read_text()

    # The schema

    def _migrate(self) -> None:
        config = Config()
        config.set_main_option("script_location", str(Path(db.__file__).parent / "migrations"))
        newest = ScriptDirectory.from_config(config).get_current_head()
        try:
            with self.engine.connect().execution_options(readonly=True) as connection:
                if _revision(connection) == newest:
                    return
            with self.engine.begin() as connection:
                config.attributes["connection"] = connection
                command.upgrade(config, "head")
        except OperationalError as error:
            raise UsageError(f"database {self.engine.url.render_as_string()}: {error.orig}") from error


def _revision(connection: Connection) -> str | None:
    from alembic.migration import MigrationContext

    return MigrationContext.configure(connection).get_current_revision()


@cache
def current() -> Workspace:
    """The workspace this process serves: the one the settings name, opened once."""
    settings = Settings()
    return Workspace.open(settings.workspace, settings)
