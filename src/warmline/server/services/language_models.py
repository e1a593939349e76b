"""Who answers."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

from warmline.interfaces.llm import LanguageModel
from warmline.pool.endpoint import HttpEndpoint
from warmline.pool.lines import Lines
from warmline.pool.shelf import ShelfPolicy
from warmline.pool.sockets import SocketEndpoint
from warmline.providers.anthropic.messages import RETRY, AnthropicMessages, anthropic_headers
from warmline.providers.anthropic.protocol import MODELS as ANTHROPIC_MODELS
from warmline.providers.anthropic.protocol import MessagesSettings
from warmline.providers.offline.quoting import QuotingAnswerer
from warmline.providers.openai.chat import OpenAiChat, openai_headers
from warmline.providers.openai.protocol import MODELS, ChatSettings
from warmline.providers.openai.responses import OpenAiResponses
from warmline.providers.openai.responses_protocol import ResponsesSettings
from warmline.providers.openai.responses_socket import OpenAiResponsesSocket
from warmline.server.plugins import open_plugin
from warmline.server.services.knowledge import Knowledge
from warmline.server.services.opened import Opened, Service, host_of, key_of, retry_of, socket_url
from warmline.server.settings import AnthropicTable, OpenAiTable, Settings

__all__ = ["chosen_language_model", "language_model_service", "open_language_model"]

_SOCKET_LIFE_S: Final = 3_300.0
"""OpenAI ends a socket after an hour; a turn that is begun before this ends long before that."""


@asynccontextmanager
async def open_language_model(
    settings: Settings, knowledge: Knowledge, lines: Lines
) -> AsyncIterator[Opened[LanguageModel]]:
    """Open who answers.

    Raises:
        ConfigError: a key is missing, or a plugin cannot be had.
    """
    wanted = chosen_language_model(settings)
    async with AsyncExitStack() as held:
        if wanted == "offline":
            example = next(iter(knowledge.example_questions), "")
            answerer = QuotingAnswerer(knowledge.index.topics, example)
            yield Opened(answerer, "passages of the documents, read aloud", can_continue=False)
        elif (service := await language_model_service(settings, lines, held)) is not None:
            yield service.opened()
        else:
            table = settings.plugins.get(wanted, {})
            plugin = await held.enter_async_context(open_plugin("llm", wanted, table, lines, os.environ))
            yield Opened(plugin, wanted, leg=wanted)


async def language_model_service(
    settings: Settings, lines: Lines, held: AsyncExitStack
) -> Service[LanguageModel] | None:
    """Return who answers, if that is one of the services; `held` closes what it opens.

    Raises:
        ConfigError: a key is missing.
    """
    match chosen_language_model(settings):
        case "openai":
            return await _openai(settings, lines, held)
        case "anthropic":
            return await _anthropic(settings, lines)
        case _:
            return None


def chosen_language_model(settings: Settings) -> str:
    """Return who answers, `auto` resolved."""
    if settings.providers.llm != "auto":
        return settings.providers.llm
    if settings.openai.api_key or settings.openai.base_urls != OpenAiTable().base_urls:
        return "openai"
    return "anthropic" if settings.anthropic.api_key else "offline"


async def _openai(settings: Settings, lines: Lines, held: AsyncExitStack) -> Service[LanguageModel]:
    table = settings.openai
    key = key_of(
        table.api_key,
        is_needed=table.base_urls == OpenAiTable().base_urls,
        role='answering by OpenAI ("openai" in [providers])',
        variable="OPENAI_API_KEY",
    )
    headers = openai_headers(key, table.organization, table.project)
    endpoint = await lines.endpoint(
        "openai",
        table.base_urls,
        warm=settings.lines.llm_warm,
        max_lines=settings.lines.llm_connections,
        idle_s=settings.lines.llm_idle_s,
        headers=headers,
        probe=MODELS,
        retry=retry_of(settings, "llm"),
        http2=table.http2,
    )
    chat = OpenAiChat(
        endpoint,
        ChatSettings(table.model, table.reasoning_effort, table.max_tokens, is_openai=_is_openai(table)),
    )
    model: LanguageModel = chat
    if table.api != "chat":
        responses = ResponsesSettings(table.model, table.reasoning_effort, table.max_tokens)
        model = OpenAiResponses(endpoint, responses)
        if table.api == "socket":
            socket = _responses_socket(settings, lines, endpoint, headers)
            await held.enter_async_context(socket)
            model = await held.enter_async_context(
                OpenAiResponsesSocket(socket, model, responses, lines.clock)
            )
    name = f"{table.model} at {host_of(table.base_urls)}"
    return Service(model, "openai", name, f"asking {table.model}", chat.check_key)


def _responses_socket(
    settings: Settings, lines: Lines, endpoint: HttpEndpoint, headers: dict[str, str]
) -> SocketEndpoint:
    policy = ShelfPolicy(
        warm_target=settings.lines.llm_warm,
        max_lines=settings.limits.sessions + settings.lines.llm_warm,
        idle_limit_s=_SOCKET_LIFE_S,
        max_age_s=_SOCKET_LIFE_S,
        keep_alive_s=settings.lines.llm_idle_s * 2 / 3,
    )
    url = socket_url(endpoint, "/responses")
    return lines.sockets("openai", url, policy, headers=headers)


def _is_openai(table: OpenAiTable) -> bool:
    if table.dialect != "auto":
        return table.dialect == "openai"
    return all(host_of((url,)).endswith("api.openai.com") for url in table.base_urls)


async def _anthropic(settings: Settings, lines: Lines) -> Service[LanguageModel]:
    table = settings.anthropic
    key = key_of(
        table.api_key,
        is_needed=table.base_urls == AnthropicTable().base_urls,
        role='answering by Anthropic ("anthropic" in [providers])',
        variable="ANTHROPIC_API_KEY",
    )
    endpoint = await lines.endpoint(
        "anthropic",
        table.base_urls,
        warm=settings.lines.llm_warm,
        max_lines=settings.lines.llm_connections,
        idle_s=settings.lines.llm_idle_s,
        headers=anthropic_headers(key),
        probe=ANTHROPIC_MODELS,
        retry=retry_of(settings, "llm", RETRY),
        http2=table.http2,
    )
    messages = MessagesSettings(table.model, table.max_tokens, table.thinking, table.effort)
    llm = AnthropicMessages(endpoint, messages)
    name = f"{table.model} at {host_of(table.base_urls)}"
    return Service(llm, "anthropic", name, f"asking {table.model}", llm.check_key)
