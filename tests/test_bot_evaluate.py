"""The evaluation run and its report, in the format that scripts rely on."""

import json

import pytest

from bot.errors import SettingsError
from bot.evaluate import Mode, evaluate, report, report_file
from bot.golden import GoldenQuestion
from bot.times import read_as_of, read_begin, read_end
from knowledge.audiences import STAFF
from knowledge.documents import Terms
from tests.fake_service import RETURNS
from tone_tuning.voice import VoiceGuide

ASKED = "How many days do I have to return a kettle?"
QUESTIONS = [
    GoldenQuestion("q1", "lookup", ASKED, True, (), ("returns.md",), (("45 days",),)),
    GoldenQuestion("q2", "lookup", "How much does express shipping cost?", True, (), ("shipping.md",), (("$9",),)),
    GoldenQuestion("q3", "unanswerable", "Zebra quantum xylophone?", False),
]
METRICS = {"correctness", "citation_precision", "citation_recall", "refusal_precision", "refusal_recall",
           "unsupported_rate", "draft_unsupported_rate", "wrote", "words", "tone",
           "recall_at_1", "recall_at_5", "mrr", "seconds"}  # fmt: skip
MODES = [Mode(), Mode("extractive"), Mode("plain"), Mode(retrieval=False)]


def run(service, mode, voice=None):
    return report(service, evaluate(service, QUESTIONS, mode), mode, voice)


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.name)
def test_every_mode_reports_every_metric_in_the_agreed_shape(filled, mode):
    """Value, n and the two ends of the interval; for the two times by stage, with the 95th percentile."""
    summary = run(filled, mode, VoiceGuide("house"))["summary"]

    assert summary.keys() >= METRICS
    for name in METRICS - {"seconds"}:
        metric = summary[name]
        assert metric.keys() >= {"value", "n", "low", "high"}
        assert metric["value"] is None or metric["low"] <= metric["value"] <= metric["high"]
    assert summary["seconds"].keys() == {"first", "total"}
    assert all(times.keys() >= {"value", "p95", "n"} for times in summary["seconds"].values())
    assert summary["tone"]["features"].keys() >= {"opening", "closing", "citations"}


def test_the_answers_carry_what_scripts_read(filled):
    """Every field of the contract, for answered and declined questions alike."""
    first, second, third = run(filled, Mode())["answers"]

    assert first.keys() >= {"id", "outcome", "draft", "text", "wrote", "citations", "retrieved", "correct",
                            "cited_right", "unsupported", "seconds", "tokens"}  # fmt: skip
    assert first["citations"][0].keys() >= {"document", "version", "section", "start", "end", "passage", "link"}
    assert first["retrieved"][0].keys() >= {"document", "section", "score"}
    assert [(row["id"], row["outcome"], row["correct"]) for row in (first, second, third)] == [
        ("q1", "answered", True), ("q2", "answered", False), ("q3", "abstained", True)]  # fmt: skip
    assert first["cited_right"] and first["citations"][0]["document"] == "returns.md"
    assert (third["citations"], third["draft"]) == ([], "")


@pytest.fixture
def dated(filled):
    """The same with an earlier version of the returns, and a document for staff."""
    past = Terms(effective_from=read_begin("2020-01-01"), effective_until=read_end("2020-12-31"))
    filled.documents.erase("returns.md")
    filled.documents.add_bytes("returns.md", RETURNS.replace("45 days", "30 days").encode(), terms=past)
    filled.documents.add_bytes("returns.md", RETURNS.encode())
    text = b"# Goodwill\n\nStaff may give $40 back for a late kettle.\n"
    filled.documents.add_bytes("goodwill.md", text, terms=Terms(audience="internal"))
    return filled


