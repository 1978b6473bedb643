"""Evaluation runs over time: every one is kept, and one that is worse than the last is flagged."""

import json
from dataclasses import replace
from datetime import datetime

import pytest

from bot.errors import HomeError
from bot.eval_history import FEWEST, draw, falls, keep_run, previous_run, read_runs, table_rows
from bot.metrics import rate
from tests.fake_service import RETURNS, make_service
from tests.test_bot_cli_documents import refused

NAMES = [f"q{number:02d}" for number in range(20)]


@pytest.fixture
def questions(tmp_path):
    path = tmp_path / "golden.jsonl"
    path.write_text("questions")
    return path


def report(day, wrong=(), declined=(), invented=(), **config):
    """Twenty questions, the last four without an answer in the documents."""
    rows = [
        {
            "id": name,
            "answerable": name not in NAMES[16:],
            "outcome": "abstained" if (name in NAMES[16:]) != (name in declined) else "answered",
            "correct": name not in wrong,
            "cited_right": name not in NAMES[16:],
            "unsupported": ["45"] if name in invented else [],
        }
        for name in NAMES
    ]
    right = sum(row["correct"] for row in rows if row["answerable"])
    summary = {"correctness": rate(right, 16), "refusal_recall": rate(4, 4), "unsupported_rate": rate(0, 16)}
    at = datetime(2026, 12, day, 9, 30).astimezone().isoformat()
    return {"config": {"mode": "ours", "date": at, "adapter": "v0001", **config}, "summary": summary, "answers": rows}


def test_a_run_is_kept_without_the_texts_and_read_back(tmp_path, questions):
    """The oldest comes first, whatever order they were kept in."""
    second = keep_run(tmp_path, questions, report(2))
    first = keep_run(tmp_path, questions, report(1, wrong=["q03"]))

    assert read_runs(tmp_path) == ([first, second], [])
    assert first.answers["q03"] == {
        "answerable": True, "outcome": "answered", "correct": False, "cited_right": True, "unsupported": 0}  # fmt: skip
    assert first.path.parent == tmp_path / "reports" / "eval"


def test_a_run_is_compared_with_the_last_of_the_same_questions_asked_the_same_way(tmp_path, questions):
    """Not with another file, a baseline or a part of the questions."""
    before = keep_run(tmp_path, questions, report(1))
    keep_run(tmp_path, questions, report(2, mode="extractive"))
    keep_run(tmp_path, questions, {**(part := report(3)), "answers": part["answers"][:5]})
    now = keep_run(tmp_path, questions, report(4))
    questions.write_text("other questions")
    other = keep_run(tmp_path, questions, report(5))

    runs = read_runs(tmp_path)[0]
    assert previous_run(runs, now) == before
    assert previous_run(runs, other) is None and previous_run(runs, before) is None


def test_a_metric_that_falls_beyond_its_interval_is_named_with_what_changed(tmp_path, questions):
    """Old and new value, the difference, and the parts of the configuration that are others."""
    before = keep_run(tmp_path, questions, report(1))
    now = keep_run(tmp_path, questions, report(2, wrong=NAMES[:6], adapter="v0002", documents_sha256="x"))
    (fall,) = falls(before, now)

    assert (fall.metric, fall.before, fall.now, fall.causes) == (
        "correctness", 1.0, 0.625, ("adapter", "documents_sha256"))  # fmt: skip
    assert str(fall).startswith("correctness is 0.62 and was 1.00 on 2026-12-01")
    assert str(fall).endswith("16 questions); changed since: adapter, documents_sha256.")
    assert falls(now, before) == []  # better is no fall


@pytest.mark.parametrize(
    ("worse", "metric"),
    [
        ({"invented": NAMES[:8]}, "unsupported_rate"),
        ({"wrong": NAMES[:5]}, "correctness"),
    ],
)
def test_more_of_what_is_bad_is_a_fall_as_well(tmp_path, questions, worse, metric):
    """Unsupported values count against a run."""
    before, now = keep_run(tmp_path, questions, report(1)), keep_run(tmp_path, questions, report(2, **worse))

    assert [fall.metric for fall in falls(before, now)] == [metric]
    assert "nothing in its configuration changed" in str(falls(before, now)[0])


