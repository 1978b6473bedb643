"""Made-up companies out of the fact bank, and the plain conversations about their documents."""

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from tone_tuning.fact_bank import Fact, Topic, draw_company, draw_values, fill, has_steps
from tone_tuning.reading.rows import (
    Passage,
    PracticeRow,
    arrange,
    cited,
    distant,
    lower_first,
    make_row,
    rough,
    sentences_of,
)

__all__ = ["Scene", "Wording", "answer_to", "evidence", "follow_up", "open_scene", "passage", "steps", "two_facts",
           "wording", "yes_no"]  # fmt: skip

NAMES = frozenset(("brand", "product", "city"))  # slots that are said without being asked for
PROCEDURE = re.compile(
    r"\b(how (do|can|could|should|would|to)|steps?|walk me|where (do|can) i|what (do|should) i do)\b"
)
ASKS_WHETHER = re.compile(r"^(can|could|may|is|are|am|do|does|did|will|would|should|have|has|any|so)\b")
LINKS = ("{a} And {b}", "{a} Also, {b}", "{a} {b}", "Two things: {a} And {b}", "{a} One more question: {b}")
MOST_WORDS = 62  # of one source, as many as the reader hands to the writer
Wording = str  # a text with its slots still open


@dataclass(frozen=True)
class Scene:
    """One topic of a made-up company with its values drawn; distractors also come from `strangers`."""

    topic: Topic
    values: Mapping[str, str]
    title: str
    headed: bool  # each fact under a heading of its own
    strangers: Sequence[Topic]
    draw: random.Random

    def say(self, text: Wording) -> str:
        """`text` with the slots of this company filled."""
        return fill(text, self.values)

    def passage(self, fact: Fact, text: str) -> Passage:
        """A source of this topic's document."""
        return Passage(self.title, _section(fact) if self.headed else "", text)

    def values_of(self, text: Wording) -> list[str]:
        """What the slots of a text are filled with, in its order; names of the company are no values."""
        return [self.values[slot] for slot in re.findall(r"\{(\w+)\}", text) if slot not in NAMES]

    def others(self, *facts: Fact) -> list[Fact]:
        """The facts of the topic beside these."""
        return [fact for fact in self.topic.facts if fact not in facts]

    def elsewhere(self) -> "Scene":
        """Another topic of the same company."""
        topic = self.draw.choice([t for t in self.strangers if t.id != self.topic.id] or [self.topic])
        values = draw_values(topic, {**self.values}, self.draw)
        return replace(self, topic=topic, values=values, title=fill(self.draw.choice(topic.titles), values))


def open_scene(topics: Sequence[Topic], draw: random.Random) -> Scene:
    """A company asked about one of `topics`, those with many facts more often."""
    topic = draw.choices(topics, [len(topic.facts) for topic in topics])[0]
    values = draw_values(topic, draw_company(draw), draw)
    return Scene(topic, values, fill(draw.choice(topic.titles), values), draw.random() < 0.5, topics, draw)


def evidence(scene: Scene) -> PracticeRow:
    """One fact asked for; the sources are single sentences, one of them the evidence."""
    fact = scene.draw.choice(scene.topic.facts)
    doc = wording(scene, fact)
    asked = distant([scene.say(q) for q in fact.questions], scene.say(doc), scene.draw)
    right = scene.passage(fact, beside(scene, fact, scene.say(doc)))
    listed, number = arrange(right, distractors(scene, fact), scene.draw)
    answer = answer_to(scene, fact, doc, asked)
    reply = cited(scene.say(answer), number)
    return make_row("evidence", scene.topic.id, rough(asked, scene.draw), listed, reply, scene.values_of(answer))


def passage(scene: Scene) -> PracticeRow:
    """One fact asked for; the sources are whole passages, of this document and of others."""
    fact = scene.draw.choice(scene.topic.facts)
    doc = wording(scene, fact, 0.5)
    asked = distant([scene.say(q) for q in fact.questions], scene.say(doc), scene.draw)
    right = Passage(scene.title, "", _whole(scene, fact, scene.say(doc)))
    others = []
    for _ in range(scene.draw.randint(0, 2)):
        other = scene.elsewhere()
        others.append(Passage(other.title, "", _whole(other)))
    listed, number = arrange(right, others, scene.draw)
    answer = answer_to(scene, fact, doc, asked)
    reply = cited(scene.say(answer), number)
    return make_row("passage", scene.topic.id, rough(asked, scene.draw), listed, reply, scene.values_of(answer))


