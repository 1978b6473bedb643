"""`frontdesk docs sync` and `docs source`: folders, web pages and database tables that are read again and again."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from bot.cli_session import agreed, console, degraded_exit, open_desk, progress_bar, say
from bot.errors import QuestionError
from bot.schedules import read_every, show_every
from bot.times import day_of

__all__ = ["sources", "sync"]

SHOWN = 20  # items of a plan
AGES = (("days", 86_400), ("h", 3600), ("min", 60))
CHANGES = ("added", "changed", "removed")
Audience = Annotated[
    str, typer.Option(help="public, internal, or groups; else documents keep theirs, and new ones are public.")
]
sources = typer.Typer(no_args_is_help=True, help="Live sources: folders, web pages and database tables.")


def sync(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(help="A folder; sync it again whenever its files change.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Remove documents even if most of them are gone.")] = False,
    audience: Audience = "",
) -> None:
    """Bring the documents of a folder up to its files: add, change, remove; first it says what it would do."""
    with open_desk(context, "frontdesk docs sync") as desk:
        with progress_bar("looking") as on_progress:
            result = desk.plan_folder(folder, on_progress, audience, force)
        _tell(result, "would be ")
        is_change = any(result[kind] for kind in CHANGES)
        if not dry_run and is_change and not yes and not agreed("Do that?"):
            raise QuestionError("Nothing was changed.")
        if not dry_run and (is_change or not result["faults"]):
            with progress_bar("reading") as on_progress:
                result = desk.sync_folder(folder, on_progress, audience, force)
            if is_change:
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
    audience: Audience = "",
) -> None:
    """Add a source; the server reads it when it is due, `docs source run` at once."""
    seconds = read_every(every)
    # fmt: off
    kinds: dict[str, dict[str, Any]] = {
        "folder": {"path": str(folder.absolute()) if folder else ""},
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
    given = [kind for kind, settings in kinds.items() if any(settings.values())]
    if len(given) != 1:
        raise QuestionError(
            "A source is one thing to read: say either --folder, or --url or --sitemap (with --host and --private), "
            "or --database (with --table or --query, --key, --title and --updated)."
        )
    settings = {setting: value for setting, value in kinds[given[0]].items() if value}
    with open_desk(context, "frontdesk docs source add") as desk:
        desk.add_source(name, given[0], settings, seconds, audience)
    console.print(f"Added '{name}': it is read {show_every(seconds)}.", markup=False, highlight=False)


@sources.command(name="list")
def list_sources(context: typer.Context) -> None:
    """All sources with their last result and its age."""
    with open_desk(context, "frontdesk docs source list") as desk:
        found = desk.sources()
    listed = Table("name", "kind", "place", "read", "for", "last good", "result", box=None)
    for item in found:
        result = f"{item['status'] or 'not read yet'}: {_counted(item['counts'])}".removesuffix(": ")
        audience = item["audience"] or "as set"
        every, good = show_every(item["every_seconds"]), _age(item["last_ok_at"])
        listed.add_row(item["name"], item["kind"], Text(item["place"], overflow="fold"), every, audience, good, result)
    console.print(listed if found else "There are no sources: `frontdesk docs source add` makes one.")
    for item in found:
        if item["message"]:
            console.print(f"{item['name']}: {item['message']}", markup=False, highlight=False)


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
    console.print(f"Removed '{name}' with {len(gone)} documents.", markup=False, highlight=False)


def _tell(result: dict[str, Any], would: str) -> None:
    """Counts, and the names of what changes."""
    kinds = (*CHANGES, "unchanged")
    console.print(", ".join(f"{len(result[kind])} {would}{kind}" for kind in kinds) + ".", highlight=False)
    for kind in CHANGES:
        for item in result[kind][:SHOWN]:
            console.print(f"{kind:8} {item}", markup=False, highlight=False)
        if len(result[kind]) > SHOWN:
            say(f"… and {len(result[kind]) - SHOWN} more {kind}")
    if result["skipped"]:
        say(f"{len(result['skipped'])} files are left out: ZIPs, links out of the folder, formats that are not read.")


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in counts.items() if count)


def _age(moment: str | None) -> str:
    if moment is None:
        return "never"
    then = datetime.fromisoformat(moment)
    seconds = (datetime.now(UTC) - then).total_seconds()
    unit, size = next((unit for unit in AGES if seconds >= 2 * unit[1]), AGES[-1])
    return f"{day_of(then)} ({max(seconds, 0) / size:.0f} {unit} ago)"
