"""`frontdesk docs sync` and `docs source`: folders, web pages and database tables that are read again and again."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from bot.cli_session import console, degraded_exit, open_desk, progress_bar, said_progress, say
from bot.errors import QuestionError
from bot.schedules import read_every, show_every
from bot.times import day_of

__all__ = ["sources", "sync"]

SHOWN = 20  # items of a plan
sources = typer.Typer(no_args_is_help=True, help="Live sources: folders, web pages and database tables.")


def sync(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(help="A folder; its documents follow it from now on.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Remove documents even if most of them are gone.")] = False,
    audience: Annotated[str, typer.Option(help="For new documents: public, internal, or groups.")] = "",
) -> None:
    """Bring the documents of a folder up to its files: add, change, remove; first it says what it would do."""
    with open_desk(context, "frontdesk docs sync") as desk:
        with progress_bar("looking") as on_progress:
            plan = desk.plan_folder(folder, on_progress, audience)
        _tell(plan, "would be ")
        changes = sum(len(plan[kind]) for kind in ("added", "changed", "removed", "held"))
        if dry_run or not changes:
            degraded_exit(plan["faults"])
            return
        if not yes and not typer.confirm("Do that?", err=True):
            raise QuestionError("Nothing was changed.")
        with progress_bar("reading") as on_progress:
            result = desk.sync_folder(folder, on_progress, audience, force)
    _tell(result, "")
    degraded_exit(result["faults"])


@sources.command()
def add(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="A short name: small letters, digits, hyphens.")],
    folder: Annotated[Path | None, typer.Option(help="A folder.")] = None,
    url: Annotated[list[str] | None, typer.Option(help="A web page; may be given more than once.")] = None,
    sitemap: Annotated[str, typer.Option(help="A sitemap whose pages are read.")] = "",
    host: Annotated[list[str] | None, typer.Option(help="A host that may be called; those given by default.")] = None,
    private: Annotated[bool, typer.Option("--private", help="Hosts may have private addresses (intranet).")] = False,
    database: Annotated[str, typer.Option(help="postgresql://user:${PASSWORD}@host/name or sqlite:////path.")] = "",
    table: Annotated[str, typer.Option(help="A table or view; each row is a document.")] = "",
    query: Annotated[str, typer.Option(help="A SELECT in its place.")] = "",
    key: Annotated[str, typer.Option(help="The column that tells rows apart.")] = "",
    title: Annotated[str, typer.Option(help="The column with a row's title.")] = "",
    updated: Annotated[str, typer.Option(help="The column with the time of a row's last change.")] = "",
    every: Annotated[str, typer.Option(help="How often: 15m, 6h, 1d, or never.")] = "1d",
    audience: Annotated[str, typer.Option(help="public, internal, or groups.")] = "public",
) -> None:
    """Add a source; the server reads it when it is due, `docs source run` at once."""
    # fmt: off
    kinds: dict[str, dict[str, Any]] = {
        "folder": {"path": str(folder.absolute())} if folder else {},
        "web": {"urls": url or [], "sitemap": sitemap, "hosts": host or [], "allow_private": private},
        "database": {
            "url": database,
            "table": table,
            "query": query,
            "key": key,
            "title": title,
            "updated_at": updated,
        },
    }
    # fmt: on
    given = [kind for kind, is_it in (("folder", folder), ("web", url or sitemap), ("database", database)) if is_it]
    if len(given) != 1:
        raise QuestionError("Say what to read: one of --folder, --url or --sitemap, --database.")
    settings = {setting: value for setting, value in kinds[given[0]].items() if value}
    with open_desk(context, "frontdesk docs source add") as desk:
        desk.add_source(name, given[0], settings, read_every(every), audience)
    console.print(f"Added '{name}': it is read {show_every(read_every(every))}.", highlight=False)


@sources.command(name="list")
def list_sources(context: typer.Context) -> None:
    """All sources with their last result and its age."""
    with open_desk(context, "frontdesk docs source list") as desk:
        found = desk.sources()
    listed = Table("name", "kind", "place", "every", "for", "last good", "result", box=None)
    for item in found:
        good, result = _age(item["last_ok_at"]), Text(f"{item['status'] or 'not read yet'} {item['message']}".strip())
        every = show_every(item["every_seconds"])
        listed.add_row(item["name"], item["kind"], Text(item["place"]), every, item["audience"], good, result)
    console.print(listed if found else "There are no sources: `frontdesk docs source add` makes one.")


@sources.command()
def run(
    context: typer.Context,
    name: str,
    force: Annotated[bool, typer.Option("--force", help="Remove documents even if most of them are gone.")] = False,
) -> None:
    """Read a source now."""
    with open_desk(context, "frontdesk docs source run") as desk, progress_bar("reading") as on_progress:
        result = desk.sync(name, on_progress, force)
    _tell(result, "")
    degraded_exit(result["faults"])


@sources.command()
def remove(context: typer.Context, name: str) -> None:
    """Forget a source, and take its documents out of all answers."""
    with open_desk(context, "frontdesk docs source remove") as desk:
        gone = desk.drop(name)
    console.print(f"Removed '{name}' with {len(gone)} documents.", highlight=False)


def _tell(result: dict[str, Any], would: str) -> None:
    """Counts, and the names of what changes."""
    kinds = ("added", "changed", "removed", "unchanged")
    console.print(", ".join(f"{len(result[kind])} {would}{kind}" for kind in kinds) + ".", highlight=False)
    for kind in ("added", "changed", "removed"):
        for item in result[kind][:SHOWN]:
            console.print(f"{kind:8} {item}", markup=False, highlight=False)
        if len(result[kind]) > SHOWN:
            say(f"… and {len(result[kind]) - SHOWN} more {kind}")
    if result["skipped"]:
        said_progress.print(f"{len(result['skipped'])} files are of no format that is read.", style="dim")


def _age(moment: str | None) -> str:
    if moment is None:
        return "never"
    then = datetime.fromisoformat(moment)
    hours = (datetime.now(UTC) - then).total_seconds() / 3600
    return f"{day_of(then)} ({hours / 24:.0f} days ago)" if hours >= 48 else f"{day_of(then)} ({hours:.0f} h ago)"
