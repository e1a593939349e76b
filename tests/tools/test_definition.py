"""What a model is told of a function, and what is no tool."""

import contextlib
import datetime
import enum
import functools
import json
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmline.errors import ConfigError
from warmline.tools import Capability, Tool, ToolContext, tool

pytestmark = pytest.mark.unit


class Meal(enum.Enum):
    LUNCH = "lunch"
    DINNER = "dinner"


@dataclass
class Guest:
    """Who comes."""

    name: str
    age: int = 30


@tool
def book_table(
    day: datetime.date,
    party: Annotated[int, msgspec.Meta(ge=1, le=12, description="How many people.")],
    guests: list[Guest],
    meal: Meal = Meal.DINNER,
    seat: Literal["inside", "outside"] | None = None,
) -> str:
    """Book a table.

    Ask for the day and the number of people first.

    Args:
        day: The day of the visit,
            never one in the past.
        party: Not used, since the annotation says it already.
        guests: Those who are known by name.
        seat: Where they would like to sit.

    Returns:
        Not for the model.
    """
    return f"{day} {party} {meal.value} {seat} {[guest.name for guest in guests]}"


def test_the_model_is_told_the_docstring_and_the_types():
    """All of it comes from what a reader of the function sees."""
    assert book_table.spec.name == "book_table"
    assert book_table.spec.description == "Book a table.\n\nAsk for the day and the number of people first."
    assert book_table.spec.parameters == {
        "type": "object",
        "properties": {
            "day": {
                "type": "string",
                "format": "date",
                "description": "The day of the visit, never one in the past.",
            },
            "party": {"type": "integer", "minimum": 1, "maximum": 12, "description": "How many people."},
            "guests": {
                "type": "array",
                "items": {"$ref": "#/$defs/Guest"},
                "description": "Those who are known by name.",
            },
            "meal": {"$ref": "#/$defs/Meal", "default": "dinner"},
            "seat": {
                "anyOf": [{"enum": ["inside", "outside"], "type": "string"}, {"type": "null"}],
                "description": "Where they would like to sit.",
            },
        },
        "required": ["day", "party", "guests"],
        "additionalProperties": False,
        "$defs": {
            "Guest": {
                "title": "Guest",
                "description": "Who comes.",
                "type": "object",
                "properties": {"name": {"type": "string"}, "age": {"type": "integer", "default": 30}},
                "required": ["name"],
            },
            "Meal": {"title": "Meal", "type": "string", "enum": ["dinner", "lunch"]},
        },
    }


def test_arguments_arrive_as_the_types_that_the_function_declares():
    """And what the model leaves out is the function's own default."""
    written = '{"day": "2026-11-21", "party": "4", "guests": [{"name": "Ann"}], "seat": "inside"}'
    arguments = book_table.signature.arguments(written)
    assert arguments == {
        "day": datetime.date(2026, 11, 21),
        "party": 4,
        "guests": [Guest("Ann")],
        "seat": "inside",
    }
    assert book_table(**arguments) == "2026-11-21 4 dinner inside ['Ann']"


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ('{"day": "tomorrow", "party": 2, "guests": []}', "Invalid RFC3339"),
        ('{"day": "2026-11-21", "party": 13, "guests": []}', r"<= 12 - at `\$\.party`"),
        ('{"day": "2026-11-21", "party": "a few", "guests": []}', r"Expected `int`, got `str`"),
        ('{"day": "2026-11-21", "guests": []}', "missing required field `party`"),
        ('{"day": "2026-11-21", "party": 2, "guests": [{"age": 3}]}', r"`\$\.guests\[0\]`"),
        ('{"day": "2026-11-21", "party": 2, "guests": [], "pets": 1}', "unknown field `pets`"),
        ('{"day": "2026-11-21", "par', "truncated"),
        ("[]", "Expected `object`"),
        ("", "missing required field"),
    ],
)
def test_arguments_that_do_not_fit_are_refused_with_their_place(written, told):
    """The model reads it, and tries again."""
    with pytest.raises(msgspec.DecodeError, match=told):
        book_table.signature.arguments(written)


@tool
def echo(
    text: str, number: int, ratio: float, is_on: bool, words: list[str], size: Literal["s", "l"] = "s"
) -> str:
    """Say everything again."""
    return json.dumps([text, number, ratio, is_on, words, size])


@given(
    st.fixed_dictionaries(
        {
            "text": st.text(),
            "number": st.integers(-(2**63), 2**63 - 1),
            "ratio": st.floats(allow_nan=False, allow_infinity=False),
            "is_on": st.booleans(),
            "words": st.lists(st.text()),
        },
        optional={"size": st.sampled_from(["s", "l"])},
    )
)
def test_what_fits_the_schema_reaches_the_function_unchanged(given_arguments):
    """Whatever the model writes."""
    assert echo.signature.arguments(json.dumps(given_arguments)) == given_arguments


@given(st.text())
def test_any_text_is_arguments_or_refused(written):
    """Nothing else may come out of it."""
    with contextlib.suppress(msgspec.DecodeError):
        assert isinstance(echo.signature.arguments(written), dict)


