"""Settings: flags before variables before defaults, and values that cannot be used are refused."""

from pathlib import Path

import pytest

from bot.errors import SettingsError
from bot.settings import DEFAULT_EMBEDDER, read_settings
from tone_tuning.base_model import DEFAULT_BASE


def test_the_defaults_are_the_shipped_models_in_the_users_own_folder():
    """Without any variable; an empty one counts as not set."""
    settings = read_settings(None, {"FRONTDESK_HOME": "", "FRONTDESK_BASE": ""})

    assert (settings.base, settings.embedder, settings.top_k) == (DEFAULT_BASE, DEFAULT_EMBEDDER, 5)
    assert settings.home.is_absolute() and settings.home.name == "frontdesk"


def test_every_setting_has_a_variable():
    """FRONTDESK_HOME, _BASE, _EMBEDDER and _TOP_K."""
    environ = {"FRONTDESK_HOME": "/srv/desk", "FRONTDESK_BASE": "b", "FRONTDESK_EMBEDDER": "e", "FRONTDESK_TOP_K": "7"}
    settings = read_settings(None, environ)

    assert (settings.home, settings.base, settings.embedder, settings.top_k) == (Path("/srv/desk"), "b", "e", 7)


def test_the_flag_wins_over_the_variable(tmp_path, monkeypatch):
    """And a relative or a user's path becomes a whole one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))

    assert read_settings(Path("here"), {"FRONTDESK_HOME": "/elsewhere"}).home == tmp_path / "here"
    assert read_settings(Path("~/mine"), {}).home == tmp_path / "mine"


@pytest.mark.parametrize("value", ["0", "21", "-1", "five", "3.5", "²", " "])
def test_a_top_k_that_cannot_be_used_is_refused_with_its_value(value):
    """Whole numbers from 1 to 20; also what only looks like a digit is refused."""
    with pytest.raises(SettingsError, match="1 to 20") as refused:
        read_settings(None, {"FRONTDESK_TOP_K": value})
    assert f"'{value}'" in str(refused.value)


def test_switching_the_adapter_off_changes_nothing_else(tmp_path):
    """The settings of before stay as they were."""
    settings = read_settings(tmp_path, {})

    assert settings.without_adapter().use_adapter is False
    assert (settings.use_adapter, settings.without_adapter().home) == (True, settings.home)
