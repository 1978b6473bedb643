"""The command line: ask, chat, gaps, serve, doctor, and the groups docs, tone, model and eval."""

import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
os.environ.setdefault("TQDM_DISABLE", "1")  # the libraries' own bars; ours say what they count

import typer
from rich.table import Table
from rich.text import Text

from bot.cli_documents import docs
from bot.cli_eval import evaluation
from bot.cli_model import model
from bot.cli_session import Session, console, degraded_exit, errors, open_desk, say
from bot.cli_tone import tone
from bot.errors import QuestionError
from bot.times import day_of

if TYPE_CHECKING:
    from tone_tuning.prompt import Message

__all__ = ["app", "main"]

SHOWN = 3  # wordings of a gap in its table

app = typer.Typer(
    name="frontdesk",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    help="A support bot that answers in the company's voice, from the company's own current documents.",
)
app.add_typer(docs, name="docs")
app.add_typer(tone, name="tone")
app.add_typer(model, name="model")
app.add_typer(evaluation, name="eval")


@app.callback()
def root(
    context: typer.Context,
    home: Annotated[Path | None, typer.Option(help="The folder that holds all state (or FRONTDESK_HOME).")] = None,
) -> None:
    """Set where the state lives."""
    context.obj = Session(home)


@app.command()
def ask(
    context: typer.Context,
    question: Annotated[str, typer.Argument(help="What a customer would type.")],
    as_of: Annotated[str, typer.Option(help="By the rules in force on a day (2026-03-03).")] = "",
    audience: Annotated[str, typer.Option(help="Who asks: public, internal, or a group.")] = "",
) -> None:
    """Answer one question with its sources."""
    with open_desk(context, "frontdesk ask") as desk:
        answer = _show_answer(desk.ask(question, (), as_of, audience))
    degraded_exit(answer.get("degraded", ()))


@app.command()
def chat(context: typer.Context) -> None:
    """Talk with the bot; an empty line or Ctrl-D ends it."""
    history: list[Message] = []
    answer: dict[str, Any] = {}
    with open_desk(context, "frontdesk chat") as desk:
        while question := _next_line():
            try:
                answer = _show_answer(desk.ask(question, history))
            except QuestionError as error:
                say(str(error))
                continue
            history += [{"role": "user", "content": question}, {"role": "assistant", "content": answer["text"]}]
    degraded_exit(answer.get("degraded", ()))


@app.command()
def gaps(
    context: typer.Context,
    days: Annotated[int, typer.Option(min=1, help="How far back to look.")] = 90,
    limit: Annotated[int, typer.Option(min=1, help="Groups at most.")] = 20,
) -> None:
    """What customers asked in vain: declined or rejected questions, alike ones together, the most frequent first."""
    with open_desk(context, "frontdesk gaps") as desk:
        found = desk.gaps(days)
    table = Table("declined", "rejected", "last", "question", "nearest document", box=None)
    for gap in found[:limit]:
        asked = "\n".join(gap["questions"][:SHOWN])
        last, nearest = day_of(gap["last"]), Text(gap["nearest"])
        table.add_row(str(gap["declined"]), str(gap["rejected"]), last, Text(asked), nearest)
    if found:
        console.print(table)
    else:
        say(f"In the last {days} days nothing was declined or rejected.")


@app.command()
def serve(
    context: typer.Context,
    host: Annotated[str, typer.Option(help="127.0.0.1; any other is refused until sign-in exists.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the page.")] = 7860,
    example: Annotated[bool, typer.Option("--example", help="Fill an empty home with the example company.")] = False,
) -> None:
    """Start the page: chat, documents and tone."""
    command = [sys.executable, "-m", "ui", "--home", str(context.obj.settings().home)]
    command += ["--host", host, "--port", str(port)] + (["--example"] if example else [])
    os.execv(sys.executable, command)


@app.command()
def doctor(context: typer.Context) -> None:
    """What is installed, which models serve, and what is degraded."""
    from bot.doctor import examine

    findings = examine(context.obj.settings())
    for name, state in findings.facts:
        console.print(f"{name:<29}", style="bold", end=" ")
        console.print(state, markup=False, highlight=False)
    degraded_exit(findings.degraded)
    console.print("[green]Nothing is degraded.[/green]")


def main() -> None:
    """Entry point of `frontdesk`: an error of ours is one sentence and exit code 1."""
    with errors():
        app()


def _next_line() -> str:
    try:
        return console.input("[bold]you[/bold] ").strip()
    except EOFError:
        return ""


def _show_answer(pieces: Iterable[str | dict[str, Any]]) -> dict[str, Any]:
    answer: dict[str, Any] = {}
    for piece in pieces:
        if isinstance(piece, str):
            console.print(piece, end="", markup=False, highlight=False)
        else:
            answer = piece
    console.print()
    for citation in answer.get("citations", ()):
        section = f" > {citation['section']}" if citation["section"] else ""
        until = f" to {citation['until']}" if citation["until"] else ""
        place = f"{citation['title']}{section} ({citation['document']}, {citation['date']}{until})"
        console.print(f"\n[{citation['number']}] {place}", markup=False, style="cyan", highlight=False)
        opens = f"{citation['document_id']} --version {citation['version']} --at {citation['start']}"
        console.print(f"    frontdesk docs show {opens}", style="dim", highlight=False)
    return answer
