"""What the documents lack: questions that were declined or whose answers people rejected, alike ones together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from knowledge.embedder import Embedder

__all__ = ["ALIKE", "Gap", "find_gaps"]

# Cosine of two questions that count as one. Of 40 facts of the fact bank asked in up to four wordings, groups made so
# are 0.965 pure (0.95 at 0.5, 0.99 at 0.65); wordings that share nothing stay apart at any (benchmarks/RESULTS.md).
ALIKE = 0.55


@dataclass
class Gap:
    """Questions that are alike, newest first; `declined` and `rejected` count answers, so one may count in both."""

    questions: list[str]
    last: str  # when the newest was asked, ISO 8601
    nearest: str  # source of the document that was found first for it; "" where none was
    declined: int = 0
    rejected: int = 0
    comments: list[str] = field(default_factory=list)


def find_gaps(rows: Sequence[Mapping[str, Any]], embedder: Embedder) -> list[Gap]:
    """Gaps out of logged rows (see `ConversationLog.unhelpful`), the most asked first, of equals the newest.

    Greedy, newest question first: each joins the group whose newest question is nearest, if that is near enough.
    """
    if not rows:
        return []
    vectors = embedder.embed([row["question"] for row in rows])
    gaps: list[Gap] = []
    heads: list[int] = []
    for number, row in enumerate(rows):
        near = vectors[heads] @ vectors[number] if heads else np.zeros(0)
        if heads and near.max() >= ALIKE:
            gap = gaps[int(near.argmax())]
        else:
            gap = Gap([], row["at"], row["nearest"])
            gaps.append(gap)
            heads.append(number)
        if row["question"] not in gap.questions:
            gap.questions.append(row["question"])
        gap.declined += row["declined"]
        gap.rejected += row["rejected"]
        gap.comments += row["comments"]
    return sorted(gaps, key=lambda gap: -(gap.declined + gap.rejected))
