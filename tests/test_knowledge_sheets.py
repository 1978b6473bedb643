"""XLSX -> rows that name their columns, with cells as a person sees them, and nothing of what is hidden."""

import io
from datetime import date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import Workbook

from knowledge.cells import shown_number
from knowledge.converters import convert
from knowledge.errors import OversizedDocument
from tests.knowledge_files import FILES, parts_of, with_parts, xlsx

SHEET = "xl/worksheets/sheet1.xml"
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"


def workbook(fill):
    """A workbook of one sheet, which `fill` fills."""
    book = Workbook()
    fill(book.active)
    packed = io.BytesIO()
    book.save(packed)
    return packed.getvalue()


def with_shared_strings(strings, rows):
    """A workbook as Excel writes it: a cell holds the number of its text in a list."""
    data = xlsx({"Sheet": [["x"]]})
    types = parts_of(data)["[Content_Types].xml"].decode()
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"
    types = types.replace("</Types>", f'<Override PartName="/xl/sharedStrings.xml" ContentType="{kind}"/></Types>')
    texts = "".join(f"<si><t>{text}</t></si>" for text in strings)
    return with_parts(
        data,
        {
            "[Content_Types].xml": types.encode(),
            "xl/sharedStrings.xml": f'<sst xmlns="{MAIN}">{texts}</sst>'.encode(),
            SHEET: f'<worksheet xmlns="{MAIN}"><sheetData>{rows}</sheetData></worksheet>'.encode(),
        },
    )


def test_each_sheet_is_a_section_and_each_row_names_its_columns():
    """So that a row says what it means where it stands alone."""
    sheets = {"Shop": [["Product", "Price"], ["Kettle", 39.0], ["Mug", 7.5]], "Web  only": [["Code"], ["X1"], ["X2"]]}

    assert convert("price-list.xlsx", xlsx(sheets)).markdown == (
        "# Price list\n\n## Shop\n\n- Product: Kettle; Price: 39\n- Product: Mug; Price: 7.5\n\n"
        "## Web only\n\n- Code: X1\n- Code: X2\n"
    )


def test_shared_texts_are_found():
    """Excel itself writes every text so."""
    rows = '<row r="1"><c r="A1" t="s"><v>0</v></c></row><row r="2"><c r="A2" t="s"><v>1</v></c></row>'

    assert convert("a.xlsx", with_shared_strings(["Colour", "red"], rows)).markdown.endswith("- Colour: red\n")


def test_lines_above_the_header_are_text():
    """Many lists begin with a title and a blank row."""
    rows = [["Prices 2026"], [], ["valid in all shops"], ["Product", "Price"], ["Kettle", 39]]

    assert "## S\n\nPrices 2026\n\nvalid in all shops\n\n- Product: Kettle; Price: 39\n" in (
        convert("a.xlsx", xlsx({"S": rows})).markdown
    )


def test_a_single_row_is_text():
    """There is nothing that it could be the header of."""
    assert convert("a.xlsx", xlsx({"S": [["Closed", "on Mondays"]]})).markdown.endswith("## S\n\nClosed; on Mondays\n")


def test_cells_are_shown_as_in_the_file():
    """Dates in ISO form, money with its currency, truth in words, errors not at all."""

    def fill(sheet):
        sheet.append(["Day", "At", "Time", "Length", "Sum", "Off", "Code", "Open", "Broken", "Text"])
        day, at = date(2026, 3, 1), datetime(2026, 3, 1, 9, 30)
        sheet.append([day, at, time(18), timedelta(hours=30), 39.5, 0.155, 42, True, "#REF!", " two\nlines "])
        sheet["E2"].number_format, sheet["F2"].number_format, sheet["G2"].number_format = '"$"#,##0.00', "0.0%", "00000"

    assert convert("a.xlsx", workbook(fill)).markdown.endswith(
        "- Day: 2026-03-01; At: 2026-03-01 09:30; Time: 18:00; Length: 30:00; Sum: $39.50; Off: 15.5%; Code: 00042; "
        "Open: yes; Text: two lines\n"
    )


