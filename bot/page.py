"""Fragments of the page as inert HTML: answers, sources and notices; the tables are in page_tables.py."""

import html
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from bot.answer import Answer, Citation, Outcome
from bot.times import day_of
from knowledge.audiences import INTERNAL, PUBLIC
from tone_tuning.prompt import Message

__all__ = [
    "Turn",
    "day_text",
    "fold",
    "history",
    "last_day_text",
    "link",
    "marked_passage",
    "messages",
    "notice",
    "pill",
    "quiet",
    "said",
    "sources_panel",
    "status_line",
    "who",
]

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True)
class Turn:
    """One question of a conversation; `answer` is None while it is being written and when it was stopped."""

    question: str
    text: str = ""
    answer: Answer | None = None
    fault: bool = False

    def grown(self, piece: str | Answer) -> "Turn":
        """The turn with one more piece, or with the finished answer."""
        if isinstance(piece, Answer):
            return replace(self, text=piece.text, answer=piece)
        return replace(self, text=self.text + piece)


def history(turns: Sequence[Turn]) -> list[Message]:
    """The finished turns as the bot wants them."""
    messages: list[Message] = []
    for turn in turns:
        if turn.answer:
            messages += [
                {"role": "user", "content": turn.question},
                {"role": "assistant", "content": turn.text},
            ]
    return messages


def notice(sentence: str, kind: str = "info") -> str:
    """A sentence in a box; `kind` is info, warn or error."""
    return f'<div class="notice {kind}" role="status">{html.escape(sentence)}</div>'


def quiet(sentence: str) -> str:
    """A sentence in small grey letters."""
    return f'<p class="quiet">{html.escape(sentence)}</p>'


def pill(text: str, kind: str = "") -> str:
    """A word or two in a coloured round box; `kind` is a class of the style sheet."""
    return f'<span class="pill {kind}">{html.escape(text)}</span>'


def who(audience: str) -> str:
    """An audience in words: "Everyone", "Staff only", or the names of its groups."""
    return {PUBLIC: "Everyone", INTERNAL: "Staff only"}.get(audience) or audience.replace(",", ", ")


def day_text(moment: str | datetime) -> str:
    """The day of a moment (aware, or as ISO 8601) on this machine: "1 Dec 2026"."""
    at = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    try:
        day = date.fromisoformat(day_of(at))
    except OverflowError:  # the first or last day there is, in a zone where it is another
        day = at.date()
    return f"{day.day} {MONTHS[day.month - 1]} {day.year}"


def last_day_text(ends: str | datetime) -> str:
    """The last day on which something holds that ends at a moment: "30 Nov 2026"."""
    at = datetime.fromisoformat(ends) if isinstance(ends, str) else ends
    return day_text(at - timedelta(microseconds=1))


def link(address: str, text: str) -> str:
    """A link that opens in a new tab."""
    return f'<a href="{html.escape(address)}" target="_blank" rel="noopener">{html.escape(text)}</a>'


def messages(turns: Iterable[Turn]) -> list[dict[str, str]]:
    """The conversation as the chat shows it."""
    shown = []
    for turn in turns:
        shown.append({"role": "user", "content": said(turn.question)})
        if turn.fault:
            shown.append({"role": "assistant", "content": notice(turn.text, "error")})
        elif turn.text:
            shown.append({"role": "assistant", "content": said(turn.text, turn.answer)})
    return shown


def said(text: str, answer: Answer | None = None) -> str:
    """Text as inert HTML on one line, which no Markdown reader touches; the marks of an answer are links."""
    inert = html.escape(text.strip())
    numbers = {citation.number for citation in answer.citations} if answer else set()
    if answer:
        inert = re.sub(r" ?\[(\d+)\]", lambda m: _mark(answer.id, int(m[1])) if int(m[1]) in numbers else m[0], inert)
    badge = '<span class="badge">not in the documents</span>' if answer and answer.outcome is Outcome.ABSTAINED else ""
    # A carriage return alone is a line end to a Markdown reader too, and two of them would end the HTML.
    paragraphs = "".join(_paragraph(part) for part in re.split(r"\s*[\r\n]\s*", inert) if part)
    return f'<div class="said">{badge}{paragraphs}</div>'


