"""Accounts, invitations, the log of acts; skips, known answers, comments and verdicts"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# By hand, because a batch would copy the tables and SQLite refuses to drop what others point at.
COLUMNS = {
    "annotator": {
        "password_hash": "VARCHAR",
        "email": "VARCHAR",
        "stamp": "INTEGER NOT NULL DEFAULT 0",
        "paused": "BOOLEAN NOT NULL DEFAULT FALSE",
        "daily_quota": "INTEGER",
    },
    "review": {"verdict": "VARCHAR(24) NOT NULL DEFAULT 'accepted'"},
    "task": {"for_id": "INTEGER REFERENCES annotator (id)"},
}
UNIQUE_EMAIL = "uq_annotator_email"


def upgrade() -> None:
    op.create_table(
        "invitation",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("role", sa.String(length=24), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("invited_by", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invitation")),
        sa.UniqueConstraint("digest", name=op.f("uq_invitation_digest")),
    )
    op.create_table(
        "sign_in_attempt",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sign_in_attempt")),
    )
    op.create_index(op.f("ix_sign_in_attempt_key_at"), "sign_in_attempt", ["key", "at"])
    op.create_table(
        "act",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("person", sa.String(), nullable=False),
        sa.Column("what", sa.String(), nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_act")),
    )
    _about_pictures()
    for table, columns in COLUMNS.items():
        for name, kind in columns.items():
            op.execute(f"ALTER TABLE {table} ADD COLUMN {name} {kind}")
    op.create_index(UNIQUE_EMAIL, "annotator", ["email"], unique=True)


def _about_pictures() -> None:
    def about(tag: bool) -> list[sa.Column[int]]:
        return [
            sa.Column("image_row", sa.Integer(), nullable=False),
            sa.Column("tag_id", sa.Integer(), nullable=not tag),
            sa.Column("annotator_id", sa.Integer(), nullable=False),
        ]

    def keys(table: str) -> list[sa.ForeignKeyConstraint]:
        places = {"image_row": "image.row", "tag_id": "tag.id", "annotator_id": "annotator.id"}
        return [sa.ForeignKeyConstraint([name], [to], name=op.f(f"fk_{table}_{name}")) for name, to in places.items()]

    op.create_table(
        "skip",
        sa.Column("id", sa.Integer(), nullable=False),
        *about(tag=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        *keys("skip"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_skip")),
    )
    op.create_index(op.f("ix_skip_image_row_annotator_id"), "skip", ["image_row", "annotator_id"])
    op.create_table(
        "gold",
        *about(tag=True),
        sa.Column("state", sa.SmallInteger(), nullable=False),
        sa.Column("instant", sa.Boolean(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        *keys("gold"),
        sa.PrimaryKeyConstraint("image_row", "tag_id", name=op.f("pk_gold")),
    )
    op.create_table(
        "comment",
        sa.Column("id", sa.Integer(), nullable=False),
        *about(tag=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        *keys("comment"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_comment")),
    )
    op.create_index(op.f("ix_comment_image_row_tag_id"), "comment", ["image_row", "tag_id"])


def downgrade() -> None:
    op.drop_index(UNIQUE_EMAIL, "annotator")
    for table, columns in COLUMNS.items():
        for name in reversed(columns):
            op.execute(f"ALTER TABLE {table} DROP COLUMN {name}")
    for table in ("comment", "gold", "skip", "act", "sign_in_attempt", "invitation"):
        op.drop_table(table)
