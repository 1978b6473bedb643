"""Whether two claims speak of the same thing, by their names and the words that tell one case from another."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from knowledge.claims import Claim, stems
from knowledge.lexical import STOP_WORDS
from knowledge.quantities import stem

__all__ = ["Names", "Subject", "are_apart", "doubts", "strangers"]

LOWER_SHARE = 0.5  # a word written small more than half as often as large inside sentences is no name
COMMON_SHARE = 0.25  # a name in so many documents is that of the company, and tells nothing apart
TOKEN = re.compile(r"[A-Z][A-Za-z]*-?\d\w*|[A-Za-z]+|\d[\w.]*|[^\w\s]")
POSSESSIVE = re.compile(r"['’]s\b")
CODE = re.compile(r"[A-Z]+-?\d+\w*|\w*[a-z][A-Z]\w*")  # WK-170, EcoCard
ADDRESS = re.compile(r"\]\([^)]*\)|\S*[/@_`#]\S*")
CAPITALS = re.compile(r"(?<=[a-z,;(/–-] )[A-Z]\w*(?: [A-Z]\w*)*")
TIER = re.compile(
    r"\b(tier|level|phase|step|option|plan|zone|class|part|section|version|chapter|stage|grade|band|type|group)s? ?"
    r"(\d+|[A-Z])\b",
    re.IGNORECASE,
)
NEGATION = re.compile(r"\b(?:without|not|except|unless|cannot|never)\b|n['’]t\b|\bnon\W", re.IGNORECASE)
# Words that stand for different cases: only one of each line can be meant.
CASES = """small compact mini|large big
standard normal|express expedited overnight
domestic|international foreign abroad
incoming receive receiving|outgoing send sending
daily day|weekly week|monthly month|quarterly quarter|annual yearly annually year
minimum least|maximum most
first|second|third
monday|tuesday|wednesday|thursday|friday|saturday|sunday
january|february|march|april|june|july|august|september|october|november|december
business trade wholesale|private personal individual household
new|existing verified|refurbished|used
debit|credit
checking|savings
adult|child children|student|senior
manual manually|automatic automatically
deposit deposits|withdrawal withdraw withdrawals
staging|production|integration
basic|premium|pro
sick|annual|parental|military"""
ALTERNATIVES = [[stems(words) for words in line.split("|")] for line in CASES.split("\n")]
# Titles are full of these, and no subject is called so.
NO_NAME = stems(
    "faq faqs summary guide notes note overview glance complete quick answer answers question questions help page "
    "sheet cheat reference details key facts information info internal customers customer phone team front desk ask "
    "list policy policies monday tuesday wednesday thursday friday saturday sunday"
)
NO_PREFIX = NO_NAME | frozenset(map(stem, ("how", "why", "what", "when", "about", "with", "your", "our", "the", "for")))
# Words that modify nothing: the word after one stands alone.
FREE_WORDS = (
    "per each every other new more same within until before after than up least most also only last total maximum "
    "minimum max both these those such our once since during over under via then usually typical all first"
)
NO_MODIFIER = STOP_WORDS.union(FREE_WORDS.split())
OFTEN_LY = {"daily", "weekly", "monthly", "quarterly", "yearly", "early"}
PLAIN_HEADERS = stems("price amount value detail details fee cost costs charge total limit time when how long")
NAMED_CELL = re.compile(r"^(.{1,120}): ([^:]{1,60}): ")
LABELLED = re.compile(r"^[^.!?]{1,80}: [^.!?]{0,60}$|^[^.!?:]{1,60}:[^.!?:]{1,60}$")
Around = dict[str, set[str]]


@dataclass
class Subject:
    """What a claim is about: its names with the capitalised words beside them, modifiers of nouns, numbered tiers.

    `before`, `after` and `modifiers` map a stem to the stems beside it; "" stands for none.
    """

    claim: Claim
    names: frozenset[str]
    known: frozenset[str]
    before: Around = field(default_factory=dict)
    after: Around = field(default_factory=dict)
    modifiers: Around = field(default_factory=dict)
    tiers: Around = field(default_factory=dict)


class Names:
    """Tells names from words by how the company writes them: in titles, a sample of documents, and passages at hand."""

    def __init__(self, titles: Sequence[str], sample: Sequence[str], near: Sequence[str]) -> None:
        lines = [line for text in (*sample, *near) for line in text.split("\n") if not line.startswith("#")]
        running = ADDRESS.sub("", "\n".join([*lines, *filter(_is_sentence_case, titles)]))
        inside = [word for match in CAPITALS.findall(running) for word in match.split()]
        self.small = _by_stem(re.findall(r"\b[a-z]+", running))
        self.large = _by_stem(inside)
        self.titled = frozenset(stem(word) for title in titles for word in re.findall(r"\b[A-Z]\w+", title))
        shares: Counter[str] = Counter()
        for text in sample:
            shares.update({stem(word) for word in set(re.findall(r"\b[A-Z]\w+", text))})
        self.common = frozenset(key for key, n in shares.items() if n >= max(3, COMMON_SHARE * len(sample)))

    def subject(self, claim: Claim, source: str) -> Subject:
        """The subject of a claim in a document of that path: a file name often says which product a page is about."""
        file = re.findall(r"[a-z]+", source.rsplit("/", 1)[-1].rsplit(".", 1)[0].lower())
        named = frozenset(key for key in map(stem, file) if key in self.titled and not self.small[key]) - NO_NAME
        tokens = TOKEN.findall(POSSESSIVE.sub("", claim.parted))
        begins = [at == 0 or not (tokens[at - 1][0].isalnum()) for at in range(len(tokens))]
        is_name = [self._is_name(token, first) for token, first in zip(tokens, begins, strict=True)]
        names = frozenset(stem(token) for token, name in zip(tokens, is_name, strict=True) if name)
        subject = Subject(claim, names | named, claim.all_words | named)
        for at, token in enumerate(tokens):
            if is_name[at]:
                previous = tokens[at - 1] if not begins[at] else ""
                following = tokens[at + 1] if at + 1 < len(tokens) else ""
                counts = previous[:1].isupper() and not previous.endswith("ing") and stem(previous) not in NO_PREFIX
                subject.before.setdefault(stem(token), set()).add(stem(previous) if counts else "")
                counts = following[:1].isupper() and stem(following) not in NO_NAME
                subject.after.setdefault(stem(token), set()).add(stem(following) if counts else "")
        subject.modifiers = _modifiers(tokens)
        for match in TIER.finditer(f"{claim.about} . {claim.text}"):
            subject.tiers.setdefault(match[1].lower(), set()).add(match[2].lower())
        return subject

    def _is_name(self, word: str, first: bool) -> bool:
        """Whether a word is one; `first` in a sentence or heading it needs to be seen inside of one too."""
        if CODE.fullmatch(word):
            return True
        key = stem(word)
        if not word[0].isupper() or len(word) < 2 or word.endswith("ing") or key in NO_NAME:
            return False
        return self.small[key] <= LOWER_SHARE * self.large[key] and (not first or self.large[key] > 0)


def _by_stem(words: Iterable[str]) -> Counter[str]:
    found: Counter[str] = Counter()
    for word, count in Counter(words).items():
        found[stem(word)] += count
    return found


def _is_sentence_case(title: str) -> bool:
    """Whether most of the longer words after the first are written small."""
    words = [word for word in title.split()[1:] if len(word) > 3]
    return sum(word[0].islower() for word in words) * 2 >= len(words) > 0


def are_apart(a: Subject, b: Subject, common: frozenset[str]) -> bool:
    """Whether the two are surely about different things, whatever else their sentences share."""
    if strangers(a, b, common) and strangers(b, a, common):
        return True
    if _is_other_row(a, b, common) or _is_other_row(b, a, common):
        return True
    for name in a.before.keys() & b.before.keys():  # Blue and Light Blue, Green Account and Green Fee-Free
        if not a.before[name] & b.before[name]:
            return True
        if not a.after[name] & b.after[name] and "" not in a.after[name] | b.after[name]:
            return True
    for noun in a.modifiers.keys() & b.modifiers.keys():
        if not a.modifiers[noun] & b.known and not b.modifiers[noun] & a.known:
            return True
    if any(not a.tiers[word] & b.tiers[word] for word in a.tiers.keys() & b.tiers.keys()):
        return True
    return _other_case(a, b) or _other_label(a.claim, b.claim)


def _is_other_row(a: Subject, b: Subject, common: frozenset[str]) -> bool:
    """Whether a is a table row about something with a name or number that b does not know."""
    row, other = (NAMED_CELL.match(subject.claim.text) for subject in (a, b))
    if not row:
        return False
    ours, theirs = (set(re.findall(r"\d[\d.]*", match[1])) if match else set() for match in (row, other))
    return bool(strangers(a, b, common) & stems(row[1])) or bool(ours and theirs and not ours & theirs)


def doubts(a: Subject, b: Subject, common: frozenset[str]) -> float:
    """What to take off the likeness of two claims (in cosine) because one says something that the other does not."""
    found = 0.0
    for one, other in ((a, b), (b, a)):
        found += 0.1 * any("-" not in name for name in strangers(one, other, common))
        found += 0.03 * _has_foreign_lead(one.claim, other.claim)
    found += 0.06 * (bool(NEGATION.search(a.claim.text)) != bool(NEGATION.search(b.claim.text)))
    return found + 0.06 * (_has_foreign_header(a.claim, b.claim) or _has_foreign_header(b.claim, a.claim))


def strangers(one: Subject, other: Subject, common: frozenset[str]) -> frozenset[str]:
    """Names of one that the other does not know."""
    return one.names - other.known - common


def _modifiers(tokens: Iterable[str]) -> Around:
    """Each content word with the content words that stand right before it."""
    found: Around = {}
    previous = ""
    for token in tokens:
        word = token.lower()
        is_adverb = word.endswith("ly") and word not in OFTEN_LY
        if not word[0].isalpha() or len(word) < 2 or word in NO_MODIFIER or is_adverb:
            previous = ""
            continue
        if previous and previous != stem(word):
            found.setdefault(stem(word), set()).add(previous)
        previous = stem(word)
    return found


def _other_case(a: Subject, b: Subject) -> bool:
    for alternatives in ALTERNATIVES:
        ours = {n for n, words in enumerate(alternatives) if words & a.known}
        theirs = {n for n, words in enumerate(alternatives) if words & b.known}
        if ours and theirs and not ours & theirs:
            return True
    return False


def _other_label(a: Claim, b: Claim) -> bool:
    """Both are a label with a value, and each has a word that the other does not know."""
    both = LABELLED.match(a.text) and LABELLED.match(b.text)
    return bool(both and a.words - b.all_words and b.words - a.all_words)


def _has_foreign_header(a: Claim, b: Claim) -> bool:
    """Whether a cell's column has a name that says what is measured, unknown to the other claim."""
    match = NAMED_CELL.match(a.text)
    header = stems(match[2]) if match else frozenset()
    return bool(header) and not header & (PLAIN_HEADERS | b.all_words)


def _has_foreign_lead(a: Claim, b: Claim) -> bool:
    """Whether the two words before each value of a kind that both have are unknown to the other claim."""
    kinds = {quantity.kind for quantity in b.quantities}
    leads = [
        [stem(word) for word in re.findall(r"[a-z]+", a.text[: q.start].lower()) if word not in STOP_WORDS][-2:]
        for q in a.quantities
        if q.kind in kinds
    ]
    return all(lead and not b.all_words.intersection(lead) for lead in leads)
