"""Practice data: every kind of conversation keeps its promise, nothing held out is trained on, few rows decline."""

import json
import random
import re
from dataclasses import replace
from itertools import islice

import pytest

from bot.support_bot import ABSTAIN
from tone_tuning.dataset import load_conversations
from tone_tuning.errors import DataSetError
from tone_tuning.fact_bank import draw_company, draw_values, fill, held_out, read_topics
from tone_tuning.reading import companies, traps
from tone_tuning.reading.companies import Scene, answer_to, open_scene
from tone_tuning.reading.natural import read_rows
from tone_tuning.reading.practice import Practice, build, main
from tone_tuning.reading.rows import DECLINE, Passage, arrange, cited, content_words, distant, lower_first, rough
from tone_tuning.reading.rows import sentences_of as cut
from tone_tuning.reading.scores import judge
from tone_tuning.reading.tables import TABLES, table_row
from tone_tuning.reading.values import citations, keeps, values_in

TOPICS = [topic for topic in read_topics() if not held_out(topic.id)]
TWO = {"2"}  # "There are two ways: ..." counts what it lists
PLAIN = Practice(rows=600, held_out_rows=60, seed=3)


@pytest.fixture(scope="module")
def rows():
    """Rows out of the bank alone."""
    return build(PLAIN, read_topics(), None)


def made(kind, count=60):
    """Rows of one kind; topics that have nothing for it are passed over."""
    draw = random.Random(7)
    found = (kind(open_scene(TOPICS, draw)) for _ in range(20 * count))
    return list(islice((row for row in found if row is not None and not row.invents), count))


def text_of(row):
    return " ".join(source.text for source in row.sources)


def cited_text(row):
    return " ".join(row.sources[number - 1].text for number in citations(row.reply))


def test_rows_are_conversations_that_training_reads(rows, tmp_path):
    """With the extra keys for evaluation; as many of either side as asked for."""
    path = tmp_path / "practice.jsonl"
    path.write_text("".join(json.dumps(row.to_dict()) + "\n" for row in rows))

    conversations = load_conversations(path)

    assert [c.held_out for c in conversations] == [row.held_out for row in rows]
    assert sum(c.held_out for c in conversations) == 60
    assert set(rows[0].to_dict()) == {
        "kind", "group", "held_out", "messages", "sources", "values", "unwanted",
    }  # fmt: skip
    assert {row.kind for row in rows} == {
        "evidence", "passage", "two_facts", "follow_up", "steps", "yes_no", "one_of_many", "false_premise", "near_miss",
        "version", "injection", "specified", "underspecified", "table",
    }  # fmt: skip


def test_the_reply_to_learn_passes_its_own_verdicts(rows):
    """Every value asked for is in it, none is invented, the right source is cited: else it would teach faults."""
    for row in rows:
        found = row.to_dict()
        verdicts = judge(found, conversation_of(found), row.reply).verdicts
        wanted = {name: name not in ("invented", "declined_wrongly") for name in verdicts}
        assert verdicts == wanted, row


def conversation_of(found):
    from tone_tuning.dataset import Conversation
    from tone_tuning.prompt import Source

    return Conversation(
        tuple(found["messages"]), tuple(map(Source.from_dict, found["sources"])), "x", found["held_out"]
    )


def test_the_sentence_of_declining_is_that_of_the_bot():
    """Learned and said alike."""
    assert DECLINE == ABSTAIN


def test_a_row_says_itself_whether_it_is_held_out(tmp_path):
    """By true or false, nothing else."""
    turns = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({"messages": turns, "held_out": "yes"}))

    with pytest.raises(DataSetError, match=r"row 1: 'held_out' must be true or false$"):
        load_conversations(path)


def test_held_out_wording_is_never_trained_on(rows):
    """Neither as evidence nor as a distractor: no sentence of a held-out topic stands in a training row."""
    draw = random.Random(1)
    kept = [topic for topic in read_topics() if held_out(topic.id)]
    assert kept
    for topic in kept:
        values = draw_values(topic, draw_company(draw), draw)
        openings = {fill(doc, values)[:25] for fact in topic.facts for doc in fact.doc if "{" not in doc[:25]}
        for row in rows:
            if not row.held_out:
                assert row.group != topic.id
                assert not any(opening in text_of(row) for opening in openings)


