"""The live sources in the Documents tab, and the documents that somebody should read again."""

from typing import Any

import gradio as gr

from bot.api import OUR_ERRORS
from bot.desk import LocalDesk
from bot.page import notice
from bot.page_parts import HIDDEN, PROGRESS, attempt, pressed, rows
from bot.page_tables import reviews_table, sources_table
from bot.service import Service

__all__ = ["SourcesTab"]

KINDS = ("added", "changed", "removed", "unchanged")


class SourcesTab:
    """Sources and reviews. Handlers return what changes; the desk decides."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.desk = LocalDesk(service)

    def layout(self, tab: gr.Tab) -> gr.HTML:
        """Lay it out and wire it; returns the table of reviews, whose documents open."""
        gr.HTML("<h3>Live sources</h3>", elem_classes="title")
        said = gr.HTML(elem_id="source-said")
        doomed = gr.State("")
        with gr.Column(visible=False) as confirm:
            warning = gr.HTML(elem_id="source-warning")
            with gr.Row(elem_classes="narrow"):
                keep = gr.Button("Keep it", size="sm", min_width=90)
                really = gr.Button("Yes, remove it", variant="stop", size="sm", min_width=90)
        sources = rows("sources-table")
        gr.HTML("<h3>To be read again</h3>", elem_classes="title")
        reviews = rows("reviews")
        shown = [sources, reviews, said, confirm, warning, doomed]
        tab.select(self.show, None, shown, **HIDDEN)
        sources.select(self.press, None, shown, api_visibility="private", show_progress_on=[said])
        keep.click(self.show, None, shown, **HIDDEN)
        really.click(self.drop, doomed, shown, **HIDDEN)
        return reviews

    def show(self, said: str = "", doomed: str = "") -> list[Any]:
        """Values of sources, reviews, sentence, confirmation, its warning and the source it is about."""
        try:
            now = self.service.documents.clock()
            tables = [sources_table(self.desk.sources(), now), reviews_table(self.desk.stale())]
        except OUR_ERRORS as error:
            tables = [notice(str(error), "error"), ""]
        sentence = f"'{doomed}' is forgotten, and its documents disappear from all answers at once."
        return [*tables, said, gr.Column(visible=bool(doomed)), notice(sentence, "warn") if doomed else "", doomed]

    def press(self, event: gr.EventData, progress: gr.Progress = PROGRESS) -> list[Any]:
        """Read a source now (by force: also remove most of its documents), or ask before it is removed."""
        name, verb = pressed(event)
        if verb not in ("sync", "force"):
            return self.show(doomed=name)
        try:
            told = self.desk.sync(name, lambda done, total, item: progress((done, total), desc=item), verb == "force")
        except OUR_ERRORS as error:
            return self.show(notice(str(error), "error"))
        counts = ", ".join(f"{len(told[kind]):,} {kind}" for kind in KINDS if told[kind])
        said = f"'{name}': {counts or 'nothing new'}. {told['message']}".strip()
        return self.show(notice(said, "info" if told["status"] == "ok" else "warn"))

    def drop(self, name: str) -> list[Any]:
        """Forget a source and take its documents out of all answers."""

        def action() -> str:
            gone = len(self.desk.drop(name))
            return f"'{name}' is removed, and {gone} document{'s' * (gone != 1)} with it."

        return self.show(attempt(action))
