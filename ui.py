"""The page: chat with sources, documents and tone. It only draws; the process around it is in bot/serving.py."""

import logging
import os
import sys
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # answers beside a training run: 4 s with it, up to 74 s without
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
os.environ.setdefault("TQDM_DISABLE", "1")  # the libraries' own bars; ours say what they count

import gradio as gr
from fastapi import FastAPI

from bot.api import OUR_ERRORS, add_routes
from bot.documents_tab import DocumentsTab
from bot.examples import QUESTIONS
from bot.loopback import LOCAL_HOSTS, OnlyFromHere
from bot.one_thread import in_one_thread
from bot.page import Turn, history, messages, notice, quiet, sources_panel, status_line
from bot.page_parts import HIDDEN, attempt
from bot.page_style import BRAND, HEAD, STYLE, WELCOME
from bot.page_tables import versions_table
from bot.service import Service
from bot.serving import run
from bot.training_run import TrainingRun
from bot.uploads import empty_transit, keep_transcripts

__all__ = ["Page", "build_app", "main"]

UNFORESEEN = "The answer failed in a way nobody foresaw: see the server's log."
SWEEP = (3600, 3600)  # every so many seconds, of what nobody took out of the cache for so long
LLM: dict[str, Any] = {"concurrency_id": "llm", "concurrency_limit": 1, "api_visibility": "private"}
log = logging.getLogger(__name__)


