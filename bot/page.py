"""Fragments of the page as inert HTML: answers, sources, tables and notices."""

import html
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from bot.answer import Answer, Citation, Outcome
from knowledge.documents import DocumentSummary
from tone_tuning.prompt import Message
from tone_tuning.registry import AdapterVersion

__all__ = [
    "Turn",
    "documents_table",
    "history",
    "marked_passage",
    "messages",
    "notice",
    "quiet",
    "results_table",
    "said",
    "sources_panel",
    "status_line",
    "versions_table",
]


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
        inert = re.sub(r"\[(\d+)\]", lambda m: _mark(answer.id, int(m[1])) if int(m[1]) in numbers else m[0], inert)
    badge = '<span class="badge">not in the documents</span>' if answer and answer.outcome is Outcome.ABSTAINED else ""
    paragraphs = "".join(f"<p>{part}</p>" for part in re.split(r"\s*\n\s*", inert) if part)
    return f'<div class="said">{badge}{paragraphs}</div>'


def _mark(answer: str, number: int) -> str:
    address = f"#source-{html.escape(answer)}-{number}"
    return f'<a class="cite" href="{address}" title="Show source {number}">{number}</a>'


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
        older = _fold("Earlier answers", f'<div class="inside">{older}</div>', 'class="older"')
    return f'<div class="panel"><h3>Sources</h3>{cards or quiet(empty)}{older}</div>'


def _card(answer: str, citation: Citation) -> str:
    title, place = html.escape(citation.title), html.escape(citation.section or citation.document)
    page = f" · page {citation.page}" if citation.page else ""
    head = f'<span class="number">{citation.number}</span> <strong>{title}</strong>'
    head += f"<small>{place}{page} · {html.escape(citation.date)}</small>"
    frame = f'<iframe src="{html.escape(citation.link)}" loading="lazy" sandbox title="{title}"></iframe>'
    whole = _fold("Read the whole document", frame)
    opened = link(citation.link, "Open the document at this place")
    inside = f'<div class="inside"><blockquote>{marked_passage(citation)}</blockquote>{opened}{whole}</div>'
    return _fold(head, inside, f'id="source-{html.escape(answer)}-{citation.number}"')


def _fold(head: str, inside: str, attributes: str = "") -> str:
    return f"<details {attributes}><summary>{head}</summary>{inside}</details>"


def status_line(answer: Answer) -> str:
    """Which model and voice answered, how fast, and how much of it the model wrote."""
    seconds = f"{answer.seconds.get('total', 0.0):.1f} s"
    if answer.outcome is not Outcome.ANSWERED:
        return quiet(f"Decided from the documents, without the model · {seconds}")
    voice = f"tone {answer.adapter}" if answer.adapter else "no tone adapter"
    return quiet(f"{answer.model} · {voice} · {seconds} · wrote {answer.wrote:.0%} itself, quoted the rest")


def documents_table(found: Sequence[DocumentSummary]) -> str:
    """All documents; a title opens the stored text."""
    rows = [
        (
            link(f"/documents/{item.document.id}", item.document.title),
            html.escape(item.document.source),
            item.version,
            item.added_at.date().isoformat(),
            item.chunks,
        )
        for item in found
    ]
    return _table(("Title", "File", "Version", "Date", "Passages"), rows) if rows else quiet("No documents yet.")


def results_table(results: Sequence[tuple[str, str, str]]) -> str:
    """What became of each upload: (status, name, sentence)."""
    rows = [tuple(map(html.escape, result)) for result in results]
    return _table(("Result", "File", ""), rows, [status for status, _, _ in results])


def versions_table(versions: Sequence[AdapterVersion], aliases: Mapping[str, str]) -> str:
    """All adapters, newest first, under the sentence that says which one speaks."""
    roles = {aliases[role]: role for role in ("previous", "candidate", "champion") if role in aliases}
    rows = []
    for version in reversed(versions):
        loss = version.card.get("validation_loss")
        rows.append((
            version.id,
            f'<span class="role">{roles.get(version.id, "")}</span>',
            html.escape(str(version.card.get("created", ""))[:16].replace("T", " ")),
            html.escape(str(version.card.get("rows", ""))),
            f"{loss:.3f}" if isinstance(loss, float) else "",
        ))  # fmt: skip
    champion = aliases.get("champion")
    speaks = (
        f"{champion} is the champion: it speaks in every answer."
        if champion
        else "No version is the champion: answers are plain."
    )
    return notice(speaks) + (_table(("Version", "Role", "Created", "Rows", "Validation loss"), rows) if rows else "")


def _table(head: Sequence[str], rows: Sequence[Sequence[object]], kinds: Sequence[str] = ()) -> str:
    """Cells are HTML already; `kinds` are classes of the rows."""
    classes = kinds or [""] * len(rows)
    body = "".join(
        f'<tr class="{kind}">' + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>"
        for kind, row in zip(classes, rows, strict=True)
    )
    titles = "".join(f"<th>{title}</th>" for title in head)
    return f'<div class="table"><table><thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table></div>'
