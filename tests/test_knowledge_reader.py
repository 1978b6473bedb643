"""The reader head: what it is shown, and what it says about it."""

import shutil
from dataclasses import replace

import pytest

from knowledge.embedder import model_location
from knowledge.errors import ReaderError
from knowledge.reader import HEAD, MiniLmReader, Passage, WordReader, collate, encode, padded_length

TEXT = (
    "Small appliances can be returned within 45 days of delivery. The store opens at nine. "
    "Gift cards cannot be returned."
)
SPANS = ((0, 60), (61, 85), (86, 116))
RETURNS = Passage("Returns. How long you have", TEXT, SPANS)
STORE = Passage("Our store", "You find us next to the market. Dogs are welcome.", ((0, 31), (32, 49)))


@pytest.fixture(scope="module")
def tokenizer():
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(model_location("all-MiniLM-L6-v2"))


@pytest.fixture(scope="module")
def head():
    return MiniLmReader()


def test_a_sentence_that_answers_scores_above_its_neighbours(head):
    """The passage answers, and the right sentence of it stands out."""
    (reading,) = head.read("Within how many days can a small appliance be returned?", [RETURNS])

    assert reading.answers > 0.5
    assert reading.sentences.index(max(reading.sentences)) == 0
    assert head.weigh(reading)[0] > 0.3 + max(head.weigh(reading)[1:])


def test_a_passage_about_something_else_does_not_answer(head):
    """The same question has a far smaller chance in the passage about the store."""
    question = "Within how many days can a small appliance be returned?"
    right, wrong = head.read(question, [RETURNS, STORE])

    assert wrong.answers < 0.3 < right.answers
    assert max(wrong.sentences) < max(right.sentences)


def test_a_passage_that_search_finds_nearer_has_a_better_chance(head):
    """The head adds to what the cosines tell; without them an ordinary one is taken."""
    far, usual, near = (
        head.read("Are dogs allowed?", [replace(STORE, near=cosine)])[0].logit for cosine in (0.1, None, 0.8)
    )
    (reading,) = head.read("Are dogs allowed?", [STORE])

    assert far < usual < near
    assert head.weigh(reading, [0.1, 0.8])[1] > head.weigh(reading)[1] > head.weigh(reading, [0.1, 0.1])[1]


@pytest.mark.parametrize(
    ("claim", "passage", "relation"),
    [
        ("You can return small appliances for 45 days after delivery.", RETURNS, "supported"),
        ("You can return small appliances for 60 days after delivery.", RETURNS, "contradicted"),
        ("The store opens at ten.", RETURNS, "contradicted"),
        ("We deliver to Norway by sea.", RETURNS, "neither"),
    ],
)
def test_a_claim_is_supported_contradicted_or_neither(head, claim, passage, relation):
    """Three chances that add up to one."""
    (support,) = head.check([(claim, passage)])

    assert support.supported + support.contradicted + support.neither == pytest.approx(1.0, abs=1e-4)
    assert getattr(support, relation) == max(support.supported, support.contradicted, support.neither)


def test_readings_come_in_the_order_of_the_passages_and_repeat(head):
    """Reading passages together or alone makes no difference."""
    together = head.read("Are dogs allowed?", [RETURNS, STORE])
    alone = [head.read("Are dogs allowed?", [passage])[0] for passage in (RETURNS, STORE)]

    for one, other in zip(together, alone, strict=True):
        assert one.answers == pytest.approx(other.answers, abs=0.02)
        assert one.sentences == pytest.approx(other.sentences, abs=0.1)


def test_nothing_to_read_is_no_reading(head):
    """No passages, no readings; a passage without sentences still has a chance."""
    assert head.read("Are dogs allowed?", []) == [] and head.check([]) == []
    assert head.read("Are dogs allowed?", [Passage("", "", ())])[0].sentences == ()


def test_a_pair_is_encoded_with_the_place_of_each_sentence(tokenizer):
    """Decoding a sentence's range gives the sentence back."""
    encoded = encode(tokenizer, "When can I return it?", RETURNS)
    said = [tokenizer.decode(encoded.ids[start:end]) for start, end in encoded.ranges]

    assert said[1] == "the store opens at nine."
    assert encoded.ids[0] == tokenizer.cls_token_id
    assert encoded.segments.count(0) == encoded.ids.index(tokenizer.sep_token_id) + 1


def test_a_long_passage_is_cut_and_its_last_sentences_have_no_place(tokenizer):
    """What the head cannot see gets no chance."""
    text = "word " * 500
    encoded = encode(tokenizer, "Why?", Passage("Title", text, ((0, 50), (2400, 2450))))

    assert len(encoded.ids) == 384
    assert encoded.ranges[1] == (0, 0)


def test_rows_are_filled_up_to_a_multiple_of_32(tokenizer):
    """Few shapes, so that the processor's kernels are made once."""
    ids, segments, means = collate([encode(tokenizer, "Why?", STORE), encode(tokenizer, "Why?", RETURNS)], 0)

    assert ids.shape == segments.shape == (2, padded_length(40))
    assert means.shape == (2, 8, ids.shape[1])
    assert means[0, 0].sum().item() == pytest.approx(1.0)


def test_a_missing_or_damaged_head_is_one_sentence(tmp_path):
    """The folder is named; a truncated file is no traceback either."""
    shutil.copytree(HEAD, tmp_path / "head")
    (tmp_path / "head" / "outputs.safetensors").write_bytes(b"short")

    for folder in (tmp_path / "nothing", tmp_path / "head"):
        with pytest.raises(ReaderError, match=str(folder)):
            MiniLmReader(folder).read("Why?", [STORE])


def test_the_fake_counts_the_words_of_the_question():
    """Two of two long words give 1.0, none gives 0.0."""
    (reading,) = WordReader().read("Gift cards returned?", [RETURNS])

    assert reading.answers == pytest.approx(1.0, abs=1e-5)
    assert WordReader().weigh(reading) == pytest.approx([1 / 3, 0.0, 1.0], abs=1e-5)
    assert WordReader().check([("Gift cards returned", RETURNS)])[0].supported == pytest.approx(1.0, abs=1e-5)
