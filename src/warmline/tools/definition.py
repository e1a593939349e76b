"""Tools: typed Python functions that a model may call."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Generic, ParamSpec, TypeVar, overload

from warmline.errors import ConfigError
from warmline.interfaces.llm import ToolSpec
from warmline.interfaces.tool_context import Capability
from warmline.tools.signature import Signature, in_words, read_signature

__all__ = ["TIMEOUT_S", "Tool", "tool"]

TIMEOUT_S: Final = 10.0
"""How long a tool may take if it does not say otherwise; people wait for it on a call."""

_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True, eq=False)
class Tool(Generic[P, R]):
    """A function, and what has to be known to let a model call it. Called as one, it is the function."""

    function: Callable[P, R]
    spec: ToolSpec
    signature: Signature
    is_async: bool
    is_pure: bool
    """It changes nothing, so that it may run before the turn is committed; its result may come to nothing."""

    timeout_s: float
    needs: Capability | None
    """What the session's channel has to be able to do; None: nothing."""

    @property
    def name(self) -> str:
        """By which the model calls it."""
        return self.spec.name

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function as if it were no tool."""
        return self.function(*args, **kwargs)

    def __str__(self) -> str:
        return in_words(self.name, self.function)


@overload
def tool(
    function: Callable[P, R],
    /,
    *,
    name: str = "",
    description: str = "",
    is_pure: bool = False,
    timeout_s: float = TIMEOUT_S,
    needs: Capability | None = None,
) -> Tool[P, R]: ...


@overload
def tool(
    *,
    name: str = "",
    description: str = "",
    is_pure: bool = False,
    timeout_s: float = TIMEOUT_S,
    needs: Capability | None = None,
) -> Callable[[Callable[P, R]], Tool[P, R]]: ...


def tool(
    function: Callable[P, R] | None = None,
    /,
    *,
    name: str = "",
    description: str = "",
    is_pure: bool = False,
    timeout_s: float = TIMEOUT_S,
    needs: Capability | None = None,
) -> Tool[P, R] | Callable[[Callable[P, R]], Tool[P, R]]:
    """Make a tool of a typed function, as a decorator or a call.

    The model is told the docstring up to its first section, the parameters' types, and what the
    section `Args` (in Google's style), or `Annotated[..., msgspec.Meta(description=...)]`, says of
    them. A parameter annotated with `ToolContext` gets the session; the model does not see it.

    What the function returns, a text or anything that msgspec can write as JSON, is told to the
    model. So is the text of a `ToolError`; of any other exception only that there was one. An
    `async` function runs on the event loop and is cancelled where it takes too long or the person
    interrupts. Any other runs on a thread, which goes on to its end then, and nobody waits for it.

    Args:
        function: The function.
        name: What the model calls it; the function's name if empty.
        description: What the model is told in place of what stands before the docstring's sections.
        is_pure: Whether it changes nothing anywhere. It may then run while the person might still be
            speaking, more than once and in vain; any other waits until the turn is committed.
        timeout_s: After how many seconds the model is told that there was no answer.
        needs: What the session's channel has to be able to do for the tool to be offered.

    Raises:
        ConfigError: it can't be made a tool; the text says what to do.
    """

    def make(function: Callable[P, R]) -> Tool[P, R]:
        if not (inspect.isfunction(function) or inspect.ismethod(function)):
            raise ConfigError(f"{function!r} is no function; a tool is made of a function or a bound method")
        own = name or function.__name__
        where = in_words(own, function)
        if not _NAME.fullmatch(own):
            raise ConfigError(
                f"{where} has a name that not every provider takes; "
                "give it one of at most 64 letters, digits, _ and - with tool(name=...)"
            )
        if timeout_s <= 0:
            raise ConfigError(f"{where} has timeout_s={timeout_s:g}; it must be above 0")
        signature = read_signature(own, function, description)
        unwrapped = inspect.unwrap(function)
        if inspect.isgeneratorfunction(unwrapped) or inspect.isasyncgenfunction(unwrapped):
            raise ConfigError(f"{where} yields; a tool returns all of its result at once")
        is_async = inspect.iscoroutinefunction(unwrapped)
        if signature.context_names and not is_async:
            raise ConfigError(
                f"{where} takes the ToolContext, which is used on the event loop; make it `async def`"
            )
        spec = ToolSpec(own, signature.description, signature.schema)
        return Tool(function, spec, signature, is_async, is_pure, timeout_s, needs)

    return make if function is None else make(function)
