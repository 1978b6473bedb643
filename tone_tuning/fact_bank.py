"""The fact bank: support topics with facts in several wordings, and the values that fill their slots."""

import json
import random
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Fact", "Topic", "draw_company", "draw_values", "fill", "has_steps", "held_out", "read_topics"]

BANK = Path(__file__).parent / "reading" / "fact_bank"
BRANDS = ("Norvane", "Tessel", "Oakmere", "Larkfield", "Brightholm", "Copperdale", "Ferro & Finch", "Willowmark",
          "Kestrel Bay", "Merrow", "Ashdown", "Pinecrest")  # fmt: skip
PRODUCTS = ("Brio 2", "Lumen X", "Halden", "Pico 5", "Aria", "Vento 300", "Sorrel", "Tango Mini")
CITIES = ("Leeds", "Graz", "Aarhus", "Porto", "Utrecht", "Gdansk", "Bergen", "Cork")


@dataclass(frozen=True)
class Fact:
    """One fact. Texts hold `{slots}`; every answer uses only slots that each wording in `doc` has too."""

    id: str
    doc: tuple[str, ...]
    questions: tuple[str, ...]
    elliptical: tuple[str, ...]  # how it is asked after another question to the same topic
    answers: tuple[str, ...]
    acknowledge: tuple[str, ...]


@dataclass(frozen=True)
class Topic:
    """Facts that a company keeps in one document; `near_misses` are questions that none of them answers."""

    id: str
    titles: tuple[str, ...]
    slots: Mapping[str, Mapping[str, Any]]
    facts: tuple[Fact, ...]
    near_misses: tuple[str, ...]


def read_topics(folder: Path = BANK) -> list[Topic]:
    """Every topic of the bank, in the order of its files."""
    rows = [row for path in sorted(folder.glob("*.json")) for row in json.loads(path.read_text("utf-8"))["topics"]]
    return [
        Topic(row["id"], tuple(row["titles"]), row["slots"], tuple(map(_fact, row["facts"])), tuple(row["near_misses"]))
        for row in rows
    ]


def held_out(group: str) -> bool:
    """One topic or document in twelve is kept from training, the same ones every time."""
    return random.Random(group).random() < 1 / 12


def draw_values(topic: Topic, company: Mapping[str, str], draw: random.Random) -> dict[str, str]:
    """A value for every slot of a topic, over those of the company: the same draw gives the same values."""
    return {**company, **{name: fill(_value(slot, draw), company) for name, slot in topic.slots.items()}}


def draw_company(draw: random.Random) -> dict[str, str]:
    """The slots that all topics of one company share."""
    brand = draw.choice(BRANDS)
    domain = re.sub(r"\W+", "", brand.lower()) + ".example"
    return {
        "brand": brand,
        "product": draw.choice(PRODUCTS),
        "city": draw.choice(CITIES),
        "support_email": draw.choice(("help", "support", "hello", "care")) + "@" + domain,
        "support_url": domain + draw.choice(("/help", "/support", "/contact")),
    }


def fill(text: str, values: Mapping[str, str]) -> str:
    """`text` with its slots filled."""
    return re.sub(r"\{(\w+)\}", lambda match: values[match[1]], text)


def has_steps(text: str) -> bool:
    """Whether a text is a numbered procedure."""
    return bool(re.search(r"(?m)^2\. ", text))


def _fact(row: Mapping[str, Any]) -> Fact:
    texts = (tuple(row[name]) for name in ("doc", "questions", "elliptical", "answers", "acknowledge"))
    return Fact(row["id"], *texts)


def _value(slot: Mapping[str, Any], draw: random.Random) -> str:
    if "choices" in slot:
        return str(draw.choice(slot["choices"]))
    number = draw.randint(int(slot["min"]), int(slot["max"]))
    if slot["type"] == "money":
        return f"${number}" + draw.choice((".00", "", ".50", ".99"))
    return f"{number}%" if slot["type"] == "percent" else str(number)