def two_facts(scene: Scene) -> PracticeRow:
    """Two facts asked for at once, of one document or of two; the reply answers both in order, each with its source."""
    draw = scene.draw
    other_scene = scene if draw.random() < 0.65 else scene.elsewhere()
    one = draw.choice(scene.topic.facts)
    two = draw.choice([f for f in other_scene.topic.facts if f is not one])
    docs = wording(scene, one, 0.0), wording(other_scene, two, 0.0)
    texts = scene.say(docs[0]), other_scene.say(docs[1])
    asked = (
        distant([scene.say(q) for q in one.questions], texts[0], draw),
        distant([other_scene.say(q) for q in _follow_ups(two, other_scene is scene, draw)], texts[1], draw),
    )
    answers = (
        answer_to(scene, one, docs[0], asked[0], brief=True),
        answer_to(other_scene, two, docs[1], asked[1], brief=True),
    )
    listed, numbers = _place_two(scene, other_scene, (one, two), texts)
    parts = cited(scene.say(answers[0]), numbers[0]), cited(other_scene.say(answers[1]), numbers[1])
    gap = "\n" if any(has_steps(part) for part in parts) else " "
    question = draw.choice(LINKS).format(a=_ended(asked[0]), b=lower_first(asked[1]))
    values = scene.values_of(answers[0]) + other_scene.values_of(answers[1])
    return make_row("two_facts", scene.topic.id, rough(question, draw), listed, gap.join(parts), values)


def follow_up(scene: Scene) -> PracticeRow:
    """A short question that only makes sense after the ones before it."""
    draw = scene.draw
    facts = draw.sample(scene.topic.facts, min(len(scene.topic.facts), draw.choice((2, 2, 3))))
    history: list[tuple[str, str]] = []
    for before in facts[:-1]:
        asked = rough(scene.say(draw.choice(before.questions)), draw)
        said = scene.say(answer_to(scene, before, before.doc[0], asked))
        history += [("user", asked), ("assistant", cited(said, draw.randint(1, 2)))]
    fact = facts[-1]
    doc = wording(scene, fact)
    asked = scene.say(draw.choice(fact.elliptical))
    right = scene.passage(fact, beside(scene, fact, scene.say(doc)))
    listed, number = arrange(right, distractors(scene, fact), draw)
    answer = answer_to(scene, fact, doc, asked)
    return make_row(
        "follow_up", scene.topic.id, rough(asked, draw), listed, cited(scene.say(answer), number),
        scene.values_of(answer), history=tuple(history),
    )  # fmt: skip


def steps(scene: Scene) -> PracticeRow | None:
    """A procedure, shown as numbered lines and answered as such, with one citation at the end."""
    found = [fact for fact in scene.topic.facts if any(map(has_steps, fact.answers))]
    if not found:
        return None
    fact = scene.draw.choice(found)
    shown = scene.draw.choice([answer for answer in fact.answers if has_steps(answer)])
    asked = distant([scene.say(q) for q in fact.questions], scene.say(shown), scene.draw)
    others = distractors(scene, fact) if scene.draw.random() < 0.5 else []
    listed, number = arrange(scene.passage(fact, scene.say(shown)), others, scene.draw)
    return make_row(
        "steps", scene.topic.id, rough(asked, scene.draw), listed, cited(scene.say(shown), number),
        scene.values_of(shown),
    )  # fmt: skip


def yes_no(scene: Scene) -> PracticeRow | None:
    """A question whether something holds, answered with yes or no and the reason."""
    found = [(f, a) for f in scene.topic.facts for a in f.answers if re.match(r"(Yes|No)\b", a)]
    if not found:
        return None
    fact, answer = scene.draw.choice(found)
    questions = [q for q in fact.questions if ASKS_WHETHER.match(q.lower())]
    docs = [doc for doc in fact.doc if _slots(answer) <= _slots(doc) | {"brand", "city"}]
    if not questions or not docs:
        return None
    doc = scene.draw.choice(docs)
    right = scene.passage(fact, beside(scene, fact, scene.say(doc)))
    listed, number = arrange(right, distractors(scene, fact), scene.draw)
    asked = rough(scene.say(scene.draw.choice(questions)), scene.draw)
    reply = cited(scene.say(answer), number)
    return make_row("yes_no", scene.topic.id, asked, listed, reply, scene.values_of(answer))


def wording(scene: Scene, fact: Fact, as_steps: float = 0.25) -> Wording:
    """How the document states a fact: as prose, or with chance `as_steps` as a procedure where it is one."""
    numbered = [answer for answer in fact.answers if has_steps(answer)]
    return scene.draw.choice(numbered if numbered and scene.draw.random() < as_steps else fact.doc)


