"""How the reader head is trained: its rows, its losses, and runs that go on after a kill."""

import argparse
import json
import random

import numpy as np
import pytest
import torch

from benchmarks import train_reader
from benchmarks.reader_claims import NUMBER, bank_claims, natural_claims, reply_claims
from benchmarks.reader_rows import (
    PASSAGES,
    Neighbours,
    bank_groups,
    faq_groups,
    natural_groups,
    section_groups,
    variant_groups,
)
from benchmarks.reader_scores import auroc, score_claims, score_groups
from benchmarks.train_reader import batches, loss_of, make_items, one_of
from knowledge.embedder import HashEmbedder, model_location
from knowledge.reader import CONTRADICTED, NEITHER, SUPPORTED, make_network

PARAGRAPH = (
    "The old mill was built in 1782. It ground wheat for three villages. A fire destroyed the roof in 1910. "
    "Today it is a museum. Visitors pay five euros. Children enter free."
)


def draw(seed=1):
    return random.Random(seed)


@pytest.fixture(scope="module")
def groups():
    return list(bank_groups(draw(), 1))


@pytest.fixture(scope="module")
def claims():
    return list(bank_claims(draw(), 2))


@pytest.fixture(scope="module")
def tokenizer():
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(model_location("all-MiniLM-L6-v2"))


@pytest.fixture
def network(tokenizer):
    """A random encoder of two narrow layers with MiniLM's vocabulary."""
    from transformers import BertConfig, BertModel

    torch.manual_seed(3)
    config = BertConfig(vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=2, num_attention_heads=2,
                        intermediate_size=64)  # fmt: skip
    return make_network(BertModel(config, add_pooling_layer=False))


def rows_file(path, rows):
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


def squad_row(number, question, sentence, **others):
    answerable = bool(sentence)
    return {"group": f"g{number}", "title": "Mills", "question": question, "context": PARAGRAPH,
            "answer": sentence[-8:-1], "answer_sentence": sentence, "answerable": answerable, **others}  # fmt: skip


def test_of_the_passages_of_a_group_one_answers_or_none_does(groups):
    """Facts are asked with their passage among others, or with it left out."""
    answering = [sum(group.answers) for group in groups]

    assert set(answering) <= {0, 1}
    assert 0.4 < np.mean(answering) < 0.75
    assert all(1 < len(group.passages) <= PASSAGES for group in groups)


def test_flags_stand_beside_the_sentences_of_each_passage(groups):
    """As many as there are sentences."""
    for group in groups[:200]:
        assert [len(p.spans) for p in group.passages] == [len(flags) for flags in group.flags]


def test_whole_topics_are_held_out(groups):
    """Some, and the same ones every time."""
    assert 0 < sum(group.held_out for group in groups) < 0.2 * len(groups)


def test_a_paragraph_is_cut_around_its_answer(tmp_path):
    """The sentence of the answer is flagged, and no other."""
    rows = [squad_row(n, "When was the mill built?", "The old mill was built in 1782.") for n in range(20)]
    found = list(natural_groups(rows_file(tmp_path / "rows.jsonl", rows), HashEmbedder(), draw(), 20))
    flagged = [
        passage.text[start:end]
        for group in found
        for passage, flags in zip(group.passages, group.flags, strict=True)
        for (start, end), flag in zip(passage.spans, flags, strict=True)
        if flag
    ]

    assert flagged and set(flagged) == {"The old mill was built in 1782."}


def test_what_a_paragraph_does_not_answer_is_flagged_nowhere(tmp_path):
    """SQuAD 2.0's questions that only look as if they were answered."""
    rows = [squad_row(n, "When did the museum burn down?", "") for n in range(5)]
    found = list(natural_groups(rows_file(tmp_path / "rows.jsonl", rows), HashEmbedder(), draw(), 5))

    assert len(found) == 5 and not any(any(group.answers) for group in found)


def test_an_answer_in_several_sentences_is_left_out(tmp_path):
    """Which sentence it is would be a guess."""
    rows = [squad_row(1, "Who pays?", "Visitors pay five euros.", span_in_n_sentences=2)]

    assert list(natural_groups(rows_file(tmp_path / "rows.jsonl", rows), HashEmbedder(), draw(), 5)) == []


