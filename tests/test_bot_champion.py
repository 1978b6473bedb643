"""The model in service: it follows the champion, and a voice that cannot be used does not stop the answers."""

import json
import shutil

import pytest

from bot.champion import ChampionModel
from bot.service import promote
from bot.settings import Settings
from tone_tuning.base_model import prepare_base
from tone_tuning.errors import AdapterError, BaseModelError
from tone_tuning.prompt import build_messages
from tone_tuning.registry import AdapterRegistry

MESSAGES = build_messages("How long may I keep item 12?", [])


@pytest.fixture
def registry(home):
    return AdapterRegistry(home / "adapters")


@pytest.fixture
def champion(home, tiny_base, registry):
    return ChampionModel(Settings(home=home, base=str(tiny_base)), registry, lambda sentence: None)


def changed(folder, target, **card):
    """A copy of an adapter folder with another card."""
    shutil.copytree(folder, target)
    content = json.loads((target / "card.json").read_text())
    (target / "card.json").write_text(json.dumps({**content, **card}))
    return target


def test_without_a_champion_the_base_answers_and_says_so(champion):
    """One sentence that tells what to do."""
    assert champion().adapter is None
    assert champion.degraded() == ["No tone adapter is released: answers are plain. Train one and promote it."]


def test_the_next_answer_follows_the_champion(champion, registry, tiny_adapter):
    """Promote, promote another, roll back: each seen at the next call, and loaded once."""
    first, second = registry.add(tiny_adapter).id, registry.add(tiny_adapter).id
    promote(registry, champion, first)
    assert champion().adapter == first and champion() is champion()

    promote(registry, champion, second)
    assert champion().adapter == second
    registry.rollback()
    assert champion().adapter == first
    assert champion.degraded() == []


def test_the_adapter_changes_what_the_model_says(champion, registry, tiny_adapter):
    """After a swap the weights differ, not only the name."""
    import torch

    plain = champion()._model.lm_head.weight.clone(), champion()._model.model.layers[0].mlp.up_proj.weight.clone()
    promote(registry, champion, registry.add(tiny_adapter).id)
    tuned = champion()._model

    assert not torch.equal(plain[1], tuned.model.layers[0].mlp.up_proj.weight)
    assert isinstance(champion().generate(MESSAGES, max_new_tokens=4), str)


def test_switched_off_it_stays_plain(home, tiny_base, registry, tiny_adapter):
    """The setting wins over the champion."""
    registry.promote(registry.add(tiny_adapter).id)
    model = ChampionModel(Settings(home=home, base=str(tiny_base), use_adapter=False), registry, lambda sentence: None)

    assert model().adapter is None
    assert model.degraded() == ["The tone adapter is switched off: answers are plain."]


def test_a_damaged_champion_gives_plain_answers_and_a_sentence(champion, registry, tiny_adapter):
    """One bit of the weights is enough; promoting a sound version mends it."""
    damaged, sound = registry.add(tiny_adapter), registry.add(tiny_adapter)
    registry.promote(damaged.id)
    weights = damaged.path / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x99")

    assert champion().adapter is None
    (sentence,) = champion.degraded()
    assert sentence.startswith(f"Answers are plain. Adapter {damaged.id} is damaged")
    assert isinstance(champion().generate(MESSAGES, max_new_tokens=4), str)

    promote(registry, champion, sound.id)
    assert champion.degraded() == [] and champion().adapter == sound.id


def test_a_registry_that_cannot_say_who_speaks_gives_plain_answers(champion, registry, tiny_adapter):
    """A damaged list of aliases, and a damaged log of them: the answers go on, and the fault is named."""
    version = registry.add(tiny_adapter).id
    promote(registry, champion, version)
    for name in ("aliases.json", "aliases.log"):
        (registry.folder / name).write_text("{")

    assert champion().adapter is None
    (fault,) = champion.degraded()
    assert "Answers are plain." in fault


def test_a_champion_whose_files_are_gone_gives_plain_answers(champion, registry, tiny_adapter):
    """Somebody tidied up too much."""
    version = registry.add(tiny_adapter)
    registry.promote(version.id)
    shutil.rmtree(version.path)

    assert champion().adapter is None
    assert len(champion.degraded()) == 1 and version.id in champion.degraded()[0]


@pytest.mark.parametrize("field", ["base_hash", "prompt_hash"])
def test_a_champion_for_another_base_or_prompt_does_not_speak(champion, registry, tiny_adapter, tmp_path, field):
    """It would answer, but wrongly; so it is refused when promoted and left out when it is champion already."""
    foreign = registry.add(changed(tiny_adapter, tmp_path / "foreign", **{field: "000000000000"}))

    with pytest.raises(AdapterError, match=field.split("_")[0]):
        promote(registry, champion, foreign.id)
    registry.promote(foreign.id)
    assert champion().adapter is None
    assert "another base model or prompt" in champion.degraded()[0]


def test_an_adapter_that_cannot_be_loaded_gives_plain_answers(champion, registry, tiny_adapter, tmp_path):
    """Its checksums are right, its shapes are not."""
    wrong = changed(tiny_adapter, tmp_path / "wrong")
    config = json.loads((wrong / "adapter_config.json").read_text())
    (wrong / "adapter_config.json").write_text(json.dumps({**config, "r": config["r"] * 2}))
    version = registry.add(wrong)
    promote(registry, champion, version.id)

    assert champion().adapter is None
    assert champion.degraded()[0].startswith("Answers are plain. ")


def test_an_unknown_version_is_refused_before_the_base_is_prepared(home, registry):
    """In a new home that would take a while, only to say no."""
    model = ChampionModel(Settings(home=home, base="/no/such/model"), registry, lambda sentence: None)

    with pytest.raises(AdapterError, match="no adapter 'v0009'"):
        promote(registry, model, "v0009")


def test_a_base_that_does_not_exist_is_one_of_our_errors(home, registry):
    """The bot quotes the documents then; see bot/support_bot.py."""
    model = ChampionModel(Settings(home=home, base="/no/such/model"), registry, lambda sentence: None)

    for _ in range(2):
        with pytest.raises(BaseModelError, match="/no/such/model"):
            model()


def test_the_base_is_prepared_once(champion, tiny_base, home):
    """Asked again it is the same one."""
    assert champion.base() is champion.base()
    assert champion.base().hash == prepare_base(str(tiny_base), home / "models").hash
