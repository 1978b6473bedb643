"""The tables of the page as inert HTML: documents, uploads, gaps, live sources, due reviews, versions of the voice."""

import html
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from bot.page import day_text, notice, pill, quiet, who
from bot.page_calendar import standing
from bot.schedules import show_every
from knowledge.audiences import PUBLIC
from tone_tuning.registry import AdapterVersion

__all__ = [
    "SHOWN", "documents_table", "gaps_table", "results_table", "reviews_table", "sources_table", "versions_table",
]  # fmt: skip

Row = Mapping[str, Any]  # of the verbs of bot/desk.py: times are ISO 8601
RESULTS = {"added": "Added", "changed": "Updated", "unchanged": "Unchanged", "failed": "Not added"}
SHOWN = 200  # rows of a table
WORDINGS = 3  # of one gap, beside the newest, and comments on it
RUNS = {"ok": "force", "partial": "coming", "held": "coming", "interrupted": "coming", "failed": "late"}
KINDS = {"folder": "Folder", "web": "Website", "database": "Database"}
SPANS = (("day", 86_400), ("hour", 3_600), ("minute", 60))  # and how many seconds each has


def documents_table(found: Sequence[Row], now: datetime, day: str = "") -> str:
    """The documents of `list`, as of a day if one is given; a title opens the document."""
    if not found:
        return _empty("No documents in force", f"On {day_text(day)} no document applies.") if day else _empty(
            "No documents yet", "Add the first ones here: the bot answers from them at once."
        )  # fmt: skip
    rows = [
        (
            _opener(item["id"], item["title"]) + _marks(item, now) + _small(item["source"]),
            standing(item),
            f"{item['version']} of {item['versions']}",
            item["chunks"],
        )
        for item in found[:SHOWN]
    ]
    said = f"{len(found):,} document{'s' * (len(found) != 1)}" + (f" in force on {day_text(day)}" if day else "")
    if len(found) > SHOWN:
        said += f": the first {SHOWN} are shown, find others by title or path"
    return _table(("Document", "In force", "Version", "Passages"), rows) + quiet(f"{said}.")


def gaps_table(found: Sequence[Row]) -> str:
    """The groups of `gaps`: what was asked in vain, with other wordings and what people wrote beneath."""
    if not found:
        return _empty("No gaps", "Questions that are declined, and answers with a thumb down, appear here.")
    rows = [
        (
            html.escape(gap["questions"][0])
            + "".join(map(_small, gap["questions"][1 : 1 + WORDINGS]))
            + "".join(_small(f"“{comment}”") for comment in gap["comments"][:WORDINGS]),
            gap["declined"],
            gap["rejected"],
            day_text(gap["last"]),
            html.escape(gap["nearest"]),
        )
        for gap in found[:SHOWN]
    ]
    more = quiet(f"{len(found) - SHOWN:,} more.") if len(found) > SHOWN else ""
    return _table(("Question", "Declined", "Thumbs down", "Last asked", "Nearest document"), rows) + more


def reviews_table(found: Sequence[Row]) -> str:
    """The documents of `stale`: what somebody should read again, by how many answers rest on it."""
    if not found:
        return _empty("Nothing to read again", "Documents past their review date appear here.")
    rows = [
        (_opener(item["id"], item["title"]) + _small(item["source"]), day_text(item["review_at"]), item["answers"])
        for item in found[:SHOWN]
    ]
    more = quiet(f"{len(found) - SHOWN:,} more.") if len(found) > SHOWN else ""
    return _table(("Document", "Was due", "Answers"), rows) + more


def sources_table(found: Sequence[Row], now: datetime) -> str:
    """The live sources with how their last run went, and what can be done with each."""
    if not found:
        return (
            '<div class="empty"><b>No live sources yet</b><span><code>frontdesk docs source add</code> adds a folder, '
            "a website or a database that is followed.</span></div>"
        )
    head = ("Source", "Schedule", "Last run", "Last good", "")
    return _table(head, [_source(item, now) for item in found], name="sources")


