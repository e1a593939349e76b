"""The tables. Columns that hold what people said, or who they are, say so."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

__all__ = ["METADATA", "NOTES", "PAUSES", "SENDS", "STATUSES", "WHATSAPP_JOBS", "WORKERS"]

METADATA: Final = sa.MetaData()

WHATSAPP_JOBS: Final = sa.Table(
    "whatsapp_jobs",
    METADATA,
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
    sa.Column("reason", sa.Text, nullable=False, default="", comment="for people"),
    sa.Column("heard", sa.Text, comment="what was understood; personal"),
    sa.Column("answer", sa.Text, comment="personal"),
    sa.Column("runs", sa.Integer, nullable=False, default=1, comment="1, and one more for each replay"),
    sa.Column("answers", sa.Integer, nullable=False, default=1, comment="1, and one more for each anew"),
    sa.Column("finished_s", sa.Float(53)),
    sa.Index("whatsapp_jobs_of_user", "user_key", "sent_s"),
    sa.Index("whatsapp_jobs_by_time", "received_s"),
)

SENDS: Final = sa.Table(
    "whatsapp_sends",
    METADATA,
    sa.Column("id", sa.Text, primary_key=True, comment="the message's callback data"),
    sa.Column("job_id", sa.Text, nullable=False, index=True),
    sa.Column("answer", sa.Integer, nullable=False, default=1, comment="which of the job's"),
    sa.Column("part", sa.Integer, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("media_id", sa.Text, nullable=False, default=""),
    sa.Column("message_id", sa.Text, nullable=False, default="", index=True, comment="WhatsApp's"),
    sa.Column("called_s", sa.Float(53), comment="when the call that sends it was about to be made"),
    sa.Column("accepted_s", sa.Float(53)),
    sa.Column("error_code", sa.Integer, nullable=False, default=0),
    sa.Column("error_title", sa.Text, nullable=False, default=""),
)

NOTES: Final = sa.Table(
    "whatsapp_notes",
    METADATA,
    sa.Column("job_id", sa.Text, primary_key=True),
    sa.Column("part", sa.Integer, primary_key=True),
    sa.Column("audio", sa.LargeBinary, nullable=False, comment="OGG, for a day or two; personal"),
    sa.Column("seconds", sa.Float, nullable=False),
)

STATUSES: Final = sa.Table(
    "whatsapp_statuses",
    METADATA,
    sa.Column("message_id", sa.Text, primary_key=True),
    sa.Column("state", sa.Text, primary_key=True),
    sa.Column("at_s", sa.BigInteger, nullable=False),
    sa.Column("callback_data", sa.Text, nullable=False, index=True, comment="of what was sent, as its id"),
    sa.Column("error_code", sa.Integer, nullable=False),
    sa.Column("error_title", sa.Text, nullable=False),
)

PAUSES: Final = sa.Table(
    "pauses",
    METADATA,
    sa.Column("name", sa.Text, primary_key=True, comment="of what stands still"),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("since_s", sa.Float(53), nullable=False),
)

WORKERS: Final = sa.Table(
    "workers",
    METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("seen_s", sa.Float(53), nullable=False),
)