@pytest.mark.parametrize(
    ("value", "number_format", "text"),
    [
        (39.0, "General", "39"),
        (0.1 + 0.2, "General", "0.3"),
        (1e20, "General", "100000000000000000000"),
        (1234567.891, "#,##0.00", "1234567.89"),
        (2.5, "0", "3"),
        (-0.001, "0.00", "0"),
        (39, "#,##0.00\\ [$€-407]", "39 €"),
        (39.5, '_("$"* #,##0.00_);_("$"* \\(#,##0.00\\)', "$39.50"),
        (-39.5, "$0.00", "-$39.50"),
        (12, '0 "pcs"', "12 pcs"),
        (0.5, "0%", "50%"),
        (7, "000", "007"),
        (0.5, "# ?/?", "0.5"),
        (12000, "0.00E+00", "12000"),
        (12000, "#,##0,", "12000"),
        (float("inf"), "0.00", "inf"),
    ],
)
def test_a_number_is_shown_by_its_format(value, number_format, text):
    """With what a customer would be told: currency, unit, percent; without the zeros and marks of the layout."""
    assert shown_number(value, number_format) == text


@given(st.floats() | st.integers(-(10**30), 10**30), st.text(alphabet='0#?.,/%E+-$€"[]\\;_* ax', max_size=20))
def test_any_number_is_shown_in_any_format(value, number_format):
    """A format is a text that any program may have written."""
    assert shown_number(value, number_format)


def test_hidden_sheets_rows_and_columns_are_left_out():
    """What a company hides it does not mean to tell; a warning says so."""

    def fill(sheet):
        for row in (["Product", "Price", "Cost"], ["Kettle", 39, 12], ["Old kettle", 29, 11], ["Mug", 7, 2]):
            sheet.append(row)
        sheet.column_dimensions["C"].hidden = True
        sheet.row_dimensions[3].hidden = True
        sheet.parent.create_sheet("Margins").append(["secret"])
        sheet.parent["Margins"].sheet_state = "veryHidden"

    converted = convert("a.xlsx", workbook(fill))

    assert converted.markdown == "# A\n\n## Sheet\n\n- Product: Kettle; Price: 39\n- Product: Mug; Price: 7\n"
    assert converted.warning == (
        "Hidden columns, rows and sheets were left out: show them in the file if they are meant to be read."
    )


def test_nothing_is_said_about_hidden_places_with_nothing_in_them():
    """Many people hide all columns and rows that they do not use."""

    def fill(sheet):
        sheet.append(["Product", "Price"])
        sheet.append(["Kettle", 39])
        sheet.column_dimensions["D"].hidden = True
        sheet.row_dimensions[9].hidden = True

    assert convert("a.xlsx", workbook(fill)).warning == ""


def test_formulas_without_a_result_are_missed_aloud():
    """A program that is no spreadsheet stores none; nothing is made up in its place."""
    converted = convert("a.xlsx", xlsx({"S": [["Product", "Price"], ["Kettle", "=30+9"]]}))

    assert converted.markdown.endswith("- Product: Kettle\n")
    assert converted.warning.startswith("Some formulas have no stored result: open the file in a spreadsheet program")
    assert convert("stock.xlsx", xlsx({"S": [["Product"], ["Kettle"]]})).warning == ""


def test_a_wrong_size_in_the_file_hides_no_row():
    """Some programs write one cell as the size of every sheet."""
    sheet = parts_of(FILES["stock.xlsx"][0])[SHEET]

    converted = convert("a.xlsx", with_parts(FILES["stock.xlsx"][0], {SHEET: sheet.replace(b'"A1:B2"', b'"A1"')}))

    assert b'"A1:B2"' in sheet and "Product: Kettle; Price: 39" in converted.markdown


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ('<row><c t="s"><v>0</v></c><c t="s"><v>0</v></c></row>' * 1_100, "more than 2,000 cells: split"),
        ('<row r="2000000000"><c r="A2000000000"><v>1</v></c></row>', "more than 40,000 cells, most of them empty"),
        ('<row><c r="XFD1"/></row>' * 3, "more than 40,000 cells, most of them empty"),
        ('<row><c t="s"><v>0</v></c></row>' * 40, "more than 1 million characters of text"),
    ],
)
def test_a_sheet_of_too_many_cells_is_refused(rows, words, monkeypatch):
    """Counted as they come: in few bytes there may be billions of empty cells, or one long text many times."""
    for limit, value in {"MAX_CELLS": 2_000, "MAX_SPREAD": 40_000, "MAX_TEXT": 1_000_000}.items():
        monkeypatch.setattr(f"knowledge.sheets.{limit}", value)
    data = with_shared_strings(["long " * 7000 if "million" in words else "x"], rows)

    with pytest.raises(OversizedDocument, match=words):
        convert("a.xlsx", data)
