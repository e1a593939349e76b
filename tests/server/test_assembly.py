"""What a session is told of the settings."""

from dataclasses import replace

import pytest

from warmline.server.assembly import session_settings
from warmline.server.settings import AgentTable, LimitsTable, Settings
from warmline.server.settings.provider_tables import ProvidersTable
from warmline.session.settings import SessionSettings
from warmline.turns.idling import IdlePolicy

pytestmark = pytest.mark.unit


def test_the_defaults_of_the_file_and_of_a_session_are_the_same():
    """With the offline answerer, who writes no summaries."""
    assert session_settings(Settings()) == SessionSettings()


@pytest.mark.parametrize(("llm", "summarises"), [("offline", False), ("anthropic", True), ("somebody", True)])
def test_only_a_model_that_can_write_is_asked_for_summaries(llm, summarises):
    """The offline answerer reads passages aloud."""
    settings = replace(Settings(), providers=ProvidersTable(llm=llm))
    assert session_settings(settings).summarises is summarises
    off = replace(settings, agent=AgentTable(summarise=False))
    assert not session_settings(off).summarises


def test_idle_prompts_farewells_and_the_prompts_limit_reach_the_session():
    """As written."""
    agent = AgentTable(
        context_tokens=2_000, idle_s=12, idle_prompts=1, idle_texts=("Hello?",), idle_farewell="Bye."
    )
    limits = LimitsTable(farewell="Time is up.", farewell_s=20)
    told = session_settings(replace(Settings(), agent=agent, limits=limits))
    assert told.idle == IdlePolicy(12, 1, ("Hello?",), "Bye.")
    assert told.context.limit_tokens == 2_000
    assert (told.expiry_farewell, told.expiry_farewell_s) == ("Time is up.", 20)
