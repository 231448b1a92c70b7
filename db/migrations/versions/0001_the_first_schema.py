"""The first schema"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "annotator",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("role", sa.String(length=24), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_annotator")),
        sa.UniqueConstraint("name", name=op.f("uq_annotator_name")),
    )
    op.create_table(
        "image",
        sa.Column("row", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("byte_size", sa.BigInteger(), nullable=False),
        sa.Column("format", sa.String(), nullable=False),
        sa.Column("mode", sa.String(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("orientation", sa.SmallInteger(), nullable=False),
        sa.Column("frames", sa.Integer(), nullable=False),
        sa.Column("perceptual_hash", sa.BigInteger(), nullable=False),
        sa.Column("near_duplicate_group", sa.Integer(), nullable=True),
        sa.Column("given_split", sa.String(), nullable=True),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("row", name=op.f("pk_image")),
        sa.UniqueConstraint("sha256", name=op.f("uq_image_sha256")),
    )
    op.create_table(
        "model",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("backbone", sa.String(), nullable=False),
        sa.Column("head", sa.String(), nullable=False),
        sa.Column("snapshot_hash", sa.String(length=64), nullable=False),
        sa.Column("tag_ids", sa.JSON(), nullable=False),
        sa.Column("labels_used", sa.Integer(), nullable=False),
        sa.Column("images_used", sa.Integer(), nullable=False),
        sa.Column("metrics", sa.JSON(), nullable=False),
        sa.Column("in_use", sa.Boolean(), nullable=False),
        sa.Column("verdict", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_model")),
    )
    op.create_table(
        "project_setting",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("value", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_project_setting")),
    )
    op.create_table(
        "refused_file",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uri", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("message", sa.String(), nullable=False),
        sa.Column("byte_size", sa.BigInteger(), nullable=True),
        sa.Column("mtime_ns", sa.BigInteger(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refused_file")),
        sa.UniqueConstraint("uri", name=op.f("uq_refused_file_uri")),
    )
    op.create_table(
        "tag",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("definition", sa.String(), nullable=False),
        sa.Column("synonyms", sa.JSON(), nullable=False),
        sa.Column("prompts", sa.JSON(), nullable=False),
        sa.Column("parent_id", sa.Integer(), nullable=True),
        sa.Column("archived", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["parent_id"], ["tag.id"], name=op.f("fk_tag_parent_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tag")),
        sa.UniqueConstraint("key", name=op.f("uq_tag_key")),
    )
    op.create_table(
        "image_file",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uri", sa.String(), nullable=False),
        sa.Column("image_row", sa.Integer(), nullable=False),
        sa.Column("byte_size", sa.BigInteger(), nullable=True),
        sa.Column("mtime_ns", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["image_row"], ["image.row"], name=op.f("fk_image_file_image_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_image_file")),
        sa.UniqueConstraint("uri", name=op.f("uq_image_file_uri")),
    )
    with op.batch_alter_table("image_file", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_image_file_image_row"), ["image_row"], unique=False)

    op.create_table(
        "relation",
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("a_id", sa.Integer(), nullable=False),
        sa.Column("b_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["a_id"], ["tag.id"], name=op.f("fk_relation_a_id")),
        sa.ForeignKeyConstraint(["b_id"], ["tag.id"], name=op.f("fk_relation_b_id")),
        sa.PrimaryKeyConstraint("kind", "a_id", "b_id", name=op.f("pk_relation")),
    )
    op.create_table(
        "review",
        sa.Column("image_row", sa.Integer(), nullable=False),
        sa.Column("tag_id", sa.Integer(), nullable=False),
        sa.Column("reviewer_id", sa.Integer(), nullable=False),
        sa.Column("state", sa.SmallInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["image_row"], ["image.row"], name=op.f("fk_review_image_row")),
        sa.ForeignKeyConstraint(["reviewer_id"], ["annotator.id"], name=op.f("fk_review_reviewer_id")),
        sa.ForeignKeyConstraint(["tag_id"], ["tag.id"], name=op.f("fk_review_tag_id")),
        sa.PrimaryKeyConstraint("image_row", "tag_id", name=op.f("pk_review")),
    )
    op.create_table(
        "round",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("status", sa.String(length=24), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("pool_hash", sa.String(length=64), nullable=False),
        sa.Column("pool_size", sa.Integer(), nullable=False),
        sa.Column("model_id", sa.Integer(), nullable=False),
        sa.Column("tag_ids", sa.JSON(), nullable=False),
        sa.Column("targets", sa.JSON(), nullable=False),
        sa.Column("annotator_id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("rolled_back_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["annotator_id"], ["annotator.id"], name=op.f("fk_round_annotator_id")),
        sa.ForeignKeyConstraint(["model_id"], ["model.id"], name=op.f("fk_round_model_id")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_round")),
    )
    op.create_table(
        "submission",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("client", sa.String(length=64), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("annotator_id", sa.Integer(), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=True),
        sa.Column("problem", sa.String(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["annotator_id"], ["annotator.id"], name=op.f("fk_submission_annotator_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_submission")),
        sa.UniqueConstraint("client", "seq", name=op.f("uq_submission_client_seq")),
    )
    op.create_table(
        "journal_entry",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("image_row", sa.Integer(), nullable=False),
        sa.Column("tag_id", sa.Integer(), nullable=False),
        sa.Column("annotator_id", sa.Integer(), nullable=False),
        sa.Column("state", sa.SmallInteger(), nullable=True),
        sa.Column("previous", sa.SmallInteger(), nullable=True),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("submission_id", sa.Integer(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["annotator_id"], ["annotator.id"], name=op.f("fk_journal_entry_annotator_id")),
        sa.ForeignKeyConstraint(["image_row"], ["image.row"], name=op.f("fk_journal_entry_image_row")),
        sa.ForeignKeyConstraint(["submission_id"], ["submission.id"], name=op.f("fk_journal_entry_submission_id")),
        sa.ForeignKeyConstraint(["tag_id"], ["tag.id"], name=op.f("fk_journal_entry_tag_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_journal_entry")),
    )
    with op.batch_alter_table("journal_entry", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_journal_entry_image_row_tag_id"), ["image_row", "tag_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_journal_entry_submission_id"), ["submission_id"], unique=False)

    op.create_table(
        "label",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("image_row", sa.Integer(), nullable=False),
        sa.Column("tag_id", sa.Integer(), nullable=False),
        sa.Column("annotator_id", sa.Integer(), nullable=False),
        sa.Column("state", sa.SmallInteger(), nullable=False),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("round_number", sa.Integer(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["annotator_id"], ["annotator.id"], name=op.f("fk_label_annotator_id")),
        sa.ForeignKeyConstraint(["image_row"], ["image.row"], name=op.f("fk_label_image_row")),
        sa.ForeignKeyConstraint(["round_number"], ["round.number"], name=op.f("fk_label_round_number")),
        sa.ForeignKeyConstraint(["tag_id"], ["tag.id"], name=op.f("fk_label_tag_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_label")),
        sa.UniqueConstraint("image_row", "tag_id", "annotator_id", name=op.f("uq_label_image_row_tag_id_annotator_id")),
    )
    with op.batch_alter_table("label", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_label_tag_id_image_row"), ["tag_id", "image_row"], unique=False)

    op.create_table(
        "round_set",
        sa.Column("round_number", sa.Integer(), nullable=False),
        sa.Column("tag_id", sa.Integer(), nullable=False),
        sa.Column("side", sa.String(), nullable=False),
        sa.Column("threshold", sa.Double(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("alpha", sa.Double(), nullable=False),
        sa.Column("draws", sa.Integer(), nullable=False),
        sa.Column("positives", sa.Integer(), nullable=False),
        sa.Column("low", sa.Integer(), nullable=False),
        sa.Column("high", sa.Integer(), nullable=False),
        sa.Column("decision", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["round_number"], ["round.number"], name=op.f("fk_round_set_round_number")),
        sa.ForeignKeyConstraint(["tag_id"], ["tag.id"], name=op.f("fk_round_set_tag_id")),
        sa.PrimaryKeyConstraint("round_number", "tag_id", "side", name=op.f("pk_round_set")),
    )
    op.create_table(
        "task",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("image_row", sa.Integer(), nullable=False),
        sa.Column("tag_id", sa.Integer(), nullable=True),
        sa.Column("round_number", sa.Integer(), nullable=True),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("annotator_id", sa.Integer(), nullable=True),
        sa.Column("leased_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["annotator_id"], ["annotator.id"], name=op.f("fk_task_annotator_id")),
        sa.ForeignKeyConstraint(["image_row"], ["image.row"], name=op.f("fk_task_image_row")),
        sa.ForeignKeyConstraint(["round_number"], ["round.number"], name=op.f("fk_task_round_number")),
        sa.ForeignKeyConstraint(["tag_id"], ["tag.id"], name=op.f("fk_task_tag_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_task")),
    )
    with op.batch_alter_table("task", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_task_done_at_kind_tag_id_position"), ["done_at", "kind", "tag_id", "position"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_task_image_row"), ["image_row"], unique=False)
        batch_op.create_index(batch_op.f("ix_task_round_number"), ["round_number"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("task", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_task_round_number"))
        batch_op.drop_index(batch_op.f("ix_task_image_row"))
        batch_op.drop_index(batch_op.f("ix_task_done_at_kind_tag_id_position"))

    op.drop_table("task")
    op.drop_table("round_set")
    with op.batch_alter_table("label", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_label_tag_id_image_row"))

    op.drop_table("label")
    with op.batch_alter_table("journal_entry", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_journal_entry_submission_id"))
        batch_op.drop_index(batch_op.f("ix_journal_entry_image_row_tag_id"))

    op.drop_table("journal_entry")
    op.drop_table("submission")
    op.drop_table("round")
    op.drop_table("review")
    op.drop_table("relation")
    with op.batch_alter_table("image_file", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_image_file_image_row"))

    op.drop_table("image_file")
    op.drop_table("tag")
    op.drop_table("refused_file")
    op.drop_table("project_setting")
    op.drop_table("model")
    op.drop_table("image")
    op.drop_table("annotator")
