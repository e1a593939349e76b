from collections.abc import AsyncIterator

import pytest

from tests.simulators.openai_running import OpenAiRunning, openai_running


@pytest.fixture
async def openai() -> AsyncIterator[OpenAiRunning]:
    """Run the simulated OpenAI for one test."""
    async with openai_running() as running:
        yield running
