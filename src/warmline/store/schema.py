"""The tables, as `store.migrations` makes them. Columns of what people said, or who they are, say so."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from warmline.store.turn_views import FACTS

__all__ = [
    "METADATA",
    "NOTES",
    "PAUSES",
    "SENDS",
    "STATUSES",
    "TURNS",
    "TURN_COUNTS",
    "TURN_FACTS",
    "TURN_ROLLUPS",
    "TURN_TEXTS",
    "WHATSAPP_JOBS",
    "WORKERS",
]

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

TURN_FACTS: Final = sa.Table(
    "turn_facts",
    METADATA,
    sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False, comment="a digest of the facts"),
    *(sa.Column(fact, sa.Text, nullable=False) for fact in FACTS),
)

TURNS: Final = sa.Table(
    "turns",
    METADATA,
    sa.Column("call", sa.Text, primary_key=True, comment="the session's id"),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("at_s", sa.Float(53), nullable=False, comment="since 1970; the origin, or when it was over"),
    sa.Column("facts_id", sa.BigInteger, sa.ForeignKey("turn_facts.id"), nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("response_ms", sa.Float(53), comment="of a turn that somebody asked, and that was heard"),
    sa.Column("turn", sa.Text, nullable=False, comment="whole, as `reporting.events` writes it"),
    sa.Index("turns_by_time", "at_s", "facts_id"),
    sa.Index("turns_by_response", "response_ms", "at_s", "facts_id"),
)

TURN_TEXTS: Final = sa.Table(
    "turn_texts",
    METADATA,
    sa.Column("call", sa.Text, primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("user_text", sa.Text, nullable=False, comment="personal"),
    sa.Column("reply_text", sa.Text, nullable=False, comment="personal"),
    sa.Column("heard_text", sa.Text, nullable=False, comment="personal"),
    sa.ForeignKeyConstraint(["call", "number"], ["turns.call", "turns.number"], ondelete="CASCADE"),
)

TURN_COUNTS: Final = (
    "turns",
    "asked",
    "answered",
    "interrupted",
    "failed",
    "cold_turns",
    "drafts_begun",
    "drafts_dropped",
    "wasted_tokens",
    "setbacks_hidden",
    "setbacks_noticed",
    "underruns",
)
"""What is counted of turns that are rolled up."""

TURN_ROLLUPS: Final = sa.Table(
    "turn_rollups",
    METADATA,
    sa.Column("resolution_s", sa.Integer, primary_key=True, autoincrement=False, comment="60, 3600 or 86400"),
    sa.Column("is_folded", sa.Boolean, primary_key=True, comment="whether the coarser ones hold it, too"),
    sa.Column("bucket_s", sa.BigInteger, primary_key=True, autoincrement=False, comment="when it begins"),
    sa.Column(
        "facts_id", sa.BigInteger, sa.ForeignKey("turn_facts.id"), primary_key=True, autoincrement=False
    ),
    sa.Column("worker", sa.Text, primary_key=True, comment="whose; empty of the coarser ones"),
    *(sa.Column(count, sa.BigInteger, nullable=False) for count in TURN_COUNTS),
    sa.Column("underrun_ms", sa.Float(53), nullable=False),
    sa.Column("cells", sa.LargeBinary, nullable=False, comment="histograms, as `store.cells` writes them"),
)
