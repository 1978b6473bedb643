"""The fragments of the page: whatever a document or a customer says stays text."""

import time
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from bot.answer import Answer, Citation, Outcome
from bot.page import (
    Turn,
    day_text,
    history,
    last_day_text,
    marked_passage,
    messages,
    notice,
    pill,
    said,
    sources_panel,
    status_line,
    who,
)

EVIL = "<img src=x onerror=alert(1)> **bold** [x](javascript:alert(1)) {{7*7}} ${7*7} \"'&"
PASSAGE = "Kettles: 45 days. Toasters: 30 days. Mugs: never."
CITATION = Citation(
    number=1, document="returns.md", document_id="abc", title="Returns", section="Returns > Time limits", version=2,
    date="2026-11-24", start=100, end=100 + len(PASSAGE), passage=PASSAGE, sentences=((109, 117), (118, 136)),
    link="/documents/abc?version=2&start=100&end=149#passage",
)  # fmt: skip
ANSWER = Answer(
    id="a1", question="How long?", standalone="How long?", outcome=Outcome.ANSWERED,
    text="You have 45 days. [1] See [7].",
    draft="", citations=(CITATION,), retrieved=(), wrote=0.6, confidence=0.9, seconds={"total": 1.26},
    model="smol", adapter="v0001",
)  # fmt: skip


class Reader(HTMLParser):
    """Collects the tags and the text of a fragment as a browser would see them."""

    def __init__(self, fragment):
        super().__init__(convert_charrefs=True)
        self.tags, self.text = [], ""
        self.feed(fragment)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data

    @property
    def names(self):
        return {tag for tag, _ in self.tags}


@pytest.mark.parametrize("fragment", [notice, said])
def test_markup_in_a_sentence_stays_text(fragment):
    """Tags of a customer or a document are shown, never run."""
    seen = Reader(fragment(EVIL))

    assert seen.names <= {"div", "p"}
    assert seen.text == EVIL


@given(st.text(alphabet=st.sampled_from("a*_`[]()<>&\"'#1. -|\\~$\n\r\t\x0b\x0c\u2028"), max_size=60))
def test_an_answer_is_one_line_of_html_that_no_markdown_reader_touches(text):
    """A Markdown reader leaves an HTML block alone until a blank line, so what it is given comes out as it was."""
    fragment = said(text)

    assert MarkdownIt("commonmark", {"html": True}).render(fragment).rstrip("\n") == fragment
    assert Reader(fragment).names <= {"div", "p"}
    assert "".join(Reader(fragment).text.split()) == "".join(text.split())


def test_only_marks_with_a_citation_become_links():
    """[1] is cited and leads to its card; [7] stays what it is."""
    seen = Reader(said(ANSWER.text, ANSWER))

    assert [attributes["href"] for tag, attributes in seen.tags if tag == "a"] == ["#source-a1-1"]
    assert "[7]" in seen.text and "[1]" not in seen.text


def test_a_mark_does_not_stand_alone_on_a_line():
    """A no-break space keeps the mark with the word before it."""
    assert "days.&nbsp;<a" in said(ANSWER.text, ANSWER)


def test_steps_are_paragraphs_of_their_own():
    """A numbered procedure keeps its steps apart, and prose that begins with a number is no step."""
    seen = Reader(said("Do this:\n1. Fill it.\n2. Boil it.\n\n45 days remain."))

    assert [attributes.get("class") for tag, attributes in seen.tags if tag == "p"] == [None, "step", "step", None]


def test_an_abstention_is_named():
    """The reader sees at once that the documents do not say it."""
    declined = replace(ANSWER, outcome=Outcome.ABSTAINED, text="I couldn't find that.", citations=())

    assert "not in the documents" in said(declined.text, declined)
    assert "not in the documents" not in said(ANSWER.text, ANSWER)


def test_the_sentences_behind_an_answer_are_marked_in_the_verbatim_passage():
    """Taking the marks away gives the passage back, character for character."""
    fragment = marked_passage(CITATION)

    assert fragment == "Kettles: <mark>45 days.</mark> <mark>Toasters: 30 days.</mark> Mugs: never."


@pytest.mark.parametrize("sentences", [(), ((90, 104), (103, 300)), ((120, 110),), ((109, 117), (105, 112))])
def test_offsets_that_overlap_or_lie_outside_lose_no_character(sentences):
    """The passage is shown whole whatever the offsets are."""
    seen = Reader(marked_passage(replace(CITATION, sentences=sentences)))

    assert seen.text == PASSAGE


