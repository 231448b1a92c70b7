"""What a round expected of each of its sets"""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE round_set ADD COLUMN plan JSON NOT NULL DEFAULT '{}'")


def downgrade() -> None:
    op.execute("ALTER TABLE round_set DROP COLUMN plan")
