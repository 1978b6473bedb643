"""The voice guide: each feature met and missed, the rates over many replies, and faulty guides."""

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tone_tuning.errors import DataSetError
from tone_tuning.voice import VoiceGuide, _share, check_voice, read_voice, tone_rates

GUIDE = VoiceGuide("house", opening_words=5, closing_words=4, sentence_words=8, banned=("unfortunately", "no way!"))
GOOD = "Happy to help!\n\nYou have 45 days. [1]\n\nJust ask us."
EXAMPLE = Path(__file__).parents[1] / "examples" / "voice.yaml"


def test_a_reply_in_the_house_voice_meets_every_feature():
    """Opening line, cited answer, closing line."""
    assert set(check_voice(GUIDE, GOOD).items()) == {
        (name, True)
        for name in ("opening", "closing", "emoji", "exclamations", "sentence length", "banned words", "citations")
    }


@pytest.mark.parametrize(
    ("feature", "reply"),
    [
        ("opening", "We are really very happy to help!\n\nYou have 45 days. [1]\n\nJust ask us."),
        ("opening", "You have 45 days. [1]\n\nJust ask us."),
        ("opening", "Hi.\nHello.\n\nYou have 45 days. [1]\n\nJust ask us."),
        ("closing", "Happy to help!\n\nYou have 45 days. [1]\n\nJust ask us at any time."),
        ("closing", "Happy to help!\n\nYou have 45 days. [1]"),
        ("emoji", GOOD + " \U0001f600"),
        ("emoji", GOOD + " \u2764\ufe0f"),
        ("exclamations", GOOD + "!!"),
        ("sentence length", GOOD.replace("45 days.", "forty five days from the day of delivery on.")),
        ("banned words", GOOD.replace("You", "Unfortunately you")),
        ("banned words", GOOD.replace("help!", "help, no way!")),
        ("citations", GOOD.replace(" [1]", "")),
    ],
)
def test_a_feature_is_missed_alone(feature, reply):
    """One change to a good reply, one feature lost."""
    missed = {name for name, met in check_voice(GUIDE, reply).items() if not met}

    assert missed == {feature}


def test_a_reply_of_one_paragraph_has_neither_opening_nor_closing():
    """The answer itself is no greeting."""
    found = check_voice(GUIDE, "Just ask us.")

    assert (found["opening"], found["closing"]) == (False, False)


@pytest.mark.parametrize(
    ("reply", "met"),
    [("1. Open it.\n2. Close it. [1]", True), ("1. Open it. [1]", False), ("Open and close it. [1]", False)],
)
def test_a_procedure_has_numbered_steps(reply, met):
    """At least two of them; other answers are not asked for any."""
    assert check_voice(GUIDE, reply, procedure=True)["steps"] is met
    assert "steps" not in check_voice(GUIDE, reply)


def test_a_step_may_be_longer_than_a_sentence():
    """Only running text is measured; the words after a step are."""
    step = "1. Hold the left button for ten seconds until the lamp is green."

    assert check_voice(GUIDE, f"Do this.\n\n{step}\n2. Let go. [1]")["sentence length"]
    assert not check_voice(GUIDE, f"{step}\n{step[3:]}")["sentence length"]


def test_a_guide_may_not_care():
    """Zero wants no line, and then a single paragraph is as good; what is switched off is not asked."""
    guide = VoiceGuide("bare", opening_words=0, closing_words=0, citations=False, numbered_steps=False, emoji=True)

    found = check_voice(guide, "You have 45 days \U0001f600", procedure=True)

    assert all(found.values())
    assert not {"citations", "steps"} & set(found)


@pytest.mark.parametrize(
    ("text", "met"), [("A reunion.", True), ("An Union!", False), ("C++ is it", False), ("C+ is", True)]
)
def test_banned_words_are_words(text, met):
    """Not parts of longer ones, in any case, and also where they end in a sign."""
    assert check_voice(VoiceGuide("x", banned=("union", "C++")), text)["banned words"] is met


def test_rates_are_shares_of_features_met():
    """Five of seven and seven of seven, and each feature by itself."""
    bad = "You have 45 days. [1]"

    rates = tone_rates(GUIDE, [GOOD, bad], [False, False])

    assert (rates["value"], rates["n"]) == (12 / 14, 14)
    assert rates["features"] == {
        "banned words": 1.0, "citations": 1.0, "closing": 0.5, "emoji": 1.0, "exclamations": 1.0, "opening": 0.5,
        "sentence length": 1.0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("met", "n", "low", "high"), [(5, 10, 0.2366, 0.7634), (10, 10, 0.7225, 1.0), (0, 4, 0.0, 0.4899)]
)
def test_the_interval_is_wilsons(met, n, low, high):
    """Values of the score interval of Wilson (1927) at 95 %, by its formula."""
    share = _share([True] * met + [False] * (n - met))

    assert (share["value"], round(share["low"], 4), round(share["high"], 4)) == (met / n, low, high)