def _paragraph(inert: str) -> str:
    step = re.match(r"\d{1,2}[.)]\s", inert)
    return f'<p class="step">{inert}</p>' if step else f"<p>{inert}</p>"


def _mark(answer: str, number: int) -> str:
    address = f"#source-{html.escape(answer)}-{number}"
    return f'&nbsp;<a class="cite" href="{address}" title="Show source {number}">{number}</a>'


def marked_passage(citation: Citation) -> str:
    """The passage verbatim and inert, the sentences that the answer rests on marked."""
    parts, at = [], citation.start
    for start, end in sorted(citation.sentences):
        start, end = max(start, at), min(end, citation.end)
        if start < end:
            before, sentence = (
                citation.passage[a - citation.start : b - citation.start] for a, b in ((at, start), (start, end))
            )
            parts.append(f"{html.escape(before)}<mark>{html.escape(sentence)}</mark>")
            at = end
    return "".join(parts) + html.escape(citation.passage[at - citation.start :])


def sources_panel(turns: Sequence[Turn]) -> str:
    """The sources of the last answer, and folded away those of the answers before it."""
    answers = [turn.answer for turn in turns if turn.answer]
    cards = older = ""
    if answers:
        cards = "".join(_card(answers[-1].id, citation) for citation in answers[-1].citations)
        older = "".join(_card(answer.id, c) for answer in answers[-2::-1] for c in answer.citations)
    empty = "No document answers this question." if answers else "The passages behind an answer appear here."
    if older:
        older = fold("Earlier answers", f'<div class="inside">{older}</div>', 'class="older"')
    shown = cards or f'<div class="empty"><span>{empty}</span></div>'
    return f'<div class="panel"><h3>Sources</h3>{shown}{older}</div>'


def _card(answer: str, citation: Citation) -> str:
    title, place = html.escape(citation.title), html.escape(_place(citation))
    page = f" · page {citation.page}" if citation.page else ""
    head = f'<span class="number">{citation.number}</span> <strong>{title}</strong>'
    until = f", until {day_text(citation.until)}" if citation.until else ""
    head += f"<small>{place}{page} · since {day_text(citation.date)}{until}</small>"
    frame = f'<iframe src="{html.escape(citation.link)}" loading="lazy" sandbox title="{title}"></iframe>'
    whole = fold("Read the whole document", frame)
    opened = link(citation.link, "Open the document at this place")
    inside = f'<div class="inside"><blockquote>{marked_passage(citation)}</blockquote>{opened}{whole}</div>'
    return fold(head, inside, f'id="source-{html.escape(answer)}-{citation.number}"')


def _place(citation: Citation) -> str:
    """The headings above the passage without the title, which stands over them; the file where there are none."""
    headings = citation.section.split(" > ")
    return " › ".join(headings[headings[0] == citation.title :]) or citation.document


def fold(head: str, inside: str, attributes: str = "") -> str:
    """Something that is folded away under its head; both are HTML already."""
    return f"<details {attributes}><summary>{head}</summary>{inside}</details>"


def status_line(answer: Answer) -> str:
    """Which model and voice answered, how fast, and how much of it the model worded."""
    seconds = f"{answer.seconds.get('total', 0.0):.1f} s"
    if answer.outcome is not Outcome.ANSWERED:
        return quiet(f"Decided from the documents, without the model · {seconds}")
    voice = f"tone {answer.adapter}" if answer.adapter else "no tone adapter"
    worded = {1.0: "worded by the model", 0.0: "quoted from the documents"}
    share = worded.get(answer.wrote, f"{answer.wrote:.0%} worded by the model, the rest quoted")
    return quiet(f"{answer.model} · {voice} · {share} · {seconds}")
