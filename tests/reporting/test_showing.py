"""The forms of a report: the same conclusions, nothing from outside, and what a log holds is only text."""

import io
import json
import re
from html.parser import HTMLParser

import pytest
from rich.console import Console

from tests.reporting.turns import read_log, report, turn
from warmline.cli.report_view import report_view
from warmline.reporting.as_json import json_report
from warmline.reporting.html import html_report
from warmline.reporting.markdown import markdown_report
from warmline.reporting.report import made_report
from warmline.reporting.turn import ReportedLine, ReportedNote, ReportedSetback

pytestmark = pytest.mark.unit

HOSTILE = "<script>alert('x')</script> | `rm` [bold]b[/bold] \x1b[31m \x00 \N{RIGHT-TO-LEFT OVERRIDE}"


def terminal_report(made):
    written = io.StringIO()
    Console(width=120, file=written).print(report_view(made))
    return written.getvalue()


FORMS = {
    "terminal": terminal_report,
    "markdown": markdown_report,
    "json": json_report,
    "html": html_report,
}


class Page(HTMLParser):
    """What is in a page: its tags with their attributes, and its text."""

    VOID = frozenset({"meta"})

    def __init__(self, page):
        super().__init__()
        self.tags = []
        self.open = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


@pytest.fixture(scope="module")
def earlier():
    now, counts = read_log("seed.log")
    before, before_counts = read_log("seed_day_before.log")
    return made_report(now, counts, before, before_counts)


@pytest.fixture(scope="module")
def hostile():
    return report([
        turn(
            number,
            call=HOSTILE,
            notes=(ReportedNote("draft_waits", 1.0, HOSTILE), ReportedNote(HOSTILE, 2.0)),
            stated_ms=((HOSTILE, -5.0),),
            lines=(ReportedLine(HOSTILE, 100.0),),
            setbacks=(ReportedSetback(HOSTILE, HOSTILE, HOSTILE, HOSTILE, HOSTILE),),
            facts={"llm": HOSTILE},
        )
        for number in (1, 2)
    ])


@pytest.mark.parametrize("form", FORMS)
def test_every_form_tells_the_findings_the_goals_and_the_turns(earlier, form):
    text = " ".join(FORMS[form](earlier).replace("\\", "").split())

    for told in ("52–60 % faster", "bug in the source", "390 ms wasted", "15.0 s", "only 2 drafts: too few"):
        assert told in text


@pytest.mark.parametrize("form", FORMS)
def test_control_characters_of_a_log_reach_nobody(hostile, form):
    """Programs are given them, escaped as JSON has it."""
    assert not set(FORMS[form](hostile)) & {"\x00", "\x1b"}
    if form != "json":
        assert "\N{RIGHT-TO-LEFT OVERRIDE}" not in FORMS[form](hostile)


def test_a_page_is_whole_and_needs_nothing_from_outside(earlier):
    page = html_report(earlier)
    parsed = Page(page)

    assert parsed.open == []
    assert {tag for tag, _ in parsed.tags} & {"script", "link", "img", "iframe", "object", "form"} == set()
    assert not any({"src", "href", "onload", "onclick"} & attrs.keys() for _, attrs in parsed.tags)
    assert not re.search(r"url\(|@import|https?:", page)
    assert "prefers-color-scheme: dark" in page
    assert any(attrs.get("name") == "viewport" for _, attrs in parsed.tags)


def test_what_a_log_holds_is_text_in_a_page(hostile):
    parsed = Page(html_report(hostile))

    assert "script" not in {tag for tag, _ in parsed.tags}
    assert "<script>alert('x')</script> | `rm` [bold]b[/bold]" in parsed.text


def test_a_page_draws_each_stage_of_each_turn(earlier):
    parsed = Page(html_report(earlier))
    drawn = [attrs.get("class") for tag, attrs in parsed.tags if tag == "rect"]

    # Turn 1 asked the model late enough to be seen; of turn 3 it took no time.
    assert [stage for stage in drawn if stage not in {None, "track", "median"}] == [
        *("prompt", "clause", "dispatch", "voice"),
        *("clause", "dispatch", "voice"),
    ]


def test_many_turns_are_drawn_as_a_histogram_with_a_bounded_number_of_shapes():
    made = report([turn(n, voice_ms=100.0 + n % 300) for n in range(2_000)])
    parsed = Page(html_report(made))

    assert sum(tag == "rect" for tag, _ in parsed.tags) < 1_500
    assert len(made.timelines) == 12
    assert all(sum(summary.bins) == 2_000 for summary in made.now.measures)


def test_what_a_log_holds_is_neither_markup_nor_a_cell_in_markdown(hostile):
    text = markdown_report(hostile)

    assert "<script>" not in text
    assert "\\<script\\>" in text
    assert " | \\`rm" not in text


def test_a_table_has_as_many_cells_in_every_row(earlier):
    tables = re.findall(r"(?:^\|.*\n)+", markdown_report(earlier), re.MULTILINE)

    assert len(tables) == 3
    for table in tables:
        assert len({len(re.findall(r"(?<!\\)\|", row)) for row in table.splitlines()}) == 1


def test_what_a_log_holds_is_not_read_as_markup_by_the_terminal(hostile):
    assert "[bold]b[/bold]" in terminal_report(hostile)


def test_json_holds_all_figures_and_what_they_add_up_to(earlier):
    told = json.loads(json_report(earlier))

    assert told["is_kept"] is True
    assert [turn["response_ms"] for turn in told["timelines"]] == [1_551, 1_972]
    assert told["timelines"][0]["contributions_ms"]["voice"] == 254
    assert {goal["goal"]["name"]: goal["verdict"] for goal in told["goals"]}["cancellation_rate"] == "too_few"
    assert sum(told["timelines"][1]["contributions_ms"].values()) == 1_972


def test_turns_of_which_nothing_was_played_are_shown_as_such():
    made = report([turn(1, marks_ms={})])

    assert "nothing was played" in html_report(made)
    assert "nothing was played" in markdown_report(made)
    assert "nothing was played" in terminal_report(made)
