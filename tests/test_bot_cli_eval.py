"""`frontdesk eval golden`: table, report, baselines, and how it refuses."""

import json

import pytest

from bot.home import claim_home
from tests.fake_service import RETURNS, make_service
from tests.test_bot_cli_documents import refused

ROWS = [
    {"id": "q1", "type": "lookup", "question": "How many days do I have to return a kettle?", "answerable": True,
     "gold_docs": ["returns.md"], "must_contain": [["45 days"]]},
    {"id": "q2", "type": "unanswerable", "question": "Zebra quantum xylophone?", "answerable": False},
]  # fmt: skip


@pytest.fixture
def questions(tmp_path):
    path = tmp_path / "golden.jsonl"
    path.write_text("\n".join(map(json.dumps, ROWS)))
    return path


@pytest.fixture(autouse=True)
def documents(home):
    service = make_service(home)
    service.documents.add_bytes("returns.md", RETURNS.encode())
    service.close()


def test_the_table_goes_to_stdout_and_the_report_to_its_file(frontdesk, questions, tmp_path):
    """Every metric in both, the folder of the report made on the way."""
    out = tmp_path / "reports" / "out.json"
    ended = frontdesk("eval", "golden", questions, "--json", out)
    content = json.loads(out.read_text())

    assert ended.code == 0 and "ours, scripted, adapter v0001" in ended.out
    assert all(metric in ended.out for metric in content["summary"] if metric != "seconds")
    assert content.keys() == {"config", "summary", "answers"} and len(content["answers"]) == 2
    assert content["summary"]["correctness"]["value"] == 1.0


def test_a_limit_asks_only_the_first_questions(frontdesk, questions, tmp_path):
    """The report holds as many answers."""
    frontdesk("eval", "golden", questions, "--limit", "1", "--json", tmp_path / "out.json")

    assert [row["id"] for row in json.loads((tmp_path / "out.json").read_text())["answers"]] == ["q1"]


@pytest.mark.parametrize(
    ("flags", "mode"),
    [
        (("--baseline", "extractive"), "extractive"), (("--baseline", "plain"), "plain"),
        (("--no-retrieval",), "no retrieval"),
        (("--no-adapter",), "ours"),
    ],
)  # fmt: skip
def test_each_row_of_the_comparison_has_its_flag(frontdesk, questions, tmp_path, flags, mode):
    """And the report says which one it was."""
    ended = frontdesk("eval", "golden", questions, *flags, "--json", tmp_path / "out.json")
    config = json.loads((tmp_path / "out.json").read_text())["config"]

    assert (ended.code, config["mode"]) == (0, mode)
    assert config["settings"]["use_adapter"] == str(flags not in ((("--baseline", "plain")), ("--no-adapter",)))


def test_a_degraded_bot_is_measured_and_named(frontdesk, questions, monkeypatch):
    """Exit code 3 where the voice was meant to be measured, and 0 where it was switched off on purpose."""
    monkeypatch.setattr("tests.fake_service.FakeModel.degraded", lambda self: ["Answers are plain."])
    ended = frontdesk("eval", "golden", questions)

    assert ended.code == 3 and "degraded: Answers are plain." in ended.err and "correctness" in ended.out
    assert frontdesk("eval", "golden", questions, "--no-adapter").code == 0
    assert frontdesk("eval", "golden", questions, "--baseline", "extractive").code == 0


def test_an_unknown_baseline_is_one_sentence(frontdesk, questions):
    """With those there are."""
    assert "'best' is unknown: use extractive or plain" in refused(
        frontdesk("eval", "golden", questions, "--baseline", "best")
    )


def test_questions_that_cannot_be_used_are_one_sentence(frontdesk, tmp_path):
    """Missing file, and all faulty lines at once."""
    (tmp_path / "bad.jsonl").write_text('{"id": 1}\nno json\n')

    assert "No such file" in refused(frontdesk("eval", "golden", tmp_path / "no.jsonl"))
    assert "faults in 2 lines" in refused(frontdesk("eval", "golden", tmp_path / "bad.jsonl"))


def test_a_voice_guide_that_cannot_be_used_is_one_sentence(frontdesk, questions, tmp_path):
    """Before any question is asked."""
    assert "voice guide" in refused(frontdesk("eval", "golden", questions, "--voice", tmp_path / "no.yaml"))


def test_without_the_examples_the_tone_is_left_out(frontdesk, questions, tmp_path, monkeypatch):
    """An installation may come without them."""
    monkeypatch.setattr("bot.service.EXAMPLES", tmp_path / "nowhere")
    frontdesk("eval", "golden", questions, "--json", tmp_path / "out.json")

    assert "tone" not in json.loads((tmp_path / "out.json").read_text())["summary"]


def test_a_report_that_cannot_be_written_is_one_sentence(frontdesk, questions, tmp_path):
    """Said before the first question, and nothing is left there."""
    assert "cannot be written" in refused(frontdesk("eval", "golden", questions, "--json", tmp_path))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["golden.jsonl", "home"]


def test_a_home_owned_by_another_process_is_named(frontdesk, questions, home):
    """An evaluation needs the models for itself."""
    lock = claim_home(home, "the page")
    said = refused(frontdesk("eval", "golden", questions))
    lock.release()

    assert "in use by process" in said and "(the page)" in said
