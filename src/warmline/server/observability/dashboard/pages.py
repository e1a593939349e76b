"""The dashboard's page with its files, and the form that asks for the key."""

from __future__ import annotations

import html
from http import HTTPStatus
from pathlib import Path
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from warmline.core.clock import unix_time_s
from warmline.reporting.measures import MEASURES
from warmline.reporting.words import MEASURE_WORDS
from warmline.server.access import Refusal
from warmline.server.observability.dashboard.access import COOKIE, COOKIE_LIFE_S, DashboardAccess
from warmline.server.observability.dashboard.answers import NotKept, as_json, body_of, refused, with_words
from warmline.server.observability.dashboard.asking import BadQuery
from warmline.server.observability.dashboard.plots import INSTALL_PLOTS, PLOT_FILES
from warmline.server.observability.dashboard.shown import Shown
from warmline.timeline.contributions import MILESTONES

__all__ = ["DASHBOARD_PATH", "page_routes"]

DASHBOARD_PATH: Final = "/dashboard"

_FOLDER: Final = Path(__file__).parents[2] / "dashboard_page"
_PLACE: Final = "__WARMLINE_DASHBOARD__"
_WORDS: Final = "__WARMLINE_WORDS__"


class _LogIn(msgspec.Struct, forbid_unknown_fields=True):
    key: str


def page_routes(shown: Shown, access: DashboardAccess) -> list[BaseRoute]:
    """Return where the page is, and what it is made of; none of it says anything of turns."""
    index, login, refusal_page = (
        (_FOLDER / name).read_text(encoding="utf-8") for name in ("index.html", "login.html", "refused.html")
    )
    plots = shown.plots

    async def page(request: Request) -> Response:
        refusal = access.check_key(request.headers, request.cookies.get(COOKIE, ""), unix_time_s())
        if refusal is not None:
            if refusal.status is HTTPStatus.UNAUTHORIZED:
                return HTMLResponse(login, refusal.status)
            return HTMLResponse(refusal_page.replace(_WORDS, html.escape(refusal.message)), refusal.status)
        told = {
            "plots": plots is not None,
            "install_plots": INSTALL_PLOTS,
            "keeps_turns": shown.turns is not None,
            "measures": {name: MEASURE_WORDS[name] for name in MEASURES},
            "stages": [name for _, name in MILESTONES],
            "band": shown.drafts_band,
            "may_log_out": not access.is_open(request.headers),
        }
        # Within a script element only "</" and "<!--" could end the JSON early.
        safe = msgspec.json.encode(told).decode().replace("<", "\\u003c")
        return HTMLResponse(index.replace(_PLACE, safe))

    async def log_in(request: Request) -> Response:
        try:
            asked = msgspec.json.decode(await body_of(request), type=_LogIn)
        except (msgspec.DecodeError, UnicodeDecodeError) as problem:
            raise BadQuery('the body must be {"key": "…"}, in JSON') from problem
        made = access.log_in(request.headers, asked.key, unix_time_s())
        if isinstance(made, Refusal):
            return refused(made)
        response = as_json({"expires_in_s": COOKIE_LIFE_S})
        response.set_cookie(
            COOKIE,
            made,
            max_age=COOKIE_LIFE_S,
            path=DASHBOARD_PATH,
            secure=_is_https(request),
            httponly=True,
            samesite="strict",
        )
        return response

    async def log_out(request: Request) -> Response:
        elsewhere = access.check_origin(request.headers)
        if elsewhere is not None:
            return refused(elsewhere)
        response = as_json({})
        response.delete_cookie(
            COOKIE, path=DASHBOARD_PATH, secure=_is_https(request), httponly=True, samesite="strict"
        )
        return response

    async def plot_file(request: Request) -> Response:
        name = request.path_params["name"]
        if plots is None or name not in PLOT_FILES:
            raise NotKept(f"there is no such file; plots need {INSTALL_PLOTS}")
        return FileResponse(plots / name)

    return [
        Route(DASHBOARD_PATH, page),
        Route(f"{DASHBOARD_PATH}/login", with_words(log_in), methods=["POST"]),
        Route(f"{DASHBOARD_PATH}/logout", with_words(log_out), methods=["POST"]),
        Route(f"{DASHBOARD_PATH}/plots/{{name}}", with_words(plot_file)),
        Mount(f"{DASHBOARD_PATH}/page", StaticFiles(directory=_FOLDER)),
    ]


def _is_https(request: Request) -> bool:
    return request.url.scheme == "https" or request.headers.get("x-forwarded-proto", "") == "https"
