"""The settings of what is watched while the server runs: goals that are kept to, and metrics."""

from __future__ import annotations

from dataclasses import dataclass

from warmline.server.settings.declaration import secret, setting
from warmline.server.settings.secret import Secret

__all__ = ["AlertsTable", "MetricsTable"]


@dataclass(frozen=True, slots=True)
class AlertsTable:
    """Goals that turns are to keep to, and who is told when they do not (docs/guides/observability.md)."""

    window_s: float = setting(
        900.0, "The turns of how long are judged together.", unit="s", at_least=10, at_most=86_400
    )
    judge_s: float = setting(10.0, "How often they are judged.", unit="s", at_least=1, at_most=600)
    minimum: int = setting(
        20,
        "Turns, or for the cancellation rate drafts, below which nothing is judged.",
        unit="turns",
        at_least=5,
        at_most=10_000,
    )
    confirm_s: float = setting(
        30.0, "How long a goal must be broken before anybody is told.", unit="s", at_least=0, at_most=3_600
    )
    settle_s: float = setting(
        120.0,
        "How long it must be kept again before that is told; a goal that goes to and fro stays broken.",
        unit="s",
        at_least=0,
        at_most=86_400,
    )
    goals: tuple[str, ...] = setting(
        (),
        'Other limits than those in docs/guides/report.md, such as `["voice_first_audio=400", '
        '"cancellation_rate=20-50"]`: milliseconds for nine turns of ten, or a band in percent.',
        pattern=r"[a-z_]+=\d+(?:\.\d+)?(?:-\d+(?:\.\d+)?)?",
        phrase='goals with limits, such as "voice_first_audio=400" or "cancellation_rate=20-50"',
    )
    webhook_url: str = setting(
        "",
        "Who is told by `POST`: an incoming webhook of Slack, Mattermost and the like, or a program. Empty: "
        "only the log is. Only its host is ever logged, since such an address may itself be a secret.",
        pattern=r"(?:https?://[^\s/?#@]+(?:/[^\s#]*)?)?",
        phrase='an address without a user\'s name, such as "https://hooks.example.com/services/T0/B0"',
    )
    secret: Secret | None = secret(  # noqa: RUF009 - it returns a field
        "WARMLINE_ALERT_SECRET",
        "What the webhook's messages are signed with, so that a program knows whom they are from.",
        at_least=16,
        pattern=r"[!-~]+",
        phrase="at least 16 printable ASCII characters without spaces",
    )


@dataclass(frozen=True, slots=True)
class MetricsTable:
    """`/metrics`, for Prometheus."""

    public: bool = setting(
        False,
        "Whether anybody may read it who reaches the server. Else programs with `WARMLINE_API_KEY` may, and "
        "whoever asks from this machine without a proxy between.",
    )
