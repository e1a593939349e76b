"""Warm lines: connections that are open before somebody needs them, and replaced before they go bad.

They can be had without the rest of warmline. `Lines` is where to begin; `Lines.httpx_client` and
`Lines.httpx2_client` put them under the official SDKs.
"""

from __future__ import annotations

from warmline.core.line_use import LineUse, OpenCost
from warmline.errors import LeaseTimeout, LineLost, NoAnswer, OpenFailed, PoolClosed, PoolError
from warmline.pool.endpoint import HttpEndpoint
from warmline.pool.http import HttpRequest, HttpResponse
from warmline.pool.lines import Lines
from warmline.pool.retrying import RetryPolicy
from warmline.pool.shelf import ShelfPolicy
from warmline.pool.view import PoolView

__all__ = [
    "HttpEndpoint",
    "HttpRequest",
    "HttpResponse",
    "LeaseTimeout",
    "LineLost",
    "LineUse",
    "Lines",
    "NoAnswer",
    "OpenCost",
    "OpenFailed",
    "PoolClosed",
    "PoolError",
    "PoolView",
    "RetryPolicy",
    "ShelfPolicy",
]
