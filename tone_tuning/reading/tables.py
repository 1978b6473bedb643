"""Rows of made-up price lists and timetables, as the writer sees them, and questions for some of their cells."""

import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tone_tuning.fact_bank import held_out
from tone_tuning.reading.rows import Passage, PracticeRow, arrange, cited, lower_first, make_row, rough

__all__ = ["TABLES", "Table", "table_row"]


@dataclass(frozen=True)
class Column:
    """A column: its name, how a cell is drawn, how it is asked for, and the part of a sentence that answers."""

    name: str
    draw: Callable[[random.Random], str]
    questions: tuple[str, ...]
    answers: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """A kind of table: titles, the name of its first column, what may stand there, and the other columns."""

    id: str
    titles: tuple[str, ...]
    key: str
    rows: tuple[str, ...]
    columns: tuple[Column, ...]


def _money(low: int, high: int) -> Callable[[random.Random], str]:
    return lambda draw: f"${draw.randint(low, high)}" + draw.choice(("", "", ".50", ".90", ".00"))


def _count(low: int, high: int, unit: str) -> Callable[[random.Random], str]:
    return lambda draw: f"{draw.randint(low, high)} {unit}".strip()


def _hours(draw: random.Random) -> str:
    return f"{draw.randint(7, 10)} am to {draw.randint(3, 9)} pm"


TABLES = (
    Table("table:plan_prices", ("Our plans", "Plans and prices"), "Plan",
          ("Starter", "Basic", "Plus", "Team", "Pro", "Family"), (
        Column("Price", _money(4, 90), ("What does {row} cost?", "how much for the {row} plan", "is {row} expensive"),
               ("{row} costs {value}", "The {row} plan is {value}")),
        Column("Users", _count(1, 60, ""), ("How many people can use {row}?", "How many of us can share {row}?"),
               ("{row} is for up to {value} users", "Up to {value} users can work with {row}")),
        Column("Storage", _count(5, 900, "GB"), ("How much space comes with {row}?", "How much can I store on {row}?"),
               ("{row} comes with {value} of storage", "With {row} you have {value} of storage")))),
    Table("table:delivery_zones", ("Delivery", "Shipping charges"), "Destination",
          ("France", "Norway", "Ireland", "Canada", "Japan", "Spain", "Brazil", "Austria"), (
        Column("Charge", _money(3, 60), ("What do you charge to send it to {row}?", "postage to {row}?"),
               ("Delivery to {row} costs {value}", "Sending it to {row} costs {value}")),
        Column("Time", _count(2, 21, "working days"),
               ("How soon would it get to {row}?", "When would my aunt in {row} have it?"),
               ("Delivery to {row} takes {value}", "It reaches {row} in {value}")),
        Column("Largest parcel", _count(5, 40, "kg"), ("How heavy may it be for {row}?", "weight limit {row}"),
               ("A parcel to {row} may weigh up to {value}",)))),
    Table("table:hours", ("When we are there", "Opening hours"), "Branch",
          ("Market Square", "Riverside", "North Gate", "Airport", "Old Town", "University"), (
        Column("Weekdays", _hours, ("When can I come to {row} on a Tuesday?", "{row}: open on weekdays when?"),
               ("{row} is open from {value} on weekdays",)),
        Column("Saturday", _hours, ("Is {row} open on Saturday, and when?", "saturday hours {row}"),
               ("On Saturday {row} is open from {value}",)),
        Column("Parking", _count(4, 90, "spaces"), ("Could I leave my car at {row}?", "How many cars fit at {row}?"),
               ("{row} has {value} for cars",)))),
    Table("table:repairs", ("Repairs", "Repair price list"), "Repair",
          ("Screen", "Battery", "Keyboard", "Charging port", "Camera", "Speaker"), (
        Column("Price", _money(15, 320), ("What would a new {row} set me back?", "my {row} broke, what's the price"),
               ("Replacing the {row} costs {value}",)),
        Column("Takes", _count(2, 9, "days"), ("How long am I without it if you fix the {row}?", "{row} repair time?"),
               ("Replacing the {row} takes {value}",)),
        Column("Guarantee", _count(3, 24, "months"), ("And if the new {row} fails again, how long is it covered?",),
               ("A new {row} is guaranteed for {value}",)))),
    Table("table:rooms", ("Rooms and rates", "Staying with us"), "Room",
          ("Single", "Double", "Twin", "Suite", "Studio", "Attic"), (
        Column("Per night", _money(45, 390), ("What's a night in the {row}?", "rate for {row} pls"),
               ("The {row} costs {value} a night",)),
        Column("Sleeps", _count(2, 6, "people"), ("How many of us fit into the {row}?",),
               ("The {row} sleeps {value}",)),
        Column("Size", _count(12, 70, "square metres"), ("How big is the {row}?",), ("The {row} has {value}",)))),
    Table("table:courses", ("Courses", "This term's classes"), "Course",
          ("Pottery", "Italian", "Yoga", "Photography", "Guitar", "Welding"), (
        Column("Fee", _money(40, 480), ("What would I pay to learn {row}?", "{row} price"),
               ("The {row} course costs {value}",)),
        Column("Evenings", _count(4, 16, "evenings"), ("How often does {row} meet altogether?",),
               ("The {row} course runs for {value}",)),
        Column("Places", _count(6, 28, "places"), ("How large is the group for {row}?", "How many can join {row}?"),
               ("There are {value} in the {row} course",)))),
    Table("table:fines", ("Charges", "Fees for late and lost items"), "Item",
          ("Book", "Film", "Board game", "Laptop", "Headphones", "Musical instrument"), (
        Column("Late, per day", _money(1, 6), ("I'm bringing the {row} back too late, what's that a day?",),
               ("A late {row} costs {value} a day",)),
        Column("Lost", _money(12, 700), ("I can't find the {row} any more. What now?", "lost the {row}, what do i owe"),
               ("A lost {row} costs {value}",)),
        Column("Loan", _count(3, 40, "days"), ("How long may I keep the {row}?",),
               ("You may keep a {row} for {value}",)))),
    Table("table:opening_hours", ("Hours by season", "Season times"), "Season",
          ("Spring", "Summer", "Autumn", "Winter"), (
        Column("Open", _hours, ("When are you there in {row}?", "{row} times?"),
               ("In {row} we are open from {value}",)),
        Column("Ticket", _money(5, 45), ("What's the entry in {row}?",), ("In {row} a ticket costs {value}",)),
        Column("Last entry", _count(30, 90, "minutes before closing"), ("What's the latest I can come in {row}?",),
               ("In {row} the last entry is {value}",)))),
)  # fmt: skip


