"""The Documents tab: the library with its uploads, one document, a test search, what is missing, and the sources."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import gradio as gr

from bot.api import OUR_ERRORS
from bot.desk import LocalDesk, Rows
from bot.document_details import DocumentDetails
from bot.page import notice, quiet
from bot.page_calendar import search_hits
from bot.page_parts import (
    HIDDEN,
    PROGRESS,
    SAME,
    audience_field,
    audiences,
    day_field,
    pressed,
    rows,
    terms_fields,
)
from bot.page_tables import documents_table, gaps_table, results_table
from bot.service import Service
from bot.sources_tab import SourcesTab
from bot.uploads import UNSET, add_uploads
from knowledge.audiences import PUBLIC

__all__ = ["DocumentsTab"]

FORMATS = "Markdown, text, HTML, PDF, Word, PowerPoint, Excel, CSV, mail, or a ZIP of them; up to 20 MB each."
STAGES = (
    "Meaning: how near the passage is to the question. Words: how well its words fit. Together: 80 % meaning and 20 % "
    "words. Reader: the chance, by the trained reader, that the passage answers; it orders the best ones anew."
)
GAPS = "What customers asked in vain in the last 90 days, alike questions together: write what is missing."
HITS = 8
TO_TOP = "() => document.querySelector('#library [role=tablist]').scrollIntoView({block: 'nearest'})"


class DocumentsTab:
    """The list of documents and what is beside it. Handlers return what changes; the desk decides."""

    def __init__(self, service: Service, token: str, banner: Callable[[], gr.HTML]) -> None:
        self.service = service
        self.desk = LocalDesk(service)
        self.banner = banner
        self.details = DocumentDetails(service, token)
        self.sources = SourcesTab(service)

    def layout(self, page: gr.Blocks, tab: gr.Tab, banner: gr.HTML) -> None:
        """The tab, laid out and wired; `page` and `tab` tell when it comes into view."""
        with gr.Tabs(elem_id="library") as parts:
            with gr.Tab("Library", id="library"):
                with gr.Column(elem_id="overview") as overview:
                    table, filters, groups, results = self._library()
                with gr.Column(visible=False, elem_id="details") as details:
                    self.details.layout()
            with gr.Tab("Test search", id="search"):
                groups.append(self._search())
            with gr.Tab("Gaps", id="gaps") as gaps:
                gr.HTML(quiet(GAPS))
                vain = gr.HTML(elem_id="gaps-table")
                gaps.select(self.gaps, None, vain, **HIDDEN)
            with gr.Tab("Sources", id="sources") as sources:
                reviews = self.sources.layout(sources)
        listed, shown = [table, banner], [parts, overview, details, results, *self.details.view]
        opened = [opener.select(self.open, None, shown, **HIDDEN) for opener in (table, reviews)]
        changed = self.details.wire(shown)
        for event in (*opened, *changed):
            event.then(None, js=TO_TOP)
        for event in changed:
            event.then(self.documents, filters, listed, **HIDDEN)
        for field in filters:
            field.change(self.documents, filters, listed, trigger_mode="always_last", **HIDDEN)
        for moment in (page.load, tab.select):
            moment(self.documents, filters, listed, **HIDDEN)
            moment(self.groups, None, groups, **HIDDEN)
        files, terms = self.upload_fields
        files.upload(
            self.upload, [files, *filters, *terms], [files, results, *terms, *listed],
            api_visibility="private", show_progress_on=[results],
        )  # fmt: skip

    def _library(self) -> tuple[gr.HTML, list[Any], list[Any], gr.HTML]:
        with gr.Row():
            with gr.Column(scale=7, min_width=320):
                with gr.Row(elem_id="filters"):
                    words = gr.Textbox(
                        "",
                        placeholder="Title or path",
                        label="Find",
                        max_lines=1,
                        min_width=150,
                        scale=3,
                        elem_id="find",
                    )
                    day = day_field("As of", "today if empty", "as-of")
                    past = gr.Checkbox(label="Past ones too", min_width=120, elem_id="past")
                table = rows("documents")
            with gr.Column(scale=5, min_width=300), gr.Column(elem_classes="card"):
                gr.HTML("<h3>Add documents</h3>")
                terms = terms_fields("add")
                files = gr.File(label="Documents", show_label=False, file_count="multiple", height=150, elem_id="files")
                gr.HTML(quiet(f"{FORMATS} Added at once; the same name is the next version."))
                results = gr.HTML(elem_id="results")
        self.upload_fields = (files, terms)
        return table, [words, day, past], [terms[2]], results

    def _search(self) -> gr.Dropdown:
        with gr.Row(elem_id="search"):
            query = gr.Textbox(
                "", placeholder="What would a customer ask?", label="Question", submit_btn="Search", max_lines=2,
                scale=4, min_width=240, elem_id="query",
            )  # fmt: skip
            day = day_field("As of", "now if empty", "search-as-of")
            asking = audience_field("Who asks", elem_id="asking")
        hits = gr.HTML(quiet(STAGES), elem_id="hits")
        query.submit(self.search, [query, day, asking], hits, api_visibility="private", show_progress_on=[hits])
        return asking

    # -- handlers

    def documents(self, words: str = "", day: str = "", past: bool = False) -> list[Any]:
        """Values of the table and the banner."""
        try:
            found = self.desk.list(past, day or "")
        except OUR_ERRORS as error:
            return [notice(str(error), "error"), self.banner()]
        wanted = words.strip().casefold()
        fitting = [row for row in found if wanted in row["title"].casefold() or wanted in row["source"].casefold()]
        if found and not fitting:
            return [notice(f"No document has '{words.strip()}' in its title or path."), self.banner()]
        return [documents_table(fitting, self._now(), day or ""), self.banner()]

    def groups(self) -> list[Any]:
        """The choices of the audience of an upload and of who asks."""
        known = self._groups()
        return [gr.Dropdown(choices=audiences(known, SAME)), gr.Dropdown(choices=audiences(known))]

    def open(self, event: gr.EventData) -> list[Any]:
        """Show the document whose button was pressed, in place of the list."""
        return self.details.show(pressed(event)[0])

    def upload(
        self,
        files: list[str],
        words: str,
        day: str,
        past: bool,
        begins: str,
        until: str,
        audience: str,
        review: str,
        note: str,
        progress: gr.Progress = PROGRESS,
    ) -> list[Any]:
        """Add files one by one; each is gone from the upload cache as soon as it is read."""
        paths, terms = [Path(file) for file in files], (begins, until, audience, review, note)
        added = add_uploads(
            self.service, paths, None, lambda done, name: progress((done, len(paths)), desc=name), terms
        )
        kept = terms if any(status == "failed" for status, _, _ in added) else UNSET
        return [None, results_table(added), *kept, *self.documents(words, day, past)]

    def search(self, query: str, day: str, asking: str) -> str:
        """What the bot would read for a question, with the score of each stage."""
        if not query.strip():
            return notice("Type a question first.", "error")
        try:
            hits: Rows = self.desk.search(query, HITS, day or "", asking or "", rerank=True)
        except OUR_ERRORS as error:
            return notice(str(error), "error")
        asked = f"“{query.strip()}”, asked by {asking or PUBLIC}, as of {day or 'now'}."
        return search_hits(hits) + quiet(f"{asked} {STAGES}")

    def gaps(self) -> str:
        """What customers asked in vain."""
        try:
            return gaps_table(self.desk.gaps())
        except OUR_ERRORS as error:
            return notice(str(error), "error")

    def _groups(self) -> list[str]:
        return [name for row in self.desk.list(True) for name in row["audience"].split(",")]

    def _now(self) -> datetime:
        return self.service.documents.clock()
