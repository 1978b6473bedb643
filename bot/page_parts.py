"""Parts that several tabs of the page are made of: a day, an audience, a table whose rows open, an action's notice."""

from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr

from bot.api import OUR_ERRORS
from bot.page import notice, quiet, who
from knowledge.audiences import INTERNAL, PUBLIC

__all__ = [
    "HIDDEN", "PROGRESS", "SAME", "attempt", "audience_field", "audiences", "day_field", "pressed", "rows",
    "terms_fields",
]  # fmt: skip

PROGRESS = gr.Progress()
SAME = "As before; everyone if it is new"

HIDDEN: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
# The browser's own picker: what it gives is a day or nothing, and gradio's drops silently what it cannot read.
DAY = (
    '<label class="day"><span>{label}</span><input type="date" max="9999-12-31" aria-label="{label}"></label>'
    "<small>{hint}</small>"
)
DAY_SCRIPT = """
const field = () => element.querySelector("input");
const show = () => { if (field() && field().value !== (props.value || "")) field().value = props.value || ""; };
if (field() && field().value && !props.value) props.value = field().value;
show();
watch("value", show);
element.addEventListener("input", event => { props.value = event.target.value; });
"""
ROWS_SCRIPT = """
element.addEventListener("click", event => {
  const button = event.target.closest("button[data-id]");
  if (button) trigger("select", {id: button.dataset.id, verb: button.dataset.verb});
});
"""


def day_field(label: str, hint: str = "", elem_id: str | None = None, visible: bool = True) -> gr.HTML:
    """A day to choose; its value is "2026-12-01", or "" when it is empty."""
    template = DAY.format(label=label, hint=hint)
    return gr.HTML(
        "", label=label, html_template=template, js_on_load=DAY_SCRIPT, elem_id=elem_id, elem_classes="day-field",
        visible=visible,
    )  # fmt: skip


def terms_fields(prefix: str) -> list[Any]:
    """Folded away: from when, until when, who may see it, when to read it again and a note; see `read_terms`."""
    with gr.Accordion("Dates and audience", open=False, elem_id=f"{prefix}-terms", elem_classes="fold"):
        gr.HTML(quiet("For what you add next; all of it is optional."))
        with gr.Row():
            begins = day_field("In force from", "now if empty", f"{prefix}-begins")
            until = day_field("Last day", "no end if empty", f"{prefix}-until")
        audience = audience_field("Who may see it", SAME, f"{prefix}-audience")
        with gr.Row():
            review = day_field("Read again on", "by you or a colleague", f"{prefix}-review")
            note = gr.Textbox("", label="Note", placeholder="Why it changed", max_lines=1, elem_id=f"{prefix}-note")
    return [begins, until, audience, review, note]


def audience_field(label: str, unset: str = "", elem_id: str | None = None) -> gr.Dropdown:
    """Everyone, staff, or groups that can also be typed; `unset` names a choice of none of them, if given."""
    choices = audiences([], unset)
    return gr.Dropdown(
        choices, value=choices[0][1], label=label, elem_id=elem_id, allow_custom_value=True, min_width=140
    )


def audiences(known: Sequence[str], unset: str = "") -> list[tuple[str, str]]:
    """The choices of an audience field: those that every home has, and those that documents here are for."""
    named = sorted(set(known) - {PUBLIC, INTERNAL})
    return [*([(unset, "")] if unset else []), *((who(name), name) for name in (PUBLIC, INTERNAL, *named))]


def rows(elem_id: str) -> gr.HTML:
    """A table of bot/page_tables.py; its event `select` says which button was pressed, see `pressed`."""
    return gr.HTML(elem_id=elem_id, js_on_load=ROWS_SCRIPT)


def pressed(event: gr.EventData) -> tuple[str, str]:
    """The id and the verb of the button that was pressed."""
    return str(getattr(event, "id", "")), str(getattr(event, "verb", ""))


def attempt(action: Callable[[], str]) -> str:
    """The sentence of an action as a notice, or of our error in its place."""
    try:
        return notice(action())
    except OUR_ERRORS as error:
        return notice(str(error), "error")
