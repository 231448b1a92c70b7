"""Labelling sessions, and what each answer says of how it was given"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# By hand, because a batch would copy the table and SQLite refuses to drop the old one while the journal points at it.
COLUMNS = {
    "session_id": "INTEGER REFERENCES labelling_session (id)",
    "mode": "VARCHAR(24)",
    "tag_id": "INTEGER REFERENCES tag (id)",
    "pictures": "INTEGER NOT NULL DEFAULT 0",
    "labels": "INTEGER NOT NULL DEFAULT 0",
    "undone": "BOOLEAN NOT NULL DEFAULT FALSE",
}


def upgrade() -> None:
    op.create_table(
        "labelling_session",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("annotator_id", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=24), nullable=False),
        sa.Column("mode", sa.String(length=24), nullable=False),
        sa.Column("tag_id", sa.Integer(), nullable=True),
        sa.Column("page_size", sa.Integer(), nullable=True),
        sa.Column("in_hand", sa.JSON(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["annotator_id"], ["annotator.id"], name=op.f("fk_labelling_session_annotator_id")),
        sa.ForeignKeyConstraint(["tag_id"], ["tag.id"], name=op.f("fk_labelling_session_tag_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_labelling_session")),
    )
    op.create_index(op.f("ix_labelling_session_annotator_id_state"), "labelling_session", ["annotator_id", "state"])
    for name, kind in COLUMNS.items():
        op.execute(f"ALTER TABLE submission ADD COLUMN {name} {kind}")
    op.create_index(op.f("ix_submission_session_id"), "submission", ["session_id"])
    op.create_index(op.f("ix_submission_annotator_id_at"), "submission", ["annotator_id", "at"])
    op.execute(
        "UPDATE submission SET"
        " labels = (SELECT count(*) FROM journal_entry WHERE submission_id = submission.id),"
        " pictures = (SELECT count(DISTINCT image_row) FROM journal_entry WHERE submission_id = submission.id)"
    )
    op.execute("ALTER TABLE journal_entry ADD COLUMN round_number INTEGER REFERENCES round (number)")
    # Of labels that changed since, the journal cannot say any more whose round they answered.
    op.execute(
        "UPDATE journal_entry SET round_number = (SELECT round_number FROM label WHERE"
        " label.image_row = journal_entry.image_row AND label.tag_id = journal_entry.tag_id"
        " AND label.annotator_id = journal_entry.annotator_id AND label.state = journal_entry.state"
        " AND label.kind = journal_entry.kind)"
    )
    op.drop_index("ix_task_done_at_kind_tag_id_position", "task")
    op.create_index(op.f("ix_task_tag_id_done_at_position"), "task", ["tag_id", "done_at", "position"])


def downgrade() -> None:
    op.drop_index("ix_task_tag_id_done_at_position", "task")
    op.create_index(op.f("ix_task_done_at_kind_tag_id_position"), "task", ["done_at", "kind", "tag_id", "position"])
    op.execute("ALTER TABLE journal_entry DROP COLUMN round_number")
    op.drop_index("ix_submission_annotator_id_at", "submission")
    op.drop_index("ix_submission_session_id", "submission")
    for name in reversed(COLUMNS):
        op.execute(f"ALTER TABLE submission DROP COLUMN {name}")
    op.drop_table("labelling_session")
