"""Turns: whole, what was said in them, and rolled up."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_FACTS = ("channel", "stt", "llm", "tts", "stt_model", "llm_model", "tts_model", "region")
_COUNTS = (
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


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "turn_facts",
        sa.Column(
            "id", sa.BigInteger, primary_key=True, autoincrement=False, comment="a digest of the facts"
        ),
        *(sa.Column(fact, sa.Text, nullable=False) for fact in _FACTS),
    )
    op.create_table(
        "turns",
        sa.Column("call", sa.Text, primary_key=True, comment="the session's id"),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column(
            "at_s", sa.Float(53), nullable=False, comment="since 1970; the origin, or when it was over"
        ),
        sa.Column("facts_id", sa.BigInteger, sa.ForeignKey("turn_facts.id"), nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("response_ms", sa.Float(53), comment="of a turn that somebody asked, and that was heard"),
        sa.Column("turn", sa.Text, nullable=False, comment="whole, as `reporting.events` writes it"),
    )
    op.create_index("turns_by_time", "turns", ["at_s", "facts_id"])
    op.create_index("turns_by_response", "turns", ["response_ms", "at_s", "facts_id"])
    op.create_table(
        "turn_texts",
        sa.Column("call", sa.Text, primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("user_text", sa.Text, nullable=False, comment="personal"),
        sa.Column("reply_text", sa.Text, nullable=False, comment="personal"),
        sa.Column("heard_text", sa.Text, nullable=False, comment="personal"),
        sa.ForeignKeyConstraint(["call", "number"], ["turns.call", "turns.number"], ondelete="CASCADE"),
    )
    op.create_table(
        "turn_rollups",
        sa.Column(
            "resolution_s", sa.Integer, primary_key=True, autoincrement=False, comment="60, 3600 or 86400"
        ),
        sa.Column("is_folded", sa.Boolean, primary_key=True, comment="whether the coarser ones hold it, too"),
        sa.Column("bucket_s", sa.BigInteger, primary_key=True, autoincrement=False, comment="when it begins"),
        sa.Column(
            "facts_id",
            sa.BigInteger,
            sa.ForeignKey("turn_facts.id"),
            primary_key=True,
            autoincrement=False,
        ),
        sa.Column("worker", sa.Text, primary_key=True, comment="whose; empty of the coarser ones"),
        *(sa.Column(count, sa.BigInteger, nullable=False) for count in _COUNTS),
        sa.Column("underrun_ms", sa.Float(53), nullable=False),
        sa.Column(
            "cells", sa.LargeBinary, nullable=False, comment="histograms, as `store.cells` writes them"
        ),
    )