def test_a_card_holds_nothing_that_runs():
    """Title, section and passage of a hostile document stay text, and its frame is sandboxed."""
    hostile = replace(
        CITATION, title=EVIL, section=f"{EVIL} > {EVIL}", passage=EVIL, start=0, end=len(EVIL), sentences=()
    )
    seen = Reader(sources_panel([Turn("q", "t", replace(ANSWER, citations=(hostile,)))]))

    assert seen.names == {"div", "h3", "details", "summary", "span", "strong", "small", "blockquote", "a", "iframe"}
    frame = next(attributes for tag, attributes in seen.tags if tag == "iframe")
    assert frame.keys() == {"src", "loading", "sandbox", "title"}
    assert all(not name.startswith("on") for _, attributes in seen.tags for name in attributes)
    assert seen.text.count(EVIL) == 3


def test_a_card_says_where_the_passage_stands():
    """Under which heading, else in which file, on which page, and when that version is in force; no title twice."""
    shown = Reader(sources_panel([Turn("q", "t", ANSWER)])).text
    bare = replace(CITATION, section="", page=3, until="2027-01-31")
    placed = Reader(sources_panel([Turn("q", "t", replace(ANSWER, citations=(bare,)))])).text

    assert "1 ReturnsTime limits · since 24 Nov 2026" in shown
    assert "1 Returnsreturns.md · page 3 · since 24 Nov 2026, until 31 Jan 2027" in placed


def test_the_panel_shows_the_last_answer_and_folds_the_earlier_ones():
    """Each answer's cards have ids of their own, so an old mark still finds its passage."""
    second = replace(ANSWER, id="a2")
    panel = sources_panel([Turn("q", "t", ANSWER), Turn("q", "stopped"), Turn("q", "t", second)])

    assert panel.index('id="source-a2-1"') < panel.index("Earlier answers") < panel.index('id="source-a1-1"')


def test_the_panel_tells_no_answer_from_no_source():
    """Before the first answer it says what will appear; after a declined one that nothing was found."""
    declined = replace(ANSWER, outcome=Outcome.ABSTAINED, citations=())

    assert "appear here" in sources_panel([])
    assert "No document answers" in sources_panel([Turn("q", "t", declined)])


def test_the_conversation_keeps_faults_and_stopped_answers_apart():
    """A fault is a red notice, an unfinished answer shows what there is, and neither is history for the bot."""
    turns = [Turn("one", "t", ANSWER), Turn("two", "half ..."), Turn("three", "It broke.", fault=True), Turn("four")]

    assert [message["role"] for message in messages(turns)] == ["user", "assistant"] * 3 + ["user"]
    assert 'class="notice error"' in messages(turns)[5]["content"]
    assert history(turns) == [{"role": "user", "content": "one"}, {"role": "assistant", "content": "t"}]


def test_a_turn_grows_by_pieces_until_the_answer_takes_their_place():
    """The finished answer's text replaces what was streamed."""
    turn = Turn("q").grown("You ").grown("have")

    assert (turn.text, turn.answer) == ("You have", None)
    assert turn.grown(ANSWER) == Turn("q", ANSWER.text, ANSWER)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({}, "smol · tone v0001 · 60% worded by the model, the rest quoted · 1.3 s"),
        ({"wrote": 1.0}, "smol · tone v0001 · worded by the model · 1.3 s"),
        ({"wrote": 0.0, "adapter": None}, "smol · no tone adapter · quoted from the documents · 1.3 s"),
        ({"outcome": Outcome.ABSTAINED, "seconds": {}}, "Decided from the documents, without the model · 0.0 s"),
    ],
)
def test_the_status_line_says_who_wrote_the_answer(change, sentence):
    """Model, voice, share of own words and time in one line."""
    assert Reader(status_line(replace(ANSWER, **change))).text == sentence


def test_days_are_written_the_way_people_read_them():
    """A date, a moment of this machine's zone, and the last day before an end."""
    midnight = datetime(2026, 12, 1).astimezone()

    assert day_text("2026-12-01") == day_text(midnight) == day_text(midnight.isoformat()) == "1 Dec 2026"
    assert last_day_text(midnight) == last_day_text(midnight.isoformat()) == "30 Nov 2026"


@pytest.mark.parametrize("zone", ["America/Los_Angeles", "Asia/Tokyo", "UTC"])
@pytest.mark.parametrize("moment", [datetime.min, datetime.max])
def test_the_first_and_the_last_day_there_is_are_days_too(monkeypatch, zone, moment):
    """Whatever zone the machine is in."""
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        assert day_text(moment.replace(tzinfo=UTC)).endswith(str(moment.year))
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(
    ("audience", "words"), [("public", "Everyone"), ("internal", "Staff only"), ("trade,vip", "trade, vip")]
)
def test_an_audience_is_said_in_words(audience, words):
    """The two that every home has by what they mean, groups by their names."""
    assert who(audience) == words


def test_a_pill_is_inert():
    """It may hold the name of a group."""
    assert Reader(pill(EVIL, "staff")).names == {"span"}
