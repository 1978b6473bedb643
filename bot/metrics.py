"""Metrics of an evaluation run and their 95 % intervals; the extractor here shares no code with the gate."""

import math
import random
import re
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from bot.answer import Answer, Outcome
from bot.golden import GoldenQuestion
from tone_tuning.reading.scores import wilson

__all__ = ["Judged", "bootstrap", "has_expected", "judge", "normalise", "rate", "summarise", "unsupported_values"]

WORD_LIMIT, LONG_WORD_LIMIT = 120, 200
MARK = re.compile(r"\s*\[\d{1,2}\]")
VALUE = re.compile(
    r"[\w.+-]+@[\w-]+\.[\w.-]*\w|https?://[^\s)\]>\"']*[\w/]|www\.[^\s)\]>\"']*[\w/]|\d+(?:[.,:/-]\d+)*",
)
STRAIGHT = str.maketrans({"‘": "'", "’": "'", "“": '"', "”": '"', "–": "-", "—": "-", "‑": "-", "\u00a0": " "})


@dataclass(frozen=True)
class Judged:
    """One answer beside its golden question."""

    golden: GoldenQuestion
    answer: Answer
    correct: bool
    cited_right: bool
    unsupported: tuple[str, ...]
    draft_unsupported: tuple[str, ...]
    words: int

    @property
    def declined(self) -> bool:
        """Asked back, abstained or handed over."""
        return self.answer.outcome is not Outcome.ANSWERED


def normalise(text: str) -> str:
    """Lower case, straight quotes and dashes, white space folded, no citation marks."""
    return re.sub(r"\s+", " ", MARK.sub("", text).translate(STRAIGHT)).strip().lower()


def judge(golden: GoldenQuestion, answer: Answer) -> Judged:
    """Compare one answer with what was expected; an unanswerable question is right when it was declined."""
    words = len(MARK.sub("", answer.text).split())
    answered = answer.outcome is Outcome.ANSWERED
    text = normalise(answer.text)
    limit = LONG_WORD_LIMIT if golden.type in ("procedure", "multi") else WORD_LIMIT
    holds = has_expected(golden, answer.text)
    clean = not any(normalise(word) in text for word in golden.must_not_contain)
    cited = {citation.document for citation in answer.citations}
    gold = set(golden.gold_docs)
    cited_right = bool(gold) and (gold <= cited if golden.type == "multi" else bool(gold & cited))
    return Judged(
        golden,
        answer,
        correct=(answered and holds and clean and words <= limit) if golden.answerable else not answered,
        cited_right=cited_right,
        unsupported=unsupported_values(answer.text, answer) if answered else (),
        draft_unsupported=unsupported_values(answer.draft, answer) if answered else (),
        words=words,
    )


def has_expected(golden: GoldenQuestion, text: str) -> bool:
    """Whether a text has one alternative of every group of expected words."""
    read = normalise(text)
    return all(any(normalise(word) in read for word in group) for group in golden.must_contain)


def unsupported_values(text: str, answer: Answer) -> tuple[str, ...]:
    """Numbers, dates, prices, e-mails, links and phones of `text` that stand in no cited passage."""
    known = " ".join(citation.passage for citation in answer.citations)
    allowed = {_bare(value) for value in VALUE.findall(known.translate(STRAIGHT))}
    said = MARK.sub("", re.sub(r"(?m)^\s*\d{1,2}[.)]\s", "", text)).translate(STRAIGHT)
    return tuple(dict.fromkeys(value for value in VALUE.findall(said) if _bare(value) not in allowed))


def _bare(value: str) -> str:
    value = value.lower().rstrip(".,:/-")
    return value.replace(",", "") if value[:1].isdigit() else value


def rate(hits: int, n: int) -> dict[str, float | int | None]:
    """A share with its Wilson interval (Wilson 1927); all None but n when there is nothing to count."""
    if not n:
        return {"value": None, "n": 0, "low": None, "high": None}
    low, high = wilson(hits, n)
    return {"value": hits / n, "n": n, "low": low, "high": high}


def bootstrap(
    values: Sequence[float], statistic: Callable[[Sequence[float]], float] = statistics.fmean, rounds: int = 1000
) -> dict[str, float | int | None]:
    """A statistic with its percentile bootstrap interval, the same for the same values (fixed seed)."""
    if not values:
        return {"value": None, "n": 0, "low": None, "high": None}
    draw = random.Random(0)
    drawn = sorted(statistic(draw.choices(values, k=len(values))) for _ in range(rounds))
    low, high = drawn[int(0.025 * rounds)], drawn[int(0.975 * rounds)]
    return {"value": statistic(values), "n": len(values), "low": low, "high": high}


def summarise(rows: Sequence[Judged]) -> dict[str, Any]:
    """Every metric of the report over the judged answers."""
    answerable = [row for row in rows if row.golden.answerable]
    answered = [row for row in rows if not row.declined]
    good = [row for row in answerable if not row.declined]
    declined = [row for row in rows if row.declined]
    unanswerable = [row for row in rows if not row.golden.answerable]
    given = [(c.document in row.golden.gold_docs) for row in good for c in row.answer.citations]
    return {
        "correctness": rate(sum(row.correct for row in answerable), len(answerable)),
        "citation_precision": rate(sum(given), len(given)),
        "citation_recall": rate(sum(row.cited_right for row in good), len(good)),
        "refusal_precision": rate(sum(not row.golden.answerable for row in declined), len(declined)),
        "refusal_recall": rate(sum(row.declined for row in unanswerable), len(unanswerable)),
        "unsupported_rate": rate(sum(bool(row.unsupported) for row in answered), len(answered)),
        "draft_unsupported_rate": rate(sum(bool(row.draft_unsupported) for row in answered), len(answered)),
        "wrote": bootstrap([row.answer.wrote for row in answered]),
        "words": bootstrap([row.words for row in answered], statistics.median),
        **_retrieval(answerable),
        "seconds": {
            name: {**bootstrap(times, statistics.median), "p95": _p95(times)}
            for name, times in (
                ("first", [row.answer.seconds["first"] for row in rows if "first" in row.answer.seconds]),
                ("total", [row.answer.seconds["total"] for row in rows if "total" in row.answer.seconds]),
            )
        },
    }


def _retrieval(rows: Sequence[Judged]) -> dict[str, Any]:
    ranks = [_rank(row) for row in rows if row.golden.gold_docs]
    return {
        "recall_at_1": rate(sum(rank == 1 for rank in ranks), len(ranks)),
        "recall_at_5": rate(sum(0 < rank <= 5 for rank in ranks), len(ranks)),
        "mrr": bootstrap([1 / rank if rank else 0.0 for rank in ranks]),
    }


def _rank(row: Judged) -> int:
    """Rank of the first gold document among the distinct documents retrieved; 0 when none was."""
    documents = list(dict.fromkeys(found.document for found in row.answer.retrieved))
    return next((place for place, name in enumerate(documents, 1) if name in row.golden.gold_docs), 0)


def _p95(times: Sequence[float]) -> float | None:
    return sorted(times)[min(len(times) - 1, math.ceil(0.95 * len(times)) - 1)] if times else None
