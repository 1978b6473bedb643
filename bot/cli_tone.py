"""`frontdesk tone`: train, list, promote and roll back tone adapters."""

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from bot.cli_session import console, said_progress, say

__all__ = ["tone"]

tone = typer.Typer(no_args_is_help=True, help="How the bot speaks: train, list, promote, roll back adapters.")


@tone.command()
def train(
    context: typer.Context,
    data: Annotated[
        Path, typer.Option(help='JSONL of {"messages": [...], "sources": [...]}; missing sources are attached.')
    ],
    epochs: Annotated[int | None, typer.Option(min=1, max=20, help="Passes over the data.")] = None,
) -> None:
    """Train an adapter from conversations; it is registered as candidate, serving stays untouched."""
    from bot.cli_session import training_desk

    with (
        training_desk(context) as retraining,
        Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=said_progress,
        ) as bar,
    ):
        task = bar.add_task("preparing", total=None)
        done: dict[str, str] = {}
        for event in retraining.run(data, epochs):
            if "loss" in event:
                bar.update(task, completed=event["step"], total=event["steps"], description=f"loss {event['loss']:.3f}")
            elif "validation_loss" in event:
                bar.console.print(f"validation loss {event['validation_loss']:.3f}", highlight=False)
            done = event if "done" in event else done
    version = done.get("version", "")
    console.print(f"Adapter {version} is the candidate: release it with `frontdesk tone promote {version}`.")


@tone.command(name="list")
def list_versions(context: typer.Context) -> None:
    """All adapters, and which one speaks."""
    from bot.service import open_adapters

    adapters = open_adapters(context.obj.settings())
    aliases = adapters.aliases()
    roles = {aliases[role]: role for role in ("previous", "candidate", "champion") if role in aliases}
    table = Table("version", "role", "created", "rows", "validation loss", box=None)
    for version in adapters.versions():
        card = version.card
        loss = card.get("validation_loss")
        said_loss = f"{loss:.3f}" if isinstance(loss, float) else ""
        created, rows = str(card.get("created", ""))[:16], str(card.get("rows", ""))
        table.add_row(version.id, roles.get(version.id, ""), Text(created), Text(rows), said_loss)
    console.print(table)
    if "champion" not in adapters.aliases():
        say("No adapter is released: answers are plain.")


@tone.command()
def promote(context: typer.Context, version: Annotated[str, typer.Argument(help="Such as v0002.")]) -> None:
    """Make an adapter the champion; a running server uses it for its next answer."""
    from bot.champion import ChampionModel
    from bot.service import open_adapters
    from bot.service import promote as release

    settings = context.obj.settings()
    adapters = open_adapters(settings)
    release(adapters, ChampionModel(settings, adapters, say), version)
    console.print(f"{version} is the champion.")


@tone.command()
def rollback(context: typer.Context) -> None:
    """Give the voice back to the adapter that spoke before."""
    from bot.service import open_adapters

    console.print(f"{open_adapters(context.obj.settings()).rollback().id} is the champion again.")
