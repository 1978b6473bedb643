"""Contradictions at upload: what counts as the same fact with another value, and what does not."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge import conflicts
from knowledge.claims import find_claims
from knowledge.conflicts import MOST_CONFLICTS, find_conflicts
from knowledge.documents import Chunk, Terms
from knowledge.embedder import HashEmbedder
from knowledge.errors import DocumentNotFound
from knowledge.indexing import DocumentIndex
from knowledge.quantities import disagreement, find_quantities
from tests.knowledge_files import make_index

RETURNS = "# Returns\n\n## Small appliances\n\nYou can return a small appliance within 45 days of delivery.\n"
SHEET = "# Cheat sheet\n\n## Sending back\n\nYou can return a small appliance within {} of delivery.\n"
ACCOUNT = "# {0} Account at a glance\n\nYour {0} Account has these terms.\n\n- Monthly maintenance fee: {1}\n"


class Counting(HashEmbedder):
    """Counts the texts it embeds."""

    texts = 0

    def embed(self, texts):
        self.texts += len(texts)
        return super().embed(texts)


@pytest.fixture
def index(tmp_path):
    index = make_index(tmp_path / "home")
    yield index
    index.close()


@pytest.fixture(scope="module")
def real(minilm, tmp_path_factory):
    """An index with the real embedder and two documents."""
    index = make_index(tmp_path_factory.mktemp("real"))
    real = DocumentIndex(index.catalog, index.vectors, minilm, index.originals, lambda: datetime.now(UTC))
    add(real, "returns.md", RETURNS)
    add(real, "gift-cards.md", "# Gift cards\n\nGift cards are valid for 5 years from the day of purchase.\n")
    yield real
    real.close()


def add(index, name, text, **terms):
    """Add a document and return its id."""
    result = index.add_bytes(name, text.encode(), terms=Terms(**terms))
    assert result.document, result.message
    return result.document.id


def found(index, name, text, **terms):
    """(our values, their values) of what contradicts a new document."""
    return [(c.our_values, c.their_values) for c in find_conflicts(index, add(index, name, text, **terms))]


def values(text):
    return [(q.kind, q.first, q.last) for q in find_quantities(text)]


def differs(ours, theirs):
    """Whether the values of two sentences differ; None if they cannot be compared."""
    result = disagreement(find_quantities(ours), find_quantities(theirs))
    return None if result is None else bool(result.ours)


def test_the_same_fact_with_another_value_is_said(index):
    """With both sentences, both values, and where the other one stands."""
    add(index, "returns.md", RETURNS)

    (conflict,) = find_conflicts(index, add(index, "sheet.md", SHEET.format("30 days")))

    assert (conflict.our_values, conflict.their_values) == (("30 days",), ("45 days",))
    assert conflict.ours == "You can return a small appliance within 30 days of delivery."
    assert conflict.theirs == "You can return a small appliance within 45 days of delivery."
    assert (conflict.document.source, conflict.version, conflict.section) == ("returns.md", 1, "Small appliances")
    assert 0.66 <= conflict.likeness <= 1


def test_other_words_for_the_same_fact_are_understood(real):
    """By the real embedder: "send back" and "return" are one."""
    sheet = "# Cheat sheet\n\n## Sending back\n\nYou have thirty days from delivery to send back a small appliance.\n"

    assert found(real, "sheet.md", sheet) == [(("thirty days",), ("45 days",))]


def test_another_fact_with_a_value_of_the_same_kind_is_none(real):
    """Days against days is not enough."""
    assert not found(real, "lost.md", "# Lost property\n\nThings left in the store are kept for 21 days.\n")
    assert not found(real, "beans.md", "# Coffee beans\n\nHouse beans stay fresh for 2 years.\n")


@pytest.mark.parametrize("same", ["45 days", "forty-five days", "45 days", "40 to 50 days"])
def test_the_same_value_is_no_conflict(index, same):
    """In words, in another unit, or within a range."""
    add(index, "returns.md", RETURNS)

    assert not found(index, "sheet.md", SHEET.format(same))


def test_tables_and_csv_rows_are_compared_cell_by_cell(index):
    """The row and the column say what a cell is about; other cells of the row do not matter."""
    add(index, "prices.csv", "Product,Price,Warranty\nHeron kettle,$64,2 years\nOtter grinder,$129,3 years\n")
    table = "# Offers\n\n| Product | Price | Warranty |\n| --- | --- | --- |\n| Heron kettle | $59 | 2 years |\n"

    assert found(index, "offers.md", table) == [(("$59",), ("$64",))]


def test_other_products_in_a_price_list_are_other_things(index):
    """Whatever they cost."""
    add(index, "prices.csv", "Product,Price\nHeron kettle,$64\nOtter grinder,$129\n")

    assert not found(index, "more.csv", "Product,Price\nJay mixer,$42\nHeron Mini kettle,$39\n")
    add(index, "toasters.csv", "Product,Price\nWren 2-slice toaster,$48\n")
    assert not found(index, "big.csv", "Product,Price\nWren 4-slice toaster,$74\n")


def test_a_name_in_the_title_tells_products_apart(index):
    """Two accounts may have two fees, also where one name begins like the other."""
    add(index, "green.md", ACCOUNT.format("Green", "$10"))
    add(index, "light-green.md", ACCOUNT.format("Light Green", "$5"))

    assert not found(index, "blue.md", ACCOUNT.format("Blue", "$20"))
    assert not found(index, "dark-green.md", ACCOUNT.format("Dark Green", "$30"))
    sheet = "# Cheat sheet\n\n## Green Account\n\n- Monthly maintenance fee: $12\n"
    assert found(index, "sheet.md", sheet) == [(("$12",), ("$10",))]


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("A large appliance can be returned within 14 days.", "A small appliance can be returned within 45 days."),
        ("The store opens at 9 am on Saturday.", "The store opens at 11 am on Sunday."),
        ("Express delivery of a parcel costs $9.", "Standard delivery of a parcel costs $4."),
        ("Parcels inside Norway travel 3 days.", "Parcels inside Sweden travel 5 days."),
        ("Tier 1 members get 3% back.", "Tier 2 members get 5% back."),
        ("Support for version 2.3 of the app ended.", "Support for version 2.4 of the app ended."),
        ("Model WK-170 is filled to the mark.", "Model WK-240 is filled to the mark."),
        ("Is a parcel delivered within 3 days?", "Is a parcel delivered within 5 days?"),
        ("For example, a toaster costs $48 in the shop.", "For example, a toaster costs $44 in the shop."),
        ("The warranty covers 2 years.", "The warranty covers 60 cups."),
    ],
)
def test_another_case_is_another_fact(index, theirs, ours):
    """Sizes, days, speeds, countries, tiers, versions, models; questions, examples and other units say nothing."""
    add(index, "theirs.md", f"# Terms\n\n{theirs}\n")

    assert not found(index, "ours.md", f"# Terms\n\n{ours}\n")


def test_numbers_of_steps_are_no_values(index):
    """A step may move."""
    add(index, "theirs.md", "# Reset\n\n1. Hold the button.\n2. Wait for the light.\n")

    assert not found(index, "ours.md", "# Reset\n\n1. Unplug it.\n2. Hold the button.\n3. Wait for the light.\n")


def test_a_new_version_does_not_contradict_the_old_one(index):
    """That is what it is for."""
    add(index, "returns.md", RETURNS)

    assert not found(index, "returns.md", RETURNS.replace("45", "30"))


def test_an_older_version_can_be_looked_at(index):
    """The newest by default; a removed document has nothing to say any more."""
    add(index, "returns.md", RETURNS)
    ours = add(index, "sheet.md", SHEET.format("30 days"))
    add(index, "sheet.md", SHEET.format("45 days"))

    assert not find_conflicts(index, ours)
    assert find_conflicts(index, ours, 1)
    index.remove("returns.md")
    assert not find_conflicts(index, add(index, "sheet.md", SHEET.format("20 days")))


def test_only_what_is_in_force_when_it_begins_counts(index):
    """A rule that ends before contradicts nothing, one that begins in time does."""
    now = datetime.now(UTC)
    add(index, "old.md", RETURNS, effective_until=now + timedelta(days=10))
    later = now + timedelta(days=20)

    ours = add(index, "next.md", SHEET.format("30 days"), effective_from=later)
    assert not find_conflicts(index, ours)
    add(index, "new.md", RETURNS.replace("45", "40"), effective_from=now + timedelta(days=15))
    assert [c.their_values for c in find_conflicts(index, ours)] == [("40 days",)]


def test_a_version_that_is_never_in_force_contradicts_nothing(index):
    """It was withdrawn before it began."""
    add(index, "returns.md", RETURNS)
    ours = add(index, "sheet.md", SHEET.format("30 days"), effective_from=datetime.now(UTC) + timedelta(days=5))
    assert find_conflicts(index, ours)

    index.withdraw("sheet.md", 1)

    assert not find_conflicts(index, ours)


@pytest.mark.parametrize(
    ("theirs", "ours", "meet"),
    [
        ("public", "internal", True),
        ("internal", "public", True),
        ("vip", "public", True),
        ("vip,trade", "trade", True),
        ("vip", "trade", False),
        ("vip", "internal", False),
    ],
)
def test_audiences_that_never_meet_cannot_contradict(index, theirs, ours, meet):
    """Staff see both of a public and an internal document; nobody is in two named groups by themselves."""
    add(index, "returns.md", RETURNS, audience=theirs)

    assert bool(found(index, "sheet.md", SHEET.format("30 days"), audience=ours)) == meet


def test_a_document_that_agrees_better_outweighs_one_that_differs(index):
    """The fact is confirmed, so the other sentence is about something else."""
    add(index, "returns.md", RETURNS)
    add(
        index, "parts.md", "# Parts\n\nYou can return an unused part of a small appliance within 20 days of delivery.\n"
    )

    assert not found(index, "sheet.md", SHEET.format("45 days"))


def test_the_most_alike_come_first_and_no_more_than_ten(index):
    """Whoever uploads shall not be flooded."""
    verbs = ("return", "exchange", "repair", "borrow")
    for number in range(12):
        extra = " after the sale" * (number % 4 > 1)
        rule = f"You can {verbs[number % 4]} a small appliance within {60 + number} days{extra}."
        add(index, f"{number}.md", f"# Rules\n\n{rule}\n")
    sheet = "# Rules\n\n" + "\n\n".join(f"You can {verb} a small appliance within 9 days." for verb in verbs)

    likeness = [c.likeness for c in find_conflicts(index, add(index, "sheet.md", sheet))]

    assert len(likeness) == MOST_CONFLICTS
    assert likeness == sorted(likeness, reverse=True)


def test_what_was_retired_does_not_crowd_out_what_is_in_force(index):
    """However many old rules are nearer."""
    add(index, "returns.md", RETURNS.replace("You can", "You can certainly and without any doubt"))
    for number in range(80):
        add(index, f"{number}.md", f"# Cheat sheet\n\n## Sending back\n\n{SHEET.format(f'{90 + number} days')}")
    ours = add(index, "sheet.md", SHEET.format("30 days"))
    for number in range(80):
        index.remove(f"{number}.md")
    later = index.clock() + timedelta(days=2)
    index.clock = lambda: later
    add(index, "sheet.md", SHEET.format("20 days"))

    assert [c.their_values for c in find_conflicts(index, ours)] == [("45 days",)]


def test_a_long_document_costs_a_bounded_amount(index, monkeypatch):
    """Only its first passages with a value are looked at, and few sentences are embedded."""
    monkeypatch.setattr(conflicts, "MOST_PASSAGES", 20)
    add(index, "returns.md", RETURNS)
    rules = [f"## Rule {n}\n\nYou can return a small appliance within {50 + n} days of delivery." for n in range(60)]
    ours = add(index, "long.md", "# Rules\n\n## Why\n\nThey are fair.\n\n" + "\n\n".join(rules))
    index.embedder = Counting()

    found = find_conflicts(index, ours)

    assert {c.our_values for c in found} <= {(f"{50 + n} days",) for n in range(20)}
    assert 0 < index.embedder.texts <= 4 * conflicts.MOST_PAIRS


def test_documents_without_values_ask_the_embedder_nothing(index):
    """Most pages have none, and an upload shall not pay for it."""
    add(index, "returns.md", RETURNS)
    ours = add(index, "press.md", "# Press\n\nJournalists can write to us.\n")
    index.embedder = Counting()

    assert find_conflicts(index, ours) == []
    assert index.embedder.texts == 0


def test_an_unknown_document_is_an_error(index):
    """And so is a version that it never had."""
    ours = add(index, "returns.md", RETURNS)

    with pytest.raises(DocumentNotFound):
        find_conflicts(index, "0" * 12)
    with pytest.raises(DocumentNotFound):
        find_conflicts(index, ours, 7)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("within thirty days", [("time", 30, 30)]),
        ("twenty-one days", [("time", 21, 21)]),
        ("3-5 business days", [("time", 3, 5)]),
        ("between 2 and 4 weeks", [("time", 2, 4)]),
        ("2 days and 4 weeks", [("time", 2, 2), ("time", 4, 4)]),
        ("$4.95, free from $60", [("$", 4.95, 4.95), ("$", 60, 60)]),
        ("1,200 euros or 12%", [("€", 1200, 1200), ("%", 12, 12)]),
        ("9:30 am to 6 pm", [("clock", 570, 1080)]),
        ("closed on 25 December", [("date", 1225, 1225)]),
        ("until May 3rd, 2026", [("date", 503, 503)]),
        ("2026-03-01", [("date", 301, 301)]),
        ("you may have 5 days", [("time", 5, 5)]),
        ("32KB, 1.7 litres", [("data", 32, 32), ("volume", 1.7, 1.7)]),
        ("After 6 wrong passwords", [("count", 6, 6)]),
        ("one code", []),
        ("PHP 7.4, MariaDB 11.0.1, 2.4.x, WK-170, step 3, in 2025", []),
        ("+44 20 7946 0142, `chmod 755`, https://x.example/45-days", []),
    ],
)
def test_values_are_read_with_what_they_measure(text, expected):
    """Numbers that name something are none."""
    assert values(text) == expected


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        ("12 months", "1 year", False),
        ("two weeks", "14 days", False),
        ("5 working days", "7 days", False),
        ("24 hours", "1 working day", False),
        ("50 cents", "$0.50", False),
        ("6 weeks", "45 days", True),
        ("2 to 4 days", "2 to 5 days", True),
        ("2 to 4 days", "3 days", False),
        ("25 December 2025", "25 December 2026", True),
        ("25 December 2025", "25 December", False),
        ("30 days, one year longer", "60 days, one year longer", True),
        ("$4.95, free from $60", "$60", False),
        ("5 days", "$5", None),
        ("6 codes", "5 chairs", None),
    ],
)
def test_values_agree_across_units_and_ranges(ours, theirs, expected):
    """And what measures something else cannot be compared."""
    assert differs(ours, theirs) is expected
    assert differs(theirs, ours) is expected


def test_a_claim_knows_what_stands_above_it():
    """Title, headings, the line that announces its list, and the item it belongs to."""
    text = "You get these limits:\n\n- New accounts:\n  - Daily: $750\n- Verified accounts: $900 a day"
    chunk = Chunk("c", "d", 1, 0, text, ("Limits",), 0, len(text), None)

    claims = find_claims("Everyone Pay", chunk)

    assert [(claim.about, claim.text) for claim in claims] == [
        ("Everyone Pay. Limits. You get these limits: New accounts:", "Daily: $750"),
        ("Everyone Pay. Limits. You get these limits:", "Verified accounts: $900 a day"),
    ]


@given(st.text(st.sampled_from("0123456789 .,:-–$€%/()|\n#*`~[]apmdysJulMaytoandfiveheWK'"), max_size=80) | st.text())
def test_any_text_can_be_read(text):
    """Values lie in the text, in order and apart; claims are made of them."""
    spans = [(q.start, q.end) for q in find_quantities(text)]

    assert all(0 <= start < end <= len(text) for start, end in spans)
    assert all(a[1] <= b[0] for a, b in pairwise(spans))
    for claim in find_claims("Title", Chunk("c", "d", 1, 0, text, (), 0, len(text), None)):
        assert claim.quantities and claim.masked and claim.parted
