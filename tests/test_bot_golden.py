"""Golden questions: read whole, or refused with all faults at once."""

import json
from datetime import timedelta

import pytest

from bot.errors import QuestionError
from bot.golden import read_golden
from bot.times import read_as_of
from knowledge.audiences import CUSTOMER, STAFF

ROW = {"id": "q1", "type": "lookup", "question": "How long?", "answerable": True}


@pytest.fixture
def write(tmp_path):
    def write(*rows):
        path = tmp_path / "golden.jsonl"
        lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    return write


def test_every_field_is_read(write):
    """Also those a question may leave out, and blank lines are no questions."""
    history = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
    full = {**ROW, "id": 7, "history": history, "gold_docs": ["a.md"], "must_contain": [["45", "forty-five"], ["days"]],
            "must_not_contain": ["60"], "reference": "45 days.", "as_of": "2026-01-01",
            "audience": "public"}  # fmt: skip
    first, second = read_golden(write(full, "", {**ROW, "must_contain": None}))

    assert (first.id, first.history, first.gold_docs) == ("7", tuple(history), ("a.md",))
    assert (first.must_contain, first.must_not_contain) == ((("45", "forty-five"), ("days",)), ("60",))
    assert (second.history, second.must_contain, second.reference) == ((), (), "")
    assert (first.as_of, first.audiences) == (read_as_of("2026-01-01"), CUSTOMER)
    assert (second.as_of, second.audiences) == (None, CUSTOMER)


@pytest.mark.parametrize(
    ("audience", "audiences"),
    [
        ("internal", STAFF), ("public", CUSTOMER), ("", CUSTOMER), (None, CUSTOMER), ([], CUSTOMER),
        ("VIP, trade", {"public", "vip", "trade"}), (["internal", "vip"], {"public", "internal", "vip"}),
    ],
)  # fmt: skip
def test_who_asks_is_one_name_or_several(write, audience, audiences):
    """With commas or as a list; a customer where nothing is said, and everybody sees what is public."""
    assert read_golden(write({**ROW, "audience": audience}))[0].audiences == audiences


def test_a_question_is_asked_as_of_a_day_or_a_time(write):
    """Of a day the last instant, as on the command line; the present where nothing is said."""
    days = write(*({**ROW, "id": str(n), "as_of": day} for n, day in enumerate(
        ("2026-03-03", "2026-03-03T23:59:59.999999", "2026-03-04T00:00", "", None))))  # fmt: skip
    day, evening, morning, *now = (question.as_of for question in read_golden(days))

    assert day == evening == morning - timedelta(microseconds=1) and now == [None, None]


def test_a_limit_takes_the_first_ones(write):
    """And one larger than the file takes all."""
    path = write(*({**ROW, "id": f"q{n}"} for n in range(5)))

    assert [q.id for q in read_golden(path, 2)] == ["q0", "q1"]
    assert len(read_golden(path, 99)) == 5


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ("{", "no JSON"),
        ("[1]", "no JSON object"),
        ({"id": "x"}, "lacks type, question, answerable"),
        ({**ROW, "type": "riddle"}, "the type 'riddle' is none of lookup"),
        ({**ROW, "answerable": "yes"}, "'answerable' must be true or false"),
        ({**ROW, "question": "  "}, "'question' must be a text"),
        ({**ROW, "question": 5}, "'question' must be a text"),
        ({**ROW, "must_contain": ["45"]}, "'must_contain' must be a list of lists"),
        ({**ROW, "must_contain": [[45]]}, "'must_contain' must be a list of lists"),
        ({**ROW, "must_not_contain": "60"}, "'must_not_contain' must be a list of texts"),
        ({**ROW, "gold_docs": "a.md"}, "'gold_docs' must be a list of texts"),
        ({**ROW, "history": [{"role": "bot", "content": "Hi"}]}, "'history' must be a list of turns"),
        ({**ROW, "history": ["Hi"]}, "'history' must be a list of turns"),
        ({**ROW, "as_of": "yesterday"}, "'yesterday' is no day or time"),
        ({**ROW, "as_of": 2026}, "'2026' is no day or time"),
        ({**ROW, "as_of": ["2026-03-03"]}, "is no day or time"),
        ({**ROW, "audience": "staff only"}, "'staff only' is no audience"),
        ({**ROW, "audience": ["internal", 5.5]}, "'5.5' is no audience"),
        ({**ROW, "audience": {"a": 1}}, "is no audience"),
    ],
)
def test_a_faulty_line_is_named_with_its_fault(write, row, fault):
    """A string where a list belongs is the fault that would else go unseen: its letters would be taken for items."""
    with pytest.raises(QuestionError, match="line 2") as refused:
        read_golden(write(ROW, row))
    assert fault in str(refused.value)


def test_all_faults_are_named_at_once(write):
    """Two in one line, one in another, and an id that is used twice."""
    odd = {**ROW, "type": "riddle", "answerable": 1, "as_of": "never", "audience": "a b"}
    path = write(odd, ROW, "no json", ROW)

    with pytest.raises(QuestionError) as refused:
        read_golden(path)
    said = str(refused.value)
    assert "faults in 3 lines" in said and "riddle" in said and "true or false" in said
    assert "'never' is no day or time" in said and "'a b' is no audience" in said
    assert "line 3: no JSON" in said and "line 4: the id 'q1' is used twice" in said


def test_very_many_faults_are_counted(write):
    """Twenty are shown, the rest is a number."""
    with pytest.raises(QuestionError, match=r"faults in 50 lines.*line 20:.*; and 30 more$"):
        read_golden(write(*["{"] * 50))


@pytest.mark.parametrize(
    ("content", "reason"), [(None, "No such file"), (b"\xff\xfe\x00", "no UTF-8"), (b"\n\n", "no questions")]
)
def test_a_file_that_cannot_be_used_is_named(tmp_path, content, reason):
    """Missing, of another encoding, or empty."""
    if content is not None:
        (tmp_path / "golden.jsonl").write_bytes(content)

    with pytest.raises(QuestionError, match=reason) as refused:
        read_golden(tmp_path / "golden.jsonl")
    assert "golden.jsonl" in str(refused.value)


def test_a_byte_order_mark_is_no_fault(tmp_path):
    """Some editors write one."""
    (tmp_path / "golden.jsonl").write_text(json.dumps(ROW), encoding="utf-8-sig")

    assert len(read_golden(tmp_path / "golden.jsonl")) == 1
