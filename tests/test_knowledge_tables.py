"""Table rows that still say what they mean where a table is cut."""

import re

from hypothesis import given
from hypothesis import strategies as st

from bot.sentences import split_sentences
from knowledge.converters import convert
from knowledge.embedder import HashEmbedder
from knowledge.splitter import MAX_CHARACTERS, MAX_TOKENS, split
from knowledge.tables import list_rows, name_columns, read_csv, unfold_large_tables

count_tokens = HashEmbedder().count_tokens
SMALL = "| Box | Price |\n| --- | --- |\n| Small | $11 |\n| Large | $20 |"
ROWS = [f"Kettle {n},$3{n}.50,In stock" for n in range(60)]


def test_every_row_of_a_long_csv_can_be_quoted_with_its_column_names():
    """Also rows that the splitter puts into the second passage and later ones."""
    markdown = convert("stock.csv", "\n".join(["Product,Price,State", *ROWS]).encode()).markdown
    pieces = split(markdown, count_tokens)

    quoted = [sentence.plain for piece in pieces for sentence in split_sentences(piece.text)]

    assert len(pieces) > 2
    assert quoted == [f"Product: Kettle {n}; Price: $3{n}.50; State: In stock" for n in range(60)]


def test_a_cell_of_full_sentences_is_quoted_sentence_by_sentence():
    """As in a list of questions and answers: no semicolon stands after a full sentence."""
    (line,) = list_rows(["Question", "Answer"], [["How do I return it?", "Sign in. Open your orders."]])

    assert line == "- Question: How do I return it? Answer: Sign in. Open your orders."
    assert [s.plain for s in split_sentences(line)] == [
        "Question: How do I return it?",
        "Answer: Sign in.",
        "Open your orders.",
    ]


def test_an_abbreviation_does_not_end_a_cell_like_a_sentence():
    """A semicolon is needed after "U.S." and "Inc."."""
    assert list_rows(["A", "B"], [["In the U.S.", "Acme Inc."], ["x", "y"]])[0] == "- A: In the U.S.; B: Acme Inc."


def test_a_row_too_long_for_a_passage_becomes_items_that_begin_with_its_first_cell():
    """Else its later cells would not say whose they are."""
    names = ["Product", *(f"Column {n}" for n in range(30))]
    lines = list_rows(names, [["Kettle", *(f"value {n} of many words that fill the row" for n in range(30))]])

    assert len(lines) > 1
    assert all(line.startswith("- Product: Kettle; Column ") for line in lines)
    assert all(len(line) <= MAX_CHARACTERS and count_tokens(line) <= MAX_TOKENS for line in lines)
    assert [name for line in lines for name in re.findall(r"Column \d+", line)] == names[1:]


def test_cells_without_a_name_or_a_value():
    """Nothing is lost and nothing is made up."""
    assert list_rows(["A", "", "C:"], [["1", "2", "3", "4"], ["", "", "9"], ["", " ", ""]]) == [
        "- A: 1; 2; C: 3; 4",
        "- C: 9",
    ]


def test_a_small_table_stays_a_table():
    """What fits into one passage is left as its author wrote it."""
    text = f"# Boxes\n\n{SMALL}\n\nText | with a bar.\n"

    assert unfold_large_tables(text) == text
    assert any(SMALL in piece.text for piece in split(text, count_tokens))


def test_a_large_table_becomes_a_list_where_it_stood():
    """In Markdown of any origin; escaped bars belong to the cell, and the text around stays."""
    rows = "\n".join(f"| Box {n} \\| red | ${n}.00 | from stock |" for n in range(50))
    lines = unfold_large_tables(f"Before:\n| Box | Price | Where |\n|:---|---:|:-:|\n{rows}\nAfter.").split("\n")

    assert lines[:2] == ["Before:", "- Box: Box 0 | red; Price: $0.00; Where: from stock"]
    assert lines[-3:] == ["- Box: Box 49 | red; Price: $49.00; Where: from stock", "", "After."]


def test_a_table_in_code_or_without_a_head_is_no_table():
    """Rows of bars are text when no rule names the row above it a header."""
    rows = "\n".join(f"| {n} | value | more |" for n in range(100))
    bare = f"| A | B | C |\n{rows}"
    code = f"```\n| A | B | C |\n|---|---|---|\n{rows}\n```"

    assert unfold_large_tables(bare) == bare
    assert unfold_large_tables(code) == code


def test_an_empty_header_takes_the_first_row():
    """Only where three columns or more make a header likely, and rows are left under it."""
    empty = "|  |  |  |\n| --- | --- | --- |\n"

    assert name_columns(f"{empty}| A | B | C |\n| 1 | 2 | 3 |") == "| A | B | C |\n| --- | --- | --- |\n| 1 | 2 | 3 |"
    assert name_columns(f"{empty}| A | B | C |") == f"{empty}| A | B | C |"
    assert name_columns(SMALL) == SMALL


def test_a_csv_is_read_with_the_delimiter_that_fits():
    """Commas inside of numbers, quotes and sentences do not cut cells."""
    assert read_csv("Name;Preis\nKessel;3,50\nMühle;4,75\n") == [
        ["Name", "Preis"],
        ["Kessel", "3,50"],
        ["Mühle", "4,75"],
    ]
    assert read_csv('A,B\n"x, ""y""",1\n\n , \nit\'s; so,2\n') == [["A", "B"], ['x, "y"', "1"], ["it's; so", "2"]]
    assert read_csv("A\tB\n1\t2\n") == [["A", "B"], ["1", "2"]]
    assert read_csv("A|B\n1|2\n") == [["A", "B"], ["1", "2"]]
    assert read_csv("only one column\nx\n") == [["only one column"], ["x"]]
    assert read_csv("") == []


def test_an_apostrophe_is_no_quotation_mark():
    """A program that guesses the quotation mark takes words like 'til for one."""
    assert read_csv("A,B\n'til,6\nno,'til\n")[1:] == [["'til", "6"], ["no", "'til"]]


lines_of_tables = st.lists(st.text(alphabet="|- \\:ab`~#1", max_size=30), max_size=12)


@given(lines_of_tables, st.integers(1, 20))
def test_words_survive_whatever_becomes_of_the_tables(lines, times):
    """Every word of the text is still there, and a text without rules of dashes is not touched."""
    text = "\n".join(["| a | b | c |", "|---|---|---|", *lines * times])
    changed = unfold_large_tables(name_columns(text))

    assert set(re.findall(r"\w+", text)) <= set(re.findall(r"\w+", changed))
    assert unfold_large_tables(text.replace("-", "b")) == text.replace("-", "b")


cells = st.text(alphabet="ab1 .;:,\n|-#?", max_size=30)


@given(st.lists(cells, max_size=5), st.lists(st.lists(cells, max_size=7), max_size=5))
def test_a_row_is_lines_of_its_own_that_lose_no_word(header, rows):
    """Each item is one line, so it can never be cut in two or run into the next."""
    lines = list_rows(header, rows)

    assert all(line.startswith("- ") and "\n" not in line for line in lines)
    assert set(re.findall(r"\w+", str(rows).replace("\\n", " "))) <= set(re.findall(r"\w+", " ".join(lines)))
