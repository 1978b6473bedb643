"""Retraining: sources attached, a process of its own, one run at a time, and a sentence when it fails."""

import json
import threading

import pytest

from bot.errors import RetrainError
from bot.retraining import Retraining, attach_sources
from bot.settings import Settings
from tests.fake_service import write_transcripts
from tone_tuning.registry import AdapterRegistry

BARE = {"messages": [{"role": "user", "content": "How many days do I have to return a kettle?"},
                     {"role": "assistant", "content": "You have 45 days. [1]"}]}  # fmt: skip


@pytest.fixture
def real(home, tiny_base, filled):
    """Real training of a tiny base, with the fakes' documents as sources."""
    return Retraining(Settings(home=home, base=str(tiny_base)), filled.bot.retriever, filled.bot.reader)


def write(path, *rows):
    path.write_text("\n".join(map(json.dumps, rows)) + "\n")
    return path


def test_a_row_without_sources_gets_those_a_bot_would_have_seen(filled):
    """Training prompts equal serving prompts: same passage, same sentences, same date."""
    row = attach_sources(BARE, filled.bot.retriever, filled.bot.reader)

    assert row["messages"] == BARE["messages"]
    assert row["sources"][0]["title"] == "Returns" and row["sources"][0]["section"] == "Time limits"
    assert "45 days" in row["sources"][0]["text"]
    assert row["sources"][0].keys() == {"title", "section", "date", "text"}


def test_the_last_question_of_a_conversation_is_the_one_looked_up(filled):
    """An earlier one was answered before."""
    turns = [
        {"role": "user", "content": "How much does express shipping cost?"},
        {"role": "assistant", "content": "$7.50."},
    ]
    row = attach_sources({"messages": [*turns, *BARE["messages"]]}, filled.bot.retriever, filled.bot.reader)

    assert "45 days" in row["sources"][0]["text"]


@pytest.mark.parametrize("row", [
    {**BARE, "sources": [{"title": "Own", "text": "x"}]}, {"messages": "no list"}, {"messages": ["Hi"]},
    {"messages": [{"role": "user"}]},
    {"messages": [{"role": "assistant", "content": "Hi"}]}, [], "text", None,
])  # fmt: skip
def test_other_rows_are_left_as_they_are(filled, row):
    """Rows with sources of their own, and faulty ones, which the data set's reader names."""
    assert attach_sources(row, filled.bot.retriever, filled.bot.reader) == row


def test_a_complete_data_set_is_used_where_it_lies(real, tmp_path):
    """Nothing is copied when nothing is missing, nor when the file cannot be read as JSON at all."""
    complete, broken = write_transcripts(tmp_path / "rows.jsonl", 3), tmp_path / "broken.jsonl"
    broken.write_text("{")

    assert real.prepare(complete) == complete
    assert real.prepare(broken) == broken
    assert real.prepare(tmp_path / "missing.jsonl") == tmp_path / "missing.jsonl"


def test_missing_sources_are_attached_in_a_copy(real, home, tmp_path):
    """The customer's file stays as it was; rows that had sources keep them."""
    own = {**BARE, "sources": [{"title": "Own", "text": "Mine."}]}
    data = write(tmp_path / "rows.jsonl", BARE, own)
    before = data.read_bytes()
    copy = real.prepare(data)
    rows = [json.loads(line) for line in copy.read_text().splitlines()]

    assert copy == home / "training" / "rows-with-sources.jsonl" and data.read_bytes() == before
    assert "45 days" in rows[0]["sources"][0]["text"] and rows[1] == own


def test_without_documents_missing_sources_are_refused(home, tmp_path):
    """Beside a running server the command line cannot look anything up."""
    with pytest.raises(RetrainError, match="retrain from the page, or stop the server"):
        Retraining(Settings(home=home), None, None).prepare(write(tmp_path / "rows.jsonl", BARE))


def test_a_run_reports_each_step_and_ends_with_a_candidate(real, home, tmp_path):
    """A real process trains a real adapter; what serves is not touched by it."""
    registry = AdapterRegistry(home / "adapters")
    champion, known = registry.aliases()["champion"], [version.id for version in registry.versions()]
    events = list(real.run(write_transcripts(tmp_path / "rows.jsonl", 24), 2))
    steps = [event for event in events if "loss" in event]

    assert [event["step"] for event in steps] == list(range(1, steps[0]["steps"] + 1))
    assert events[-1]["version"] == registry.aliases()["candidate"] and events[-1]["version"] not in known
    assert registry.aliases()["champion"] == champion
    assert registry.get(events[-1]["version"]).card["config"]["epochs"] == 2


def test_a_data_set_with_faults_ends_in_one_sentence_that_names_them(real, tmp_path):
    """The training command's own words, without its name and without a traceback."""
    data = write(tmp_path / "rows.jsonl", {"messages": [{"role": "user", "content": "Hello"}]}, {"messages": []})

    with pytest.raises(RetrainError) as failed:
        list(real.run(data))
    said = str(failed.value)
    assert said.startswith("Retraining failed: ") and "2 faulty rows" in said and "row 2" in said
    assert "tone:" not in said and "Traceback" not in said


def test_a_base_that_does_not_exist_ends_in_one_sentence(home, tmp_path, filled):
    """It is looked for in the training process only."""
    retraining = Retraining(Settings(home=home, base="/no/such/model"), filled.bot.retriever, filled.bot.reader)

    with pytest.raises(RetrainError, match=r"Retraining failed: .*/no/such/model"):
        list(retraining.run(write_transcripts(tmp_path / "rows.jsonl", 3)))


def test_a_run_can_be_stopped_and_leaves_no_candidate(real, home, tmp_path):
    """The sentence says how to go on, whatever the libraries said before the end."""
    before = AdapterRegistry(home / "adapters").aliases()
    run = real.run(write_transcripts(tmp_path / "rows.jsonl", 200), 20)
    assert next(run)["step"] == 1
    threading.Timer(0.2, real.stop).start()

    with pytest.raises(RetrainError, match=r"was stopped.*last checkpoint"):
        list(run)
    assert AdapterRegistry(home / "adapters").aliases() == before


def test_stopping_counts_while_sources_are_still_looked_up(real, tmp_path, monkeypatch):
    """With many rows that takes a while, and no process is there yet that could be ended."""

    def looked_up(row, *_):
        real.stop()
        return row

    monkeypatch.setattr("bot.retraining.attach_sources", looked_up)
    with pytest.raises(RetrainError, match="was stopped"):
        list(real.run(write(tmp_path / "rows.jsonl", BARE, BARE)))


def test_there_is_only_one_run_at_a_time_in_a_home(real, home, tiny_base, tmp_path):
    """Whoever started it: the page, or a command line beside it; afterwards the next may begin."""
    data = write_transcripts(tmp_path / "rows.jsonl", 200)
    other = Retraining(Settings(home=home, base=str(tiny_base)), None, None)
    run = real.run(data, 20)
    next(run)

    for second in (real, other):
        with pytest.raises(RetrainError, match="under way: wait for it or stop it first"):
            next(second.run(data))
    run.close()
    again = other.run(data, 20)
    assert next(again)["step"] >= 1
    again.close()


def test_closing_the_page_of_a_run_ends_its_process(real, tmp_path):
    """An iterator that is dropped leaves no process behind."""
    run = real.run(write_transcripts(tmp_path / "rows.jsonl", 200), 20)
    next(run)
    process = real._process
    run.close()

    assert process.poll() is not None