def test_the_same_seed_makes_the_same_rows(rows):
    """Another one makes others."""
    assert build(PLAIN, read_topics(), None) == rows
    assert build(replace(PLAIN, seed=4), read_topics(), None) != rows


def test_few_rows_decline_and_few_questions_share_the_words_of_their_source(rows):
    """The first adapter declined 91 % of real questions: it had seen too many where other words meant no answer."""
    assert 0.01 < sum(row.reply == DECLINE for row in rows) / len(rows) <= 0.10
    evidence = [row for row in rows if row.kind == "evidence"]
    shares = [
        len(content_words(row.question) & content_words(cited_text(row))) / max(1, len(content_words(row.question)))
        for row in evidence
    ]
    assert sum(shares) / len(shares) < 0.35


def test_evidence_is_one_to_four_short_sources():
    """The right one first, between or last, with none to two others."""
    rows = made(companies.evidence, 200)

    assert {len(row.sources) for row in rows} == {1, 2, 3}
    assert {(len(row.sources), *citations(row.reply)) for row in rows} >= {(3, 1), (3, 2), (3, 3), (1, 1)}
    assert max(len(source.text.split()) for row in rows for source in row.sources) < 110


def test_passages_are_whole():
    """Three or more facts each: the harder task."""
    rows = made(companies.passage)

    assert sum(len(cut(row.sources[0].text)) >= 3 for row in rows) > 0.9 * len(rows)
    assert all(values_in(row.reply) - TWO <= values_in(cited_text(row)) for row in rows)


def test_two_facts_are_answered_in_two_parts():
    """Each with its own mark, from one source or from two."""
    rows = made(companies.two_facts)

    assert all(row.reply.count("[") >= 2 for row in rows)
    assert {len(citations(row.reply)) for row in rows} == {1, 2}


