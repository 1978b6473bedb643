"""The doctor: facts about an installation, and a sentence for each part that is not at its best."""

import sqlite3

import pytest

from bot.doctor import examine
from bot.home import write_server
from bot.settings import Settings
from tests.test_bot_home import ADDRESS


@pytest.fixture
def settings(home, tiny_base):
    return Settings(home=home, base=str(tiny_base))


@pytest.fixture(autouse=True)
def head(tmp_path, monkeypatch):
    """A trained reader that was shipped."""
    (tmp_path / "reader_head").mkdir()
    (tmp_path / "reader_head" / "card.json").write_text("{}")
    monkeypatch.setattr("bot.doctor.HEAD", tmp_path / "reader_head")
    return tmp_path / "reader_head"


def facts(settings):
    return dict(examine(settings).facts)


def test_a_new_home_lacks_a_voice_and_documents(settings):
    """Each with the command that helps; nothing else is wrong."""
    findings = examine(settings)

    assert len(findings.degraded) == 2
    assert "No tone adapter" in findings.degraded[0] and "frontdesk docs add" in findings.degraded[1]
    assert dict(findings.facts)["documents"] == "0" and dict(findings.facts)["server"] == "not running"


def test_the_facts_name_versions_models_and_places(settings, tiny_base):
    """What somebody needs who is asked for help by mail."""
    found = facts(settings)

    assert found["package chromadb"][0].isdigit() and found["package frontdesk"] == "0.1.0"
    assert str(tiny_base) in found["base model"]
    assert (found["home"], found["embedder"], found["tone adapter"]) == (str(settings.home), settings.embedder, "none")


def test_documents_are_counted_without_the_removed_ones(filled, settings):
    """Also while another process owns the folder."""
    filled.documents.remove("returns.md")

    assert facts(settings)["documents"] == "1"


def test_a_running_server_is_named(settings, home):
    """With its address and process."""
    home.mkdir()
    write_server(home, ADDRESS)

    assert facts(settings)["server"] == f"http://127.0.0.1:7860 (process {ADDRESS.pid})"


def test_a_damaged_voice_is_named(filled, settings):
    """The fakes' adapter was made for another base, so it cannot speak here."""
    (sentence,) = examine(settings).degraded

    assert "Answers are plain. Adapter v0001" in sentence
    assert facts(settings)["tone adapter"] == "none"


def test_a_base_that_does_not_exist_is_a_sentence(home):
    """The rest of the examination goes on."""
    findings = examine(Settings(home=home, base="/no/such/model"))

    assert any("/no/such/model" in sentence for sentence in findings.degraded)
    assert "documents" in dict(findings.facts)


def test_a_catalog_that_cannot_be_read_counts_no_documents(settings, home):
    """The doctor reports, it does not fall ill itself."""
    home.mkdir()
    sqlite3.connect(home / "catalog.db").close()
    (home / "catalog.db").write_text("no database " * 100)

    assert facts(settings)["documents"] == "0"


def test_a_missing_reader_is_named(filled, settings, head):
    """The answers go on by similarity."""
    assert facts(settings)["reader"] == "trained head"
    (head / "card.json").unlink()

    assert facts(settings)["reader"] == "similarity"
    assert any("trained reader is missing" in sentence for sentence in examine(settings).degraded)


def test_a_missing_package_is_named(settings, monkeypatch):
    """An installation that was taken apart."""
    monkeypatch.setattr("bot.doctor.PACKAGES", ("frontdesk", "no-such-package"))
    findings = examine(settings)

    assert dict(findings.facts)["package no-such-package"] == "missing"
    assert "The package no-such-package is missing: run `make setup`." in findings.degraded