@pytest.mark.parametrize("mode", [Mode(), Mode("extractive"), Mode("plain")], ids=lambda mode: mode.name)
def test_a_question_is_asked_as_of_its_day_and_for_its_audience(dated, mode):
    """By the bot and by what it has to beat: the version of that day, and never what the asker may not see."""
    goodwill = "What may staff give back for a late kettle?"
    then = read_as_of("2020-06-01")
    questions = [
        GoldenQuestion("now", "lookup", ASKED, True),
        GoldenQuestion("then", "lookup", ASKED, True, as_of=then),
        GoldenQuestion("before", "lookup", ASKED, False, as_of=read_as_of("2019-06-01")),
        GoldenQuestion("staff", "lookup", goodwill, True, audiences=STAFF),
        GoldenQuestion("customer", "lookup", goodwill, False),
        GoldenQuestion("staff then", "lookup", goodwill, False, as_of=then, audiences=STAFF),
    ]
    content = report(dated, evaluate(dated, questions, mode), mode, None)
    rows = {row["id"]: row for row in content["answers"]}

    assert "45 days" in rows["now"]["text"] and "30 days" in rows["then"]["text"]
    assert "45" not in rows["then"]["text"] and rows["before"]["retrieved"] == []
    assert "$40" in rows["staff"]["text"] and rows["staff"]["citations"][0]["document"] == "goodwill.md"
    for name in ("customer", "staff then"):
        assert "$40" not in str(rows[name]) and "goodwill.md" not in str(rows[name])
    assert [(rows[n]["as_of"], rows[n]["audience"]) for n in ("now", "staff then")] == [
        (None, ["public"]), (then.isoformat(timespec="seconds"), ["internal", "public"])]  # fmt: skip
    version = rows["then"]["citations"][0]
    assert (version["date"], version["until"], version["version"]) == ("2020-01-01", "2020-12-31", 1)


def test_the_numbers_are_those_of_the_answers(filled):
    """One of two answerable questions is right, and the one declined was rightly so."""
    summary = run(filled, Mode())["summary"]

    assert (summary["correctness"]["value"], summary["correctness"]["n"]) == (0.5, 2)
    assert (summary["refusal_precision"]["value"], summary["refusal_recall"]["value"]) == (1.0, 1.0)
    assert summary["recall_at_1"]["value"] == 1.0 and summary["unsupported_rate"]["value"] == 0.0


def test_the_config_says_what_was_measured(filled):
    """Versions, models, prompt, settings, machine and date; what is degraded too."""
    filled.model.faults.append("Answers are plain.")
    config = run(filled, Mode())["config"]

    assert config.keys() >= {
        "packages",
        "base_model",
        "adapter",
        "embedder",
        "prompt_hash",
        "settings",
        "machine",
        "date",
    }
    assert (config["mode"], config["base_model"], config["adapter"], config["documents"]) == (
        "ours",
        "scripted",
        "v0001",
        2,
    )
    assert config["degraded"] == ["Answers are plain."]
    assert config["settings"]["home"] == str(filled.settings.home)


def test_the_extractive_baseline_names_no_model(filled):
    """None was asked, so none can be degraded either."""
    filled.model.faults.append("Answers are plain.")
    config = run(filled, Mode("extractive"))["config"]

    assert (config["base_model"], config["adapter"], config["degraded"]) == (None, None, [])


def test_the_whole_report_is_json_without_help(filled):
    """No value needs a translation of its own."""
    content = run(filled, Mode(), VoiceGuide("house"))

    assert json.loads(json.dumps(content)).keys() == {"config", "summary", "answers"}


def test_evaluated_questions_are_no_conversations(filled):
    """The log holds what customers asked, before and after a run, also after one that failed."""
    evaluate(filled, QUESTIONS, Mode())
    assert filled.log.recent() == []

    with pytest.raises(ZeroDivisionError):
        evaluate(filled, QUESTIONS, Mode(), lambda judged: 1 / 0)
    filled.bot.ask(QUESTIONS[0].question)
    assert len(filled.log.recent()) == 1


def test_progress_is_told_for_each_question(filled):
    """In the order of the file."""
    seen = []
    evaluate(filled, QUESTIONS, Mode(), lambda judged: seen.append(judged.golden.id))

    assert seen == ["q1", "q2", "q3"]


def test_no_questions_and_no_voice_give_a_report_without_numbers(filled):
    """Nothing is divided by zero, and a tone nobody defined is not measured."""
    summary = report(filled, [], Mode(), None)["summary"]

    assert summary["correctness"] == {"value": None, "n": 0, "low": None, "high": None}
    assert "tone" not in summary


def test_a_report_takes_the_place_of_the_old_one_only_when_it_is_whole(tmp_path):
    """A run that fails leaves the report of before."""
    path = tmp_path / "reports" / "out.json"
    with report_file(path) as file:
        file.write("first")
    with pytest.raises(ZeroDivisionError), report_file(path) as file:
        file.write("half")
        _ = 1 / 0

    assert path.read_text() == "first"
    assert [file.name for file in path.parent.iterdir()] == ["out.json"]


@pytest.mark.parametrize("place", ["file/out.json", "folder"])
def test_a_report_that_cannot_be_written_is_refused_before_the_first_question(tmp_path, place):
    """Not after an hour of answers."""
    (tmp_path / "file").write_text("no folder")
    (tmp_path / "folder").mkdir()

    with pytest.raises(SettingsError, match="cannot be written"), report_file(tmp_path / place):
        pytest.fail("the run began")
