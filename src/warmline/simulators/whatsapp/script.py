"""How the simulated WhatsApp behaves; may be changed while it runs."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from warmline.simulators.script import Script

__all__ = ["ScriptedStatus", "StatusName", "WhatsAppScript"]

StatusName = Literal["sent", "delivered", "read", "played"]

_NotNegative = Annotated[float, msgspec.Meta(ge=0)]
_Positive = Annotated[float, msgspec.Meta(gt=0)]
_AtLeastOne = Annotated[int, msgspec.Meta(ge=1)]


class ScriptedStatus(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """What a business is told of each message of its own that reached somebody."""

    status: StatusName
    """`played` is told of voice notes alone."""

    after_s: _NotNegative
    """From the message's acceptance. The statuses come in the order of these, whatever their names."""


class WhatsAppScript(Script, kw_only=True, forbid_unknown_fields=True):
    """WhatsApp's delays, limits and webhooks."""

    statuses: tuple[ScriptedStatus, ...] = (
        ScriptedStatus(status="sent", after_s=0.2),
        ScriptedStatus(status="delivered", after_s=0.5),
        ScriptedStatus(status="read", after_s=1.5),
        ScriptedStatus(status="played", after_s=2.0),
    )
    failed_s: _NotNegative = 0.3
    """From the acceptance of a message that does not reach anybody until its `failed` is told."""

    media_url_s: _NotNegative = 300.0
    """For how long the address of a file is good."""

    received_media_s: _NotNegative = 7 * 86_400.0
    """For how long a file that a person sent can be had; some say seven days, Meta itself nothing."""

    pair_burst: Annotated[int, msgspec.Meta(ge=0)] = 45
    """How many messages to the same person at once before error 131056; 0: any number."""

    pair_s: _Positive = 6.0
    """After how long one more may follow."""

    messages_per_s: Annotated[int, msgspec.Meta(ge=0)] = 80
    """How many messages a second, to whomever, before error 130429; 0: any number."""

    window_s: _NotNegative = 86_400.0
    """How long after a person's last message they can be written to without a template; 0: always."""

    token_requests: Annotated[int, msgspec.Meta(ge=0)] = 0
    """After how many requests the token has expired, until another one is made; 0: never."""

    webhook_copies: _AtLeastOne = 1
    """How often each webhook is delivered, all at once; round robin over the addresses."""

    webhook_batch: _AtLeastOne = 1
    """How many messages or statuses come in one webhook, if they happen within 250 ms."""

    webhook_reorder: bool = False
    """They come in pairs, the wrong way round, if they happen within 250 ms."""

    webhook_delay_ms: _NotNegative = 0.0
    webhook_forged: bool = False
    """They are signed with another secret."""

    webhook_timeout_s: _Positive = 10.0
    """How long an answer may take; Meta does not say."""

    webhook_retry_s: _Positive = 1.0
    """After how long a webhook that was not answered with 200 is sent again for the first time."""

    webhook_retry_growth: Annotated[float, msgspec.Meta(ge=1)] = 2.0
    """By how much more each time."""

    webhook_retry_most_s: _Positive = 3_600.0
    """The longest time between two tries."""

    webhook_retry_for_s: _NotNegative = 7 * 86_400.0
    """After which it is lost."""
