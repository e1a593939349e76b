"""A voice-agent engine that answers before the silence feels long.

The front door: what every user needs. Engine, providers and channels are imported from their rooms
(ARCHITECTURE.md); importing this loads none of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from warmline.errors import (
    ConfigError,
    InputError,
    ProviderError,
    ProviderRejected,
    ProviderUnavailable,
    ToolError,
    WarmlineError,
)

if TYPE_CHECKING:
    from warmline.tools import ToolContext, tool

__all__ = [
    "ConfigError",
    "InputError",
    "ProviderError",
    "ProviderRejected",
    "ProviderUnavailable",
    "ToolContext",
    "ToolError",
    "WarmlineError",
    "__version__",
    "tool",
]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Return what has to be loaded first: the tools' room, for whoever writes one."""
    if name not in ("ToolContext", "tool"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from warmline import tools

    return getattr(tools, name)
