"""Fragments of one document as inert HTML: its timeline, versions, changes, passages; and the hits of a search."""

import html
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from difflib import SequenceMatcher
from itertools import groupby
from typing import Any

from bot.page import day_text, fold, last_day_text, link, pill, quiet, who
from knowledge.audiences import PUBLIC

__all__ = [
    "STATES", "changes", "dated_versions", "document_address", "document_head", "impact", "passages", "period",
    "search_hits", "standing", "timeline",
]  # fmt: skip

Row = Mapping[str, Any]  # of the verbs of bot/desk.py: times are ISO 8601
STATES = {"in force": "force", "scheduled": "coming", "over": "over", "past": "over", "never": "never"}
LANES = 12  # versions in the timeline; the table has all of them
LINES = 1_000  # of a comparison
PASSAGES = 200
WORDS = 400  # in a line, above which it is compared as a whole
EXCERPT = 260  # characters of a hit that are shown unfolded
MARKS = 7  # dates on the axis, at most
DAY = 86_400.0  # seconds
SHORTEST = 14 * DAY  # that the axis spans
FIRST, LAST = (datetime(*day, tzinfo=UTC).timestamp() for day in ((1, 1, 3), (9999, 12, 28)))
DAY_STEPS, MONTH_STEPS = (1, 2, 7, 14), (1, 3, 6, 12, 24, 60, 120, 240, 600, 1_200, 12_000, 60_000)
STAGES = (("dense", "Meaning"), ("lexical", "Words"), ("score", "Together"), ("reader", "Reader"))


def document_address(document: Row, key: str = "", version: int | None = None, start: int = 0, end: int = 0) -> str:
    """Where the page shows the stored text, at a passage if one is given; `key` opens what is not for everybody."""
    asked = {"version": version, "start": start, "end": end, "key": "" if document["audience"] == PUBLIC else key}
    query = "&".join(f"{name}={value}" for name, value in asked.items() if value)
    return f"/documents/{document['id']}" + f"?{query}" * bool(query) + "#passage" * bool(end)


def document_head(document: Row, versions: Sequence[Row], now: datetime, key: str = "") -> str:
    """Title, state and place of a document, with a link to its text."""
    current = next((version for version in versions if version["state"] == "in force"), None)
    coming = next((version for version in versions if version["state"] == "scheduled"), None)
    state = "In force" if current else "Scheduled" if coming else "Out of force"
    marks = pill(state, "force" if current else "coming" if coming else "over")
    marks += pill(who(document["audience"]), "staff") if document["audience"] != PUBLIC else ""
    review = document["review_at"]
    if review and datetime.fromisoformat(review) <= now:
        marks += pill(f"to be read again since {day_text(review)}", "late")
    said = f"{document['source']} · {len(versions)} version{'s' * (len(versions) != 1)}"
    said += f" · to be read again on {day_text(review)}" if review and "late" not in marks else ""
    opened = link(document_address(document, key, current["version"] if current else None), "Open the text")
    return (
        f'<div class="head"><h2>{html.escape(document["title"])}</h2>{marks}'
        f'<p class="quiet">{html.escape(said)} · {opened}</p></div>'
    )


def standing(row: Row) -> str:
    """Since when a document of the list is in force, and what comes next."""
    begins, ends, following = row["effective_from"], row["effective_until"], row["next_from"]
    if row["state"] == "past":
        return pill(f"ended {last_day_text(ends)}", "over") if ends else pill("never in force", "over")
    if row["state"] == "scheduled":
        return pill(f"from {day_text(begins)}", "coming")
    said = f"since {day_text(begins)}"
    if following:
        return said + f"<small>next version on {day_text(following)}</small>"
    return said + (f"<small>until {last_day_text(ends)}</small>" if ends else "")


def period(version: Row) -> str:
    """When a version is in force, in words; with the time where it is less than a day."""
    begins, ends = version["begins"], version["ends"]
    if not begins:
        return "never"
    if not ends:
        return f"{'from' if version['state'] == 'scheduled' else 'since'} {day_text(begins)}"
    first, last = day_text(begins), last_day_text(ends)
    if first != last:
        return f"{first} to {last}"
    times = [datetime.fromisoformat(moment).astimezone().strftime("%H:%M") for moment in (begins, ends)]
    return first if times == ["00:00", "00:00"] else f"{first}, {times[0]} to {times[1]}"


# -- the timeline


def timeline(versions: Sequence[Row], now: datetime) -> str:
    """A bar for each version on one axis of time, newest at the bottom; today is marked."""
    shown = versions[-LANES:]
    low, high = _span(shown, now)
    lanes = "".join(_lane(version, low, high) for version in shown)
    ticks = "".join(
        f'<span style="left:{_place(at, low, high):.2f}%"><em>{label}</em></span>' for at, label in _ticks(low, high)
    )
    today = f'<span class="today" style="left:{_place(now.timestamp(), low, high):.2f}%"><em>today</em></span>'
    more = quiet(f"{len(versions) - LANES} earlier versions are in the table.") if len(versions) > LANES else ""
    said = f"Timeline of {len(shown)} version{'s' * (len(shown) != 1)}; the table below says the same in words"
    axis = f'<div class="axis">{ticks}{today}</div>'
    return f'<div class="timeline" role="img" aria-label="{said}">{axis}{lanes}</div>{more}'


