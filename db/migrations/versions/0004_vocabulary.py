"""Changes of the vocabulary that can be undone, and what else a tag may have"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

# By hand, because a batch would copy the tables and SQLite refuses to drop what others point at.
COLUMNS = {
    "colour": "VARCHAR NOT NULL DEFAULT ''",
    "hotkey": "VARCHAR NOT NULL DEFAULT ''",
    "names": "JSON NOT NULL DEFAULT '{}'",
    "examples": "JSON NOT NULL DEFAULT '[]'",
    "merged_into_id": "INTEGER REFERENCES tag (id)",
}


def upgrade() -> None:
    op.create_table(
        "vocabulary_change",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("annotator_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.Column("undone", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["annotator_id"], ["annotator.id"], name=op.f("fk_vocabulary_change_annotator_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vocabulary_change")),
    )
    for name, kind in COLUMNS.items():
        op.execute(f"ALTER TABLE tag ADD COLUMN {name} {kind}")
    op.execute("ALTER TABLE journal_entry ADD COLUMN change_id INTEGER REFERENCES vocabulary_change (id)")
    for table in ("label", "journal_entry"):
        op.execute(f"ALTER TABLE {table} ADD COLUMN because_id INTEGER REFERENCES tag (id)")
    op.create_index(op.f("ix_journal_entry_change_id"), "journal_entry", ["change_id"])


def downgrade() -> None:
    op.drop_index("ix_journal_entry_change_id", "journal_entry")
    for table in ("journal_entry", "label"):
        op.execute(f"ALTER TABLE {table} DROP COLUMN because_id")
    op.execute("ALTER TABLE journal_entry DROP COLUMN change_id")
    for name in reversed(COLUMNS):
        op.execute(f"ALTER TABLE tag DROP COLUMN {name}")
    op.drop_table("vocabulary_change")