def test_a_tool_without_parameters_takes_no_arguments_in_any_way_of_writing_it():
    """Some models write nothing at all."""

    @tool
    def when() -> str:
        """Tell the time."""
        return "noon"

    assert when.spec.parameters == {
        "type": "object",
        "properties": {},
        "required": [],
        "additionalProperties": False,
    }
    assert [when.signature.arguments(written) for written in ("{}", "", " ")] == [{}, {}, {}]


def test_the_context_is_not_shown_to_the_model():
    """Nor can the model give it."""

    @tool
    async def remember(what: str, context: ToolContext) -> None:
        """Remember something.

        Args:
            what: What it is.
            context: The session.
        """

    assert list(remember.spec.parameters["properties"]) == ["what"]
    assert remember.signature.context_names == ("context",)
    with pytest.raises(msgspec.ValidationError, match="unknown field `context`"):
        remember.signature.arguments('{"what": "it", "context": {}}')


def test_a_tool_is_called_like_its_function():
    """So that it can be used and tested as before."""

    @tool(name="add-up", description="Add.", is_pure=True, timeout_s=2.5, needs=Capability.TRANSFER)
    def add(a: int, b: int = 1) -> int:
        return a + b

    assert add(2) == 3
    assert (add.name, add.spec.description) == ("add-up", "Add.")
    assert (add.is_pure, add.timeout_s, add.needs, add.is_async) == (True, 2.5, Capability.TRANSFER, False)
    assert len({add, echo, add}) == 2


def test_a_bound_method_can_be_a_tool():
    """Its object is what it works with."""

    class Library:
        def __init__(self, books: int) -> None:
            self.books = books

        async def count(self, shelf: str) -> int:
            """Count the books of a shelf."""
            return self.books

    counting = tool(Library(3).count, is_pure=True)
    assert isinstance(counting, Tool)
    assert (counting.name, counting.is_async, counting.signature.names) == ("count", True, ("shelf",))


def test_a_decorated_function_is_still_what_it_was():
    """Also under decorators of other libraries."""

    def logged(function):
        @functools.wraps(function)
        async def call(*args, **kwargs):
            return await function(*args, **kwargs)

        return call

    @tool
    @logged  # type: ignore[untyped-decorator]
    async def find(book: str) -> str:
        """Find a book."""
        return book

    assert find.is_async
    assert find.signature.names == ("book",)


def no_docstring(a: int): ...


def no_annotation(a, b: int):
    """Do it."""


def many(*names: str):
    """Do it."""


def named(**names: str):
    """Do it."""


def positional(a: int, /):
    """Do it."""


def complex_number(a: complex):
    """Do it."""


def typo(day: str):
    """Do it.

    Args:
        date: The day.
    """


def half_written(day: str):
    """Do it.

    Args:
        day the day
    """


def unresolved(a: "Nothing"):  # type: ignore[name-defined]  # noqa: F821
    """Do it."""


def yielding(a: int):
    """Do it."""
    yield a


def sync_context(context: ToolContext):
    """Do it."""


def long_winded(a: int):
    """Do it."""


long_winded.__doc__ = "word " * 300


class Thing:
    def method(self, a: int):
        """Do it."""


@pytest.mark.parametrize(
    ("function", "told"),
    [
        (no_docstring, "say in its first line what it does"),
        (no_annotation, "annotate it, such as `a: str`"),
        (many, r"takes `\*names: str`.*name each of them"),
        (named, r"takes `\*\*names: str`"),
        (positional, "takes `a: int`"),
        (complex_number, "of a type that JSON does not have .*complex.*use str, int"),
        (typo, "has no parameter 'date', which its docstring describes"),
        (half_written, "under Args, write `name: what it is`"),
        (unresolved, "'Nothing' is not defined; import or define the type at the top"),
        (yielding, "returns all of its result at once"),
        (sync_context, "make it `async def`"),
        (long_winded, "in at most 1,024"),
        (Thing.method, r"of the bound one: tool\(it\.method\)"),
    ],
)
def test_a_function_that_can_be_no_tool_says_what_to_do(function, told):
    """When it is defined, and not when a caller waits; with its place."""
    with pytest.raises(ConfigError, match=told) as caught:
        tool(function)
    assert f"the tool {function.__name__} (test_definition.py:" in str(caught.value)


@pytest.mark.parametrize("name", ["book a table", "böok", "x" * 65, "a.b"])
def test_a_name_that_some_provider_refuses_is_refused(name):
    """Before the provider does."""
    with pytest.raises(ConfigError, match=r"at most 64 letters, digits, _ and -"):
        tool(book_table.function, name=name)


@pytest.mark.parametrize("thing", [functools.partial(echo.function, "a"), echo, int, 3, Thing()])
def test_what_is_no_function_is_refused(thing: Any):
    """A class or a partial has no name and no docstring of its own."""
    with pytest.raises(ConfigError, match="a tool is made of a function or a bound method"):
        tool(thing)


def test_a_time_out_has_to_be_some_time():
    with pytest.raises(ConfigError, match="timeout_s=0; it must be above 0"):
        tool(echo.function, timeout_s=0)
