"""The settings of the dashboard."""

from __future__ import annotations

from dataclasses import dataclass

from warmline.server.settings.declaration import setting

__all__ = ["DashboardTable"]


@dataclass(frozen=True, slots=True)
class DashboardTable:
    """The dashboard, at `/dashboard`. Beyond this machine it asks for `WARMLINE_API_KEY`."""

    enabled: bool = setting(True, "Whether it is there.")