def _lane(version: Row, low: float, high: float) -> str:
    number, state = version["version"], STATES[version["state"]]
    begins, ends = version["begins"] or version["effective_from"], version["ends"]
    left = _place(_seconds(begins), low, high)
    right = _place(_seconds(ends), low, high) if ends else 100.0
    if state == "never":
        right, state = left, "never"
    kind = f"{state} open" if not ends and state != "never" else state
    bar = f'<i class="{kind}" style="left:{left:.2f}%;width:{max(0.0, right - left):.2f}%"></i>'
    said = html.escape(f"Version {number}: {'never in force' if state == 'never' else period(version)}")
    return f'<div class="lane" title="{said}"><b>Version {number}</b><span>{bar}</span></div>'


def _span(versions: Sequence[Row], now: datetime) -> tuple[float, float]:
    """The seconds between which all of it happens, with some room on both sides."""
    moments = [now.timestamp()]
    for version in versions:
        moments += [_seconds(moment) for moment in (version["begins"] or version["effective_from"], version["ends"])
                    if moment]  # fmt: skip
    low, high = min(moments), max(moments)
    high = max(high, low + SHORTEST)
    room = (high - low) / 12
    return max(low - room / 2, FIRST), min(high + room, LAST)


def _ticks(low: float, high: float) -> Iterator[tuple[float, str]]:
    """Round dates between two moments, as few as MARKS, and how they are written."""
    first, last = (datetime.fromtimestamp(moment, UTC).date() for moment in (low, high))
    for step in DAY_STEPS:
        places = range(first.toordinal() // step + 1, last.toordinal() // step + 1)
        if len(places) <= MARKS:
            days = [date.fromordinal(place * step) for place in places]
            yield from ((_midnight(day), " ".join(day_text(_at(day)).split()[:2])) for day in days)
            return
    for step in MONTH_STEPS:
        places = range(_month(first) // step + 1, _month(last) // step + 1)
        if len(places) <= MARKS:
            days = [date(place * step // 12, place * step % 12 + 1, 1) for place in places]
            shown = 1 if step < 12 else 2  # "Dec 2026", or the year alone
            yield from ((_midnight(day), " ".join(day_text(_at(day)).split()[shown:])) for day in days)
            return


def _month(day: date) -> int:
    return day.year * 12 + day.month - 1


def _at(day: date) -> datetime:
    return datetime(day.year, day.month, day.day).astimezone()


def _midnight(day: date) -> float:
    return _at(day).timestamp()


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()


def _place(at: float, low: float, high: float) -> float:
    """Where a moment stands on the axis, in percent."""
    return min(100.0, max(0.0, 100 * (at - low) / (high - low)))


# -- versions, changes, passages


def dated_versions(versions: Sequence[Row]) -> str:
    """The versions of a document as a table, the newest first."""
    rows = []
    for version in reversed(versions):
        by = " · ".join(part for part in (version["uploaded_by"], version["origin"]) if part)
        at = datetime.fromisoformat(version["added_at"]).astimezone().strftime("%H:%M")
        added = f"{day_text(version['added_at'])}<small>{html.escape(f'{at} · {by}' if by else at)}</small>"
        state = pill(version["state"] if version["state"] != "never" else "never in force", STATES[version["state"]])
        note = html.escape(version["note"]) + (
            f"<small>withdrawn {day_text(version['withdrawn_at'])}</small>" if version["withdrawn_at"] else ""
        )
        cells = (str(version["version"]), html.escape(period(version)), state, added, note)
        rows.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    titles = "".join(f"<th>{title}</th>" for title in ("No.", "In force", "State", "Added", "Note"))
    return (
        f'<div class="table dated"><table><thead><tr>{titles}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'
    )


def changes(lines: Sequence[Row], old: int, new: int) -> str:
    """What `diff` found between two versions: lines that went and came, the words that differ marked in them."""
    if not lines:
        return quiet(f"Versions {old} and {new} have the same text.")
    parts = []
    for kind, group in groupby(lines[:LINES], lambda line: line["kind"] in ("removed", "added")):
        block = list(group)
        parts += _changed(block) if kind else [_line(line["kind"], html.escape(line["text"])) for line in block]
    if parts and lines[0]["kind"] == "gap":
        parts = parts[1:]  # nothing stands above it
    more = quiet(f"{len(lines) - LINES} more lines.") if len(lines) > LINES else ""
    return f'<div class="diff">{"".join(parts)}</div>{more}'


def impact(found: Row) -> str:
    """What `impact` found: every question with the answer before and after, those that change first."""
    if not found["questions"]:
        return quiet("Nobody has asked about this document so far.")
    changed = [row for row in found["questions"] if row["changed"]]
    same = [row for row in found["questions"] if not row["changed"]]
    parts = [
        quiet(
            f"{len(changed)} of {len(found['questions'])} answers change from version {found['old']} to {found['new']}."
        )
    ]
    for row in changed:
        lines = [{"kind": "removed", "text": row["before"]}, {"kind": "added", "text": row["after"]}]
        parts.append(
            f"<p><strong>{html.escape(row['question'])}</strong></p>{changes(lines, found['old'], found['new'])}"
        )
    if same:
        listed = "".join(f"<li>{html.escape(row['question'])}</li>" for row in same)
        parts.append(f"{quiet('The same as before:')}<ul>{listed}</ul>")
    return f'<div class="impact">{"".join(parts)}</div>'


def _changed(block: Sequence[Row]) -> list[str]:
    """Removed and added lines; the words are compared where each line has its counterpart."""
    removed, added = ([line["text"] for line in block if line["kind"] == kind] for kind in ("removed", "added"))
    if len(removed) == len(added):
        pairs = [_words(before, after) for before, after in zip(removed, added, strict=True)]
        return [line for before, after in pairs for line in (_line("removed", before), _line("added", after))]
    return [_line(line["kind"], html.escape(line["text"])) for line in block]


def _line(kind: str, inert: str) -> str:
    tag = {"removed": "del", "added": "ins"}.get(kind, "span")
    text = "⋯" if kind == "gap" else inert or "&nbsp;"
    return f'<p class="{kind}"><{tag}>{text}</{tag}></p>'


def _words(before: str, after: str) -> tuple[str, str]:
    """Two lines as inert HTML, the words that differ marked; none where the lines have little in common."""
    old, new = (re.findall(r"\w+|\s+|[^\w\s]", line) for line in (before, after))
    matcher = SequenceMatcher(None, old[:WORDS], new[:WORDS], autojunk=False)
    if max(len(old), len(new)) > WORDS or matcher.ratio() < 0.4:
        return html.escape(before), html.escape(after)
    sides: tuple[list[str], list[str]] = ([], [])
    for kind, *ends in matcher.get_opcodes():
        for side, words, (start, end) in zip(sides, (old, new), (ends[:2], ends[2:]), strict=True):
            text = html.escape("".join(words[start:end]))
            side.append(f"<mark>{text}</mark>" if kind != "equal" and text else text)
    return "".join(sides[0]), "".join(sides[1])


def passages(document: Row, key: str = "") -> str:
    """The passages of a version as `show` gives them, each with its section, page and place in the text."""
    found = document["passages"]
    parts = []
    for number, passage in enumerate(found[:PASSAGES], 1):
        start, end = passage["start"], passage["start"] + len(passage["text"])
        page = f" · page {passage['page']}" if passage["page"] else ""
        section = html.escape(_below(passage["section"], document["title"]) or document["title"])
        place = link(document_address(document, key, document["version"], start, end), f"{start:,} to {end:,}")
        parts.append(
            f'<article><header><span class="number">{number}</span> {section}'
            f"<small>characters {place}{page}</small></header><p>{html.escape(passage['text'])}</p></article>"
        )
    more = quiet(f"{len(found) - PASSAGES} more passages.") if len(found) > PASSAGES else ""
    return f'<div class="passages">{"".join(parts)}</div>{more}'


# -- the test search


def search_hits(hits: Sequence[Row]) -> str:
    """The passages a search found, best first, each with what every stage of the search thinks of it."""
    if not hits:
        said = "No passage that is in force then, for whoever asks, has to do with it."
        return f'<div class="empty"><b>Nothing found</b><span>{said}</span></div>'
    cards = "".join(_hit(number, hit) for number, hit in enumerate(hits, 1))
    return f'<div class="hits">{cards}</div>'


def _hit(number: int, hit: Row) -> str:
    place = _below(hit["section"], hit["title"]) or hit["document"]
    until = f", until {last_day_text(hit['effective_until'])}" if hit["effective_until"] else ""
    dates = f"version {hit['version']} · since {day_text(hit['effective_from'])}{until}"
    audience = f" {pill(who(hit['audience']), 'staff')}" if hit["audience"] != PUBLIC else ""
    text = hit["text"].strip()
    shown = f"<p>{html.escape(text)}</p>"
    if len(text) > EXCERPT:
        cut = html.escape(" ".join(text.split())[:EXCERPT].rsplit(None, 1)[0])
        shown = f"<p>{cut} …</p>" + fold("Whole passage", shown)
    scores = "".join(_score(label, hit[stage]) for stage, label in STAGES if hit[stage] is not None)
    return (
        f'<article><header><span class="number">{number}</span> <strong>{html.escape(hit["title"])}</strong>{audience}'
        f'<small>{html.escape(place)} · {dates}</small></header><div class="scores">{scores}</div>{shown}</article>'
    )


def _below(section: str, title: str) -> str:
    """The headings above a passage without the title, which stands over them."""
    headings = section.split(" > ")
    return " › ".join(headings[headings[0] == title :])


def _score(label: str, value: float) -> str:
    width = 100 * min(1.0, max(0.0, value))
    return f'<span>{label}</span><i><u style="width:{width:.0f}%"></u></i><b>{value:.2f}</b>'
