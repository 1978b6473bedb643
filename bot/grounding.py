"""The check: a draft passes unit by unit, or the evidence sentence itself stands in its place."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from bot.drafts import Unit
from bot.evidence import Evidence, EvidenceSource, content_words
from bot.promises import promise_in
from bot.values import find_values
from knowledge.documents import RetrievedChunk
from knowledge.reader import Support

__all__ = ["GroundingGate", "Target", "Verdicts", "close_enough", "find_targets", "is_courtesy"]

ALIGNED = 0.40  # share of a unit's content words that must stand in the evidence for it to be about it
KEPT_WORDS = 0.55  # share of the evidence's content words that the draft must keep
MOST_NEW_WORDS = 0.34  # share of the draft's content words that may stand neither in evidence nor question
PHRASE_WORDS = 18  # a greeting or closing line is short
QUOTE_MARGIN = 0.35  # evidence this close to the best is quoted when the draft left it out
MOST_ANSWER_WORDS = 88
CONTRADICTED = 0.7  # chance by the reader head from which a part that keeps all values is refused all the same
NEGATION = re.compile(r"\b(?:no|not|never|none|cannot|without|nor|neither|unable)\b|n['’]t\b", re.IGNORECASE)

# An opening line rests on no document, so it may only use words of courtesy and of the question itself.
COURTESY = content_words(
    "happy glad good great nice question thanks asking checking sure sorry hear understand let look see know course "
    "plan ahead idea explain details clear welcome pleasure waiting patience telling letting plans change works easy "
    "moment step walk worry problem help happens find answer right away reach touch care matter trouble anything else "
    "question best wishes kind regards team nice day"
)


@dataclass(frozen=True)
class Target:
    """What one part of the answer has to rest on: an evidence sentence, or all steps of a procedure."""

    source: int  # the number it is cited by
    evidence: tuple[Evidence, ...]
    text: str  # readable
    context: str  # title and headings of its passage
    score: float

    @property
    def quote(self) -> str:
        """The evidence as it stands in an answer, with its citation."""
        if len(self.evidence) > 1:
            return f"{self.text} [{self.source}]"
        stop = "" if re.search(r"[.!?:]$", self.text) else "."
        return f"{self.text}{stop} [{self.source}]"


@dataclass
class Verdicts:
    """What the gate did: units passed, quotes put in, reasons of the refusals."""

    passed: int = 0
    passed_values: int = 0
    quoted: int = 0
    quoted_values: int = 0
    reasons: list[str] = field(default_factory=list)

    @property
    def wrote(self) -> float:
        """Share of the value-bearing parts that the model wrote; of all parts where none bears a value."""
        passed, quoted = self.passed_values, self.quoted_values
        if not passed + quoted:
            passed, quoted = self.passed, self.quoted
        return passed / (passed + quoted) if passed + quoted else 0.0


def find_targets(sources: Sequence[EvidenceSource]) -> list[Target]:
    """One target for each evidence sentence; the steps of a source, with their intro, are one target."""
    targets = []
    for source in sources:
        has_steps = sum(item.sentence.kind == "step" for item in source.evidence) > 1
        groups = [source.evidence] if has_steps else [(item,) for item in source.evidence]
        context = " ".join((source.chunk.document.title, *source.chunk.chunk.heading_path))
        for group in groups:
            text = source.text if has_steps else group[0].sentence.plain
            targets.append(Target(source.number, group, text, context, max(e.score for e in group)))
    return targets


def close_enough(targets: Sequence[Target]) -> list[Target]:
    """The targets that an answer should not leave out: those that score nearly as well as the best one."""
    best = max((target.score for target in targets), default=0.0)
    return [target for target in targets if target.score >= best - QUOTE_MARGIN]


def is_courtesy(line: str, asked: frozenset[str] = frozenset()) -> bool:
    """Whether a line claims nothing: all its content words are those of courtesy, or of the question (`asked`)."""
    return content_words(line) <= COURTESY | asked


class GroundingGate:
    """Reads the units of one draft in order and returns the text that may be shown.

    `phrases` are the openings and closings of the voice: lines that its training data repeats. Another line of the kind
    may only use words of courtesy and of the question. Units about the same evidence are judged together: they pass if
    they promise no act (see bot/promises.py), their values stand in that evidence, none of its values is lost, most
    words are kept, few are new, a "not" is neither dropped nor added, and `check` (the reader's, see `Reader.check`)
    finds no contradiction to the passage.
    """

    def __init__(
        self,
        question: str,
        sources: Sequence[EvidenceSource],
        phrases: Iterable[str] = (),
        check: Callable[[Sequence[tuple[str, RetrievedChunk]]], Sequence[Support]] = lambda claims: (),
    ) -> None:
        self._phrases = frozenset(phrases)
        self._check = check
        self._passages = {source.number: source.chunk for source in sources}
        self.targets = find_targets(sources)
        self.verdicts = Verdicts()
        self._asked = content_words(question)
        self._open: list[Unit] = []
        self._about: Target | None = None
        self._covered: set[int] = set()
        self._closing: Unit | None = None
        self._text = ""
        self._gap = ""
        self._steps = 0

    def feed(self, unit: Unit) -> str:
        """Text released by this unit; often that of the part before it."""
        if self._is_opening(unit):
            return self._release(unit.body, "\n\n")
        about = self._align(unit)
        if about is None:
            self._set_aside(unit)
            return ""
        if about is self._about and any(content_words(said.body) == content_words(unit.body) for said in self._open):
            return ""
        released = "" if about is self._about else self._flush()
        self._about = about
        self._open.append(unit)
        return released

    def close(self) -> str:
        """The rest: the last part, evidence the draft left out, and the closing line."""
        released = self._flush()
        released += self._quote_missing()
        if self._closing is not None:
            released += self._release("\n\n" + self._closing.body, "")
        return released

    def _is_opening(self, unit: Unit) -> bool:
        fresh = not self._text and not self._open and unit.ends_paragraph and _is_phrase(unit)
        return fresh and not re.match(r"(?i)(yes|no)\b", unit.body) and self._claims_nothing(unit)

    def _claims_nothing(self, unit: Unit) -> bool:
        known = unit.body in self._phrases or is_courtesy(unit.body, self._asked)
        return known and not promise_in(unit.body)

    def _set_aside(self, unit: Unit) -> None:
        if _is_phrase(unit) and self._claims_nothing(unit):
            self._closing = None if unit.body in self._text else unit
        else:
            self.verdicts.reasons.append(f"rests on no evidence: {unit.body}")

    def _align(self, unit: Unit) -> Target | None:
        words = content_words(unit.body)
        if _is_phrase(unit) and unit.body.endswith("?"):
            return None
        best, best_share = None, 0.0
        for target in self.targets:
            known = content_words(target.text) | content_words(target.context)
            share = len(words & known) / len(words) if words else 0.0
            share += 0.1 * (target.source in unit.marks) + 0.05 * (unit.step and target is self._about)
            if share > best_share:
                best, best_share = target, share
        return best if best_share >= ALIGNED else None

    def _flush(self) -> str:
        units, target = self._open, self._about
        self._open, self._about = [], None
        if target is None or id(target) in self._covered:
            return ""
        self._covered.add(id(target))
        fault = _fault(units, target, self._asked) or self._contradiction(units, target)
        bears_value = bool(find_values(target.text))
        if fault is None:
            self.verdicts.passed += 1
            self.verdicts.passed_values += bears_value
            return self._release(self._written(units, target.source), " ")
        self.verdicts.reasons.append(fault)
        return self._quote(target)

    def _contradiction(self, units: Sequence[Unit], target: Target) -> str | None:
        said = " ".join(unit.body for unit in units)
        found = self._check([(said, self._passages[target.source])])
        denied = bool(found) and found[0].contradicted >= CONTRADICTED
        return f"the passage says otherwise: {said}" if denied else None

    def _written(self, units: Sequence[Unit], source: int) -> str:
        """The units as they stand in the answer: steps on numbered lines, counted on, and one citation at the end."""
        text = ""
        for unit in units:
            self._steps = self._steps + 1 if unit.step else 0
            text += f"\n{self._steps}. {unit.body}" if unit.step else f" {unit.body}"
        return f"{text.strip(' ') if units[0].step and self._text else text.strip()} [{source}]"

    def _quote(self, target: Target) -> str:
        self._steps = 0
        self.verdicts.quoted += 1
        self.verdicts.quoted_values += bool(find_values(target.text))
        return self._release(target.quote, "\n" if len(target.evidence) > 1 else " ")

    def _quote_missing(self) -> str:
        missing = [
            target
            for target in close_enough(self.targets)
            if id(target) not in self._covered and target.text not in self._text
        ]
        released = ""
        for target in sorted(missing, key=lambda t: -t.score):
            room = len((self._text + target.quote).split()) <= MOST_ANSWER_WORDS
            if room or not self.verdicts.passed + self.verdicts.quoted:
                self._covered.add(id(target))
                released += self._quote(target)
        return released

    def _release(self, text: str, gap: str) -> str:
        before = "" if not self._text or self._text.endswith("\n") or text.startswith("\n") else self._gap
        self._gap = gap
        self._text += before + text
        if gap == "\n\n":
            self._text += gap
            return before + text + gap
        return before + text


def _is_phrase(unit: Unit) -> bool:
    return not unit.marks and not unit.step and len(unit.body.split()) <= PHRASE_WORDS and not find_values(unit.body)


def _fault(units: Sequence[Unit], target: Target, asked: frozenset[str]) -> str | None:
    """Why `units` may not stand for `target`, or None."""
    said = " ".join(unit.body for unit in units)
    promise = promise_in(said)
    if promise and promise.lower() not in target.text.lower():
        return f"promises what nobody did: {promise}"
    invented = find_values(said) - find_values(target.text)
    if invented:
        return f"values that the evidence does not have: {', '.join(sorted(invented))}"
    lost = find_values(target.text) - find_values(said)
    if lost:
        return f"values lost: {', '.join(sorted(lost))}"
    wanted, words = content_words(target.text), content_words(said)
    whole = [unit.body for unit in units if len(content_words(unit.body) & wanted) >= 0.5 * len(wanted)]
    if any(bool(NEGATION.search(part)) != bool(NEGATION.search(target.text)) for part in [said, *whole]):
        return f"a 'not' was dropped or added: {said}"
    if wanted and len(wanted & words) / len(wanted) < KEPT_WORDS:
        return f"too little kept: {said}"
    new = words - wanted - content_words(target.context) - asked
    if words and len(new) / len(words) > MOST_NEW_WORDS:
        return f"too much added: {said}"
    return None
