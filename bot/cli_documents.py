"""`frontdesk docs`: add, list, show, remove and search documents."""

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from bot.cli_session import console, open_desk, said_progress, say

__all__ = ["docs"]

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
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), console=said_progress
        ) as bar:
            task = bar.add_task("adding", total=None)
            results = desk.add(
                path, lambda done, total, name: bar.update(task, completed=done, total=total, description=name[-40:])
            )
        gone = desk.missing(path) if path.is_dir() else []
        for document in gone if prune else ():
            desk.remove(document["id"])
    failed = [result for result in results if result["status"] == "failed"]
    for result in failed:
        say(f"{result['source']}: {result['message']}")
    counts = {status: sum(r["status"] == status for r in results) for status in ("added", "changed", "unchanged")}
    embedded = sum(result["embedded"] for result in results)
    console.print(", ".join(f"{n} {status}" for status, n in counts.items()) + f", {len(failed)} failed; "
                  f"{embedded} passages embedded.", highlight=False)  # fmt: skip
    _tell_gone(gone, prune)
    if failed and len(failed) == len(results):
        raise typer.Exit(1)
    if failed:
        raise typer.Exit(3)


@docs.command(name="list")
def list_documents(context: typer.Context) -> None:
    """All documents with their versions."""
    with open_desk(context, "frontdesk docs list") as desk:
        documents = desk.list()
    table = Table("id", "source", "title", "version", "added", "passages", box=None)
    for item in documents:
        table.add_row(item["id"], item["source"], item["title"], str(item["version"]), item["added_at"][:16], str(item["chunks"]))  # fmt: skip
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


def _tell_gone(gone: list[dict[str, str]], pruned: bool) -> None:
    for document in gone:
        if pruned:
            say(f"Removed '{document['source']}': its file is gone.")
        else:
            say(f"'{document['source']}' is no longer in the folder but still answers: remove it with --prune or `docs remove {document['id']}`.")  # fmt: skip
