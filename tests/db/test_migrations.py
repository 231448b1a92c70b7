"""The schema that the migrations make is the one the code expects, from any earlier state and back."""

from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import select, text

import db
from annotator.services import labelling
from annotator.services.answers import Answer
from annotator.terms import LabelState
from annotator.workspace import Workspace
from db.models import Base, JournalEntry, Tag
from tests.services.rows import add_images, add_tags


def migrate(workspace: Workspace, revision: str, *, down: bool = False) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(db.__file__).parent / "migrations"))
    with workspace.engine.begin() as connection:
        config.attributes["connection"] = connection
        (command.downgrade if down else command.upgrade)(config, revision)


def test_migrations_make_the_tables_of_the_models(any_workspace: Workspace) -> None:
    with any_workspace.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


@pytest.mark.parametrize("revision", ["0005", "0003", "0001", "base"])
def test_migrations_go_back_and_forth(any_workspace: Workspace, revision: str) -> None:
    migrate(any_workspace, revision, down=True)
    migrate(any_workspace, "head")
    with any_workspace.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


def test_answers_of_the_first_schema_are_counted_by_the_second(any_workspace: Workspace) -> None:
    add_images(any_workspace, 2)
    add_tags(any_workspace, ["boat", "car"])
    answer = Answer(1, ((0, 1, LabelState.POSITIVE), (0, 2, LabelState.NEGATIVE), (1, 1, LabelState.POSITIVE)))
    labelling.record(any_workspace, "anna", "c", [answer])
    migrate(any_workspace, "0001", down=True)
    migrate(any_workspace, "head")
    with any_workspace.engine.connect() as connection:
        assert connection.execute(text("SELECT labels, pictures FROM submission")).all() == [(3, 2)]


def test_tags_and_labels_of_an_earlier_schema_are_kept_when_the_vocabulary_learns_to_change(
    any_workspace: Workspace,
) -> None:
    add_images(any_workspace, 1)
    add_tags(any_workspace, ["boat"])
    labelling.record(any_workspace, "anna", "c", [Answer(1, ((0, 1, LabelState.POSITIVE),))])
    migrate(any_workspace, "0003", down=True)
    migrate(any_workspace, "head")
    with any_workspace.reading() as session:
        tag = session.get_one(Tag, 1)
        assert (tag.name, tag.colour, tag.hotkey, tag.names, tag.examples) == ("boat", "", "", {}, [])
        assert [entry.state for entry in session.scalars(select(JournalEntry))] == [LabelState.POSITIVE]
