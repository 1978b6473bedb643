"""The voice guide: checkable features of a house tone, and the share of them that replies meet."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tone_tuning.errors import DataSetError, reason

__all__ = ["VoiceGuide", "check_voice", "read_voice", "tone_rates"]

MARK = re.compile(r"\s*\[\d{1,2}\]")
EMOJI = re.compile("[\U0001f000-\U0001faff\u2600-\u27bf\ufe0f]")
STEP = re.compile(r"(?m)^\s*\d{1,2}[.)]\s")


@dataclass(frozen=True)
class VoiceGuide:
    """What a reply in the house voice looks like; see examples/voice.yaml for each field in use."""

    name: str
    opening_words: int = 18  # longest opening line; 0: no opening line wanted
    closing_words: int = 18  # longest closing line; 0: none wanted
    citations: bool = True
    numbered_steps: bool = True
    emoji: bool = False
    exclamation_marks: int = 1  # most in a reply
    sentence_words: int = 32  # longest sentence
    banned: tuple[str, ...] = ()


def read_voice(path: Path) -> VoiceGuide:
    """The guide in a YAML file.

    Raises:
        DataSetError: it cannot be read, or has a field that is not known.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise DataSetError(f"The voice guide '{path}' cannot be read ({reason(error)}): check it.") from error
    known = VoiceGuide.__dataclass_fields__
    if not isinstance(content, dict) or set(content) - set(known) or "name" not in content:
        raise DataSetError(
            f"The voice guide '{path}' may only have the fields {', '.join(sorted(known))}, and needs a name."
        )
    banned = content.pop("banned", None) or []
    wrong = [name for name, value in content.items() if not _fits(value, known[name].type)]
    if not isinstance(banned, list) or not all(isinstance(word, str) and word for word in banned):
        wrong.append("banned")
    if wrong:
        raise DataSetError(
            f"The voice guide '{path}' has wrong values for {', '.join(wrong)}: name is a text, banned a list of "
            "words, numbers are whole and not negative, the others true or false."
        )
    return VoiceGuide(**content, banned=tuple(banned))


def check_voice(guide: VoiceGuide, reply: str, procedure: bool = False) -> dict[str, bool]:
    """Each checkable feature of one reply: True where it is met. `steps` is there only for a procedure."""
    paragraphs = [part.strip() for part in re.split(r"\n\s*\n", reply.strip()) if part.strip()]
    bare = MARK.sub("", reply)
    running = "\n".join(line for line in bare.splitlines() if not STEP.match(line))
    sentences = re.split(r"(?<=[.!?])\s+|\n+", running)
    found = {
        "opening": guide.opening_words == 0 or _is_line(paragraphs, 0, guide.opening_words),
        "closing": guide.closing_words == 0 or _is_line(paragraphs, -1, guide.closing_words),
        "emoji": guide.emoji or not EMOJI.search(reply),
        "exclamations": reply.count("!") <= guide.exclamation_marks,
        "sentence length": all(len(s.split()) <= guide.sentence_words for s in sentences),
        "banned words": not any(_says(bare, word) for word in guide.banned),
    }
    if guide.citations:
        found["citations"] = bool(re.search(r"\[\d{1,2}\]", reply))
    if procedure and guide.numbered_steps:
        found["steps"] = len(STEP.findall(reply)) >= 2
    return found


def tone_rates(guide: VoiceGuide, replies: Sequence[str], procedures: Sequence[bool]) -> dict[str, Any]:
    """Share of features met over all replies with a Wilson interval, and the share of each feature in `features`."""
    checks = [check_voice(guide, reply, steps) for reply, steps in zip(replies, procedures, strict=True)]
    flat = [met for check in checks for met in check.values()]
    names = sorted({name for check in checks for name in check})
    features = {name: _share([check[name] for check in checks if name in check])["value"] for name in names}
    return {**_share(flat), "features": features}


def _fits(value: object, kind: object) -> bool:
    """Whether a YAML value is of a field's type; a whole number is not negative."""
    return type(value) is kind and not (isinstance(value, int) and value < 0)


def _says(text: str, word: str) -> bool:
    """Whether `word`, which may be several or end in a sign, stands in `text` as a word of its own."""
    return bool(re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text, re.IGNORECASE))


def _is_line(paragraphs: Sequence[str], which: int, most_words: int) -> bool:
    """Whether that paragraph is a short line without a citation, beside another one that answers."""
    line = paragraphs[which] if len(paragraphs) > 1 else ""
    return bool(line) and "\n" not in line and not MARK.search(line) and len(line.split()) <= most_words


def _share(met: Sequence[bool]) -> dict[str, Any]:
    n = len(met)
    if not n:
        return {"value": None, "n": 0, "low": None, "high": None}
    share, z2 = sum(met) / n, 1.959964**2
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = math.sqrt(z2) * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    low, high = min(share, max(0.0, centre - half)), max(share, min(1.0, centre + half))  # rounding at 0 and 1
    return {"value": share, "n": n, "low": low, "high": high}
