"""What the language model may call."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from warmline.errors import ConfigError
from warmline.pool.lines import Lines
from warmline.server.plugins import open_plugin
from warmline.server.settings import Settings
from warmline.tools.builtin import builtin_tools
from warmline.tools.definition import Tool
from warmline.tools.toolbox import Toolbox

__all__ = ["open_tools"]


@asynccontextmanager
async def open_tools(settings: Settings, lines: Lines) -> AsyncIterator[Toolbox]:
    """Put together what the settings name: warmline's own, then those of modules, then of packages.

    Raises:
        ConfigError: a module or a package cannot be imported or has no tools, a function can be no
            tool, or two have the same name.
    """
    table = settings.tools
    async with AsyncExitStack() as held:
        tools = builtin_tools(table.builtin, table.transfer_to)
        for name in table.modules:
            tools += _tools_of(name)
        for name in table.plugins:
            plugin = open_plugin("tools", name, settings.plugins.get(name, {}), lines, os.environ)
            tools += await held.enter_async_context(plugin)
        yield Toolbox(tools)


def _tools_of(name: str) -> list[Tool[..., Any]]:
    """Import a module, once and before anybody is served; return its tools in their order."""
    here = os.getcwd()
    if here not in sys.path:
        # A command that was installed does not have the working directory there, as `python` does.
        sys.path.insert(0, here)
    try:
        module = importlib.import_module(name)
    except ConfigError as error:
        raise ConfigError(f"tools.modules has {name!r}: {error}") from error
    # Another's module may fail at anything.
    except Exception as error:
        raise ConfigError(
            f"tools.modules has {name!r}, which cannot be imported: {type(error).__name__}: {error}; "
            f"it is looked for in {here} and among the installed packages"
        ) from error
    tools = [thing for thing in vars(module).values() if isinstance(thing, Tool)]
    if not tools:
        raise ConfigError(
            f"tools.modules has {name!r}, which has no tools; decorate its functions with warmline.tool"
        )
    return tools
