"""`frontdesk docs`: add, list, show, remove and search documents."""

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from bot.cli_session import console, degraded_exit, open_desk, said_progress, say
from bot.errors import QuestionError

__all__ = ["docs"]

FAULTS_SHOWN = 5

docs = typer.Typer(no_args_is_help=True, help="What the bot knows: add, list, show, remove, search documents.")


@docs.command()
def add(
    context: typer.Context,
    path: Annotated[Path, typer.Argument(help="A file, or a folder that is read with all its subfolders.")],
    prune: Annotated[bool, typer.Option(help="Also remove documents whose files are gone from the folder.")] = False,
) -> None:
    """Add a file or folder; what is there unchanged is left alone, what changed is replaced."""
    with open_desk(context, "frontdesk docs add") as desk:
        with Progress(
            TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), console=said_progress
        ) as bar:
            task = bar.add_task("adding", total=None)
            results = desk.add(
                path, lambda done, total, name: bar.update(task, completed=done, total=total, description=name[-40:])
            )
        gone = desk.missing(path) if path.is_dir() else []
        for document in gone if prune else ():
            desk.remove(document["id"])
    if not results and not gone:
        raise QuestionError(f"There are no files in '{path}': choose a folder with documents.")
    failed = [result["message"] for result in results if result["status"] == "failed"]
    counts = {status: sum(r["status"] == status for r in results) for status in ("added", "changed", "unchanged")}
    embedded = sum(result["embedded"] for result in results)
    listed = ", ".join(f"{n} {status}" for status, n in counts.items())
    console.print(f"{listed}, {len(failed)} failed; {embedded} passages embedded.", highlight=False)
    _tell_gone(gone, prune)
    if failed and len(failed) == len(results):
        raise QuestionError(_nothing_added(path, failed))
    degraded_exit(failed)


@docs.command(name="list")
def list_documents(context: typer.Context) -> None:
    """All documents with their versions."""
    with open_desk(context, "frontdesk docs list") as desk:
        documents = desk.list()
    table = Table("id", "source", "title", "version", "added", "passages", box=None)
    for item in documents:
        version, chunks = str(item["version"]), str(item["chunks"])
        source, title = Text(item["source"]), Text(item["title"])  # a Text: brackets in it are no markup
        table.add_row(item["id"], source, title, version, item["added_at"][:16], chunks)
    console.print(table)
    console.print(f"{len(documents)} documents")


@docs.command()
def show(
    context: typer.Context,
    document: Annotated[str, typer.Argument(help="Its id, source path or file name.")],
    at: Annotated[int | None, typer.Option(min=0, help="Offset in the stored text to begin at.")] = None,
    version: Annotated[int | None, typer.Option(min=1, help="An earlier version.")] = None,
) -> None:
    """The stored text of a document, from an offset if one is given."""
    with open_desk(context, "frontdesk docs show") as desk:
        found = desk.show(document, version)
    say(f"{found['title']} · {found['source']} · version {found['version']} · {found['added_at'][:10]}")
    text = found["markdown"]
    if at is None:
        console.print(text, markup=False, highlight=False)
        return
    console.print(text[at : at + 1200], markup=False, highlight=False)
    if at + 1200 < len(text):
        say(f"… {len(text) - at - 1200} more characters")


@docs.command()
def remove(
    context: typer.Context, document: Annotated[str, typer.Argument(help="Its id, source path or file name.")]
) -> None:
    """Take a document out of all answers, at once."""
    with open_desk(context, "frontdesk docs remove") as desk:
        removed = desk.remove(document)
    console.print(f"Removed '{removed['source']}'.", markup=False, highlight=False)


@docs.command()
def search(
    context: typer.Context,
    query: str,
    top_k: Annotated[int, typer.Option(min=1, max=20)] = 5,
) -> None:
    """The passages that a question would find, with their scores."""
    with open_desk(context, "frontdesk docs search") as desk:
        found = desk.search(query, top_k)
    for place, passage in enumerate(found, 1):
        console.print(
            f"{place}. {passage['document']} > {passage['section']}  score {passage['score']:.3f} "
            f"(dense {passage['dense']:.3f}, words {passage['lexical']:.3f})",
            style="cyan", markup=False, highlight=False,
        )  # fmt: skip
        console.print(passage["text"][:300], markup=False, highlight=False)
    if not found:
        say("Nothing relevant was found.")


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
