"""Constrained copying: while a reply is written, a number may only be one that stands in its sources or question."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from transformers import LogitsProcessor

__all__ = ["CopyNumbers", "digit_pieces"]

MOST_STEPS = 12  # numbers that a line may begin with, for steps
RUN = re.compile(r"\d+")


def digit_pieces(tokenizer: Any) -> dict[int, str]:  # noqa: ANN401 - a transformers tokenizer
    """The tokens that hold a digit, with their text; in SmolLM2 each digit is a token of its own."""
    texts = tokenizer.batch_decode([[n] for n in range(len(tokenizer))])
    return {n: text for n, text in enumerate(texts) if RUN.search(text)}


class CopyNumbers(LogitsProcessor):
    """Forbids the tokens that would begin, continue or break off a number which the prompt does not have.

    `prompts` holds for each row of the batch its number of sources and the text that numbers may be taken from;
    the reply of each row begins at `start`. `[n]` may be the number of a source, and a line may begin with a small
    number. Numbers are compared digit by digit between other signs: "1,000" is a 1 and a 000.
    """

    def __init__(
        self,
        tokenizer: Any,  # noqa: ANN401
        pieces: Mapping[int, str],
        prompts: Sequence[tuple[int, str]],
        start: int,
    ) -> None:
        self.tokenizer, self.pieces, self.start = tokenizer, pieces, start
        self.known = [frozenset(RUN.findall(text)) for _, text in prompts]
        self.marks = [frozenset(map(str, range(1, sources + 1))) for sources, _ in prompts]

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """`scores` (rows x vocabulary) with minus infinity at what is forbidden."""
        scores = scores.clone()
        for row, ids in enumerate(input_ids[:, self.start :].tolist()):
            line = self.tokenizer.decode(ids, skip_special_tokens=True).rsplit("\n", 1)[-1]
            wrong = [token for token, piece in self.pieces.items() if not self._fits(row, line, piece)]
            scores[row, wrong] = -torch.inf
            if not self._fits(row, line, " "):  # in the middle of a number: only its next digit may follow
                kept = scores[row, list(self.pieces)].clone()
                scores[row] = -torch.inf
                scores[row, list(self.pieces)] = kept
        return scores

    def _fits(self, row: int, line: str, piece: str) -> bool:
        """Whether the numbers that `piece` would add to, or end, are among those allowed where they stand."""
        said = line.rstrip("0123456789")
        text = line + piece
        for run in RUN.finditer(text, len(said)):
            allowed = self._allowed(row, text[: run.start()])
            ends = run.end() < len(text)
            if run[0] not in allowed if ends else not any(number.startswith(run[0]) for number in allowed):
                return False
        return True

    def _allowed(self, row: int, before: str) -> frozenset[str]:
        if before.endswith("["):
            return self.marks[row]
        at_line_start = not before.rsplit("\n", 1)[-1].strip()
        return self.known[row] | (frozenset(map(str, range(1, MOST_STEPS + 1))) if at_line_start else frozenset())
