"""Promises: sentences that say something was done, or will be, though nobody but a person can do it."""

import re

__all__ = ["promise_in"]

DONE = (
    "refunded|cancelled|canceled|transferred|sent|shipped|dispatched|issued|credited|charged|booked|ordered|reordered|"
    "changed|updated|corrected|escalated|forwarded|passed|connected|contacted|called|emailed|arranged|scheduled|processed|"
    "reported|registered|deleted|removed|closed|opened|created|applied|added|extended|replaced|reset|unlocked|upgraded|"
    "approved|granted|confirmed|reserved|returned|resent|fixed|activated|waived|notified|informed|initiated|submitted"
)
DOING = (
    "refunding|cancell?ing|transferring|sending|shipping|issuing|crediting|booking|ordering|changing|updating|escalating|"
    "forwarding|passing|connecting|contacting|calling|arranging|scheduling|processing|deleting|removing|applying|"
    "extending|replacing|resetting|unlocking|upgrading|approving|reserving|waiving|putting you through"
)
DO = (
    "refund|cancel|transfer|send|ship|issue|credit|book|order|change|update|escalate|forward|pass|connect|contact|call|"
    "email|arrange|schedule|process|delete|remove|apply|extend|replace|reset|unlock|upgrade|approve|reserve|waive|"
    "put you through|take care of"
)
AND = r"(?:(?:just|already|now|also|gladly|happily|immediately|personally|gone ahead and)\s+)*"
MINE = r"\b(?:I|we)"
THINGS = r"\b(?:your|the|this|that)\s+(?:[\w-]+\s+){0,3}?(?:has|have)\s+(?:just |already |now )?been\s+"
PROMISES = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"{MINE}(?:['’]ve|\s+have|\s+had)?\s+{AND}(?:{DONE})\b",
        rf"{MINE}(?:['’](?:m|re)|\s+am|\s+are)\s+{AND}(?:{DOING})\b",
        rf"\bI(?:['’]ll|\s+will|\s+shall|['’]m going to|\s+am going to)\s+{AND}(?:{DO})\b",
        rf"{THINGS}(?:{DONE})\b",
    )
)


def promise_in(text: str) -> str:
    """The first words of `text` that promise an act or say it is done; "" where there are none.

    "We send refunds within 5 days" and "we will send you a label" are rules and none; "I have sent your refund",
    "I will send it" and "your refund has been sent" are.
    """
    found = [match for pattern in PROMISES if (match := pattern.search(text))]
    return min(found, key=lambda match: match.start())[0] if found else ""
