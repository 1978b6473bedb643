"""The voice guide: checkable features of a house tone, and the share of them that replies meet."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tone_tuning.errors import DataSetError

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
    except (OSError, yaml.YAMLError) as error:
        raise DataSetError(
            f"The voice guide '{path}' cannot be read ({str(error).splitlines()[0]}): check it."
        ) from error
    known = set(VoiceGuide.__dataclass_fields__)
    if not isinstance(content, dict) or set(content) - known or "name" not in content:
        raise DataSetError(
            f"The voice guide '{path}' may only have the fields {', '.join(sorted(known))}, and needs a name."
        )
    return VoiceGuide(**{**content, "banned": tuple(content.get("banned") or ())})


def check_voice(guide: VoiceGuide, reply: str, procedure: bool = False) -> dict[str, bool]:
    """Each checkable feature of one reply: True where it is met. `steps` is there only for a procedure."""
    paragraphs = [part.strip() for part in re.split(r"\n\s*\n", reply.strip()) if part.strip()]
    bare = MARK.sub("", reply)
    sentences = [s for s in re.split(r"(?<=[.!?])\s+|\n+", bare) if s.strip()]
    found = {
        "opening": _is_line(paragraphs[:1], guide.opening_words) and len(paragraphs) > 1,
        "closing": _is_line(paragraphs[-1:], guide.closing_words) and len(paragraphs) > 1,
        "emoji": guide.emoji or not EMOJI.search(reply),
        "exclamations": reply.count("!") <= guide.exclamation_marks,
        "sentence length": all(len(s.split()) <= guide.sentence_words for s in sentences if not STEP.match(s)),
        "banned words": not any(re.search(rf"\b{re.escape(word)}\b", bare, re.IGNORECASE) for word in guide.banned),
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


def _is_line(paragraphs: Sequence[str], most_words: int) -> bool:
    """Whether the one paragraph is a short line without a citation, or none is wanted."""
    if most_words == 0:
        return True
    line = paragraphs[0] if paragraphs else ""
    return bool(line) and "\n" not in line and not MARK.search(line) and len(line.split()) <= most_words


def _share(met: Sequence[bool]) -> dict[str, Any]:
    n = len(met)
    if not n:
        return {"value": None, "n": 0, "low": None, "high": None}
    share, z2 = sum(met) / n, 1.959964**2
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = math.sqrt(z2) * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    return {"value": share, "n": n, "low": centre - half, "high": centre + half}
