"""The page: chat with sources, documents and tone; and the process that serves it on this machine only."""

import argparse
import contextlib
import logging
import os
import secrets
import signal
import socket
import sys
from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")

import gradio as gr
import uvicorn
from fastapi import FastAPI
from rich.console import Console

from bot.api import OUR_ERRORS, add_routes
from bot.examples import QUESTIONS, fill_empty_home
from bot.home import ServerAddress, forget_server, write_server
from bot.loopback import LOCAL_HOSTS, OnlyFromHere, open_port
from bot.one_thread import in_one_thread
from bot.page import (
    Turn,
    documents_table,
    history,
    messages,
    notice,
    quiet,
    results_table,
    sources_panel,
    status_line,
    versions_table,
)
from bot.page_style import HEAD, STYLE
from bot.service import Service, open_service
from bot.settings import read_settings
from bot.training_run import TrainingRun
from bot.uploads import add_upload, take, training_events

__all__ = ["Page", "build_app", "main"]

WELCOME = "### How can we help?\nAnswers come from the company's documents, with the place to check."
BRAND = '<div class="brand"><i></i><b>Frontdesk</b><span>answers from your own documents</span></div>'
SAME_NAME = "The document with the same name, if there is one"
SWEEP = (3600, 3600)  # every so many seconds, of what nobody took out of the cache for so long
PROGRESS = gr.Progress()
HIDDEN: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
console = Console(stderr=True, soft_wrap=True, highlight=False)


