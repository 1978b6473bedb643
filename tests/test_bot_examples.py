"""The example company on the page."""

import pytest

from bot.examples import fill_empty_home
from bot.service import EXAMPLES


def test_an_empty_home_gets_the_example_documents(service):
    """All of them, with their progress told."""
    said = []
    fill_empty_home(service, said.append)
    files = [path for path in (EXAMPLES / "documents").rglob("*") if path.is_file()]

    assert len(service.documents.documents()) == len(files) >= 5
    assert said[-1] == f"Example documents: {len(files)} of {len(files)} (done)"


def test_a_home_with_documents_is_left_alone(filled):
    """Nobody's documents are mixed with those of a company that does not exist."""
    fill_empty_home(filled, pytest.fail)

    assert len(filled.documents.documents()) == 2


def test_an_example_that_cannot_be_read_is_told(service, monkeypatch, tmp_path):
    """The others are added all the same."""
    (tmp_path / "documents").mkdir()
    (tmp_path / "documents" / "a.md").write_text("# A\n\nAlpha is first.\n")
    (tmp_path / "documents" / "b.png").write_bytes(b"\x89PNG")
    monkeypatch.setattr("bot.examples.EXAMPLES", tmp_path)
    said = []
    fill_empty_home(service, said.append)

    assert "'b.png' is no format we read" in said[-1] and len(service.documents.documents()) == 1