def test_entries_of_one_place_make_its_groups(tmp_path):
    """The entry asked for is evidence where it is there."""
    rows = [{"id": str(n), "group": "inn", "title": "The inn", "question": f"What about {n}?",
             "context": f"Rule number {n} holds for guests."} for n in range(12)]  # fmt: skip
    found = list(faq_groups(rows_file(tmp_path / "rows.jsonl", rows), draw(), 12))

    assert {sum(group.answers) for group in found} <= {0, 1}
    assert any(sum(group.answers) for group in found)


def test_sections_are_asked_by_their_question_or_their_heading(tmp_path, monkeypatch):
    """A procedure is asked for by its heading, with a verb in front."""
    monkeypatch.setattr("benchmarks.reader_rows.STEPS_ROWS", 3)
    faq = [{"k": "faq", "t": f"Guide {n}", "h": "Can I?", "q": f"Can I do the thing {n}?",
            "a": f"You can do {n} at once, by hand and alone.",
            "b": f"You can do {n} at once, by hand and alone. Or wait."} for n in range(4)]  # fmt: skip
    steps = [{"k": "steps", "t": f"Manual {n}", "h": f"Remove part {n}",
              "b": f"1. Open lid {n} with care.\n2. Take part {n} out of it."} for n in range(3)]  # fmt: skip
    found = list(section_groups(rows_file(tmp_path / "s.jsonl", faq + steps), HashEmbedder(), draw()))

    assert len(found) == 7
    assert any("remove part" in group.question.lower() for group in found)


def test_of_several_plans_only_the_one_asked_for_answers():
    """The others hold the same fact with values of their own; a typo may spoil a name now and then."""
    named = []
    for group in variant_groups(draw(), 1):
        mine = [p for p, answers in zip(group.passages, group.answers, strict=True) if answers]
        assert len(mine) <= 1
        named += [f"{p.heading} {p.text}".split()[0].lower().strip(".:") in group.question.lower() for p in mine]

    assert len(named) > 100 and np.mean(named) > 0.8


def test_a_copy_of_the_text_that_answers_is_no_neighbour():
    """It would be called wrong although it answers."""
    near = Neighbours(HashEmbedder(), ["a red hat", "a red hat", "a blue hat", "some green tea"])
    (found,) = near.of(["which hat is red"], [0])

    assert found[0] == 2 and not {0, 1} & set(found)


def test_a_claim_that_is_contradicted_says_something_else(claims):
    """Three relations, each often enough; a contradiction has another value or another sense than any passage."""
    share = [np.mean([claim.relation == kind for claim in claims]) for kind in (SUPPORTED, CONTRADICTED, NEITHER)]
    wrong = [claim for claim in claims if claim.relation == CONTRADICTED and NUMBER.search(claim.claim)]
    changed = [bool(set(NUMBER.findall(c.claim)) - set(NUMBER.findall(c.passage.text))) for c in wrong]

    assert min(share) > 0.15
    assert np.mean(changed) > 0.5


def test_sentences_of_a_paragraph_make_claims_of_all_kinds(tmp_path):
    """In place, changed, and from elsewhere."""
    rows = [squad_row(n, "?", "", context=PARAGRAPH.replace("1782", str(1700 + n))) for n in range(40)]
    found = list(natural_claims(rows_file(tmp_path / "rows.jsonl", rows), draw(), 40))

    assert {claim.relation for claim in found} == {SUPPORTED, CONTRADICTED, NEITHER}
    assert all(claim.claim in claim.passage.text for claim in found if claim.relation == SUPPORTED)
    assert not any(claim.claim in claim.passage.text for claim in found if claim.relation != SUPPORTED)


def test_a_reply_with_a_number_of_its_own_is_no_claim(tmp_path):
    """Some clerks contradict their entry."""
    good = {
        "group": "a",
        "title": "Inn",
        "context": "Parking costs 12 euros a day.",
        "answer": "You pay 12 euros a day.",
    }
    bad = {**good, "answer": "You pay 15 euros a day."}

    assert list(reply_claims(rows_file(tmp_path / "bad.jsonl", [bad] * 9), draw())) == []
    assert list(reply_claims(rows_file(tmp_path / "good.jsonl", [good] * 9), draw()))


