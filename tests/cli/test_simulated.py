"""What a command's settings are when simulators are beside it."""

from __future__ import annotations

import pytest

from warmline.cli.simulated import Simulated, settings_with
from warmline.core.formats import PCMU_8K
from warmline.server.settings.phone_tables import telephone_formats

pytestmark = pytest.mark.unit

FOUND = Simulated(
    settings={"telnyx.base_urls": ["https://localhost:1/v2"], "openai.base_urls": ["https://localhost:2/v1"]},
    environment={"TELNYX_API_KEY": "simulated-key", "TWILIO_AUTH_TOKEN": "simulated-key"},
    base_urls={},
    control_urls={},
    certificate="",
)


def test_only_a_command_that_takes_calls_has_telephone_networks():
    """Each format of calls costs lines that are kept ready."""
    formats = {}
    for takes_calls in (True, False):
        settings = settings_with(None, None, {}, takes_calls=takes_calls)(FOUND)
        assert settings.openai.base_urls == ("https://localhost:2/v1",)
        formats[takes_calls] = telephone_formats(settings.telnyx, settings.twilio)
    assert formats == {True: (PCMU_8K,), False: ()}


def test_keys_of_networks_in_the_environment_keep_no_lines_ready_for_a_conversation_in_the_terminal(
    monkeypatch,
):
    monkeypatch.setenv("TELNYX_API_KEY", "a-real-one")
    settings = settings_with(None, None, {})(None)
    assert telephone_formats(settings.telnyx, settings.twilio) == ()