class Page:
    """The three tabs over one service. Handlers return what changes; nothing here decides anything.

    `token` makes the links to documents that are not for everybody.
    """

    def __init__(self, service: Service, token: str) -> None:
        self.service = service
        self.documents = DocumentsTab(service, token, self.banner)
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
                self.documents.layout(page, documents, banner)
            with gr.Tab("Tone") as tone:
                self._tone_tab(page, tone, banner)
            page.load(self.banner, None, banner, **HIDDEN)
        page.queue(max_size=32)
        return page

    def _chat_tab(self, banner: gr.HTML) -> None:
        turns, rated = gr.State([]), gr.State(("", 0))
        with gr.Row():
            with gr.Column(scale=7, min_width=320):
                chat = gr.Chatbot(
                    height="max(340px, calc(100vh - 350px))", show_label=False, buttons=[], latex_delimiters=[],
                    elem_id="chat", layout="bubble", placeholder=WELCOME,
                    examples=[{"text": question} for question in QUESTIONS],
                )  # fmt: skip
                question = gr.Textbox(
                    placeholder="Ask a question", label="Question", show_label=False, submit_btn="Ask", max_lines=4,
                    elem_id="question", autofocus=True,
                )  # fmt: skip
                with gr.Row(elem_id="controls"):
                    status = gr.HTML(elem_id="status")
                    stop = gr.Button("Stop", size="sm", visible=False, min_width=80)
                    new = gr.Button("New conversation", size="sm", min_width=150)
                with gr.Row(visible=False, elem_id="comment") as thought:
                    comment = gr.Textbox(
                        placeholder="What was good, or what was missing? (optional)", label="Comment",
                        show_label=False, submit_btn="Send",
                    )  # fmt: skip
            with gr.Column(scale=5, min_width=300):
                sources = gr.HTML(sources_panel([]), elem_id="sources")
        shown = [chat, turns, question, sources, status, stop, new, banner]
        question.submit(self.ask, [question, turns], shown, show_progress_on=[chat], **LLM)
        chat.example_select(self.ask_example, turns, shown, show_progress_on=[chat], **LLM)
        stop.click(self.stop, None, stop, queue=False, **HIDDEN)
        new.click(self.new, None, [*shown, thought], queue=False, **HIDDEN)
        chat.like(self.rate, turns, [rated, thought, status], **HIDDEN)
        comment.submit(self.comment, [rated, comment], [comment, thought, status], **HIDDEN)

    def _tone_tab(self, page: gr.Blocks, tab: gr.Tab, banner: gr.HTML) -> None:
        kept = gr.State("")
        with gr.Row():
            with gr.Column(scale=7, min_width=320):
                table = gr.HTML(elem_id="versions")
                with gr.Row(elem_id="release", visible=False) as release:
                    version = gr.Dropdown([], label="Version", show_label=False, min_width=110, elem_id="version")
                    promote = gr.Button("Promote", variant="primary", size="sm", min_width=84)
                    rollback = gr.Button("Roll back", size="sm", min_width=84)
                moved = gr.HTML(elem_id="tone-status")
            with gr.Column(scale=5, min_width=300, elem_classes="card"):
                gr.HTML("<h3>Retrain</h3>")
                data = gr.File(label="Conversations", show_label=False, height=150, elem_id="transcripts")
                chosen = gr.HTML(quiet("Conversations to learn from, as a JSONL file."), elem_id="chosen")
                epochs = gr.Slider(0, 10, value=0, step=1, label="Passes over the data (0: by their number)")
                with gr.Row():
                    start = gr.Button("Retrain", variant="primary", size="sm", min_width=100)
                    stop = gr.Button("Stop retraining", size="sm", min_width=100)
                status = gr.HTML(elem_id="training")
                plot = gr.LinePlot(
                    x="step", y="loss", height=220, show_label=False, buttons=[], visible=False, elem_id="losses"
                )
        clock = gr.Timer(1.0, active=False)
        voices, training = [table, release, version, banner], [status, plot, clock]
        data.upload(self.receive, data, [data, kept, chosen], **HIDDEN)
        promote.click(self.promote, version, [moved, *voices], **HIDDEN)
        rollback.click(self.rollback, None, [moved, *voices], **HIDDEN)
        start.click(self.retrain, [kept, epochs], training, **HIDDEN)
        stop.click(self.stop_training, None, training, **HIDDEN)
        clock.tick(self.tick, None, [*training, *voices], **HIDDEN)
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
        with closing(in_one_thread(lambda: self.service.bot.stream(question, history(turns)))) as pieces:
            try:
                for piece in pieces:
                    turn = turn.grown(piece)
                    if session in self.stopped and not turn.answer:
                        turn = replace(turn, text=f"{turn.text.rstrip()} ... (stopped)")
                        break
                    yield self._shown([*turns, turn], writing=not turn.answer)
            except OUR_ERRORS as error:
                turn = replace(turn, text=str(error), fault=True)
            except Exception:  # else the page would wait for this answer for ever
                log.exception("an answer failed")
                turn = replace(turn, text=UNFORESEEN, fault=True)
        yield self._shown([*turns, turn])

    def ask_example(
        self, turns: list[Turn], chosen: gr.SelectData, request: gr.Request
    ) -> Generator[list[Any], None, None]:
        """`ask` with the example that was clicked."""
        yield from self.ask(chosen.value["text"], turns, request)

    def _shown(self, turns: list[Turn], writing: bool = False) -> list[Any]:
        """Values of chat, turns, question, sources, status, stop, new and banner."""
        last = turns[-1].answer if turns else None
        status = status_line(last) if last else quiet("Writing ...") if writing else ""
        box = gr.Textbox(value="", interactive=not writing)
        buttons = [gr.Button(visible=writing, interactive=True), gr.Button(interactive=not writing)]
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

    # -- tone

    def voices(self) -> list[Any]:
        """Values of the table of versions, the row of buttons, the choice among them and the banner."""
        versions, aliases = self.service.adapters.versions(), self.service.adapters.aliases()
        chosen = aliases.get("candidate") or aliases.get("champion")
        choice = gr.Dropdown([version.id for version in versions], value=chosen)
        return [versions_table(versions, aliases), gr.Row(visible=bool(versions)), choice, self.banner()]

    def promote(self, version: str | None) -> list[Any]:
        """Let a version speak."""

        def action() -> str:
            self.service.promote(version or "")
            return f"{version} speaks from the next answer on."

        return [attempt(action), *self.voices()]

    def rollback(self) -> list[Any]:
        """Let the version before speak again."""
        said = attempt(lambda: f"{self.service.adapters.rollback().id} speaks again from the next answer on.")
        return [said, *self.voices()]

    def receive(self, file: str) -> tuple[None, str, str]:
        """Take a data set out of the upload cache and say what is in it."""
        try:
            kept, count = keep_transcripts(self.service.settings.home, Path(file))
        except OUR_ERRORS as error:
            return None, "", notice(str(error), "error")
        return None, str(kept), notice(f"{kept.name}: {count} conversations, ready to retrain on.")

    def retrain(self, kept: str, epochs: int) -> list[Any]:
        """Start a run on a received data set; it goes on when the page is closed."""
        if not kept:
            return [notice("Choose a JSONL file of conversations first.", "error"), gr.skip(), gr.skip()]
        try:
            self.run.start(self.service.retraining.run(Path(kept), int(epochs) or None))
        except OUR_ERRORS as error:
            return [notice(str(error), "error"), gr.skip(), gr.skip()]
        return self.training()

    def stop_training(self) -> list[Any]:
        """End the run; what it learned so far is kept as a checkpoint."""
        self.service.retraining.stop()
        return self.training()

    def training(self) -> list[Any]:
        """Values of the status, the loss plot and the clock that asks for them."""
        said = notice(self.run.status, "error" if self.run.failed else "info")
        status = said if self.run.begun else quiet(self.run.status)
        plot = gr.LinePlot(self.run.plot(), visible=True) if self.run.losses else gr.LinePlot(visible=False)
        return [status, plot, gr.Timer(active=self.run.alive)]

    def tick(self) -> list[Any]:
        """`training` each second, and `voices` once the run is over: a choice is not taken back before."""
        under_way = self.run.alive
        return [*self.training()[:2], gr.Timer(active=under_way), *([gr.skip()] * 4 if under_way else self.voices())]