class Page:
    """The three tabs over one service. Handlers return what changes; nothing here decides anything."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.run = TrainingRun()
        self.stopped: set[str] = set()

    def blocks(self) -> gr.Blocks:
        """The page, laid out and wired."""
        with gr.Blocks(title="Frontdesk", fill_width=True, delete_cache=SWEEP) as page:
            gr.HTML(BRAND)
            banner = gr.HTML(elem_id="banner", visible=False)
            with gr.Tab("Chat"):
                self._chat_tab(banner)
            with gr.Tab("Documents") as documents:
                self._documents_tab(page, documents, banner)
            with gr.Tab("Tone") as tone:
                self._tone_tab(page, tone, banner)
            page.load(self.banner, None, banner, **HIDDEN)
        page.queue(max_size=32)
        return page

    def _chat_tab(self, banner: gr.HTML) -> None:
        turns = gr.State([])
        rated = gr.State(("", 0))
        with gr.Row():
            with gr.Column(scale=7, min_width=320):
                chat = gr.Chatbot(
                    height="56vh", min_height=360, show_label=False, buttons=[], latex_delimiters=[],
                    elem_id="chat", layout="bubble", placeholder=WELCOME,
                    examples=[{"text": question} for question in QUESTIONS],
                )  # fmt: skip
                question = gr.Textbox(
                    placeholder="Ask a question", show_label=False, submit_btn="Ask", max_lines=4,
                    elem_id="question", autofocus=True,
                )  # fmt: skip
                with gr.Row(elem_id="controls"):
                    stop = gr.Button("Stop", size="sm", interactive=False, min_width=90)
                    new = gr.Button("New conversation", size="sm", min_width=150)
                status = gr.HTML(elem_id="status")
                with gr.Row(visible=False, elem_id="comment") as thought:
                    comment = gr.Textbox(
                        placeholder="What was good, or what was missing? (optional)",
                        show_label=False,
                        submit_btn="Send",
                    )
            with gr.Column(scale=5, min_width=300):
                sources = gr.HTML(sources_panel([]), elem_id="sources")
        shown = [chat, turns, question, sources, status, stop, new, banner]
        llm: dict[str, Any] = {"concurrency_id": "llm", "concurrency_limit": 1, "api_visibility": "private"}
        question.submit(self.ask, [question, turns], shown, show_progress_on=[chat], **llm)
        chat.example_select(self.ask_example, turns, shown, show_progress_on=[chat], **llm)
        stop.click(self.stop, None, stop, queue=False, **HIDDEN)
        new.click(self.new, None, [*shown, thought], queue=False, **HIDDEN)
        chat.like(self.rate, turns, [rated, thought, status], **HIDDEN)
        comment.submit(self.comment, [rated, comment], [comment, thought, status], **HIDDEN)

    def _documents_tab(self, page: gr.Blocks, tab: gr.Tab, banner: gr.HTML) -> None:
        with gr.Row():
            with gr.Column(scale=7, min_width=320):
                table = gr.HTML(elem_id="documents")
            with gr.Column(scale=4, min_width=300):
                replaces = gr.Dropdown([(SAME_NAME, "")], value="", label="Replaces", elem_id="replaces")
                files = gr.File(label="Drop files here: they are added at once", file_count="multiple", height=170)
                gr.HTML('<p class="quiet">Markdown, text, HTML, PDF, Word and CSV files of up to 20 MB.</p>')
                results = gr.HTML(elem_id="results")
                doomed = gr.Dropdown([], label="Delete a document", elem_id="doomed")
                delete = gr.Button("Delete", size="sm")
                with gr.Group(visible=False) as confirm:
                    warning = gr.HTML(padding=True)
                    with gr.Row():
                        really = gr.Button("Yes, delete it", variant="stop", size="sm")
                        keep = gr.Button("Keep it", size="sm")
        lists = [table, replaces, doomed, banner]
        files.upload(
            self.upload,
            [files, replaces],
            [files, results, *lists],
            api_visibility="private",
            show_progress_on=[results],
        )
        delete.click(self.warn, doomed, [confirm, warning], **HIDDEN)
        keep.click(lambda: gr.Group(visible=False), None, confirm, **HIDDEN)
        really.click(self.delete, doomed, [confirm, results, *lists], **HIDDEN)
        page.load(self.documents, None, lists, **HIDDEN)
        tab.select(self.documents, None, lists, **HIDDEN)

    def _tone_tab(self, page: gr.Blocks, tab: gr.Tab, banner: gr.HTML) -> None:
        with gr.Row():
            with gr.Column(scale=6, min_width=320):
                table = gr.HTML(elem_id="versions")
                with gr.Row():
                    version = gr.Dropdown([], label="Version", min_width=120, elem_id="version")
                    promote = gr.Button("Promote", variant="primary", size="sm", min_width=90)
                    rollback = gr.Button("Roll back", size="sm", min_width=90)
                said_tone = gr.HTML(elem_id="tone-status")
            with gr.Column(scale=5, min_width=300):
                data = gr.File(label="Conversations to learn from (JSONL)", height=130, elem_id="transcripts")
                epochs = gr.Slider(1, 10, value=3, step=1, label="Passes over the data")
                with gr.Row():
                    start = gr.Button("Retrain", variant="primary", size="sm", min_width=90)
                    stop = gr.Button("Stop retraining", size="sm", min_width=90)
                status = gr.HTML(elem_id="training")
                plot = gr.LinePlot(x="step", y="loss", height=230, show_label=False, buttons=[])
        clock = gr.Timer(1.0, active=False)
        voices, training = [table, version, banner], [status, plot, clock]
        promote.click(self.promote, version, [said_tone, *voices], **HIDDEN)
        rollback.click(self.rollback, None, [said_tone, *voices], **HIDDEN)
        start.click(self.retrain, [data, epochs], [data, *training], **HIDDEN)
        stop.click(self.stop_training, None, training, **HIDDEN)
        clock.tick(self.training, None, training, **HIDDEN)
        clock.tick(self.voices, None, voices, **HIDDEN)
        for moment in (page.load, tab.select):
            moment(self.voices, None, voices, **HIDDEN)
            moment(self.training, None, training, **HIDDEN)

    # -- chat

    def ask(self, question: str, turns: list[Turn], request: gr.Request) -> Generator[list[Any], None, None]:
        """Stream the answer to a question; Stop keeps what was said so far."""
        session = str(request.session_hash)
        self.stopped.discard(session)
        turn = Turn(question.strip())
        yield self._shown([*turns, turn], writing=True)
        pieces = in_one_thread(lambda: self.service.bot.stream(question, history(turns)))
        with contextlib.closing(pieces):
            try:
                for piece in pieces:
                    turn = turn.grown(piece)
                    if session in self.stopped and not turn.answer:
                        turn = turn.grown(" ... (stopped)")
                        break
                    yield self._shown([*turns, turn], writing=not turn.answer)
            except OUR_ERRORS as error:
                turn = replace(turn, text=str(error), fault=True)
        yield self._shown([*turns, turn])

    def ask_example(
        self, turns: list[Turn], chosen: gr.SelectData, request: gr.Request
    ) -> Generator[list[Any], None, None]:
        """`ask` with the example that was clicked."""
        yield from self.ask(chosen.value["text"], turns, request)

    def _shown(self, turns: list[Turn], writing: bool = False) -> list[Any]:
        """Values of chat, turns, question, sources, status, stop, new and banner."""
        last = turns[-1].answer if turns else None
        status = status_line(last) if last else ""
        box = gr.Textbox(value="", interactive=not writing)
        buttons = [gr.Button(interactive=writing), gr.Button(interactive=not writing)]
        return [messages(turns), turns, box, sources_panel(turns), status, *buttons, self.banner()]

    def stop(self, request: gr.Request) -> gr.Button:
        """Ask the answer of this page to end after the sentence at hand."""
        self.stopped.add(str(request.session_hash))
        return gr.Button(interactive=False)

    def new(self) -> list[Any]:
        """An empty conversation."""
        return [*self._shown([]), gr.Row(visible=False)]

    def rate(self, turns: list[Turn], data: gr.LikeData) -> tuple[tuple[str, int], gr.Row, str]:
        """Keep a thumb at once and offer room for a comment."""
        place = data.index if isinstance(data.index, int) else data.index[0]
        answer = turns[place // 2].answer if place // 2 < len(turns) else None
        if answer is None or not isinstance(data.liked, bool):
            return ("", 0), gr.Row(visible=False), ""
        thumb = 1 if data.liked else -1
        self.service.log.feedback(answer.id, thumb)
        return (answer.id, thumb), gr.Row(visible=True), quiet("Thank you, that is noted.")

    def comment(self, rated: tuple[str, int], text: str) -> tuple[str, gr.Row, str]:
        """Keep a comment with the thumb it belongs to."""
        if rated[0] and text.strip():
            self.service.log.feedback(rated[0], rated[1], text)
        return "", gr.Row(visible=False), quiet("Thank you for the comment.")

    def banner(self) -> gr.HTML:
        """What does not work at its best, and what is missing."""
        found = list(self.service.degraded())
        if not self.service.documents.documents():
            found.append("There are no documents yet: add some in the Documents tab.")
        return gr.HTML("".join(notice(sentence, "warn") for sentence in found), visible=bool(found))

    # -- documents

    def upload(self, files: list[str], replaces: str, progress: gr.Progress = PROGRESS) -> list[Any]:
        """Add files one by one; each is gone from the upload cache as soon as it is read."""
        results = []
        for done, file in enumerate(map(Path, files)):
            progress((done, len(files)), desc=file.name)
            if replaces and len(files) > 1:
                take(file)
                results.append(("failed", file.name, "Choose one file when it replaces a chosen document."))
            else:
                results.append(add_upload(self.service, file, replaces or None))
        return [None, results_table(results), *self.documents()]

    def documents(self) -> list[Any]:
        """Values of the table, the two lists of choice and the banner."""
        found = self.service.documents.documents()
        choices = [(f"{item.document.title} ({item.document.source})", item.document.id) for item in found]
        replaces = gr.Dropdown([(SAME_NAME, ""), *choices], value="")
        return [documents_table(found), replaces, gr.Dropdown(choices, value=None), self.banner()]

    def warn(self, document: str | None) -> tuple[gr.Group, str]:
        """Ask before a document is deleted."""
        if not document:
            return gr.Group(visible=False), ""
        try:
            title = self.service.documents.get(document).title
        except OUR_ERRORS as error:
            return gr.Group(visible=True), notice(str(error), "error")
        return gr.Group(visible=True), notice(f"'{title}' disappears from all answers at once.", "warn")

    def delete(self, document: str | None) -> list[Any]:
        """Delete a document."""
        try:
            said_so = notice(f"'{self.service.documents.remove(document or '').title}' is deleted.")
        except OUR_ERRORS as error:
            said_so = notice(str(error), "error")
        return [gr.Group(visible=False), said_so, *self.documents()]

    # -- tone

    def voices(self) -> list[Any]:
        """Values of the table of versions, the choice among them and the banner."""
        versions, aliases = self.service.adapters.versions(), self.service.adapters.aliases()
        chosen = gr.Dropdown(
            [version.id for version in versions], value=aliases.get("candidate") or aliases.get("champion")
        )
        return [versions_table(versions, aliases), chosen, self.banner()]

    def promote(self, version: str | None) -> list[Any]:
        """Let a version speak."""
        return [attempt(lambda: self._promote(version or "")), *self.voices()]

    def _promote(self, version: str) -> str:
        self.service.promote(version)
        return f"{version} speaks from the next answer on."

    def rollback(self) -> list[Any]:
        """Let the version before speak again."""
        return [
            attempt(lambda: f"{self.service.adapters.rollback().id} speaks again from the next answer on."),
            *self.voices(),
        ]

    def retrain(self, data: str | None, epochs: int) -> list[Any]:
        """Start a run on an uploaded file; it goes on when the page is closed."""
        fault = "" if data else "Choose a JSONL file of conversations first."
        if data:
            try:
                self.run.start(training_events(self.service, Path(data), int(epochs)))
            except OUR_ERRORS as error:
                fault = str(error)
        if fault:
            return [None, notice(fault, "error"), gr.skip(), gr.skip()]
        return [None, *self.training()]

    def stop_training(self) -> list[Any]:
        """End the run; what it learned so far is kept as a checkpoint."""
        self.service.retraining.stop()
        return self.training()

    def training(self) -> list[Any]:
        """Values of the status, the loss plot and the clock that asks for them."""
        points = [[step, loss] for step, loss in self.run.losses]
        plot = {
            "columns": ["step", "loss"],
            "data": points,
            "datatypes": dict.fromkeys(("step", "loss"), "quantitative"),
            "mark": "line",
        }
        status = notice(self.run.status, "error" if self.run.failed else "info")
        return [status, plot if points else None, gr.Timer(active=self.run.alive)]


def attempt(action: Callable[[], str]) -> str:
    """The sentence of an action, or of our error in its place."""
    try:
        return notice(action())
    except OUR_ERRORS as error:
        return notice(str(error), "error")


def build_app(service: Service, token: str) -> FastAPI:
    """The whole server: the routes of the bot, and the page at `/`."""
    home = service.settings.home
    os.environ["GRADIO_TEMP_DIR"] = str(home / "uploads-in-transit")
    app = FastAPI(title="Frontdesk", docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(OnlyFromHere)
    add_routes(app, service, token)
    teal, fonts = gr.themes.colors.teal, ("system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif")
    theme = gr.themes.Base(
        primary_hue=teal, secondary_hue=teal, neutral_hue=gr.themes.colors.slate, radius_size="lg",
        font=fonts, font_mono=("ui-monospace", "monospace"),
    ).set(
        body_background_fill="*neutral_50", body_text_color_subdued="*neutral_500", input_background_fill="white",
        button_primary_background_fill="*primary_700", button_primary_background_fill_hover="*primary_800",
        checkbox_label_background_fill="white", slider_color="*primary_700",
    )  # fmt: skip
    return gr.mount_gradio_app(
        app, Page(service).blocks(), path="/", server_name=LOCAL_HOSTS[0], footer_links=[], run_history=False,
        allowed_paths=[], blocked_paths=[str(home)], show_error=False, max_file_size="20mb", ssr_mode=False,
        enable_monitoring=False, mcp_server=False, theme=theme, css=STYLE, head=HEAD,
    )  # fmt: skip


def serve(home: Path | None, listening: socket.socket, example: bool) -> None:
    """Open the home folder, load the models, and answer until stopped."""
    service = open_service(read_settings(home), "the page", say)
    folder = service.settings.home
    try:
        if example:
            fill_empty_home(service, say)
        say("Loading the models ...")
        service.warm_up()
        token = secrets.token_urlsafe(32)
        url = f"http://{LOCAL_HOSTS[0]}:{listening.getsockname()[1]}"
        server = uvicorn.Server(
            uvicorn.Config(build_app(service, token), log_level="warning", timeout_graceful_shutdown=2)
        )
        write_server(folder, ServerAddress(url, token, os.getpid()))
        console.print(f"Frontdesk is at {url}", style="bold")
        server.run(sockets=[listening])
    finally:
        forget_server(folder)
        service.close()


def say(sentence: str) -> None:
    """A line of progress for whoever started the page."""
    console.print(sentence, markup=False, style="dim")


def main(argv: Sequence[str] | None = None) -> int:
    """`python -m ui`: 0 when stopped, 1 with one sentence when the page cannot start."""
    parser = argparse.ArgumentParser(prog="python -m ui", description="Serve the Frontdesk page on this machine.")
    parser.add_argument("--home", type=Path, help="the folder that holds all state (or FRONTDESK_HOME)")
    parser.add_argument("--host", default=LOCAL_HOSTS[0], help="127.0.0.1; any other is refused until sign-in exists")
    parser.add_argument("--port", type=int, default=7860)
    parser.add_argument("--example", action="store_true", help="fill an empty home with the example company")
    arguments = parser.parse_args(argv)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # else uvicorn would die without closing the files
    try:
        with open_port(arguments.host, arguments.port) as listening:
            serve(arguments.home, listening, arguments.example)
    except OUR_ERRORS as error:
        console.print(f"frontdesk: {error}", markup=False, style="red")
        return 1
    except KeyboardInterrupt:
        say("Frontdesk stopped.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