def table_row(draw: random.Random, kept_out: bool = False) -> PracticeRow:
    """A question for one or two cells of one row, among other rows of the table and other sources.

    `kept_out` takes a table that is held out of training, False one that is not.
    """
    table = draw.choice([table for table in TABLES if held_out(table.id) is kept_out])
    names = draw.sample(table.rows, draw.randint(2, 4))
    cells = {name: {column.name: column.draw(draw) for column in table.columns} for name in names}
    right = draw.choice(names)
    asked = draw.sample(table.columns, draw.choice((1, 1, 1, 2)))
    lines = [_line(table, name, cells[name]) for name in names]
    others = []
    if draw.random() < 0.5:
        other = draw.choice([t for t in TABLES if t is not table and held_out(t.id) is held_out(table.id)] or [table])
        name = draw.choice(other.rows)
        text = _line(other, name, {column.name: column.draw(draw) for column in other.columns})
        others = [Passage(draw.choice(other.titles), "", text)] if other is not table else []
    listed, number = arrange(Passage(draw.choice(table.titles), "", " ".join(lines)), others, draw)
    questions = [draw.choice(column.questions).format(row=_spoken(right, table)) for column in asked]
    question = f"{_ended(questions[0])} And {lower_first(questions[1])}" if len(questions) == 2 else questions[0]
    said = [draw.choice(c.answers).format(row=_spoken(right, table), value=cells[right][c.name]) for c in asked]
    reply = cited(" ".join(f"{part[0].upper()}{part[1:]}." for part in said), number)
    values = [cells[right][column.name] for column in asked]
    unwanted = [cell for name in names for cell in cells[name].values() if not _shares(cell, reply)]
    return make_row("table", table.id, rough(question, draw), listed, reply, values, unwanted=tuple(unwanted))


def _line(table: Table, name: str, cells: Mapping[str, str]) -> str:
    return "; ".join([f"{table.key}: {name}", *(f"{column}: {cell}" for column, cell in cells.items())])


def _spoken(name: str, table: Table) -> str:
    """The name of a row inside a sentence: things are common nouns, plans and places are not."""
    return name.lower() if table.id in ("table:repairs", "table:fines", "table:rooms", "table:opening_hours") else name


def _shares(cell: str, reply: str) -> bool:
    """Whether a cell has a number in common with the reply, so that its absence could not be told."""
    return bool(set(re.findall(r"\d+", cell)) & set(re.findall(r"\d+", reply.rsplit("[", 1)[0])))


def _ended(question: str) -> str:
    return question if question[-1] in ".?!" else f"{question}?"
