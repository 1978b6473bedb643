"""`frontdesk docs`: add, list, show, remove and search documents."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from bot.cli_calendar import add_calendar_commands
from bot.cli_session import console, degraded_exit, open_desk, progress_bar, say, user_name
from bot.cli_sources import sources, sync
from bot.cli_upkeep import add_upkeep_commands
from bot.errors import QuestionError
from bot.times import day_of, last_day

__all__ = ["docs"]

FAULTS_SHOWN = 5
MOST_LOOKED_AT = 20  # new documents whose contradictions are looked for; a whole new folder is not

docs = typer.Typer(no_args_is_help=True, help="What the bot knows: documents, their versions, who may see them.")
Reference = Annotated[str, typer.Argument(help="Its id, source path or file name.")]


@docs.command()
def add(
    context: typer.Context,
    path: Annotated[Path, typer.Argument(help="A file, or a folder that is read with all its subfolders.")],
    prune: Annotated[bool, typer.Option(help="Also remove documents whose files are gone from the folder.")] = False,
    begins: Annotated[str, typer.Option("--from", help="Day or time from which it holds (2026-12-01); now.")] = "",
    until: Annotated[str, typer.Option(help="Last day, or time, up to which it holds.")] = "",
    audience: Annotated[str, typer.Option(help="public, internal, or names of groups with commas.")] = "",
    match: Annotated[str, typer.Option(help="Only documents of this title or path get the audience.")] = "",
    review: Annotated[str, typer.Option(help="Day on which somebody should read it again.")] = "",
    note: Annotated[str, typer.Option(help="Kept with the version.")] = "",
) -> None:
    """Add a file or folder; what is there unchanged is left alone, what changed is replaced."""
    if match and not audience:
        raise QuestionError(f"--match '{match}' says which documents get an audience: add --audience.")
    with open_desk(context, "frontdesk docs add") as desk:
        with progress_bar("adding") as on_progress:
            results = desk.add(path, on_progress, begins, until, audience, match, review, note, user_name())
        new = [result for result in results if result["status"] in ("added", "changed") and result["document"]]
        told = {r["source"]: desk.conflicts(r["document"]["id"]) for r in new} if len(new) <= MOST_LOOKED_AT else {}
        gone = desk.missing(path) if path.is_dir() else []
        for document in gone if prune else ():
            desk.remove(document["id"])
    if not results and not gone:
        raise QuestionError(f"There are no files in '{path}': choose a folder with documents.")
    _tell_added(path, results)
    for source, sentences in told.items():
        for sentence in sentences:
            say(f"'{source}' may contradict another document. {sentence}")
    _tell_gone(gone, prune)
    failed = [result["message"] for result in results if result["status"] == "failed"]
    if failed and len(failed) == len(results):
        raise QuestionError(_nothing_added(path, failed))
    degraded_exit(failed)


@docs.command(name="list")
def list_documents(
    context: typer.Context,
    everything: Annotated[bool, typer.Option("--all", help="Documents that are out of force, too.")] = False,
    as_of: Annotated[str, typer.Option(help="What was in force on a day (2026-03-03).")] = "",
) -> None:
    """All documents with the versions in force."""
    with open_desk(context, "frontdesk docs list") as desk:
        documents = desk.list(everything, as_of)
    table = Table("id", "source", "title", "version", "in force", "for", "passages", box=None)
    for item in documents:
        version, chunks = str(item["version"]), str(item["chunks"])
        source, title = Text(item["source"]), Text(item["title"])  # a Text: brackets in it are no markup
        table.add_row(item["id"], source, title, version, in_force(item), item["audience"], chunks)
    console.print(table)
    console.print(f"{len(documents)} documents")


@docs.command()
def show(
    context: typer.Context,
    document: Reference,
    at: Annotated[int | None, typer.Option(min=0, help="Offset in the stored text to begin at.")] = None,
    version: Annotated[int | None, typer.Option(min=1, help="Another version than the one in force.")] = None,
    chunks: Annotated[bool, typer.Option("--chunks", help="The passages it was split into, instead.")] = False,
) -> None:
    """The stored text of a document, from an offset if one is given."""
    with open_desk(context, "frontdesk docs show") as desk:
        found = desk.show(document, version, chunks)
    say(f"{found['title']} · {found['source']} · version {found['version']} · {day_of(found['effective_from'])}")
    text = found["markdown"]
    for passage in found.get("passages", ()):
        page = f", page {passage['page']}" if passage["page"] else ""
        console.print(f"[{passage['start']}{page}] {passage['section']}", markup=False, style="cyan", highlight=False)
        console.print(passage["text"], markup=False, highlight=False)
    if chunks:
        return
    if at is None:
        console.print(text, markup=False, highlight=False)
        return
    console.print(text[at : at + 1200], markup=False, highlight=False)
    if at + 1200 < len(text):
        say(f"… {len(text) - at - 1200} more characters")


@docs.command()
def remove(context: typer.Context, document: Reference) -> None:
    """Take a document out of all answers, at once; `docs erase` deletes its text as well."""
    with open_desk(context, "frontdesk docs remove") as desk:
        removed = desk.remove(document)
    console.print(f"Removed '{removed['source']}'.", markup=False, highlight=False)


@docs.command()
def search(
    context: typer.Context,
    query: str,
    top_k: Annotated[int, typer.Option(min=1, max=20)] = 5,
    as_of: Annotated[str, typer.Option(help="What was in force on a day (2026-03-03).")] = "",
    audience: Annotated[str, typer.Option(help="Who asks: public, internal, or a group.")] = "",
    window: Annotated[int, typer.Option(min=0, help="Characters of each passage with its neighbours.")] = 0,
    rerank: Annotated[
        bool, typer.Option("--rerank", help="In the order of the trained reader, as the bot reads.")
    ] = False,
) -> None:
    """The passages that a question would find, with their scores."""
    with open_desk(context, "frontdesk docs search") as desk:
        found = desk.search(query, top_k, as_of, audience, window, rerank)
        degraded = desk.degraded() if rerank else []
    for place, passage in enumerate(found, 1):
        read = "" if passage["reader"] is None else f", reader {passage['reader']:.3f}"
        console.print(
            f"{place}. {passage['document']} > {passage['section']}  score {passage['score']:.3f} "
            f"(dense {passage['dense']:.3f}, words {passage['lexical']:.3f}{read}) · version {passage['version']}, "
            f"{in_force(passage)}",
            style="cyan", markup=False, highlight=False,
        )  # fmt: skip
        console.print(passage["text"][: max(300, window)], markup=False, highlight=False)
    if not found:
        say("Nothing relevant was found.")
    degraded_exit(degraded)


add_calendar_commands(docs)
add_upkeep_commands(docs)
docs.command()(sync)
docs.add_typer(sources, name="source")


def in_force(item: dict[str, Any]) -> str:
    """From when to when a version is meant to be in force, in days, and when another one takes over."""
    begins = day_of(item["effective_from"])
    until = f" to {last_day(item['effective_until'])}" if item["effective_until"] else ""
    state = {"scheduled": "from ", "past": "past: "}.get(item.get("state", ""), "since " if not until else "")
    following = f", the next one from {day_of(item['next_from'])}" if item.get("next_from") else ""
    return f"{state}{begins}{until}{following}"


def _tell_added(path: Path, results: list[dict[str, Any]]) -> None:
    counts = {s: sum(r["status"] == s for r in results) for s in ("added", "changed", "unchanged", "failed")}
    embedded = sum(result["embedded"] for result in results)
    listed = ", ".join(f"{n} {status}" for status, n in counts.items())
    console.print(f"{listed}; {embedded} passages embedded.", highlight=False)
    for result in results:
        if result["message"] and result["status"] != "failed":
            say(f"'{result['source']}': {result['message']}")


def _nothing_added(path: Path, messages: list[str]) -> str:
    if len(messages) == 1:
        return messages[0]
    return f"None of the {len(messages)} files in '{path}' could be added: " + " ".join(messages[:FAULTS_SHOWN])


def _tell_gone(gone: list[dict[str, str]], pruned: bool) -> None:
    for document in gone:
        if pruned:
            say(f"Removed '{document['source']}': its file is gone.")
        else:
            say(
                f"'{document['source']}' is no longer in the folder but still answers: "
                f"remove it with --prune or `frontdesk docs remove {document['id']}`."
            )
