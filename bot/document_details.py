"""One document in the Documents tab: its timeline, versions, changes and passages, and what can be done with it."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import gradio as gr

from bot.api import OUR_ERRORS, staff_key
from bot.desk import NEVER, LocalDesk, Rows
from bot.page import day_text, last_day_text, notice, quiet, who
from bot.page_calendar import changes, dated_versions, document_head, impact, passages, period, timeline
from bot.page_parts import HIDDEN, PROGRESS, attempt, audience_field, audiences, day_field, terms_fields
from bot.page_tables import results_table
from bot.service import Service
from bot.times import day_of
from bot.uploads import BY, UNSET, add_uploads
from knowledge.documents import LIVE

__all__ = ["VIEW", "DocumentDetails"]

# The values of `DocumentDetails.show`: where the page is, then what it shows of the document.
VIEW = (
    "parts", "overview", "details", "results", "chosen", "head", "said", "timeline", "versions", "compare", "old",
    "new", "changes", "impact", "read", "passages", "version", "audience", "review", "confirm",
)  # fmt: skip
ACTIONS = [("Roll back to it", "rollback"), ("Set its end", "expire"), ("Withdraw it", "withdraw")]
FORETOLD = {
    "rollback": "Its text becomes the newest version, in force from that day on.",
    "expire": "It holds up to and with that day; an empty day takes an end away. No older text comes back by itself.",
    "withdraw": "It ends now, and one that is yet to come never begins. No older text comes back by itself.",
}
NAMES = {"rollback": "Roll back", "expire": "Set the end", "withdraw": "Withdraw"}


class DocumentDetails:
    """One document. Handlers return what changes; the desk decides."""

    def __init__(self, service: Service, token: str) -> None:
        self.service = service
        self.desk = LocalDesk(service)
        self.token = token

    def layout(self) -> None:
        """The parts of the page; `wire` connects them."""
        self.chosen = gr.State("")
        self.back = gr.Button("‹ All documents", size="sm", min_width=140, elem_id="back")
        head, said = gr.HTML(elem_id="head"), gr.HTML(elem_id="said")
        shown = gr.HTML(elem_id="timeline")
        with gr.Row():
            with gr.Column(scale=7, min_width=320):
                versions = gr.HTML(elem_id="dated")
                with gr.Accordion("What changed", open=False, elem_id="compare", elem_classes="fold") as compare:
                    with gr.Row():
                        self.old = gr.Dropdown([], label="From", min_width=200, elem_id="old")
                        self.new = gr.Dropdown([], label="To", min_width=200, elem_id="new")
                    self.changes = gr.HTML()
                    self.ask_again = gr.Button("What it changes for customers", size="sm", elem_id="ask-again")
                    self.impact = gr.HTML(elem_id="impact")
                with gr.Accordion("Passages", open=False, elem_id="passages", elem_classes="fold"):
                    self.read = gr.Dropdown([], label="Version", elem_id="read")
                    self.passages = gr.HTML()
            with gr.Column(scale=5, min_width=300):
                self._change_card()
                self._upload_card()
                self._audience_card()
                self._doom_card()
        self.view = [
            self.chosen, head, said, shown, versions, compare, self.old, self.new, self.changes, self.impact,
            self.read, self.passages, self.version, self.audience, self.review, self.confirm,
        ]  # fmt: skip

    def _change_card(self) -> None:
        with gr.Column(elem_classes="card", elem_id="change"):
            gr.HTML("<h3>Change a version</h3>")
            self.version = gr.Dropdown([], label="Version", elem_id="version-to-change")
            self.action = gr.Radio(ACTIONS, value="rollback", label="What to do", show_label=False, elem_id="action")
            self.begins = day_field("From", "now if empty", "change-begins")
            self.until = day_field("Last day", "no end if empty", "change-until", visible=False)
            self.foretold = gr.HTML(quiet(FORETOLD["rollback"]))
            self.do = gr.Button("Roll back", variant="primary", size="sm", elem_id="do")

    def _upload_card(self) -> None:
        with gr.Accordion("Add a version", open=False, elem_id="add-version", elem_classes="fold"):
            self.terms = terms_fields("next")
            self.file = gr.File(label="Document", show_label=False, height=130, elem_id="next-file")
            gr.HTML(quiet("Its name does not matter: it becomes the next version of this document."))

    def _audience_card(self) -> None:
        with gr.Accordion("Audience and review", open=False, elem_id="describe", elem_classes="fold"):
            self.audience = audience_field("Who may see it", elem_id="audience")
            self.review = day_field("Read again on", "it is listed under Sources then", "review")
            self.save = gr.Button("Save", size="sm", elem_id="save")

    def _doom_card(self) -> None:
        with gr.Accordion("Delete or erase", open=False, elem_id="doom", elem_classes="fold"):
            gr.HTML(quiet("Deleted, it is in no answer any more, but its past can be asked for. Erased, it is gone."))
            with gr.Row():
                self.delete = gr.Button("Delete ...", size="sm", min_width=90, elem_id="delete")
                self.erase = gr.Button("Erase for good ...", size="sm", min_width=130, elem_id="erase")
            self.doom = gr.State("")
            with gr.Column(visible=False) as self.confirm:
                self.warning = gr.HTML(elem_id="warning")
                with gr.Row():
                    self.keep = gr.Button("Keep it", size="sm", min_width=90)
                    self.really = gr.Button("Yes, delete it", variant="stop", size="sm", min_width=90, elem_id="really")

    def wire(self, shown: list[Any]) -> list[Any]:
        """Connect the parts; `shown` are the components of `show`. Returns the events after which the list is old."""
        self.old.input(self.compare, [self.chosen, self.old, self.new], self.changes, **HIDDEN)
        self.new.input(self.compare, [self.chosen, self.old, self.new], self.changes, **HIDDEN)
        again = [self.chosen, self.old, self.new]
        self.ask_again.click(self.reask, again, self.impact, api_visibility="private")
        self.read.input(self.look, [self.chosen, self.read], self.passages, **HIDDEN)
        self.action.change(self.foretell, self.action, [self.begins, self.until, self.foretold, self.do], **HIDDEN)
        asked = [self.confirm, self.warning, self.doom, self.really]
        self.delete.click(self.warn_delete, self.chosen, asked, **HIDDEN)
        self.erase.click(self.warn_erase, self.chosen, asked, **HIDDEN)
        self.keep.click(lambda: gr.Column(visible=False), None, self.confirm, **HIDDEN)
        changed = [self.chosen, self.version, self.action, self.begins, self.until]
        described = [self.chosen, self.audience, self.review]
        return [
            self.back.click(self.close, None, shown, **HIDDEN),
            self.do.click(self.change, changed, [*shown, self.begins, self.until], **HIDDEN),
            self.save.click(self.describe, described, shown, **HIDDEN),
            self.really.click(self.destroy, [self.chosen, self.doom], shown, **HIDDEN),
            self.file.upload(
                self.upload, [self.chosen, self.file, *self.terms], [*shown, self.file, *self.terms],
                api_visibility="private", show_progress_on=[self.file],
            ),
        ]  # fmt: skip

    # -- showing

    def show(self, document: str, said: str = "") -> list[Any]:
        """All values of VIEW for a document; the list with a sentence where it is not there any more."""
        try:
            if not document:
                return self.close()
            versions = self.desk.versions(document)
            found = self.desk.show(document)
            known = [row["audience"] for row in self.desk.list(True)]
        except OUR_ERRORS as error:
            return self.close(notice(str(error), "error"))
        key, now = staff_key(self.token, found["id"]), self._now()
        choices, numbers = self._choices(versions), [version["version"] for version in versions]
        read, (old, new) = found["version"], (numbers[-2:] if len(numbers) > 1 else numbers * 2)
        review = day_of(found["review_at"]) if found["review_at"] else ""
        groups = [name for audience in known for name in audience.split(",")]
        return [
            gr.Tabs(selected="library"), gr.Column(visible=False), gr.Column(visible=True), "", found["id"],
            document_head(found, versions, now, key), said, timeline(versions, now), dated_versions(versions),
            gr.Accordion(visible=len(numbers) > 1), gr.Dropdown(choices, value=old), gr.Dropdown(choices, value=new),
            self.compare(found["id"], old, new), "", gr.Dropdown(choices, value=read), self.look(found["id"], read),
            gr.Dropdown(choices, value=read),
            gr.Dropdown(audiences([*groups, found["audience"]]), value=found["audience"]), review,
            gr.Column(visible=False),
        ]  # fmt: skip

    def close(self, said: str = "") -> list[Any]:
        """All values of VIEW for the list, with a sentence beside it."""
        there = [gr.skip(), gr.Column(visible=True), gr.Column(visible=False), said]
        return [*there, "", *([gr.skip()] * (len(VIEW) - 6)), gr.Column(visible=False)]

    def compare(self, document: str, old: int, new: int) -> str:
        """What changed between two versions."""
        return self._fragment(lambda: changes(self.desk.diff(document, int(old), int(new)), int(old), int(new)))

    def reask(self, document: str, old: int, new: int, progress: gr.Progress = PROGRESS) -> str:
        """What customers asked about the document, answered under both versions."""

        def tell(done: int, total: int, name: str) -> None:
            progress((done, total), desc=name[:60])

        return self._fragment(lambda: impact(self.desk.impact(document, tell, int(old), int(new))))

    def look(self, document: str, number: int) -> str:
        """The passages of a version."""
        key = staff_key(self.token, document)
        return self._fragment(lambda: passages(self.desk.show(document, int(number), chunks=True), key))

    def foretell(self, action: str) -> list[Any]:
        """Which day an action wants, what it does, and the name of its button."""
        return [
            gr.update(visible=action == "rollback"), gr.update(visible=action == "expire"),
            quiet(FORETOLD.get(action, "")), NAMES.get(action, "Choose what to do"),
        ]  # fmt: skip

    # -- doing

    def change(self, document: str, number: int, action: str, begins: str, until: str) -> list[Any]:
        """Roll back to a version, set its end or withdraw it."""
        verbs: dict[str, Callable[[], str]] = {
            "rollback": lambda: self._roll_back(document, int(number), begins or ""),
            "expire": lambda: self._expire(document, int(number), until or ""),
            "withdraw": lambda: self._withdraw(document, int(number)),
        }
        said = attempt(verbs[action]) if action in verbs and number else notice("Choose a version first.", "error")
        return [*self.show(document, said), "", ""]

    def _roll_back(self, document: str, number: int, begins: str) -> str:
        made = self.desk.rollback(document, number, begins, BY)
        since = f"from {day_text(made['effective_from'])} on" if begins else "from now on"
        return f"Version {made['version']} has the text of version {number}: in force {since}."

    def _expire(self, document: str, number: int, until: str) -> str:
        changed = self.desk.expire(document, until, number)
        end = changed["effective_until"]
        return f"Version {number} {f'holds until {last_day_text(end)}' if end else 'has no end now'}."

    def _withdraw(self, document: str, number: int) -> str:
        self.desk.withdraw(document, number)
        if any(version["state"] == "in force" for version in self.desk.versions(document)):
            return f"Version {number} is withdrawn."
        return f"Version {number} is withdrawn and none is in force: roll back to bring an earlier text back."

    def describe(self, document: str, audience: str, review: str) -> list[Any]:
        """Change who may see a document, and when it is to be read again."""

        def action() -> str:
            changed = self.desk.describe(document, audience or "", review or NEVER)
            day = f", to be read again on {day_text(changed['review_at'])}" if changed["review_at"] else ""
            return f"For {who(changed['audience']).lower()} now{day}."

        return self.show(document, attempt(action))

    def upload(self, document: str, file: str, *terms: str) -> list[Any]:
        """Add a version; the upload is gone from the cache as soon as it is read."""
        added = add_uploads(self.service, [Path(file)], document, lambda *_: None, terms)
        kept = terms if added[0][0] == "failed" else UNSET
        return [*self.show(document, results_table(added)), None, *kept]

    # -- deleting

    def warn_delete(self, document: str) -> list[Any]:
        """Ask before a document is deleted."""
        said = self._fragment(lambda: notice(f"'{self._title(document)}' disappears from all answers at once.", "warn"))
        return [gr.Column(visible=True), said, "remove", "Yes, delete it"]

    def warn_erase(self, document: str) -> list[Any]:
        """Say what is lost before a document is erased."""
        return [gr.Column(visible=True), self._fragment(lambda: self._loss(document)), "erase", "Yes, erase it"]

    def destroy(self, document: str, doom: str) -> list[Any]:
        """Delete or erase a document, and go back to the list."""

        def action() -> str:
            if doom != "erase":
                return f"'{self.desk.remove(document)['title']}' is deleted."
            erased = self.desk.erase(document)
            told = f" {_count(erased['redacted'], 'past answer')} lost what came from it." if erased["redacted"] else ""
            return f"'{erased['title']}' is erased.{told}"

        return self.close(attempt(action))

    def _loss(self, document: str) -> str:
        found, versions = self.desk.show(document), self.desk.versions(document)
        answers = self.service.log.grounded().get(found["id"], 0)
        said = f"'{found['title']}' is lost for good: {_count(len(versions), 'version')}, all passages and the files "
        said += "as they were uploaded. "
        if answers:
            said += f"{_count(answers, 'past answer')} will not show any more what came from it. "
        if found["collection"].startswith(LIVE):
            said += f"The source '{found['collection'].removeprefix(LIVE)}' may bring it back: remove it there too. "
        return notice(f"{said}This cannot be undone.", "warn")

    def _title(self, document: str) -> str:
        return str(self.desk.show(document)["title"])

    def _choices(self, versions: Rows) -> list[tuple[str, int]]:
        said = {"never": "never in force"}
        return [
            (f"Version {v['version']} · {said.get(v['state'], period(v))}", v["version"]) for v in reversed(versions)
        ]

    def _fragment(self, make: Callable[[], str]) -> str:
        """A fragment, or our error in its place."""
        try:
            return make()
        except OUR_ERRORS as error:
            return notice(str(error), "error")

    def _now(self) -> datetime:
        return self.service.documents.clock()


def _count(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'s' * (number != 1)}"
