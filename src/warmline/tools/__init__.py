"""Tools: typed Python functions that the model may call, made by `tool` and kept in a `Toolbox`."""

from __future__ import annotations

from warmline.errors import ToolError
from warmline.interfaces.tool_context import Capability, ToolContext
from warmline.tools.definition import Tool, tool
from warmline.tools.results import ToolOutcome, ToolRecord, ToolResult
from warmline.tools.toolbox import Toolbox

__all__ = [
    "Capability",
    "Tool",
    "ToolContext",
    "ToolError",
    "ToolOutcome",
    "ToolRecord",
    "ToolResult",
    "Toolbox",
    "tool",
]
