"""Who may see a document: everybody ("public"), staff ("internal"), or named groups."""

import re
from collections.abc import Iterable

from knowledge.errors import TermsError

__all__ = [
    "CUSTOMER",
    "INTERNAL",
    "PUBLIC",
    "STAFF",
    "audience_of",
    "may_see",
    "part_of",
    "parts_of",
    "parts_with",
    "who_asks",
]

PUBLIC, INTERNAL = "public", "internal"
CUSTOMER = frozenset({PUBLIC})
STAFF = frozenset({PUBLIC, INTERNAL})
GROUP = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?")  # ends as the name of a collection may
MOST_GROUPS = 10  # for one document; a collection is called by all of them, in at most 512 letters
PAST = "past"  # no group may be called so: it ends the name of the part with retired passages


def audience_of(text: str) -> str:
    """An audience in its one spelling: "public", "internal", or groups in order ("trade,vip").

    Raises:
        TermsError: a name is no group, there are too many, or "public" stands beside others.
    """
    names = sorted({name.strip().lower() for name in text.split(",")})
    for name in names:
        if not GROUP.fullmatch(name) or name == PAST:
            raise TermsError(
                f"'{name}' is no audience: use public, internal, or names of groups (small letters, digits, hyphens)."
            )
    if len(names) > MOST_GROUPS:
        raise TermsError(f"{len(names)} groups are too many for one document: name at most {MOST_GROUPS}.")
    if PUBLIC in names and len(names) > 1:
        raise TermsError(f"'{text}' names public beside others: a public document is for everybody already.")
    return ",".join(names)


def who_asks(text: str) -> frozenset[str]:
    """What somebody of these groups may see: theirs and what is public.

    Raises:
        TermsError: a name is no group.
    """
    names = {name for name in text.split(",") if name.strip()} or {PUBLIC}
    return CUSTOMER | {audience_of(name) for name in names}


def may_see(audience: str, asking: Iterable[str]) -> bool:
    """Whether somebody who belongs to the groups `asking` may see a document for `audience`."""
    return not set(audience.split(",")).isdisjoint(asking)


def part_of(audience: str, is_past: bool = False) -> str:
    """The part of the vector store for passages of an audience; what is out of force lies apart."""
    return audience.replace(",", "_") + (f".{PAST}" if is_past else "")


def parts_of(audiences: Iterable[str], with_past: bool) -> list[str]:
    """The parts with the passages of several audiences, those with retired ones too if asked for."""
    return [part_of(audience, past) for audience in audiences for past in ((False, True) if with_past else (False,))]


def parts_with(part: str) -> set[str]:
    """Where the vectors of a part may be: it, and for a retired one also the part they were in before.

    What goes out of force by the calendar alone stays where it is until something moves it.
    """
    return {part, part.removesuffix(f".{PAST}")}
