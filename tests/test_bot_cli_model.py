"""`frontdesk model`: use, show and check, which setting wins, and how each of them refuses."""

import json
import shutil

import pytest

from bot.errors import HomeError, SettingsError
from bot.home import claim_home
from bot.settings import read_settings, store_base
from tests.fake_service import RETURNS, add_adapter, make_service
from tests.test_bot_cli_documents import refused
from tests.tiny_models import make_tiny_base
from tone_tuning.base_model import DEFAULT_BASE, PreparedBase, prepare_base
from tone_tuning.registry import AdapterRegistry

ROWS = [
    {"id": "q1", "type": "lookup", "question": "How many days do I have to return a kettle?", "answerable": True,
     "must_contain": [["45 days"]]},
    {"id": "q2", "type": "unanswerable", "question": "Zebra quantum xylophone?", "answerable": False},
]  # fmt: skip


@pytest.fixture(autouse=True)
def plain(monkeypatch):
    """No base by variable."""
    monkeypatch.delenv("FRONTDESK_BASE", raising=False)


@pytest.fixture(scope="module")
def qwen(tmp_path_factory):
    """A random model of another architecture."""
    return make_tiny_base(tmp_path_factory.mktemp("qwen"), "qwen3", seed=3)


@pytest.fixture
def questions(tmp_path):
    path = tmp_path / "golden.jsonl"
    path.write_text("\n".join(map(json.dumps, ROWS)))
    return path


@pytest.fixture
def documents(home):
    """A home with one document that no process holds."""
    service = make_service(home)
    service.documents.add_bytes("returns.md", RETURNS.encode())
    service.close()


@pytest.fixture
def voice(home, tiny_base, tiny_adapter):
    """A champion that was trained for the tiny base."""
    registry = AdapterRegistry(home / "adapters")
    registry.promote(registry.add(tiny_adapter).id)
    return registry


@pytest.fixture
def tiny_default(monkeypatch, tiny_base, tmp_path):
    """Stands for the default base, which takes 20 s to prepare."""
    made = prepare_base(str(tiny_base), tmp_path)

    def prepare(base, models, report=print):
        found = PreparedBase(made.path, base, made.hash, has_reading=True)
        return found if base == DEFAULT_BASE else prepare_base(base, models, report)

    for module in ("model_check", "champion"):
        monkeypatch.setattr(f"bot.{module}.prepare_base", prepare)


def stored(home):
    return json.loads((home / "model.json").read_text())


def test_a_model_becomes_the_base_of_the_home(frontdesk, home, tiny_base, voice):
    """What it is on stdout; with a voice that fits, nothing is degraded."""
    ended = frontdesk("model", "use", tiny_base)

    assert ended.code == 0 and stored(home) == {"base": str(tiny_base)}
    assert ended.out.startswith(f"'{tiny_base}' (LlamaForCausalLM, 0.0 M parameters) is the base of this home.")
    assert f"`frontdesk model check {tiny_base} QUESTIONS.jsonl`" in ended.err
    assert read_settings(home, {}).base == str(tiny_base)
    assert [path.name for path in home.iterdir() if "partial" in path.name] == []


def test_another_architecture_works_and_its_missing_voice_is_said(frontdesk, home, qwen, voice):
    """Exit code 3: done, but the adapter was trained for another base; then comes what trains one."""
    ended = frontdesk("model", "use", qwen)

    assert ended.code == 3 and stored(home) == {"base": str(qwen)} and "Qwen3ForCausalLM" in ended.out
    (said,) = [line for line in ended.err.splitlines() if line.startswith("degraded: ")]
    assert "Answers are plain." in said and "v0001 was trained for another base" in said
    assert "`frontdesk tone train --data FILE`" in ended.err


def test_a_voice_of_before_that_fits_is_named(frontdesk, home, tiny_base, voice):
    """Back at an earlier base, its adapter only has to be promoted."""
    voice.promote(add_adapter(voice, home))
    ended = frontdesk("model", "use", tiny_base)

    assert ended.code == 3 and "`frontdesk tone promote v0001` (it fits)" in ended.err