def test_a_follow_up_has_the_turns_before_it():
    """Question and answer in turn, then a short question."""
    rows = made(companies.follow_up)

    assert all([role for role, _ in row.history] == ["user", "assistant"] * (len(row.history) // 2) for row in rows)
    assert {len(row.history) for row in rows} == {2, 4}


def test_steps_are_numbered_lines_with_one_mark_at_the_end():
    """As evidence shows them to the writer."""
    for row in made(companies.steps):
        assert "\n2. " in row.reply
        assert row.reply.count("[") == 1
        assert row.reply.endswith("]")
        assert row.reply.rsplit(" [", 1)[0].rstrip(".") in text_of(row)


def test_yes_or_no_comes_with_its_reason():
    """Only to a question whether."""
    for row in made(companies.yes_no):
        assert row.reply.startswith(("Yes", "No"))
        assert len(row.reply.split()) > 4


def test_the_newer_version_wins():
    """Both stand there with their dates; what only the older one says is unwanted."""
    for row in made(traps.version):
        (newest,) = citations(row.reply)
        dates = [source.date for source in row.sources]
        assert row.sources[newest - 1].date == max(dates) > min(dates)
        assert row.unwanted
        assert all(keeps(text_of(row), value) and not keeps(row.reply, value) for value in row.unwanted)


def test_a_wrong_premise_is_corrected_and_a_right_one_confirmed():
    """The wrong value stands in the question only."""
    rows = made(traps.false_premise)

    wrong = [row for row in rows if row.kind == "false_premise"]
    right = [row for row in rows if row.kind == "yes_no"]
    assert len(wrong) > len(right) > 5
    assert all(row.reply.startswith(("Actually", "No,", "Not quite")) for row in wrong)
    assert sum(any(keeps(row.question, value) for value in row.unwanted) for row in wrong) > 0.9 * len(wrong)
    assert all(row.reply.startswith("Yes") for row in right)


def test_a_question_that_leaves_out_which_gets_one_back():
    """Without a mark and without a value; where it says which, the value of that side only."""
    asked_back = made(traps.underspecified)
    told = made(traps.specified)

    assert all(row.reply.endswith("?") and not citations(row.reply) and not row.values for row in asked_back)
    assert all(len({source.section for source in row.sources}) == 2 for row in asked_back)
    assert all(row.unwanted and not any(keeps(row.reply, value) for value in row.unwanted) for row in told)


def test_a_near_miss_is_declined_by_the_one_sentence():
    """Sources of the topic are given all the same."""
    rows = made(traps.near_miss)

    assert {row.reply for row in rows} == {DECLINE}
    assert all(row.sources for row in rows)


def test_a_hidden_instruction_is_passed_over():
    """Its word stands in a source and not in the reply."""
    for row in made(traps.injection):
        assert row.unwanted[0] in text_of(row)
        assert row.unwanted[0] not in row.reply


def test_one_value_of_many_is_given():
    """The others of the same source are unwanted."""
    rows = made(traps.one_of_many)

    assert sum(len(row.unwanted) >= 2 for row in rows) > 0.8 * len(rows)
    assert all(values_in(row.reply) - TWO <= values_in(cited_text(row)) for row in rows)


def test_table_rows_are_asked_for_one_or_two_cells():
    """Shown as "Column: value; Column: value"; at least one kind of table is held out."""
    draw = random.Random(5)
    rows = [table_row(draw) for _ in range(80)]

    assert all("; " in text_of(row) and row.values for row in rows)
    assert {len(row.values) for row in rows} == {1, 2}
    assert 0 < sum(held_out(table.id) for table in TABLES) < len(TABLES)
    assert table_row(draw, kept_out=True).held_out


def test_an_answer_says_only_what_its_evidence_says():
    """An answer with a slot that the chosen wording lacks is not taken."""
    draw = random.Random(2)
    for _ in range(300):
        scene = open_scene(TOPICS, draw)
        fact = draw.choice(scene.topic.facts)
        doc = draw.choice(fact.doc)
        answer = answer_to(scene, fact, doc, fact.questions[0])
        assert set(re.findall(r"{(\w+)}", answer)) <= set(re.findall(r"{(\w+)}", doc)) | {"brand", "city"}


def test_questions_are_typed_as_people_type():
    """Sometimes in lower case, with a slip or small talk; digits are never changed."""
    draw = random.Random(1)
    typed = [rough("How long can I keep the 45 books from Leeds?", draw) for _ in range(300)]

    assert 60 < sum(text == text.lower() for text in typed) < 140
    assert 40 < sum("How long can I keep the 45 books from Leeds?" not in text for text in typed) < 270
    assert all("45" in text for text in typed)
    assert rough("45?", draw).startswith("45") or "45" in rough("45?", draw)


def test_small_parts_of_a_row():
    """Marks, order, capitals, sentences, and the question that shares the fewest words."""
    draw = random.Random(1)
    assert cited("You have 45 days", 2) == "You have 45 days. [2]"
    assert cited("To cancel:\n1. Sign in.", 1) == "To cancel:\n1. Sign in. [1]"
    assert lower_first("The fee is $3.") == "the fee is $3."
    assert lower_first("I was told so.") == "I was told so."
    assert lower_first("Norvane pays.") == "Norvane pays."
    assert lower_first("45 days.") == "45 days."
    assert cut("You pay $3.50. It takes 4 days. No. 7 is shut.") == [
        "You pay $3.50.",
        "It takes 4 days.",
        "No. 7 is shut.",
    ]
    assert cut("1. Sign in.\n2. Pay.") == ["1. Sign in.", "2. Pay."]
    listed, number = arrange(Passage("A", "", "a"), [Passage("B", "", "b")], draw)
    assert listed[number - 1].title == "A"
    questions = ["return period?", "how long do I have to send it back", "return period in days?"]
    picked = [distant(questions, "The return period is 45 days.", draw) for _ in range(100)]
    assert picked.count(questions[1]) > 60


def natural(tmp_path, name, file, rows):
    (tmp_path / "reading").mkdir(exist_ok=True)
    (tmp_path / file).write_text("".join(json.dumps(row) + "\n" for row in rows))
    return list(read_rows(tmp_path, name, random.Random(1)))


SQUAD = {
    "group": "Bridges", "title": "Bridges", "question": "When was it built?", "answerable": True, "answer": "1894",
    "answer_sentence": "Tower Bridge was built in 1894.:19",
    "context": "It is a bridge in London. Tower Bridge was built in 1894.:19 Many people cross it.",
}  # fmt: skip


def test_natural_evidence_is_the_sentence_of_the_answer(tmp_path):
    """Cleaned of what footnotes leave, with its mark; where the sentence is a guess, the row is dropped."""
    guessed = SQUAD | {"span_in_n_sentences": 2}
    loose = SQUAD | {"answer_sentence": "It was built there in 1894.", "context": "It was built there in 1894."}

    (row,) = natural(tmp_path, "squad", "reading/squad-dev.jsonl", [SQUAD, guessed, loose])

    assert "Tower Bridge was built in 1894." in cited_text(row)
    assert row.reply.startswith("Tower Bridge was built in 1894. [")
    assert row.values == ("1894",)


def test_a_clerks_reply_is_taken_where_it_says_what_the_entry_says(tmp_path):
    """Same numbers, same polarity; the offer at its end goes."""
    entry = {"group": "h", "title": "Inn", "question": "Is there parking?", "context": "Parking costs $10 a day."}
    replies = [
        "Yes, parking is $10 per day. Anything else?",
        "Parking costs $12 a day.",
        "There's no parking for $10 a day.",
    ]

    found = natural(
        tmp_path, "clerk", "reading/dstc9-label-replies.jsonl", [entry | {"answer": reply} for reply in replies]
    )

    assert [row.reply for row in found] == ["Yes, parking is $10 per day. [1]"]


def test_how_to_sections_become_steps(tmp_path):
    """Menu paths stay whole; steps that announce what is not there are dropped."""
    section = {"k": "steps", "t": "Reports | Shop help", "h": "Export a report", "verb": "export a report"}
    whole = section | {"steps": ["Open File > Export.", "Press Save."]}
    announcing = section | {"steps": ["Do the following:", "Press Save."]}

    (row,) = natural(tmp_path, "procedures", "sections.jsonl", [whole, announcing])

    assert row.reply.startswith("1. Open File > Export.\n2. Press Save. [")
    assert "Reports" in {source.title for source in row.sources}


def test_headings_of_many_pages_are_no_questions(tmp_path):
    """Such as "Before you begin", which stands on a hundred pages."""
    page = {"k": "faq", "t": "A", "a": "You need an account and a card.", "b": "You need an account and a card."}
    rows = [
        page | {"q": "Before you begin?"},
        page | {"q": "Before you begin?"},
        page | {"q": "What do I need to pay?"},
    ]

    (row,) = natural(tmp_path, "documentation", "sections.jsonl", rows)

    assert row.reply == "You need an account and a card. [1]"


@pytest.mark.parametrize("content", ['{"group": "x"}\n', "[1]\n", "no JSON\n"])
def test_reading_data_of_another_shape_is_one_sentence(tmp_path, content):
    """It names the file."""
    (tmp_path / "reading").mkdir()
    (tmp_path / "reading" / "squad-dev.jsonl").write_text(content)

    with pytest.raises(
        DataSetError, match=r"squad-dev\.jsonl' is no reading data \(.+\): see the README of the data\."
    ):
        list(read_rows(tmp_path, "squad", random.Random(1)))


def test_missing_reading_data_is_one_sentence(tmp_path, capsys):
    """The command says how to do without."""
    with pytest.raises(SystemExit) as ended:
        main(["--out", str(tmp_path / "out.jsonl"), "--data", str(tmp_path / "none")])

    assert ended.value.code == 1
    assert (
        "cannot be read (No such file or directory): check --data, or use --natural-share 0." in capsys.readouterr().err
    )


def test_a_bank_that_is_too_small_is_one_sentence(rows):
    """Distractors come from other topics."""
    with pytest.raises(DataSetError, match=r"^The fact bank has 1 topics to train on: at least two are needed"):
        build(PLAIN, TOPICS[:1], None)


def test_a_scene_is_one_company():
    """Its other topics share its names."""
    scene = open_scene(TOPICS, random.Random(3))

    other = scene.elsewhere()

    assert isinstance(other, Scene)
    assert other.topic.id != scene.topic.id
    assert other.values["support_email"] == scene.values["support_email"]
