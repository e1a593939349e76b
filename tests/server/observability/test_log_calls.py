"""What the source itself shows: every line of the log names an event, and no error's text is a field."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import warmline

pytestmark = pytest.mark.wire

SOURCE = Path(warmline.__file__).parent
LEVELS = {"debug", "info", "warning", "error", "exception", "critical"}
NAME = re.compile(r"[a-z]+(?:_[a-z]+)*(?:\.[a-z]+(?:_[a-z]+)*)+")
"""A noun and what became of it, such as `leg.moved`."""


class LogCall(NamedTuple):
    place: str
    call: ast.Call
    event: ast.expr
    constants: dict[str, str]
    caught: set[str]
    """What errors are called where they are caught, in the whole file."""


def log_calls() -> Iterator[LogCall]:
    for path in sorted(SOURCE.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        constants = dict(constants_of(tree))
        caught = {node.name for node in ast.walk(tree) if isinstance(node, ast.ExceptHandler) and node.name}
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and (event := event_of(node)) is not None:
                place = f"{path.relative_to(SOURCE)}:{node.lineno}"
                yield LogCall(place, node, event, constants, caught)


def event_of(call: ast.Call) -> ast.expr | None:
    match call.func:
        case ast.Attribute(value=ast.Name(id=logger), attr="log") if is_logger(logger):
            return call.args[1]
        case ast.Attribute(value=ast.Name(id=logger), attr=level) if level in LEVELS and is_logger(logger):
            return call.args[0]
    return None


def is_logger(name: str) -> bool:
    return name.strip("_").endswith("log") or name in {"logging", "logger"}


def constants_of(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Yield the file's own constants, and those of warmline's that it imports."""
    for node in tree.body:
        match node:
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.Constant(value=str(value))):
                yield name, value
            case ast.ImportFrom(module=str(module), names=names) if module.startswith("warmline."):
                path = SOURCE.parent.joinpath(*module.split(".")).with_suffix(".py")
                if path.exists() and any(each.name.isupper() for each in names):
                    yield from constants_of(ast.parse(path.read_text(encoding="utf-8")))


def test_every_line_of_the_log_has_a_static_name_such_as_leg_moved():
    """An f-string, a %-format or a sum would let what somebody said into an event's name."""
    wrong, seen = [], 0
    for place, call, event, constants, _ in log_calls():
        seen += 1
        name = None
        if isinstance(event, ast.Constant):
            name = event.value
        elif isinstance(event, ast.Name):
            name = constants.get(event.id)
        if not isinstance(name, str) or not NAME.fullmatch(name):
            wrong.append(f"{place}: {ast.unparse(event)}")
        if len(call.args) > (2 if isinstance(call.func, ast.Attribute) and call.func.attr == "log" else 1):
            wrong.append(f"{place}: arguments to be filled in")
    assert seen > 40, "the loggers have another name now, and nothing was looked at"
    assert not wrong


def test_no_field_of_the_log_is_the_text_of_an_error():
    """A provider's words may quote what was said, or the key; `loggable` gives what may be told."""
    wrong = []
    for place, call, _, _, caught in log_calls():
        for keyword in call.keywords:
            for node in ast.walk(keyword.value):
                match node:
                    case ast.Call(func=ast.Name(id="str" | "repr"), args=[ast.Name(id=name)]):
                        # `Mistake` has no text of others.
                        if name in caught and name != "mistake":
                            wrong.append(f"{place}: {ast.unparse(node)}")
                    case ast.JoinedStr() | ast.Attribute(attr="args"):
                        wrong.append(f"{place}: {ast.unparse(node)}")
    assert not wrong


def test_a_call_whose_name_is_made_up_would_be_found():
    """The test above looks at what it should."""
    tree = ast.parse('_log.info(f"said {words}")\n_log.log(level, "a" + b)\nother.info("x")')
    found = [event for node in ast.walk(tree) if isinstance(node, ast.Call) and (event := event_of(node))]
    assert [type(event) for event in found] == [ast.JoinedStr, ast.BinOp]