def test_a_relative_folder_is_stored_with_its_whole_path(frontdesk, home, qwen, monkeypatch):
    """The next command may be typed elsewhere."""
    monkeypatch.chdir(qwen.parent)

    assert frontdesk("model", "use", qwen.name).code == 3
    assert stored(home) == {"base": str(qwen)}


def test_the_default_comes_back_by_its_short_name(frontdesk, home, qwen, tiny_default, voice):
    """By its long one too."""
    for name in ("default", DEFAULT_BASE):
        frontdesk("model", "use", qwen)
        ended = frontdesk("model", "use", name)

        assert ended.code == 0 and stored(home) == {"base": DEFAULT_BASE}


def test_the_base_in_use_is_shown(frontdesk, home, qwen, tiny_base, tiny_default, monkeypatch):
    """Name, kind, size, reading adapter, and who chose it: default, home, or variable, each before the last."""

    def shown():
        ended = frontdesk("model", "show")
        assert (ended.code, ended.err) == (0, "")
        return [line.split(maxsplit=2 if line.startswith(("reading", "chosen")) else 1)[-1].strip()
                for line in ended.out.splitlines()]  # fmt: skip

    assert shown() == [DEFAULT_BASE, str(tiny_base), "LlamaForCausalLM", "0.0 M", "merged", "nobody, it is the default"]
    store_base(home, str(qwen))
    assert shown()[2:] == ["Qwen3ForCausalLM", "0.0 M", "none", "this home (model.json)"]
    monkeypatch.setenv("FRONTDESK_BASE", str(tiny_base))
    assert shown()[2:] == ["LlamaForCausalLM", "0.0 M", "none", "the variable FRONTDESK_BASE"]


def test_the_variable_wins_over_the_choice_and_is_named(frontdesk, home, qwen, tiny_base, voice, monkeypatch):
    """The choice is kept for when it is gone; exit code 3, for it does not count yet."""
    monkeypatch.setenv("FRONTDESK_BASE", str(qwen))
    ended = frontdesk("model", "use", tiny_base)

    assert ended.code == 3 and stored(home) == {"base": str(tiny_base)}
    assert f"degraded: FRONTDESK_BASE is '{qwen}' and goes first: unset it" in ended.err
    assert read_settings(home).base == str(qwen)
    assert read_settings(home, base="tried").base == "tried"


def test_a_running_server_is_said_to_keep_its_base_until_its_next_start(frontdesk, served, filled, qwen):
    """It goes on answering."""
    ended = frontdesk("model", "use", qwen)

    assert ended.code == 3 and "running server takes it at its next start" in ended.err
    assert stored(filled.settings.home) == {"base": str(qwen)}
    assert frontdesk("ask", "How many days do I have to return a kettle?").code == 0


def test_a_model_that_thinks_first_is_told(frontdesk, tiny_base, voice, monkeypatch):
    """Its answers would be cut off before they begin."""
    monkeypatch.setattr("bot.model_check.TransformersModel.generate", lambda *given, **named: "<think>\nWell")

    assert "It thinks before it answers" in frontdesk("model", "use", tiny_base).err


def test_a_base_is_measured_without_becoming_the_base(frontdesk, home, documents, questions, qwen, tmp_path):
    """Numbers for both ways on stdout, one sentence of advice, and every reply in the report."""
    ended = frontdesk("model", "check", qwen, questions, "--json", tmp_path / "out.json")
    content = json.loads((tmp_path / "out.json").read_text())

    assert ended.code == 0 and not (home / "model.json").exists()
    measures = ("expected words kept", "citation marks given", "invented a value", "declined", "median words",
                "median seconds")  # fmt: skip
    assert all(measure in ended.out for measure in ("evidence", "whole passages", *measures))
    assert content["advice"] in ended.out and "too few to say more" in content["advice"]
    assert content["config"]["architecture"] == "Qwen3ForCausalLM"
    assert content["answers"][0]["evidence"].keys() >= {"reply", "held", "kept", "invented", "seconds"}
    assert [row["id"] for row in content["answers"]] == ["q1", "q2"]


