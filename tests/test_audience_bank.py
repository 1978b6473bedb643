"""A bank's help pages, 47 of them for staff only: 500 questions made of their own words find none for a customer.

The pages (MIT, tau2-bench) are not part of the project; without them beside it there is nothing to test.
"""

import json
import os
import re
import subprocess
import sys
from itertools import chain, zip_longest
from pathlib import Path

import pytest

from bot.service import open_service
from bot.settings import Settings
from knowledge.audiences import CUSTOMER, STAFF
from tests.conftest import ROOT
from tone_tuning.language_model import ScriptedModel

PAGES = Path(__file__).parents[2] / "shared" / "kb" / "bank-help"
MARK = "# Internal: "
STAFF_PAGES, QUESTIONS, RANKS = 47, 500, 20
FOUND = 0.9  # of the questions, their page among the first five for staff

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not PAGES.is_dir(), reason=f"the help pages of the bank are not at {PAGES}"),
]


@pytest.fixture(scope="module")
def bank(tmp_path_factory):
    """The real service over the pages, added by the command line with a pattern for the titles."""
    home = tmp_path_factory.mktemp("bank")
    command = ["-c", "from bot.cli import main; main()", "--home", str(home), "docs", "add", str(PAGES)]
    ended = subprocess.run(
        [sys.executable, *command, "--audience", "internal", "--match", "Internal:*"],
        capture_output=True, text=True, cwd=ROOT, env={**os.environ, "HF_HUB_OFFLINE": "1"},
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    service = open_service(Settings(home=home), "the bank")
    yield service
    service.close()


@pytest.fixture(scope="module")
def pages():
    """Text of every page by its name, those for staff apart."""
    texts = {path.name: path.read_text(encoding="utf-8") for path in sorted(PAGES.glob("*.md"))}
    staff = {name: text for name, text in texts.items() if text.startswith(MARK)}
    return staff, {name: text for name, text in texts.items() if name not in staff}


def wordings(text):
    """What somebody who knows a page could type: its title, each heading after it, and each of its sentences."""
    title = text.splitlines()[0].removeprefix(MARK)
    plain = re.sub(r"[*_`#>|]", "", text)
    sentences = [s.strip(" -\t") for s in re.split(r"(?<=[.!?:])\s+|\n", plain)]
    headings = re.findall(r"^#{2,4} (.+)$", text, re.MULTILINE)
    yield f"{title}?"
    yield text.splitlines()[0].removeprefix("# ")
    yield from (f"{title}: {heading}" for heading in headings)
    yield from (
        sentence for sentence in sentences if len(sentence.split()) >= 7 and not sentence.startswith("Internal")
    )


def questions(staff):
    """(Page, question), 500 of them: the first wording of each page, then the second, and so on."""
    columns = [[(name, wording) for wording in wordings(text)] for name, text in staff.items()]
    rows = chain.from_iterable(zip_longest(*columns))
    return list(dict.fromkeys(row for row in rows if row))[:QUESTIONS]


def runs_of_words(text, length=8):
    """Every run of so many words, to recognise a page by."""
    words = re.findall(r"\w+", text.lower())
    return {" ".join(words[at : at + length]) for at in range(len(words) - length + 1)}


def test_the_pages_for_staff_are_found_by_their_titles(bank, pages):
    """47 become internal and all others stay public; the folder is sound, and adding it again changes nothing."""
    listed = bank.documents.documents()
    internal = {item.document.source for item in listed if item.document.audience == "internal"}

    assert internal == set(pages[0]) and len(internal) == STAFF_PAGES
    assert {item.document.audience for item in listed if item.document.source in pages[1]} == {"public"}
    assert bank.documents.verify() == []
    assert {result.status for result in bank.documents.add_path(PAGES)} == {"unchanged"}


def test_a_customer_finds_none_of_them_and_staff_do(bank, pages):
    """At no rank up to 20, in 500 questions; so it is not the search that is too weak to find them."""
    staff, _ = pages
    asked = questions(staff)
    assert len(asked) == QUESTIONS and {name for name, _ in asked} == set(staff)

    leaked, right = [], 0
    for name, question in asked:
        passages = bank.bot.retriever.retrieve(question, RANKS)
        leaked += [(question, p.document.source) for p in passages
                   if p.document.audience != "public" or p.document.source in staff]  # fmt: skip
        known = bank.bot.retriever.within(None, STAFF).retrieve(question, 5)
        right += name in [passage.document.source for passage in known]
    assert leaked == []
    assert right >= FOUND * QUESTIONS


def test_nothing_of_them_is_read_said_or_kept_for_a_customer(bank, pages):
    """Prompt, draft, answer, citations and log of ten questions; the model says all that it is given to read."""
    staff, public = pages
    secret = set().union(*map(runs_of_words, staff.values())) - set().union(*map(runs_of_words, public.values()))
    writer = ScriptedModel(lambda messages: messages[-1]["content"].rsplit("\n\nQuestion: ", 1)[0])
    model, bank.bot.model = bank.bot.model, lambda: writer
    asked = [max((q for n, q in questions(staff) if n == name), key=len) for name in list(staff)[::5]]
    try:
        told = {audiences: [told_to(bank, writer, q, audiences) for q in asked] for audiences in (CUSTOMER, STAFF)}
    finally:
        bank.bot.model = model

    assert len(asked) == 10
    assert [
        question for question, said in zip(asked, told[CUSTOMER], strict=True) if runs_of_words(said) & secret
    ] == []
    assert sum(bool(runs_of_words(said) & secret) for said in told[STAFF]) >= 8


def told_to(bank, writer, question, audiences):
    """Everything that comes of a question, without the question itself."""
    writer.asked.clear()
    answer = bank.bot.ask(question, audiences=audiences)
    kept = bank.log.get(answer.id)
    read = [message["content"].rsplit("Question: ", 1)[0] for messages in writer.asked for message in messages]
    told = [read, {name: value for name, value in kept.items() if name not in ("question", "standalone")}]
    return json.dumps(told, ensure_ascii=False).replace("\\n", " ")
