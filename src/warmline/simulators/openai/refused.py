"""Requests that are not answered, as a handler says so."""

from __future__ import annotations

from warmline.simulators.openai.errors import error_body

__all__ = ["Refused", "no_model"]


class Refused(Exception):
    """A request that is not answered; carries the error's status and body."""

    def __init__(self, code: str | None, text: str, param: str | None = None, status: int = 400) -> None:
        super().__init__(text)
        self.status = status
        self.body = error_body(code, text, param)


def no_model(name: str) -> Refused:
    """Return what is said of a model that does not exist."""
    text = f"The model `{name}` does not exist or you do not have access to it."
    return Refused("model_not_found", text, "model", 404)