@given(st.integers(1, 300).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
@example((0, 7))
@example((0, 69))
@example((4, 4))
def test_an_interval_holds_its_share(counts):
    """Also at none and all, where rounding once put it below nought."""
    met, n = counts

    share = _share([True] * met + [False] * (n - met))

    assert 0 <= share["low"] <= share["value"] <= share["high"] <= 1


def test_no_replies_have_no_rate():
    """Nothing is neither good nor bad."""
    assert tone_rates(GUIDE, [], []) == {"value": None, "n": 0, "low": None, "high": None, "features": {}}


@given(
    st.lists(st.tuples(st.text(alphabet="ab .!\n1[]\U0001f600", max_size=40), st.booleans()), min_size=1, max_size=6)
)
def test_rates_stay_between_nought_and_one(replies):
    """Whatever the replies; the interval holds the rate."""
    rates = tone_rates(GUIDE, [text for text, _ in replies], [steps for _, steps in replies])

    assert 0 <= rates["low"] <= rates["value"] <= rates["high"] <= 1
    assert all(0 <= share <= 1 for share in rates["features"].values())


def test_the_example_guide_is_read():
    """The guide that ships with the project."""
    guide = read_voice(EXAMPLE)

    assert guide.name
    assert guide.banned


def test_a_guide_of_a_name_has_the_defaults(tmp_path):
    """Every other field may be left out."""
    (tmp_path / "voice.yaml").write_text("name: house\n")

    assert read_voice(tmp_path / "voice.yaml") == VoiceGuide("house")


def test_every_field_can_be_set(tmp_path):
    """By its own name."""
    (tmp_path / "voice.yaml").write_text(
        "name: x\nopening_words: 0\nclosing_words: 1\ncitations: false\nnumbered_steps: false\nemoji: true\n"
        "exclamation_marks: 2\nsentence_words: 3\nbanned: [a, b c]\n"
    )

    assert read_voice(tmp_path / "voice.yaml") == VoiceGuide("x", 0, 1, False, False, True, 2, 3, ("a", "b c"))


@pytest.mark.parametrize("content", ["name: x\ncolour: red\n", "emoji: true\n", "", "- a\n", "just text"])
def test_an_unknown_field_or_no_name_is_refused(tmp_path, content):
    """The sentence lists what may stand there."""
    (tmp_path / "voice.yaml").write_text(content)

    with pytest.raises(DataSetError, match=r"may only have the fields banned, citations, .*, and needs a name\.$"):
        read_voice(tmp_path / "voice.yaml")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("opening_words", "many"),
        ("opening_words", "-1"),
        ("sentence_words", "3.5"),
        ("exclamation_marks", "true"),
        ("emoji", "1"),
        ("banned", "unfortunately"),
        ("banned", "[1]"),
        ("banned", "['']"),
    ],
)
def test_a_value_of_another_kind_is_refused(tmp_path, field, value):
    """A single banned word would otherwise ban each of its letters."""
    (tmp_path / "voice.yaml").write_text(f"name: x\n{field}: {value}\n")

    with pytest.raises(DataSetError, match=rf"has wrong values for {field}: "):
        read_voice(tmp_path / "voice.yaml")


def test_all_wrong_values_are_named_at_once(tmp_path):
    """One correction is enough."""
    (tmp_path / "voice.yaml").write_text("name: [x]\nemoji: 3\nbanned: 5\n")

    with pytest.raises(DataSetError, match="has wrong values for name, emoji, banned: "):
        read_voice(tmp_path / "voice.yaml")


@pytest.mark.parametrize("content", [b"name: [", b"name: \xff", b"name: !!python/object:os.system x"])
def test_a_guide_that_is_no_yaml_is_one_sentence(tmp_path, content):
    """Torn, of another encoding, or with a command in it."""
    (tmp_path / "voice.yaml").write_bytes(content)

    with pytest.raises(DataSetError, match=r"cannot be read \(.+\): check it\.$") as caught:
        read_voice(tmp_path / "voice.yaml")

    assert "\n" not in str(caught.value)


def test_a_missing_guide_is_one_sentence(tmp_path):
    """With its path."""
    with pytest.raises(DataSetError, match=r"nowhere\.yaml' cannot be read \(No such file or directory\): check it\.$"):
        read_voice(tmp_path / "nowhere.yaml")
