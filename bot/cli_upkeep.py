"""`frontdesk docs`, the upkeep: verify, rebuild-index, erase."""

from typing import Annotated

import typer

from bot.cli_session import agreed, console, open_desk, progress_bar, say
from bot.errors import BotError, QuestionError

__all__ = ["add_upkeep_commands"]


def add_upkeep_commands(docs: typer.Typer) -> None:
    """Add the commands of this file to the group."""
    docs.command()(verify)
    docs.command("rebuild-index")(rebuild_index)
    docs.command()(erase)


def verify(
    context: typer.Context,
    repair: Annotated[bool, typer.Option("--repair", help="Make anew whatever does not agree.")] = False,
) -> None:
    """Prove that catalog, vectors and word index agree."""
    with open_desk(context, "frontdesk docs verify") as desk:
        faults = desk.verify(repair)
    if faults:
        advice = "see the log" if repair else "run `frontdesk docs verify --repair`"
        raise BotError(f"{' '.join(faults)} To mend it, {advice}.")
    console.print("Catalog, vectors and word index agree.")


def rebuild_index(context: typer.Context) -> None:
    """Make vectors and word index anew from the catalog; the old ones answer until it is done."""
    with open_desk(context, "frontdesk docs rebuild-index") as desk, progress_bar("rebuilding") as on_progress:
        count = desk.rebuild(on_progress)
    console.print(f"{count} passages are indexed.")


def erase(
    context: typer.Context,
    document: Annotated[str, typer.Argument(help="Its id, source path or file name.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Delete a document for good: text, vectors, original file, and quotations in past answers."""
    with open_desk(context, "frontdesk docs erase") as desk:
        title = desk.show(document)["title"]
        if not yes and not agreed(f"Erase '{title}' with all its versions? This cannot be undone."):
            raise QuestionError("Nothing was erased.")
        erased = desk.erase(document)
    console.print(f"Erased '{erased['source']}'.", markup=False, highlight=False)
    if erased["redacted"]:
        say(f"{erased['redacted']} past answers that quoted it were redacted.")