def _source(item: Row, now: datetime) -> tuple[str, ...]:
    audience = f" {pill(who(item['audience']), 'staff')}" if item["audience"] not in ("", PUBLIC) else ""
    kind = KINDS.get(item["kind"], item["kind"])
    counts = ", ".join(f"{count:,} {name}" for name, count in item["counts"].items() if count)
    ran = _small(f"{_span_ago(item['last_run_at'], now)}: {counts}".rstrip(": ")) + _small(item["message"])
    state = pill(item["status"] or "not read yet", RUNS.get(item["status"], "")) + (ran if item["last_run_at"] else "")
    verbs = _opener(item["name"], "Sync now", "sync")
    verbs += _opener(item["name"], "Remove the missing", "force") if item["status"] == "held" else ""
    verbs += _opener(item["name"], "Drop the source ...", "drop")
    name = f"<strong>{html.escape(item['name'])}</strong>{audience}" + _small(f"{kind} · {item['place']}")
    return (
        name,
        show_every(item["every_seconds"]),
        state,
        _span_ago(item["last_ok_at"], now) if item["last_ok_at"] else "never",
        verbs,
    )


def _span_ago(moment: str | None, now: datetime) -> str:
    """How long ago in its largest unit: "3 hours ago"."""
    if not moment:
        return ""
    ago = max(timedelta(0), now - datetime.fromisoformat(moment)).total_seconds()
    unit, size = next(((unit, size) for unit, size in SPANS if ago >= size), ("", 0))
    count = round(ago / size) if size else 0
    return f"{count} {unit}{'s' * (count != 1)} ago" if unit else "just now"


def _opener(name: str, text: str, verb: str = "open") -> str:
    """A button that tells the page what was chosen, see `rows` in bot/page_parts.py."""
    return f'<button class="{verb}" data-id="{html.escape(name)}" data-verb="{verb}">{html.escape(text)}</button>'


def _marks(item: Row, now: datetime) -> str:
    marks = f" {pill(who(item['audience']), 'staff')}" if item["audience"] != PUBLIC else ""
    late = item["review_at"] and datetime.fromisoformat(item["review_at"]) <= now
    return marks + (f" {pill('read again', 'late')}" if late else "")


def results_table(results: Sequence[tuple[str, str, str]]) -> str:
    """What became of each upload: (status, name, sentence); of very many, those that failed come first."""
    shown = results if len(results) <= SHOWN else sorted(results, key=lambda result: result[0] != "failed")[:SHOWN]
    rows = [
        (f'<span class="pill">{html.escape(RESULTS.get(status, status))}</span>', html.escape(name) + _small(sentence))
        for status, name, sentence in shown
    ]
    table = _table(("Result", "File"), rows, [html.escape(status) for status, _, _ in shown], "results")
    if len(results) == 1:
        return table
    counts = Counter(RESULTS.get(status, status).lower() for status, _, _ in results)
    return table + quiet(", ".join(f"{count:,} {name}" for name, count in counts.items()) + ".")


def versions_table(versions: Sequence[AdapterVersion], aliases: Mapping[str, str]) -> str:
    """All adapters, newest first, under the one that speaks; where none does, the banner says so."""
    champion = aliases.get("champion")
    speaks = notice(f"{champion} is the champion: it speaks in every answer.") if champion else ""
    if not versions:
        return speaks + _empty("No versions yet", "Retrain on your own conversations to make the first one.")
    roles = {aliases[role]: role for role in ("previous", "candidate", "champion") if role in aliases}
    rows = []
    for version in reversed(versions):
        loss = version.card.get("validation_loss")
        role, created = roles.get(version.id, ""), str(version.card.get("created", ""))
        rows.append((
            html.escape(version.id) + (f' <span class="pill {role}">{role}</span>' if role else ""),
            html.escape(created[:10]) + _small(created[11:16]),
            html.escape(str(version.card.get("rows", ""))),
            f"{loss:.3f}" if isinstance(loss, float) else "",
        ))  # fmt: skip
    return speaks + _table(("Version", "Trained", "Rows", "Loss"), rows)


def _small(text: str) -> str:
    return f"<small>{html.escape(text)}</small>" if text else ""


def _empty(title: str, sentence: str) -> str:
    return f'<div class="empty"><b>{html.escape(title)}</b><span>{html.escape(sentence)}</span></div>'


def _table(head: Sequence[str], rows: Sequence[Sequence[object]], kinds: Sequence[str] = (), name: str = "") -> str:
    """Cells are HTML already; `kinds` are classes of the rows, `name` one of the table."""
    classes = kinds or [""] * len(rows)
    body = "".join(
        f'<tr class="{kind}">' + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>"
        for kind, row in zip(classes, rows, strict=True)
    )
    titles = "".join(f"<th>{title}</th>" for title in head)
    return f'<div class="table {name}"><table><thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table></div>'
