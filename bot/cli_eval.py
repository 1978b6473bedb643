"""`frontdesk eval`: golden questions through the bot and its baselines, as a table and a report; earlier runs."""

import json
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from bot.cli_session import console, degraded_exit, open_own_service, said_progress, say
from bot.errors import SettingsError

__all__ = ["evaluation"]

evaluation = typer.Typer(no_args_is_help=True, help="How good the answers are, measured.")


@evaluation.command()
def golden(
    context: typer.Context,
    questions: Annotated[Path, typer.Argument(help="JSONL of golden questions.")],
    json_out: Annotated[Path | None, typer.Option("--json", help="Where to write the whole report.")] = None,
    adapter: Annotated[bool, typer.Option("--adapter/--no-adapter", help="With or without the tone adapter.")] = True,
    retrieval: Annotated[bool, typer.Option("--retrieval/--no-retrieval", help="Without: the model alone.")] = True,
    baseline: Annotated[str | None, typer.Option(help="extractive or plain instead of the bot.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first questions.")] = None,
    voice: Annotated[Path | None, typer.Option(help="Voice guide for the tone metric.")] = None,
) -> None:
    """Ask every golden question and print each metric with its 95 % interval; says what fell since the last run."""
    from bot.eval_history import falls, keep_run, previous_run, read_runs
    from bot.evaluate import Mode, evaluate, report, report_file
    from bot.golden import read_golden
    from bot.service import EXAMPLES
    from tone_tuning.voice import read_voice

    if baseline not in (None, "extractive", "plain"):
        raise SettingsError(f"The baseline '{baseline}' is unknown: use extractive or plain.")
    shipped = EXAMPLES / "voice.yaml"
    guide = read_voice(voice or shipped) if voice or shipped.exists() else None
    asked = read_golden(questions, limit)
    mode = Mode(baseline, retrieval)
    with ExitStack() as stack:
        file = stack.enter_context(report_file(json_out)) if json_out else None
        service = stack.enter_context(open_own_service(context, "frontdesk eval", adapter and baseline != "plain"))
        bar = stack.enter_context(_progress())
        task = bar.add_task(mode.name, total=len(asked))
        rows = evaluate(service, asked, mode, lambda judged: bar.advance(task))
        content = report(service, rows, mode, guide)
        if file:
            json.dump(content, file, indent=1, ensure_ascii=False)
        run = keep_run(service.settings.home, questions, content)
    console.print(_table(questions.name, content))
    before = previous_run(read_runs(service.settings.home)[0], run)
    fallen = [f"'{run.questions}': {fall}" for fall in (falls(before, run) if before else [])]
    degraded_exit([*fallen, *(content["config"]["degraded"] if adapter and mode.baseline is None else [])])


@evaluation.command()
def history(
    context: typer.Context,
    questions: Annotated[str, typer.Option(help="Only runs of the question file of this name.")] = "",
    plot: Annotated[Path | None, typer.Option(help="Draw them into a .png, .svg or .pdf file.")] = None,
) -> None:
    """The runs of `eval golden` in this home, oldest first, and which metrics fell from one to the next."""
    from bot.eval_history import draw, read_runs, table_rows

    runs, damaged = read_runs(context.obj.settings().home)
    chosen = [run for run in runs if not questions or run.questions == Path(questions).name]
    if not chosen:
        raise SettingsError(f"No run of '{questions or 'any questions'}' was kept: make one with `eval golden FILE`.")
    table = Table("when", "questions", "mode", "adapter", "correct", "declined right", "unsupported", "worse", box=None)
    for row in table_rows(chosen):
        table.add_row(*map(Text, row))
    console.print(table)
    if plot:
        draw(chosen, plot)
        say(f"The plot is in '{plot}'.")
    degraded_exit(f"'{path}' cannot be read and is left out: delete it." for path in damaged)


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=said_progress)


def _table(name: str, content: dict[str, Any]) -> Table:
    config = content["config"]
    title = f"{name}: {config['mode']}, {config['base_model'] or 'no model'}, adapter {config['adapter'] or 'none'}"
    table = Table("metric", "value", "95 %", "n", title=Text(title), box=None)
    for metric, found in content["summary"].items():
        if metric == "seconds":
            for stage, times in found.items():
                table.add_row(
                    f"seconds to {stage}", _number(times["value"]), f"p95 {_number(times['p95'])}", str(times["n"])
                )
            continue
        table.add_row(
            metric, _number(found["value"]), f"{_number(found['low'])} to {_number(found['high'])}", str(found["n"])
        )
    return table


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
