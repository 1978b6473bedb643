"""`frontdesk model`: choose the base of a home, show it, and measure how a base reads before choosing it."""

import json
from contextlib import ExitStack, closing
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from bot.cli_session import console, degraded_exit, progress_bar, running_desk, say
from bot.errors import QuestionError

if TYPE_CHECKING:
    from bot.model_check import Compared
    from bot.settings import Settings
    from tone_tuning.base_model import PreparedBase

__all__ = ["model"]

model = typer.Typer(no_args_is_help=True, help="Which base model writes: choose, show and measure it.")

Named = Annotated[str, typer.Argument(metavar="PATH_OR_HUB_ID", help="A model folder, a hub id, or `default`.")]
CHOSEN_BY = {
    "variable": "the variable FRONTDESK_BASE",
    "home": "this home (model.json)",
    "default": "nobody, it is the default",
}


@model.command()
def use(context: typer.Context, base: Named) -> None:
    """Make a model the base of this home, once it has answered a prompt; one that fails changes nothing."""
    from bot.model_check import describe, try_base
    from bot.settings import read_settings, store_base

    settings = read_settings(context.obj.home, base=_full_name(base))
    tried = try_base(settings.base, settings.home / "models", say)
    kind, parameters = describe(tried.base)
    store_base(settings.home, settings.base)
    console.print(
        f"'{settings.base}' ({kind}, {_millions(parameters)} parameters) is the base of this home.",
        markup=False,
        highlight=False,
    )
    if tried.reply.startswith("<think>"):
        say("It thinks before it answers, which is cut off after 320 tokens: an instruct model without it fits better.")
    server = running_desk(settings)
    if server is not None:
        server.close()
        say("The running server takes it at its next start.")
    say(f"How well it reads: `frontdesk model check {base} QUESTIONS.jsonl`.")
    degraded_exit(_after_the_choice(settings, tried.base))


@model.command()
def show(context: typer.Context) -> None:
    """The base in use: its name, kind and size, whether the reading adapter is merged, and who chose it."""
    from bot.model_check import describe, open_base

    settings = context.obj.settings()
    base = open_base(settings.base, settings.home / "models", say)
    kind, parameters = describe(base)
    facts = {
        "name": base.name,
        "folder": base.path,
        "architecture": kind,
        "parameters": _millions(parameters),
        "reading adapter": "merged" if base.has_reading else "none",
        "chosen by": CHOSEN_BY[settings.base_from],
    }
    for name, value in facts.items():
        console.print(f"{name:<16}", style="bold", end=" ")
        console.print(str(value), markup=False, highlight=False)


@model.command()
def check(
    context: typer.Context,
    base: Named,
    questions: Annotated[Path, typer.Argument(help="JSONL of golden questions, as for `eval golden`.")],
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first questions.")] = None,
    json_out: Annotated[Path | None, typer.Option("--json", help="Where to write numbers and replies.")] = None,
) -> None:
    """Measure what a base makes of chosen sentences and of whole passages; the home keeps its base."""
    from bot.evaluate import report_file
    from bot.golden import read_golden
    from bot.model_check import advice, answer_both_ways, summarise, try_base
    from bot.service import open_service
    from bot.settings import read_settings

    settings = read_settings(context.obj.home, base=_full_name(base)).without_adapter()
    asked = read_golden(questions, limit)
    with ExitStack() as stack:
        file = stack.enter_context(report_file(json_out)) if json_out else None
        service = stack.enter_context(closing(open_service(settings, "frontdesk model check", say)))
        if not service.documents.documents():
            raise QuestionError("There are no documents to answer from: add some with `frontdesk docs add FOLDER`.")
        tried = try_base(settings.base, settings.home / "models", say)
        advance = stack.enter_context(progress_bar("questions"))
        rows = answer_both_ways(service, tried.model, asked, lambda done, name: advance(done, len(asked), name))
        summary = summarise(rows)
        verdict = advice(summary, tried.base.has_reading)
        if file:
            config = _config(tried.base, questions) | {"reader": service.bot.reader.name}
            answers = [_row(row) for row in rows]
            content = {"config": config, "summary": summary, "advice": verdict, "answers": answers}
            json.dump(content, file, indent=1, ensure_ascii=False)
        fault = service.bot.reader.fault
    console.print(_table(settings.base, summary))
    console.print(f"\n{verdict}", markup=False, highlight=False)
    degraded_exit([fault] if fault else [])


def _full_name(base: str) -> str:
    """What is stored: the default's own name, a folder with its whole path, or a hub id as it is."""
    from tone_tuning.base_model import DEFAULT_BASE

    if base in ("default", DEFAULT_BASE):
        return DEFAULT_BASE
    folder = Path(base).expanduser()
    return str(folder.absolute()) if folder.is_dir() else base


def _after_the_choice(settings: "Settings", base: "PreparedBase") -> list[str]:
    """What keeps the new base from answering in the house voice, or at all, each with its next step."""
    from bot.champion import ChampionModel
    from bot.service import open_adapters
    from bot.settings import read_settings
    from tone_tuning.prompt import prompt_hash

    adapters = open_adapters(settings)
    champion = ChampionModel(settings, adapters, lambda sentence: None)
    degraded = []
    if champion.usable_champion() is None:
        degraded = champion.degraded()
        wanted = (base.hash, prompt_hash())
        fits = [
            one.id for one in adapters.versions() if (one.card.get("base_hash"), one.card.get("prompt_hash")) == wanted
        ]
        following = f"promote {fits[-1]}` (it fits)" if fits else "train --data FILE`"
        say(f"A voice for it: `frontdesk tone {following}.")
    in_force = read_settings(settings.home)
    if in_force.base_from == "variable" and in_force.base != settings.base:
        degraded.append(
            f"FRONTDESK_BASE is '{in_force.base}' and goes first: unset it to answer with '{settings.base}'."
        )
    return degraded


def _millions(parameters: int) -> str:
    return f"{parameters / 1e6:,.1f} M"


def _config(base: "PreparedBase", questions: Path) -> dict[str, Any]:
    from bot.model_check import describe
    from tone_tuning.prompt import prompt_hash

    kind, parameters = describe(base)
    return {
        "base": base.name,
        "base_hash": base.hash,
        "architecture": kind,
        "parameters": parameters,
        "has_reading": base.has_reading,
        "prompt_hash": prompt_hash(),
        "questions": str(questions),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _row(row: "Compared") -> dict[str, Any]:
    replies = {way: asdict(written) for way, written in row.replies.items()}
    return {"id": row.golden.id, "question": row.golden.question, "answerable": row.golden.answerable, **replies}


def _table(name: str, summary: dict[str, Any]) -> Table:
    from bot.model_check import WAYS

    table = Table("without any checks", *WAYS, title=Text(name), box=None)
    for measure in summary[WAYS[0]]:
        table.add_row(measure.replace("_", " "), *(_said(summary[way][measure]) for way in WAYS))
    return table


def _said(value: Any) -> str:  # noqa: ANN401 - a number, a share, or nothing
    if isinstance(value, dict):
        value, n = value["value"], value["n"]
        return "-" if value is None else f"{round(value * n)} of {n} ({value:.2f})"
    return "-" if value is None else f"{value:.1f}"
