"""Fragments of the page as inert HTML: answers, sources, tables, notices, and the style they share."""

import html
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bot.answer import Answer, Citation, Outcome
from knowledge.documents import DocumentSummary
from tone_tuning.prompt import Message
from tone_tuning.registry import AdapterVersion

__all__ = [
    "HEAD",
    "STYLE",
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

STYLE = """
.gradio-container{max-width:1180px!important;margin:0 auto!important;padding:20px 16px 48px!important}
footer{display:none!important}
.brand{display:flex;align-items:center;gap:12px;padding:6px 0 10px}
.brand i{width:34px;height:34px;border-radius:10px;background:var(--primary-600);display:grid;place-items:center}
.brand i:after{content:"";width:14px;height:14px;border-radius:50% 50% 50% 3px;background:#fff}
.brand b{font-size:1.3rem;letter-spacing:-.01em}.brand span,.quiet{color:var(--body-text-color-subdued)}
.quiet{font-size:.86rem;line-height:1.5}
.notice{border-left:3px solid var(--primary-500);background:var(--background-fill-secondary);border-radius:8px;
 padding:10px 14px;margin:4px 0;overflow-wrap:anywhere}
.notice.warn{border-color:#d97706}.notice.error{border-color:#dc2626}
.said p{margin:0 0 .55em}.said p:last-child{margin:0}
.said a.cite,.number{display:inline-block;min-width:1.45em;text-align:center;border-radius:6px;font-size:.78em;
 line-height:1.5;font-weight:600;color:#fff!important;background:var(--primary-600);text-decoration:none;padding:0 .35em}
.badge{display:inline-block;font-size:.76rem;border-radius:6px;padding:1px 8px;margin-bottom:6px;color:#92400e;
 background:#fef3c7}
.panel h3{margin:2px 0 10px;font-size:1rem}
.panel details{border:1px solid var(--border-color-primary);border-radius:10px;margin:0 0 10px;
 background:var(--background-fill-primary)}
.panel summary{cursor:pointer;padding:10px 12px;line-height:1.4;overflow-wrap:anywhere}
.panel summary small{display:block;color:var(--body-text-color-subdued);margin-top:2px}
.panel .inside{padding:0 12px 12px;border-top:1px solid var(--border-color-primary)}
.panel blockquote{margin:12px 0;padding:0;border:0;white-space:pre-wrap;overflow-wrap:anywhere;font-size:.94rem;
 line-height:1.6;max-height:320px;overflow-y:auto}
.panel mark{background:#fff1b8;color:#1d2733;border-radius:3px;padding:.05em .1em}
.panel iframe{width:100%;height:420px;border:0;border-top:1px solid var(--border-color-primary);background:#fff;
 border-radius:0 0 10px 10px}
.panel .inside details{margin:10px 0 0}.panel .older{border-style:dashed}.panel .older>.inside{padding-top:12px}
.table{overflow-x:auto}.table table{width:100%;border-collapse:collapse;font-size:.93rem;margin:0}
.table th{text-align:left;font-weight:600;color:var(--body-text-color-subdued);font-size:.82rem}
.table th,.table td{padding:9px 10px;border:0;border-bottom:1px solid var(--border-color-primary);vertical-align:top}
.table td{overflow-wrap:anywhere}.role{color:var(--primary-700);font-weight:600}
.dark .role{color:var(--primary-300)}.failed td:first-child{color:#dc2626}
@media(max-width:640px){.gradio-container{padding:10px 6px 32px!important}.brand span{display:none}}
"""
# A mark in an answer opens its passage in the panel; a plain anchor would leave the page or find it folded away.
HEAD = """<meta name="robots" content="noindex"><script>
document.addEventListener("click", event => {
  const mark = event.target.closest && event.target.closest("a.cite");
  if (!mark) return;
  event.preventDefault();
  const place = document.getElementById(mark.getAttribute("href").slice(1));
  for (let fold = place; fold; fold = fold.parentElement) if (fold.tagName === "DETAILS") fold.open = true;
  if (place) place.scrollIntoView({behavior: "smooth", block: "center"});
});</script>"""


@dataclass(frozen=True)
class Turn:
    """One question of a conversation; `answer` is None while it is being written and when it was stopped."""

    question: str
    text: str = ""
    answer: Answer | None = None
    fault: bool = False


def history(turns: Sequence[Turn]) -> list[Message]:
    """The finished turns as the bot wants them."""
    messages: list[Message] = []
    for turn in turns:
        if turn.answer:
            messages += [{"role": "user", "content": turn.question}, {"role": "assistant", "content": turn.text}]
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
    """Text of a customer or of the bot as inert HTML on one line, which no Markdown reader touches; marks are links."""
    inert = html.escape(text.strip())
    numbers = {citation.number for citation in answer.citations} if answer else set()
    if answer:
        inert = re.sub(r"\[(\d+)\]", lambda m: _mark(answer.id, int(m[1])) if int(m[1]) in numbers else m[0], inert)
    badge = '<span class="badge">not in the documents</span>' if answer and answer.outcome is Outcome.ABSTAINED else ""
    paragraphs = "".join(f"<p>{part}</p>" for part in re.split(r"\s*\n\s*", inert) if part)
    return f'<div class="said">{badge}{paragraphs}</div>'


def _mark(answer: str, number: int) -> str:
    return f'<a class="cite" href="#source-{html.escape(answer)}-{number}" title="Show source {number}">{number}</a>'


def marked_passage(citation: Citation) -> str:
    """The passage verbatim and inert, the sentences that the answer rests on marked."""
    parts, at = [], citation.start
    for start, end in sorted(citation.sentences):
        start, end = max(start, at), min(end, citation.end)
        if start < end:
            before, sentence = (citation.passage[a - citation.start : b - citation.start] for a, b in ((at, start), (start, end)))
            parts.append(f"{html.escape(before)}<mark>{html.escape(sentence)}</mark>")
            at = end
    return "".join(parts) + html.escape(citation.passage[at - citation.start :])


def sources_panel(turns: Sequence[Turn]) -> str:
    """The sources of the last answer, and folded away those of the answers before it."""
    answers = [turn.answer for turn in turns if turn.answer]
    if not answers:
        return f'<div class="panel"><h3>Sources</h3>{quiet("The passages behind an answer appear here.")}</div>'
    cards = "".join(_card(answers[-1].id, citation) for citation in answers[-1].citations)
    older = "".join(_card(answer.id, citation) for answer in answers[-2::-1] for citation in answer.citations)
    folded = f'<details class="older"><summary>Earlier answers</summary><div class="inside">{older}</div></details>' if older else ""
    return f'<div class="panel"><h3>Sources</h3>{cards or quiet("No document answers this question.")}{folded}</div>'


def _card(answer: str, citation: Citation) -> str:
    address, place = html.escape(citation.link), html.escape(citation.section or citation.document)
    page = f" · page {citation.page}" if citation.page else ""
    return (
        f'<details id="source-{html.escape(answer)}-{citation.number}"><summary><span class="number">{citation.number}</span> '
        f"<strong>{html.escape(citation.title)}</strong><small>{place}{page} · {html.escape(citation.date)}</small></summary>"
        f'<div class="inside"><blockquote>{marked_passage(citation)}</blockquote>{link(citation.link, "Open the document here")}'
        "<details><summary>Read the whole document</summary>"
        f'<iframe src="{address}" loading="lazy" sandbox title="{html.escape(citation.title)}"></iframe></details></div></details>'
    )


def status_line(answer: Answer) -> str:
    """Which model and voice answered, how fast, and how much of it the model wrote."""
    seconds = f"{answer.seconds.get('total', 0.0):.1f} s"
    if answer.outcome is not Outcome.ANSWERED:
        return quiet(f"Decided from the documents, without the model · {seconds}")
    voice = f"tone {answer.adapter}" if answer.adapter else "no tone adapter"
    return quiet(f"{answer.model} · {voice} · {seconds} · {answer.wrote:.0%} in the model's words, the rest quoted")


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
    speaks = f"{champion} is the champion: it speaks in every answer." if champion else "No version is the champion: answers are plain."
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
