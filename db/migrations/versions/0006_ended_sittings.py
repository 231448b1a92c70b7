"""Sign-ins that a sign-out ended"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "ended_sitting",
        sa.Column("sitting", sa.String(length=32), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("sitting", name=op.f("pk_ended_sitting")),
    )


def downgrade() -> None:
    op.drop_table("ended_sitting")
