"""A voice-agent engine that answers before the silence feels long.

The front door: what every user needs. Engine, providers and channels are imported from their rooms
(ARCHITECTURE.md); importing this loads none of them.
"""

from __future__ import annotations

from warmline.errors import (
    ConfigError,
    InputError,
    ProviderError,
    ProviderRejected,
    ProviderUnavailable,
    WarmlineError,
)

__all__ = [
    "ConfigError",
    "InputError",
    "ProviderError",
    "ProviderRejected",
    "ProviderUnavailable",
    "WarmlineError",
    "__version__",
]

__version__ = "0.1.0"
