"""The reader's choice: sentences, procedures, budgets, and what happens when the trained head cannot be used."""

import pytest

from bot.evidence import SimilarityReader, content_words, group_sources
from bot.head_reader import HeadReader
from knowledge.embedder import HashEmbedder
from knowledge.errors import ReaderError
from knowledge.reader import MiniLmReader, WordReader
from tests.stories import retrieved

POLICY = (
    "Small appliances can be returned within 45 days. Large appliances can be returned within 14 days. We are closed."
)
STEPS = "To descale the kettle:\n\n1. Fill the kettle with water.\n2. Add one sachet.\n3. Rinse the kettle twice."


def by_similarity():
    return SimilarityReader(HashEmbedder())


def by_head():
    return HeadReader(WordReader(), by_similarity())


READERS = pytest.mark.parametrize("reader", [by_similarity, by_head])


@READERS
def test_the_sentence_that_answers_comes_first_and_is_verbatim(reader):
    """Evidence points at the very characters of its passage."""
    passage = retrieved(POLICY)
    best = reader().choose("When can large appliances be returned?", [passage]).evidence[0].sentence

    assert best.plain == "Large appliances can be returned within 14 days."
    assert passage.chunk.text[best.start : best.end] == best.verbatim


@READERS
def test_a_question_for_the_way_brings_the_whole_procedure(reader):
    """One step is no answer to "how do I"; the line that announces the list comes too."""
    choice = reader().choose("How do I descale the kettle with a sachet?", [retrieved(STEPS, title="Kettle")])

    assert choice.sources[0].text == (
        "To descale the kettle:\n1. Fill the kettle with water.\n2. Add one sachet.\n3. Rinse the kettle twice."
    )


@READERS
def test_a_step_that_is_asked_for_alone_is_a_sentence(reader):
    """Out of its procedure a step has no number."""
    choice = reader().choose("sachet needed?", [retrieved(STEPS, title="Kettle")])

    assert "1." not in choice.sources[0].text


@READERS
def test_nothing_to_read_gives_no_evidence(reader):
    """No passages, or passages without a sentence."""
    assert reader().choose("anything?", []).evidence == ()
    assert reader().choose("anything?", [retrieved("---")]).evidence == ()


@READERS
def test_never_more_than_six_sentences(reader):
    """However many sentences are equally good."""
    text = " ".join(f"Kettle number {n} can be returned soon." for n in range(12))

    assert 1 <= len(reader().choose("Can a kettle be returned?", [retrieved(text)]).evidence) <= 6


def test_the_head_puts_the_passage_that_answers_first():
    """Passages are ranked anew, and only as many as wanted are kept."""
    passages = [retrieved(f"Nothing here number {n}.", source=f"{n}.md", score=0.5) for n in range(6)]
    answer = retrieved("Gift cards expire after three years.", source="gift.md", score=0.45)
    choice = by_head().choose("When do gift cards expire?", [*passages, answer])

    assert choice.passages[0].document.source == "gift.md"
    assert len(choice.passages) == 5
    assert choice.answers > 0.5


def test_without_the_head_similarity_reads_and_says_so(tmp_path):
    """A missing head is a fault that page, log and exit code can show, not the end of answering."""
    reader = HeadReader(MiniLmReader(tmp_path), by_similarity())
    reader.warm_up()
    choice = reader.choose("When can large appliances be returned?", [retrieved(POLICY)])

    assert choice.evidence and choice.answers is None
    assert str(tmp_path) in reader.fault and "similarity" in reader.fault


def test_a_head_that_cannot_be_loaded_is_one_sentence(tmp_path):
    """The folder is named, and what to do."""
    with pytest.raises(ReaderError, match="cannot be loaded"):
        MiniLmReader(tmp_path).read("anything?", [])


def test_sources_are_numbered_by_their_best_sentence_and_ordered_inside():
    """[1] is the passage of the best evidence; its sentences stand as in the document."""
    passages = [retrieved(POLICY, source="a.md"), retrieved("Large appliances weigh a lot.", source="b.md")]
    choice = by_similarity().choose("When can large appliances be returned?", passages)
    sources = group_sources(choice.evidence, choice.passages)

    assert [source.number for source in sources] == list(range(1, len(sources) + 1))
    assert all(
        a.sentence.start < b.sentence.start for s in sources for a, b in zip(s.evidence, s.evidence[1:], strict=False)
    )


def test_content_words_are_crude_stems_without_small_words():
    """Plural and singular meet, questions' little words go."""
    assert content_words("How do I return the kettles?") == content_words("return kettle")
