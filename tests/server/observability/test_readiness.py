from dataclasses import replace

import anyio
import pytest

from tests.journeys.conversation import Stagehands
from tests.pool.views import pool_view
from warmline.core.setback import ProviderRole
from warmline.errors import ProviderRejected
from warmline.failover.health import LegEvent
from warmline.pool.census import Census, EndpointLines
from warmline.pool.states import LineState
from warmline.server.observability.readiness import Moment, Readiness, Reason, reasons
from warmline.testing.virtual_time import LoopClock

pytestmark = [pytest.mark.loop, pytest.mark.anyio]

WARM = pool_view(idle=2)
BUSY = pool_view(idle=0, leased=3, opening=1)
COLD = pool_view(idle=0, opening=2, draining=1)
BROKEN = pool_view(idle=0, leased=1, is_broken=True)
UNUSED = pool_view(idle=0, warm_target=0)
OFFLINE = {role: {"offline": True} for role in ProviderRole}


def moment(*endpoints, legs=None, is_running=True, has_room=True):
    return Moment(is_running, has_room, endpoints, {**OFFLINE, **(legs or {})})


def test_with_everything_offline_no_lines_are_needed():
    assert reasons(moment()) == ()


@pytest.mark.parametrize(
    ("pools", "is_ready"),
    [
        ((WARM,), True),
        ((BUSY,), True),
        ((COLD,), False),
        ((BROKEN,), False),
        ((UNUSED,), True),
        ((BROKEN, WARM), True),
        ((COLD, UNUSED), False),
        ((), True),
    ],
)
def test_an_endpoint_is_ready_with_an_open_line_where_lines_are_to_stand_ready(pools, is_ready):
    """A region further away that nobody uses, or a base URL that is down beside a good one, is no matter."""
    assert EndpointLines("openai", pools).is_ready is is_ready
    found = reasons(moment(EndpointLines("openai", pools), legs={ProviderRole.LLM: {"openai": True}}))
    assert found == (() if is_ready else (Reason("no_lines", "openai"),))


def test_who_is_stood_in_for_is_not_in_the_way():
    cold, warm = EndpointLines("openai", (COLD,)), EndpointLines("anthropic", (WARM,))
    legs = {ProviderRole.LLM: {"openai": True, "anthropic": True}}
    assert reasons(moment(cold, warm, legs=legs)) == ()
    legs = {ProviderRole.LLM: {"openai": True, "anthropic": False}}
    assert reasons(moment(cold, warm, legs=legs)) == (Reason("no_lines", "openai"),)
    legs = {ProviderRole.LLM: {"openai": False, "anthropic": False}}
    assert reasons(moment(cold, warm, legs=legs)) == (
        Reason("provider_down", "llm"),
        Reason("no_lines", "openai"),
    )


def test_a_networks_lines_are_needed_and_those_of_work_that_waits_are_not():
    cold = [EndpointLines(name, (COLD,)) for name in ("telnyx", "whatsapp", "openai embeddings")]
    assert reasons(moment(*cold)) == (Reason("no_lines", "telnyx"),)


def test_a_server_that_starts_or_stops_or_is_full_is_not_ready():
    assert reasons(moment(is_running=False, has_room=False)) == (Reason("starting"),)
    assert reasons(moment(has_room=False)) == (Reason("full"),)


def test_a_census_counts_endpoints_while_they_are_open():
    census, key = Census(), object()
    lines = EndpointLines("openai", (WARM, BUSY))
    census.opened(key, lambda: lines)
    assert census.endpoints() == (lines,)
    assert lines.states == {
        LineState.IDLE: 2,
        LineState.LEASED: 3,
        LineState.OPENING: 1,
        LineState.DRAINING: 0,
    }
    census.closed(key)
    census.closed(key)
    assert census.endpoints() == ()


class Open:
    is_running = has_room = True


async def test_a_key_that_was_refused_is_asked_for_again_until_it_is_taken():
    """A load balancer sends nobody until then, so no turn could find out."""

    refusals = [True, True, False]

    async def check():
        if refusals.pop(0):
            raise ProviderRejected("canary", provider="openai", phase="connect")

    key = (ProviderRole.LLM, "llm")
    providers = replace(Stagehands().providers(), checks={key: check}, troubled=frozenset({key}))
    readiness = Readiness(providers, LoopClock())
    assert readiness.reasons(Open()) == (Reason("provider_down", "llm"),)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(readiness.run)
        await anyio.sleep(25)
        assert readiness.reasons(Open()) == (Reason("provider_down", "llm"),)
        await anyio.sleep(10)
        assert readiness.reasons(Open()) == ()
        tasks.cancel_scope.cancel()


async def test_a_provider_that_is_down_is_in_the_way_until_it_may_be_tried_again():
    providers = Stagehands().providers()
    readiness = Readiness(providers, LoopClock())
    providers.failover.health.note(ProviderRole.TTS, "tts", LegEvent.REFUSED, LoopClock().now_s())
    assert readiness.reasons(Open()) == (Reason("provider_down", "tts"),)
    await anyio.sleep(0.6)
    assert readiness.reasons(Open()) == ()