def test_a_batch_has_rows_of_one_length_and_kind(groups, claims, tokenizer):
    """So that nothing is compiled anew and groups are not mixed with claims."""
    items = make_items(tokenizer, [*groups[:80], *claims[:80]], HashEmbedder())
    made = batches(items, draw())

    assert {len({(type(i.source), len(i.rows), i.length) for i in batch}) for batch in made} == {1}
    assert {id(item) for batch in made for item in batch} == {id(item) for item in items}


def test_choosing_the_wanted_one_costs_nothing_and_another_costs_much():
    """To choose none is a choice too, with a logit of zero."""
    sure, wanted = torch.tensor([[20.0, -20.0]]), torch.tensor([[1.0, 0.0]])

    assert one_of(sure, wanted).item() == pytest.approx(0.0, abs=1e-4)
    assert one_of(sure, 1 - wanted).item() == pytest.approx(40.0, abs=1e-3)
    assert one_of(torch.tensor([[-20.0, -20.0]]), torch.zeros(1, 2)).item() == pytest.approx(0.0, abs=1e-4)


@pytest.mark.parametrize("kind", ["groups", "claims"])
def test_the_loss_falls_when_a_batch_is_learned(kind, groups, claims, tokenizer, network):
    """Every output has a gradient of its own."""
    items = make_items(tokenizer, groups[:4] if kind == "groups" else claims[:6], HashEmbedder())
    batch = batches(items, draw())[0]
    optimizer = torch.optim.Adam(network.parameters(), 3e-3)
    losses = []
    for _ in range(25):
        loss = loss_of(network, batch, 0)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())

    assert losses[-1] < 0.7 * losses[0]


def test_rows_that_were_kept_are_not_made_again(groups, tokenizer, tmp_path, monkeypatch):
    """Making them takes longer than most of what follows."""
    monkeypatch.setattr(train_reader, "SentenceTransformerEmbedder", HashEmbedder)
    monkeypatch.setattr(train_reader, "sources_of", lambda options, embedder: {"bank": groups[:6]})
    options = argparse.Namespace(rows=tmp_path / "rows")
    made = train_reader.all_items(tokenizer, options)

    monkeypatch.delattr(train_reader, "sources_of")
    assert train_reader.all_items(tokenizer, options) == made
    assert [item.source for item in made["bank"]] == groups[:6]


def test_a_run_that_was_killed_goes_on_to_the_same_weights(groups, claims, tokenizer, tmp_path, monkeypatch):
    """The checkpoint holds all that counts."""
    from transformers import BertConfig, BertModel

    def fresh():
        torch.manual_seed(1)
        sizes = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64}
        no_dropout = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
        config = BertConfig(vocab_size=len(tokenizer), **sizes, **no_dropout)
        return make_network(BertModel(config, add_pooling_layer=False))

    items = make_items(tokenizer, [*groups[:24], *claims[:12]], HashEmbedder())
    options = argparse.Namespace(seed=1, learning_rate=1e-3, out=tmp_path / "whole")
    monkeypatch.setattr(train_reader, "CHECKPOINT_STEPS", 2)
    monkeypatch.setattr(train_reader, "BATCH_TOKENS", 512)
    whole = fresh()
    train_reader.run(whole, items, 0, options)

    options.out = tmp_path / "killed"
    seen = []

    def kill(*arguments):
        seen.append(1)
        if len(seen) == 4:
            raise KeyboardInterrupt
        return loss_of(*arguments)

    monkeypatch.setattr(train_reader, "loss_of", kill)
    with pytest.raises(KeyboardInterrupt):
        train_reader.run(fresh(), items, 0, options)
    monkeypatch.setattr(train_reader, "loss_of", loss_of)
    resumed = fresh()
    train_reader.run(resumed, items, 0, options)

    for one, other in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.allclose(one, other, atol=1e-6)


def test_scores_of_groups_and_claims():
    """A tie counts half; a class that nobody claims has an F1 of zero."""
    assert auroc([1.0, 0.5], [0.5, 0.0]) == 0.875
    assert np.isnan(auroc([], [1.0]))
    found = score_claims([(SUPPORTED, (2.0, 0.0, 0.0)), (CONTRADICTED, (2.0, 0.0, 0.0))])
    assert found["accuracy"] == 0.5 and found["f1_supported"] == pytest.approx(2 / 3)
    assert np.isnan(score_groups([])["first"])