def test_one_answer_more_or_less_is_noise(tmp_path, questions):
    """As is anything over fewer than ten questions."""
    before = keep_run(tmp_path, questions, report(1))
    assert falls(before, keep_run(tmp_path, questions, report(2, wrong=["q01"]))) == []

    few = {name: before.answers[name] for name in NAMES[: FEWEST - 1]}
    none_right = {name: {**answer, "correct": False} for name, answer in few.items()}
    assert falls(replace(before, answers=few), replace(before, answers=none_right)) == []


def test_the_table_says_what_fell_and_the_plot_is_drawn(tmp_path, questions):
    """A picture of some thousand bytes."""
    for day, wrong in ((1, []), (2, NAMES[:6]), (3, NAMES[:6])):
        keep_run(tmp_path, questions, report(day, wrong=wrong))
    runs, _ = read_runs(tmp_path)
    draw(runs, tmp_path / "plot.png")

    assert [row[-1] for row in table_rows(runs)] == ["", "correctness", ""]
    assert table_rows(runs)[0][:4] == ("2026-12-01 09:30", "golden.jsonl", "ours", "v0001")
    assert (tmp_path / "plot.png").read_bytes()[:4] == b"\x89PNG" and (tmp_path / "plot.png").stat().st_size > 5000


def test_a_plot_that_cannot_be_written_is_one_sentence(tmp_path, questions):
    """Of a kind that is unknown, or in a folder that is not there."""
    runs = [keep_run(tmp_path, questions, report(1))]
    for name in ("plot.xyz", "none/plot.png"):
        with pytest.raises(HomeError, match=r"cannot be written .*choose a \.png, \.svg or \.pdf file\.$"):
            draw(runs, tmp_path / name)


def test_a_damaged_file_is_left_out_and_named(tmp_path, questions):
    """The others are still read."""
    run = keep_run(tmp_path, questions, report(1))
    for number, text in enumerate(("{", "{}", '{"config": {}}')):
        (run.path.parent / f"damaged{number}.json").write_text(text)

    runs, damaged = read_runs(tmp_path)
    assert runs == [run] and len(damaged) == 3


# -- the story through the command line


@pytest.fixture
def asked(home, tmp_path):
    service = make_service(home)
    service.documents.add_bytes("returns.md", RETURNS.encode())
    service.close()
    path = tmp_path / "golden.jsonl"
    row = {"type": "lookup", "question": "How many days do I have to return a kettle?", "answerable": True,
           "gold_docs": ["returns.md"], "must_contain": [["45 days"]]}  # fmt: skip
    path.write_text("\n".join(json.dumps({"id": f"q{number}", **row}) for number in range(12)))
    return path


def test_a_golden_run_that_is_worse_after_a_change_of_a_document_is_flagged(frontdesk, home, asked):
    """It ends with exit code 3 and says which metric fell and that the documents are others; the history shows it."""
    assert frontdesk("eval", "golden", asked).code == 0
    service = make_service(home)
    service.documents.add_bytes("returns.md", RETURNS.replace("45 days", "a while").encode())
    service.close()
    worse = frontdesk("eval", "golden", asked)

    assert worse.code == 3 and "degraded: 'golden.jsonl': correctness is 0.00 and was 1.00 on" in worse.err
    assert "12 questions); changed since: documents_sha256." in worse.err
    told = frontdesk("eval", "history", "--plot", home / "trend.svg")
    assert told.code == 0 and told.out.count("golden.jsonl") == 2 and "correctness" in told.out.splitlines()[-1]
    assert (home / "trend.svg").exists() and "The plot is in" in told.err


def test_a_history_of_nothing_says_how_to_begin(frontdesk):
    """One sentence."""
    assert "make one with `eval golden FILE`" in refused(frontdesk("eval", "history"))