def build_app(service: Service, token: str) -> FastAPI:
    """The whole server: the routes of the bot, and the page at `/`."""
    home = service.settings.home
    os.environ["GRADIO_TEMP_DIR"] = str(empty_transit(home))
    app = FastAPI(title="Frontdesk", docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(OnlyFromHere)
    add_routes(app, service, token)
    return gr.mount_gradio_app(
        app, Page(service, token).blocks(), path="/", server_name=LOCAL_HOSTS[0], footer_links=[], run_history=False,
        allowed_paths=[], blocked_paths=[str(home)], show_error=False, max_file_size="20mb", ssr_mode=False,
        enable_monitoring=False, mcp_server=False, theme=theme(), css=STYLE, head=HEAD,
    )  # fmt: skip


def theme() -> gr.themes.Base:
    """Teal on slate, system fonts, nothing fetched from another host."""
    teal, fonts = gr.themes.colors.teal, ("system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif")
    return gr.themes.Base(
        primary_hue=teal, secondary_hue=teal, neutral_hue=gr.themes.colors.slate, radius_size="lg",
        font=fonts, font_mono=("ui-monospace", "monospace"),
    ).set(
        body_background_fill="*neutral_50", body_text_color_subdued="*neutral_500", input_background_fill="white",
        button_primary_background_fill="*primary_700", button_primary_background_fill_hover="*primary_800",
        button_primary_border_color="*primary_700", block_radius="10px", button_small_radius="8px",
        button_secondary_background_fill="white", button_secondary_background_fill_hover="*neutral_100",
        button_secondary_border_color="*neutral_300", button_secondary_text_color="*neutral_800",
        button_cancel_background_fill="#b91c1c", button_cancel_background_fill_hover="#991b1b",
        button_cancel_border_color="#b91c1c", button_cancel_text_color="white", button_border_width="1px",
        checkbox_label_background_fill="white", slider_color="*primary_700",
    )  # fmt: skip


def main(argv: Sequence[str] | None = None) -> int:
    """`python -m ui`: 0 when stopped, 1 with one sentence when the page cannot start."""
    return run(build_app, argv)


if __name__ == "__main__":
    sys.exit(main())
