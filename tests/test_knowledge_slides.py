"""PPTX -> a section for each slide that citations can name, with its notes and tables."""

import io

import pytest
from pptx import Presentation
from pptx.util import Inches

from knowledge.converters import convert
from knowledge.errors import DamagedDocument, OversizedDocument
from knowledge.splitter import split
from tests.knowledge_files import FILES, parts_of, pptx, with_parts


def changed(data, change):
    """The presentation after `change` of it."""
    show = Presentation(io.BytesIO(data))
    change(show)
    packed = io.BytesIO()
    show.save(packed)
    return packed.getvalue()


def hide_second(show):
    show.slides[1]._element.set("show", "0")


def test_each_slide_is_a_page_with_its_title_as_heading():
    """Its list, then the notes under a heading of their own."""
    slides = [("Returns", ["45 days.", "Bring the receipt."], "Smile.\nMean it."), ("Hours", ["Nine to six."], "")]

    assert convert("a.pptx", pptx(*slides)).markdown == (
        "<!-- page 1 -->\n\n## Returns\n\n- 45 days.\n- Bring the receipt.\n\n"
        "### Speaker notes\n\nSmile.\n\nMean it.\n\n"
        "<!-- page 2 -->\n\n## Hours\n\nNine to six."
    )


def test_a_passage_knows_its_slide():
    """That is what a citation shows, and whether it was only said in the notes."""
    pieces = split(convert("tour.pptx", FILES["tour.pptx"][0]).markdown, lambda text: len(text.split()))

    assert [(piece.text, piece.page, piece.heading_path) for piece in pieces] == [
        ("Start at the door.", 1, ("Shop tour",)),
        ("Greet them.", 1, ("Shop tour", "Speaker notes")),
        ("Tasting at ten.", 2, ("Coffee bar",)),
    ]


def test_a_table_stays_a_table():
    """With its first row as header, and no bar of a cell that would add a column."""
    markdown = convert("a.pptx", pptx(("Sizes", [[["Size", "Fits"], ["S", "A|B\nC"]]], ""))).markdown

    assert "| Size | Fits |\n| --- | --- |\n| S | A\\|B C |" in markdown


def test_boxes_are_read_from_top_to_bottom_also_in_groups():
    """Their order in the file is the order in which they were made."""

    def add_boxes(show):
        group = show.slides[0].shapes.add_group_shape()
        for shapes, top, text in ((group.shapes, 6, "Last."), (show.slides[0].shapes, 4, "Middle.")):
            shapes.add_textbox(0, Inches(top), Inches(1), Inches(1)).text_frame.text = text

    markdown = convert("a.pptx", changed(pptx(("Title", ["First."], "")), add_boxes)).markdown

    assert markdown.endswith("## Title\n\nFirst.\n\nMiddle.\n\nLast.")


def test_a_slide_without_a_title_is_named_by_its_number():
    """Else its text would stand under the title of the slide before."""
    converted = convert("our-tour.pptx", pptx(("", ["Text."], ""), ("Line\vbreak", ["More."], "")))

    assert converted.title == "Our tour"
    assert "## Slide 1\n" in converted.markdown and "## Line break\n" in converted.markdown


def test_a_hidden_slide_is_left_out_and_the_others_keep_their_numbers():
    """It is not shown to an audience, so it is not quoted to customers; a warning says so."""
    slides = [(f"Slide {name}", [f"Text {name}."], "") for name in "ABC"]

    converted = convert("a.pptx", changed(pptx(*slides), hide_second))

    assert "Text B" not in converted.markdown and "<!-- page 3 -->\n\n## Slide C" in converted.markdown
    assert converted.warning == "1 hidden slide was left out: show it in the file if it is meant to be read."


def test_too_many_slides_are_refused_also_if_they_are_all_the_same():
    """A list of a slide a million times has few bytes."""
    data = pptx(("Title", ["Text."], ""))
    entry = b'<p:sldId id="256" r:id="rId7"/>'
    show = parts_of(data)["ppt/presentation.xml"]
    assert entry in show

    with pytest.raises(OversizedDocument, match=r"'a.pptx' has 1,001 slides, the limit is 1,000: split it"):
        convert("a.pptx", with_parts(data, {"ppt/presentation.xml": show.replace(entry, entry * 1001)}))


def test_one_text_on_many_slides_is_counted(monkeypatch):
    """Before it fills the memory."""
    monkeypatch.setattr("knowledge.converted.MAX_TEXT", 100_000)
    data = pptx(("Title", ["word " * 1000], ""))
    show = parts_of(data)["ppt/presentation.xml"]
    entry = b'<p:sldId id="256" r:id="rId7"/>'

    with pytest.raises(OversizedDocument, match="characters of text: split it"):
        convert("a.pptx", with_parts(data, {"ppt/presentation.xml": show.replace(entry, entry * 100)}))


def test_a_presentation_that_lacks_a_part_is_refused():
    """As what it is, a damaged file."""
    parts = parts_of(FILES["tour.pptx"][0])

    with pytest.raises(DamagedDocument, match=r"cannot be read as \.pptx"):
        convert("a.pptx", with_parts(FILES["tour.pptx"][0], {"ppt/_rels/presentation.xml.rels": parts["_rels/.rels"]}))