def test_a_limit_asks_only_the_first_questions(frontdesk, documents, questions, tiny_base, tmp_path):
    """The report holds as many."""
    frontdesk("model", "check", tiny_base, questions, "--limit", "1", "--json", tmp_path / "out.json")

    assert len(json.loads((tmp_path / "out.json").read_text())["answers"]) == 1


def test_a_reader_that_is_missing_is_exit_code_3(frontdesk, documents, questions, tiny_base, monkeypatch):
    """Then the evidence was not chosen as in service."""
    monkeypatch.setattr("bot.evidence.SimilarityReader.fault", "Evidence is chosen by similarity.")
    ended = frontdesk("model", "check", tiny_base, questions, "--limit", "1")

    assert ended.code == 3 and "degraded: Evidence is chosen by similarity." in ended.err and "evidence" in ended.out


def test_a_model_that_fails_changes_nothing(frontdesk, home, tiny_base, qwen, tmp_path):
    """Not even a new home: no chat template, no model at all, a hub id without network."""
    silent = shutil.copytree(tiny_base, tmp_path / "silent")
    for name in ("chat_template.jinja", "tokenizer_config.json"):
        (silent / name).unlink(missing_ok=True)
    reasons = {
        silent: "has no chat template",
        tmp_path: "is no model folder",
        "nobody/no-model": "reachable on the hub",
    }
    for name, reason in reasons.items():
        said = refused(frontdesk("model", "use", name))
        assert reason in said and str(name) in said and not home.exists()

    store_base(home, str(qwen))
    for name in reasons:
        refused(frontdesk("model", "use", name))
        assert stored(home) == {"base": str(qwen)}


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"base": 7}', '{"base": " "}', b"\xff"])
def test_a_damaged_choice_is_one_sentence_and_can_be_made_anew(frontdesk, home, content, tiny_base, voice):
    """It names the file and the command; a base by variable is not stopped by it."""
    path = home / "model.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    said = refused(frontdesk("model", "show"))

    assert str(path) in said and "`frontdesk model use default`" in said
    assert read_settings(home, {"FRONTDESK_BASE": "b"}).base == "b"
    with pytest.raises(SettingsError, match="does not name a model"):
        read_settings(home, {})
    store_base(home, "other")
    assert read_settings(home, {}).base == "other"


def test_a_damaged_choice_is_repaired_by_the_command_it_names(frontdesk, home, tiny_base, voice):
    """Which does not read it first."""
    (home / "model.json").write_text("{")

    assert frontdesk("model", "use", tiny_base).code == 0
    assert stored(home) == {"base": str(tiny_base)}


def test_a_base_that_went_away_is_one_sentence(frontdesk, home):
    """Its folder was moved after it had been chosen."""
    store_base(home, "/no/such/model")

    assert "'/no/such/model' is neither a folder nor reachable" in refused(frontdesk("model", "show"))


def test_a_home_that_cannot_be_written_is_one_sentence(tmp_path):
    """A file stands where it should lie."""
    (tmp_path / "file").write_text("")

    with pytest.raises(HomeError, match="cannot be written"):
        store_base(tmp_path / "file", "base")


def test_measuring_without_documents_is_one_sentence(frontdesk, questions, tiny_base):
    """There is nothing to answer from."""
    assert "no documents to answer from" in refused(frontdesk("model", "check", tiny_base, questions))


def test_measuring_refuses_what_it_cannot_use(frontdesk, documents, questions, tmp_path):
    """A model, questions or a report: before the first answer, and each with its name."""
    assert "is no model folder" in refused(frontdesk("model", "check", tmp_path, questions))
    assert "No such file" in refused(frontdesk("model", "check", tmp_path, tmp_path / "no.jsonl"))
    assert "cannot be written" in refused(frontdesk("model", "check", tmp_path, questions, "--json", tmp_path))


def test_measuring_beside_a_running_server_is_refused(frontdesk, home, questions, tiny_base):
    """It holds the documents; its process is named."""
    lock = claim_home(home, "the page")
    said = refused(frontdesk("model", "check", tiny_base, questions))
    lock.release()

    assert "in use by process" in said and "(the page)" in said
