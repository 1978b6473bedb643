"""The tables of the page as inert HTML: documents, results of an upload, versions of the voice."""

import html
from collections.abc import Mapping, Sequence

from bot.page import link, notice
from knowledge.documents import DocumentSummary
from tone_tuning.registry import AdapterVersion

__all__ = ["documents_table", "results_table", "versions_table"]

RESULTS = {"added": "Added", "changed": "Updated", "unchanged": "Unchanged", "failed": "Not added"}


def documents_table(found: Sequence[DocumentSummary]) -> str:
    """All documents; a title opens the stored text."""
    if not found:
        return _empty("No documents yet", "Add the first ones here: the bot answers from them at once.")
    rows = [
        (
            link(f"/documents/{item.document.id}", item.document.title) + _small(item.document.source),
            item.version,
            item.added_at.date().isoformat(),
            item.chunks,
        )
        for item in found
    ]
    return _table(("Document", "Version", "Updated", "Passages"), rows)


def results_table(results: Sequence[tuple[str, str, str]]) -> str:
    """What became of each upload: (status, name, sentence)."""
    rows = [
        (f'<span class="pill">{html.escape(RESULTS.get(status, status))}</span>', html.escape(name) + _small(sentence))
        for status, name, sentence in results
    ]
    return _table(("Result", "File"), rows, [html.escape(status) for status, _, _ in results], "results")


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
