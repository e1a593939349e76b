"""The settings of the turns that are kept."""

from __future__ import annotations

from dataclasses import dataclass

from warmline.server.settings.declaration import setting

__all__ = ["HistoryTable"]


@dataclass(frozen=True, slots=True)
class HistoryTable:
    """The turns that `warmline serve` keeps in the store, for the dashboard and `warmline report --store`."""

    keep: bool = setting(True, "Whether turns are kept: their figures and decisions, nothing that was said.")
    keep_days: float = setting(
        30.0,
        "After which turns are deleted, a whole day (UTC) at a time; 0 for never.",
        unit="days",
        at_least=0,
        at_most=36_500,
    )
    transcripts: bool = setting(
        False,
        "Whether what was said and answered in calls is kept with the turns, and deleted with them. It is "
        "personal data. Turned off again, nothing more is kept, and what was kept goes with its turns. "
        "Words of WhatsApp messages are kept under `whatsapp.keep_days` alone.",
    )
