"""From a typed Python function to what a model is told of it, and from its arguments back to Python."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, Final, Union

import msgspec
from docstring_parser import ParseError, google

from warmline.errors import ConfigError
from warmline.interfaces.tool_context import ToolContext

__all__ = ["Signature", "in_words", "read_signature"]

_DESCRIPTION_CHARS: Final = 1_024
"""OpenAI takes no longer one."""


@dataclass(frozen=True, slots=True)
class Signature:
    """What a function's annotations and docstring say."""

    description: str
    schema: Mapping[str, Any]
    """The JSON schema of the arguments, an object."""

    decoder: msgspec.json.Decoder[Any]
    """Reads them; an argument that was left out is `msgspec.UNSET`."""

    names: tuple[str, ...]
    """The arguments that the model gives."""

    context_names: tuple[str, ...]
    """The parameters that take the `ToolContext`."""

    def arguments(self, written: str) -> dict[str, Any]:
        """Return the arguments that the model wrote, as the function takes them.

        Numbers and truth values in quotes are read as such: models write them so now and then.

        Raises:
            msgspec.DecodeError: it is no JSON, or (ValidationError) does not fit.
        """
        read = self.decoder.decode(written if written.strip() else "{}")
        given = {name: getattr(read, name) for name in self.names}
        return {name: value for name, value in given.items() if value is not msgspec.UNSET}


def in_words(name: str, function: Callable[..., object]) -> str:
    """Return which tool it is and where it is defined, for an error."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    place = f" ({PurePath(code.co_filename).name}:{code.co_firstlineno})" if code is not None else ""
    return f"the tool {name}{place}"


def read_signature(name: str, function: Callable[..., object], description: str = "") -> Signature:
    """Return what a function's annotations and its docstring, in Google's style, say.

    Args:
        name: The tool's.
        function: It.
        description: What the model is told in place of what stands before the docstring's sections.

    Raises:
        ConfigError: it can't be made a tool; the text says what to do.
    """
    tool = in_words(name, function)
    said, described = _documented(tool, function)
    description = description or said
    if not description:
        raise ConfigError(
            f"{tool} has no docstring; say in its first line what it does, "
            "since that is how the model knows when to call it"
        )
    if len(description) > _DESCRIPTION_CHARS:
        raise ConfigError(
            f"{tool} is described in {len(description):,} characters; say it in at most "
            f"{_DESCRIPTION_CHARS:,}, or give the model less of the docstring with tool(description=...)"
        )
    hints = _hints(tool, function)
    fields: list[tuple[str, object, object] | tuple[str, object]] = []
    defaults: dict[str, object] = {}
    context_names = []
    for parameter in inspect.signature(function).parameters.values():
        hint = _hint(tool, parameter, hints)
        if hint is ToolContext:
            context_names.append(parameter.name)
        elif parameter.default is parameter.empty:
            fields.append((parameter.name, hint))
        else:
            # The function's own default is taken where the model leaves an argument out.
            fields.append((parameter.name, Union[hint, msgspec.UnsetType], msgspec.UNSET))  # noqa: UP007
            defaults[parameter.name] = parameter.default
    names = tuple(field[0] for field in fields)
    if unknown := sorted(described.keys() - {*names, *context_names}):
        raise ConfigError(
            f"{tool} has no parameter {unknown[0]!r}, which its docstring describes under Args; "
            "use the parameter's name there"
        )
    try:
        arguments = msgspec.defstruct("Arguments", fields, kw_only=True, forbid_unknown_fields=True)
        schema = _schema(arguments)
        decoder = msgspec.json.Decoder(arguments, strict=False)
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"{tool} has a parameter of a type that JSON does not have ({str(error).splitlines()[-1]}); "
            "use str, int, float, bool, lists, dicts, Literal, enums, dates, dataclasses or msgspec.Struct"
        ) from error
    _describe(schema["properties"], described, defaults)
    return Signature(description, schema, decoder, names, tuple(context_names))


def _documented(tool: str, function: Callable[..., object]) -> tuple[str, dict[str, str]]:
    """Return what stands before the docstring's sections, and what is said of each parameter."""
    try:
        read = google.parse(inspect.getdoc(function) or "")
    except ParseError as error:
        raise ConfigError(
            f"{tool} has a docstring that cannot be read: {error}; under Args, write `name: what it is`"
        ) from error
    paragraphs = (read.short_description, read.long_description)
    described = {
        each.arg_name: " ".join((each.description or "").split())
        for each in read.params
        if each.args[0] == "param"
    }
    return "\n\n".join(filter(None, paragraphs)), described


def _hints(tool: str, function: Callable[..., object]) -> Mapping[str, object]:
    try:
        return typing.get_type_hints(function, include_extras=True)
    except (NameError, TypeError) as error:
        raise ConfigError(
            f"{tool} has an annotation that cannot be resolved: {error}; "
            "import or define the type at the top of the module, not under TYPE_CHECKING or in a function"
        ) from error


def _hint(tool: str, parameter: inspect.Parameter, hints: Mapping[str, object]) -> object:
    """Return a parameter's type."""
    if parameter.name == "self" and parameter.name not in hints:
        raise ConfigError(
            f"{tool} is a method without its object; make the tool of the bound one: tool(it.method)"
        )
    if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
        raise ConfigError(
            f"{tool} takes `{parameter}`; the model gives arguments by name, so name each of them"
        )
    if parameter.name not in hints:
        raise ConfigError(
            f"{tool} does not say of what type `{parameter.name}` is; annotate it, "
            f"such as `{parameter.name}: str`"
        )
    return hints[parameter.name]


def _schema(arguments: type[msgspec.Struct]) -> dict[str, Any]:
    """Return the schema of the arguments, with those of the types in it under `$defs`."""
    _, types = msgspec.json.schema_components([arguments], ref_template="#/$defs/{name}")
    for each in types.values():
        _add_types(each)
    schema = types.pop(arguments.__name__)
    del schema["title"]
    return {**schema, "$defs": types} if types else schema


def _add_types(schema: object) -> None:
    """Say of what type a choice between texts is: some providers refuse one that does not say so."""
    if isinstance(schema, list):
        for each in schema:
            _add_types(each)
    elif isinstance(schema, dict):
        choices = schema.get("enum")
        if isinstance(choices, list) and all(isinstance(each, str) for each in choices):
            schema.setdefault("type", "string")
        for each in schema.values():
            _add_types(each)


def _describe(
    properties: dict[str, Any], described: Mapping[str, str], defaults: Mapping[str, object]
) -> None:
    """Add what the docstring and the defaults say; what an annotation says goes before it."""
    for name, text in described.items():
        if name in properties and text:
            properties[name].setdefault("description", text)
    for name, default in defaults.items():
        if default is None:
            continue
        try:
            properties[name].setdefault("default", msgspec.to_builtins(default))
        except (TypeError, ValueError, msgspec.MsgspecError):
            continue
