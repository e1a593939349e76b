"""Messages over WhatsApp, what is sent in answer, pauses, workers.

Databases of before there were steps have these tables, and are taken over: what is there stays.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create what is missing."""
    op.create_table(
        "whatsapp_jobs",
        sa.Column(
            "id", sa.Text, primary_key=True, comment="made from the message's, so that it is answered once"
        ),
        sa.Column("user_key", sa.Text, nullable=False, comment="personal"),
        sa.Column("phone_number_id", sa.Text, nullable=False, comment="ours"),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("message", sa.Text, nullable=False, comment="as it came, in JSON; personal"),
        sa.Column("sent_s", sa.BigInteger, nullable=False, comment="when they sent it, since 1970"),
        sa.Column("received_s", sa.Float(53), nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False, comment="for people"),
        sa.Column("heard", sa.Text, comment="what was understood; personal"),
        sa.Column("answer", sa.Text, comment="personal"),
        sa.Column("runs", sa.Integer, nullable=False, comment="1, and one more for each replay"),
        sa.Column("answers", sa.Integer, nullable=False, comment="1, and one more for each anew"),
        sa.Column("finished_s", sa.Float(53)),
        if_not_exists=True,
    )
    op.create_index("whatsapp_jobs_of_user", "whatsapp_jobs", ["user_key", "sent_s"], if_not_exists=True)
    op.create_index("whatsapp_jobs_by_time", "whatsapp_jobs", ["received_s"], if_not_exists=True)
    op.create_table(
        "whatsapp_sends",
        sa.Column("id", sa.Text, primary_key=True, comment="the message's callback data"),
        sa.Column("job_id", sa.Text, nullable=False),
        sa.Column("answer", sa.Integer, nullable=False, comment="which of the job's"),
        sa.Column("part", sa.Integer, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("media_id", sa.Text, nullable=False),
        sa.Column("message_id", sa.Text, nullable=False, comment="WhatsApp's"),
        sa.Column("called_s", sa.Float(53), comment="when the call that sends it was about to be made"),
        sa.Column("accepted_s", sa.Float(53)),
        sa.Column("error_code", sa.Integer, nullable=False),
        sa.Column("error_title", sa.Text, nullable=False),
        if_not_exists=True,
    )
    op.create_index("ix_whatsapp_sends_job_id", "whatsapp_sends", ["job_id"], if_not_exists=True)
    op.create_index("ix_whatsapp_sends_message_id", "whatsapp_sends", ["message_id"], if_not_exists=True)
    op.create_table(
        "whatsapp_notes",
        sa.Column("job_id", sa.Text, primary_key=True),
        sa.Column("part", sa.Integer, primary_key=True),
        sa.Column("audio", sa.LargeBinary, nullable=False, comment="OGG, for a day or two; personal"),
        sa.Column("seconds", sa.Float, nullable=False),
        if_not_exists=True,
    )
    op.create_table(
        "whatsapp_statuses",
        sa.Column("message_id", sa.Text, primary_key=True),
        sa.Column("state", sa.Text, primary_key=True),
        sa.Column("at_s", sa.BigInteger, nullable=False),
        sa.Column("callback_data", sa.Text, nullable=False, comment="of what was sent, as its id"),
        sa.Column("error_code", sa.Integer, nullable=False),
        sa.Column("error_title", sa.Text, nullable=False),
        if_not_exists=True,
    )
    op.create_index(
        "ix_whatsapp_statuses_callback_data", "whatsapp_statuses", ["callback_data"], if_not_exists=True
    )
    op.create_table(
        "pauses",
        sa.Column("name", sa.Text, primary_key=True, comment="of what stands still"),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("since_s", sa.Float(53), nullable=False),
        if_not_exists=True,
    )
    op.create_table(
        "workers",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("seen_s", sa.Float(53), nullable=False),
        if_not_exists=True,
    )