def answer_to(scene: Scene, fact: Fact, doc: Wording, asked: str, brief: bool = False) -> Wording:
    """An answer that says only what `doc` says: steps to a question how, and now and then the evidence word by word.

    `brief` takes no steps where there is an answer in prose.
    """
    known = _slots(doc) | {"brand", "city"}
    answers = [a for a in fact.answers if _slots(a) <= known and _suits(a, asked)]
    numbered = [answer for answer in answers if has_steps(answer)]
    prose = [answer for answer in answers if not has_steps(answer)]
    if has_steps(doc) and not (brief and prose):
        return doc
    quotable = not has_steps(doc) and "?" not in doc and len(doc.split()) <= 40
    if quotable and (not answers or scene.draw.random() < 0.15):
        return doc
    wants_steps = bool(PROCEDURE.search(asked.lower())) and not brief
    return scene.draw.choice((numbered if wants_steps else prose) or prose or numbered or [doc])


def beside(scene: Scene, fact: Fact, text: str) -> str:
    """`text`, half of the time with a sentence about something else before or behind it, as in its passage."""
    others = scene.others(fact)
    if not others or scene.draw.random() < 0.5 or "\n" in text:
        return text
    extra = scene.draw.choice(sentences_of(scene.say(scene.draw.choice(scene.draw.choice(others).doc))))
    if len(f"{text} {extra}".split()) > MOST_WORDS:
        return text
    return f"{text} {extra}" if scene.draw.random() < 0.5 else f"{extra} {text}"


def distractors(scene: Scene, *facts: Fact) -> list[Passage]:
    """None to two sources that do not answer: other facts of the document, or of another document."""
    found = []
    for _ in range(scene.draw.choice((0, 1, 1, 1, 2, 2))):
        other = scene if scene.draw.random() < 0.55 else scene.elsewhere()
        choices = other.others(*facts)
        if choices:
            fact = scene.draw.choice(choices)
            text = other.say(scene.draw.choice(fact.doc))
            found.append(other.passage(fact, text if "\n" in text else " ".join(sentences_of(text)[:2])))
    return [p for n, p in enumerate(found) if p.text not in {q.text for q in found[:n]}]


def _place_two(
    scene: Scene, other: Scene, facts: tuple[Fact, Fact], texts: tuple[str, str]
) -> tuple[list[Passage], tuple[int, int]]:
    """Two facts in one source or in two, with at most one distractor; the number of each."""
    draw = scene.draw
    if other is scene and draw.random() < 0.5 and "\n" not in "".join(texts):
        ordered = texts if draw.random() < 0.5 else texts[::-1]
        listed, number = arrange(Passage(scene.title, "", " ".join(ordered)), distractors(scene, *facts)[:1], draw)
        return listed, (number, number)
    listed = [scene.passage(facts[0], texts[0]), other.passage(facts[1], texts[1]), *distractors(scene, *facts)[:1]]
    order = list(range(len(listed)))
    draw.shuffle(order)
    return [listed[n] for n in order], (order.index(0) + 1, order.index(1) + 1)


def _whole(scene: Scene, fact: Fact | None = None, text: str = "") -> str:
    """A passage of three or four facts of a document, one of them as given, in drawn order."""
    others = scene.others(*([fact] if fact else []))
    parts = [scene.say(wording(scene, f)) for f in scene.draw.sample(others, min(3, len(others)))]
    if text:
        parts.insert(scene.draw.randint(0, len(parts)), text)
    plain = not any("\n" in part for part in parts)
    gap = scene.draw.choice((" ", "\n\n", "\n- ")) if plain else "\n\n"
    return ("- " if gap == "\n- " else "") + gap.join(parts)


def _follow_ups(fact: Fact, same: bool, draw: random.Random) -> Sequence[str]:
    return fact.elliptical if same and draw.random() < 0.3 else fact.questions


def _suits(answer: Wording, asked: str) -> bool:
    """Whether an answer that begins with yes or no has a question whether before it."""
    return not re.match(r"(Yes|No)\b", answer) or bool(ASKS_WHETHER.match(asked.lower()))


def _slots(text: Wording) -> frozenset[str]:
    return frozenset(re.findall(r"\{(\w+)\}", text))


def _section(fact: Fact) -> str:
    return fact.id.replace("_", " ").capitalize()


def _ended(question: str) -> str:
    return question if re.search(r"[.!?]$", question) else f"{question}?"
