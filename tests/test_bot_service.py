"""The composition root: one home, one owner, everything given back, and the house voice in a new home."""

import shutil

import pytest

from bot.errors import HomeError
from bot.home import claim_home
from bot.service import HOUSE_ADAPTER, open_adapters, open_service
from bot.settings import Settings
from tone_tuning.base_model import DEFAULT_BASE
from tone_tuning.errors import BaseModelError


@pytest.fixture
def house(tiny_adapter, tmp_path, monkeypatch):
    """A shipped adapter."""
    shutil.copytree(tiny_adapter, tmp_path / "house")
    monkeypatch.setattr("bot.service.HOUSE_ADAPTER", tmp_path / "house")


def test_opening_loads_no_model_and_closing_frees_the_home(home):
    """Even a base that does not exist is noticed only when it is needed."""
    service = open_service(Settings(home=home, base="/no/such/model"))
    assert service.documents.documents() == []
    with pytest.raises(HomeError, match="frontdesk"):
        open_service(Settings(home=home))
    with pytest.raises(BaseModelError):
        service.model()
    service.close()

    claim_home(home, "next").release()


@pytest.mark.parametrize("file", ["catalog.db", "frontdesk.db"])
def test_a_home_that_cannot_be_opened_is_given_back(home, file):
    """A damaged file must not keep the folder locked for ever."""
    home.mkdir()
    (home / file).write_text("no database " * 100)
    with pytest.raises(Exception, match=file):
        open_service(Settings(home=home))
    (home / file).unlink()

    open_service(Settings(home=home)).close()


def test_a_new_home_speaks_with_the_house_voice(home, house):
    """The first champion, once: a home whose versions were removed on purpose stays as it is."""
    adapters = open_adapters(Settings(home=home))
    assert (adapters.aliases()["champion"], len(adapters.versions())) == ("v0001", 1)
    assert len(open_adapters(Settings(home=home)).versions()) == 1

    shutil.rmtree(home / "adapters" / "v0001")
    assert open_adapters(Settings(home=home)).versions() == []


def test_another_base_does_not_get_the_house_voice(home, house):
    """It was trained for the shipped model only."""
    assert open_adapters(Settings(home=home, base="/some/model")).versions() == []


def test_an_installation_without_a_house_voice_has_no_champion(home, tmp_path, monkeypatch):
    """Answers are plain then, and that is said."""
    monkeypatch.setattr("bot.service.HOUSE_ADAPTER", tmp_path / "nowhere")

    assert open_adapters(Settings(home=home)).aliases() == {}


@pytest.mark.skipif(not (HOUSE_ADAPTER / "card.json").exists(), reason="this checkout has no house adapter")
def test_the_shipped_voice_fits_the_shipped_base(home, prepared_base):
    """Its card names the base and the prompt that are in service."""
    from tone_tuning.prompt import prompt_hash

    card = open_adapters(Settings(home=home, base=DEFAULT_BASE)).get("v0001").card
    assert (card["base_hash"], card["prompt_hash"]) == (prepared_base.hash, prompt_hash())
