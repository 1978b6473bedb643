"""`frontdesk docs`, the calendar: versions, diff, impact, rollback, withdraw, expire, audience, review."""

from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from bot.cli_session import console, open_desk, progress_bar, say, user_name
from bot.times import day_of, last_day, minute_of

__all__ = ["add_calendar_commands"]

Reference = Annotated[str, typer.Argument(help="The document's id, source path or file name.")]
STYLES = {"added": "green", "removed": "red", "gap": "dim", "same": ""}
SIGNS = {"added": "+", "removed": "-", "gap": "@", "same": " "}


def add_calendar_commands(docs: typer.Typer) -> None:
    """Add the commands of this file to the group."""
    for command in (versions, diff, impact, rollback, withdraw, expire, audience, review, stale, conflicts):
        docs.command()(command)


def versions(context: typer.Context, document: Reference) -> None:
    """The timeline of a document: every version, and when each is in force."""
    with open_desk(context, "frontdesk docs versions") as desk:
        found = desk.versions(document)
    table = Table("version", "in force", "", "added", "by", "from", "note", box=None)
    for item in found:
        by, origin, note = (Text(item[name]) for name in ("uploaded_by", "origin", "note"))
        added = minute_of(item["added_at"])
        table.add_row(str(item["version"]), period(item), item["state"], added, by, origin, note)
    console.print(table)


def diff(context: typer.Context, document: Reference, old: int, new: int) -> None:
    """What changed between two versions."""
    with open_desk(context, "frontdesk docs diff") as desk:
        lines = desk.diff(document, old, new)
    for line in lines:
        text = SIGNS[line["kind"]] + line["text"]
        console.print(text, style=STYLES[line["kind"]], markup=False, highlight=False)
    if not lines:
        say(f"Versions {old} and {new} have the same text.")


def impact(
    context: typer.Context,
    document: Reference,
    old: Annotated[int | None, typer.Option("--from", min=1, help="The version before; the last but one.")] = None,
    new: Annotated[int | None, typer.Option("--to", min=1, help="The version after; the last, or one to come.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Questions at most, the newest first.")] = 20,
) -> None:
    """Ask again what customers asked about a document, under two versions of it, and show which answers change."""
    with open_desk(context, "frontdesk docs impact") as desk, progress_bar("Asking again") as bar:
        found = desk.impact(document, bar, old, new, limit)
    for row in found["questions"]:
        console.print(f"{row['question']}{'' if row['changed'] else '  (the same)'}", markup=False, highlight=False)
        for side, version, kind in (("before", found["old"], "removed"), ("after", found["new"], "added")):
            if row["changed"]:
                said = f"{SIGNS[kind]} version {version}: {row[side]}"
                console.print(said, style=STYLES[kind], markup=False, highlight=False)
    changed = sum(row["changed"] for row in found["questions"])
    told = f"{changed} of {len(found['questions'])} answers change from version {found['old']} to {found['new']}."
    say(told if found["questions"] else f"Nobody has asked about '{found['source']}' so far.")


def rollback(
    context: typer.Context,
    document: Reference,
    to: Annotated[int, typer.Option(min=1, help="The version whose text comes back.")],
    begins: Annotated[str, typer.Option("--from", help="Day or time from which; now by default.")] = "",
) -> None:
    """Put an earlier text in force again, as a new version."""
    with open_desk(context, "frontdesk docs rollback") as desk:
        made = desk.rollback(document, to, begins, user_name())
    console.print(f"Version {made['version']} has the text of version {to}, from {day_of(made['effective_from'])} on.")


def withdraw(
    context: typer.Context,
    document: Reference,
    version: Annotated[int | None, typer.Option(min=1, help="The one in force by default.")] = None,
) -> None:
    """Take a version back: it ends now, and one that is yet to come never begins."""
    with open_desk(context, "frontdesk docs withdraw") as desk:
        taken = desk.withdraw(document, version)
        left = [item for item in desk.versions(document) if item["state"] == "in force"]
    console.print(f"Version {taken['version']} is withdrawn.")
    if not left:
        say(f"No version is in force now: `frontdesk docs rollback {document} --to N` brings an earlier text back.")


def expire(
    context: typer.Context,
    document: Reference,
    until: Annotated[str, typer.Option(help='Last day, or time, up to which it holds; "" takes an end away.')],
    version: Annotated[int | None, typer.Option(min=1, help="The one in force by default.")] = None,
) -> None:
    """Set the end of a version."""
    with open_desk(context, "frontdesk docs expire") as desk:
        changed = desk.expire(document, until, version)
    end = changed["effective_until"]
    last = f"holds up to and with {last_day(end)}" if end else "has no end"
    console.print(f"Version {changed['version']} {last}.")


def audience(
    context: typer.Context,
    document: Reference,
    to: Annotated[str, typer.Argument(help="public, internal, or names of groups with commas.")],
) -> None:
    """Change who may see a document, at once."""
    with open_desk(context, "frontdesk docs audience") as desk:
        changed = desk.describe(document, to)
    console.print(f"'{changed['source']}' is for {changed['audience']} now.", markup=False, highlight=False)


def review(
    context: typer.Context,
    document: Reference,
    on: Annotated[str, typer.Option(help="Day on which somebody should read it again, or never.")],
) -> None:
    """Set the review date of a document, or take it away."""
    with open_desk(context, "frontdesk docs review") as desk:
        changed = desk.describe(document, review=on)
    when = f"again on {day_of(changed['review_at'])}" if changed["review_at"] else "again only when somebody wants to"
    console.print(f"'{changed['source']}' is to be read {when}.", markup=False, highlight=False)


def stale(context: typer.Context) -> None:
    """Documents past their review date, those first that most answers rest on."""
    with open_desk(context, "frontdesk docs stale") as desk:
        found = desk.stale()
    table = Table("source", "title", "to be read again on", "answers", box=None)
    for item in found:
        table.add_row(Text(item["source"]), Text(item["title"]), day_of(item["review_at"]), str(item["answers"]))
    console.print(table if found else "No document is past its review date.")


def conflicts(
    context: typer.Context,
    document: Reference,
    version: Annotated[int | None, typer.Option(min=1, help="The newest by default.")] = None,
) -> None:
    """Passages of other documents that state a fact of this one with another value."""
    with open_desk(context, "frontdesk docs conflicts") as desk:
        found = desk.conflicts(document, version)
    for sentence in found:
        console.print(sentence, markup=False, highlight=False)
    if not found:
        say("No passage in force seems to contradict it.")


def period(item: dict[str, Any]) -> str:
    """When a version is in force, in days."""
    if item["begins"] is None:
        return "never"
    begins = day_of(item["begins"])
    return f"{begins} to {last_day(item['ends'])}" if item["ends"] else f"from {begins}"
