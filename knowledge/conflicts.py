"""Contradictions: which passages in force state a fact of a new version with another number, date or price."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

import numpy as np

from knowledge.audiences import PUBLIC, parts_of
from knowledge.claims import Claim, find_claims
from knowledge.documents import Chunk, Document
from knowledge.embedder import Embedder
from knowledge.indexing import DocumentIndex
from knowledge.quantities import Disagreement, disagreement
from knowledge.records import Found
from knowledge.scopes import Scope
from knowledge.store import Vectors
from knowledge.subjects import Names, Subject, are_apart, doubts

__all__ = ["MOST_CONFLICTS", "MOST_PASSAGES", "Conflict", "find_conflicts"]

MOST_CONFLICTS = 10
MOST_PASSAGES = 200  # of a version, with a value in them; a longer document is looked at so far
NEAR = 16  # passages of others that are looked at for each passage
MOST_NEAR = 400  # that are asked for, where most of the nearest are its own or out of force
RECENT = timedelta(hours=1)  # what ended since a version began, if it began so recently, need not be looked for
LEAST_COSINE = 0.35  # of two passages
LEAST_OVERLAP = 0.25  # share of the words of one claim that the other knows
MOST_PAIRS = 24  # that differ and are embedded; more for a document of more than 48 passages, one for every two
PAIRS_OF_CLAIM = 3
SAMPLE = 120  # documents that show how the company writes its names
SAMPLE_CHARACTERS = 3000  # of each
LIKENESS = 0.66  # tuned, see benchmarks/conflicts.py
PARTLY = 0.05  # more is asked where some values of the kind agree
MARGIN = 0.06  # what is less alike than the best match by more is about something else


@dataclass(frozen=True)
class Conflict:
    """A sentence in force (`theirs`, in that version and section of `document`) against one of the new version.

    The values are those that differ, as written. `likeness` is about the cosine of the sentences without their values.
    """

    document: Document
    version: int
    section: str
    theirs: str
    ours: str
    their_values: tuple[str, ...]
    our_values: tuple[str, ...]
    likeness: float


@dataclass
class _Pair:
    """Two claims with comparable values; `promise` orders pairs before anything is embedded."""

    ours: Claim
    theirs: Claim
    found: Found
    values: Disagreement
    promise: float
    likeness: float = 0.0
    doubts: float = 0.0


def find_conflicts(documents: DocumentIndex, document_id: str, number: int | None = None) -> list[Conflict]:
    """What contradicts a version of a document (by id; the newest by default), most alike first, at most ten.

    Looked at are passages of other documents that are in force when the version begins, and whose audience somebody
    of its audience may see too. Nothing is found for a version that never is in force.

    Raises:
        DocumentNotFound: there is no such document or version.
        KnowledgeError: the embedder or a store failed.
    """
    version = documents.catalog.version(document_id, number)
    window = documents.catalog.windows(document_id)[version.version]
    document = documents.catalog.ever(document_id)
    if window is None or document is None:
        return []
    ours = _our_claims(version.title, documents.catalog.chunks(document_id, version.version))
    scope = Scope(window.begins, _who_sees(documents, document))
    pairs = _pairs(documents, document, scope, ours) if ours else []
    if not any(pair.values.ours for pair in pairs):
        return []
    names = _names(documents, window.begins, [version.markdown[:SAMPLE_CHARACTERS], *_texts(pairs)])
    pairs = _promising(_of_one_subject(pairs, document, names), max(MOST_PAIRS, len(ours) // 2))
    if not pairs:
        return []
    _measure(pairs, documents.embedder)
    return _decide(pairs)


def _our_claims(title: str, chunks: Iterable[Chunk]) -> dict[str, list[Claim]]:
    """Claims by passage, of the first passages that make any."""
    making = ((chunk.id, claims) for chunk in chunks if (claims := find_claims(title, chunk)))
    return dict(islice(making, MOST_PASSAGES))


def _who_sees(documents: DocumentIndex, document: Document) -> frozenset[str]:
    """The groups that may see the document: what any of them may see too can contradict it."""
    if document.audience != PUBLIC:
        return frozenset({PUBLIC, *document.audience.split(",")})
    return frozenset(group for other in documents.catalog.all_documents() for group in other.audience.split(","))


def _pairs(documents: DocumentIndex, document: Document, scope: Scope, ours: dict[str, list[Claim]]) -> list[_Pair]:
    """Claims of near passages that have values of the same kinds, with what those say."""
    vectors = documents.vectors.get(parts_of([document.audience], with_past=True), sorted(ours))
    near = _Near(documents, document, scope)
    pairs = []
    for name, claims in ours.items():
        for found, cosine in near.to(vectors[name]) if name in vectors else []:
            for theirs in near.claims(found):
                pairs += [pair for claim in claims if (pair := _pair(claim, theirs, found, cosine))]
    return pairs


class _Near:
    """Finds passages of other documents that the scope shows, and remembers what it has read of them."""

    def __init__(self, documents: DocumentIndex, document: Document, scope: Scope) -> None:
        self.documents, self.scope = documents, scope
        self.own = documents.catalog.chunk_ids(document.id)
        is_past = documents.clock() - scope.as_of > RECENT
        self.parts = parts_of(documents.catalog.scopes.audiences(scope), with_past=is_past)
        self._found: dict[str, Found | None] = {}
        self._claims: dict[str, list[Claim]] = {}

    def to(self, vector: Vectors) -> list[tuple[Found, float]]:
        """The nearest passages with their cosine; more are asked for while most of them are out of force."""
        count = NEAR + min(len(self.own), 4 * NEAR)
        while True:
            nearest = self.documents.vectors.query(self.parts, vector, count)
            self._load([name for name, _ in nearest])
            shown = [(found, cosine) for name, cosine in nearest if (found := self._found[name])]
            is_enough = len(shown) >= NEAR or len(nearest) < count or nearest[-1][1] < LEAST_COSINE
            if is_enough or count >= MOST_NEAR:
                return [(found, cosine) for found, cosine in shown[:NEAR] if cosine >= LEAST_COSINE]
            count *= 2

    def claims(self, found: Found) -> list[Claim]:
        """The claims of a passage."""
        name = found[0].id
        if name not in self._claims:
            self._claims[name] = find_claims(found[1].title, found[0])
        return self._claims[name]

    def _load(self, names: Sequence[str]) -> None:
        fresh = [name for name in names if name not in self._found]
        records = self.documents.catalog.load([name for name in fresh if name not in self.own], self.scope)
        self._found |= {name: records.get(name) for name in fresh}


def _pair(ours: Claim, theirs: Claim, found: Found, cosine: float) -> _Pair | None:
    values = disagreement(ours.quantities, theirs.quantities)
    if values is None or not ours.words or not theirs.words:
        return None
    of_ours = len(ours.words & theirs.all_words) / len(ours.words)
    of_theirs = len(theirs.words & ours.all_words) / len(theirs.words)
    if max(of_ours, of_theirs) < LEAST_OVERLAP:
        return None
    return _Pair(ours, theirs, found, values, cosine + (of_ours + of_theirs) / 2)


def _names(documents: DocumentIndex, at: datetime, near: Sequence[str]) -> Names:
    """What is a name here, learnt from all titles, documents evenly taken from all, and the passages at hand."""
    known = documents.catalog.all_documents(at)
    chosen = known[:: max(1, len(known) // SAMPLE)][:SAMPLE]
    versions = (documents.catalog.in_force(document.id, at) for document in chosen)
    sample = [version.markdown[:SAMPLE_CHARACTERS] for version in versions if version]
    return Names([document.title for document in known], sample, near)


def _texts(pairs: Sequence[_Pair]) -> list[str]:
    return list({pair.found[0].id: pair.found[0].text for pair in pairs}.values())


def _of_one_subject(pairs: Sequence[_Pair], document: Document, names: Names) -> list[_Pair]:
    """The pairs that may be about the same thing, with the doubts about it."""
    subjects: dict[Claim, Subject] = {}

    def subject(claim: Claim, source: str) -> Subject:
        if claim not in subjects:
            subjects[claim] = names.subject(claim, source)
        return subjects[claim]

    kept = []
    for pair in pairs:
        ours, theirs = subject(pair.ours, document.source), subject(pair.theirs, pair.found[1].source)
        if not are_apart(ours, theirs, names.common):
            pair.doubts = doubts(ours, theirs, names.common)
            kept.append(pair)
    return kept


def _promising(pairs: Sequence[_Pair], most: int) -> list[_Pair]:
    """The best pairs that differ, a few for each claim, and the best one that agrees for the same claims."""
    ranked = sorted(pairs, key=lambda pair: (-pair.promise, pair.theirs.chunk_id))
    differing: dict[Claim, list[_Pair]] = {}
    agreeing: dict[Claim, _Pair] = {}
    for pair in ranked:
        if not pair.values.ours:
            agreeing.setdefault(pair.ours, pair)
        elif len(differing.setdefault(pair.ours, [])) < PAIRS_OF_CLAIM:
            differing[pair.ours].append(pair)
    chosen = sorted((pair for few in differing.values() for pair in few), key=lambda p: (-p.promise, p.theirs.chunk_id))
    claims = {pair.ours for pair in chosen[:most]}
    return [*chosen[:most], *(pair for claim, pair in agreeing.items() if claim in claims)]


def _measure(pairs: Sequence[_Pair], embedder: Embedder) -> None:
    """Set the likeness: the mean cosine of both sentences without values, each alone and with what stands above."""
    claims = list(dict.fromkeys(claim for pair in pairs for claim in (pair.ours, pair.theirs)))
    texts = [text for claim in claims for text in (claim.masked, f"{claim.about}. {claim.masked}")]
    vectors = embedder.embed(texts).reshape(len(claims), 2, -1).sum(axis=1) / 2
    rows = {claim: row for row, claim in enumerate(claims)}
    for pair in pairs:
        pair.likeness = float(np.dot(vectors[rows[pair.ours]], vectors[rows[pair.theirs]]))


def _decide(pairs: Sequence[_Pair]) -> list[Conflict]:
    best: dict[Claim, float] = {}
    agreed: dict[Claim, float] = {}
    for pair in pairs:
        into = best if pair.values.ours else agreed
        into[pair.ours] = max(into.get(pair.ours, 0.0), pair.likeness - (pair.doubts if pair.values.ours else 0.0))
    found: dict[tuple[Claim, str], Conflict] = {}
    for pair in sorted(pairs, key=lambda p: (p.doubts - p.likeness, p.theirs.chunk_id)):
        likeness = pair.likeness - pair.doubts
        least = max(LIKENESS + PARTLY * (not pair.values.is_whole), best.get(pair.ours, 0.0) - MARGIN)
        if pair.values.ours and likeness >= least and likeness > agreed.get(pair.ours, 0.0):
            found.setdefault((pair.ours, pair.theirs.document_id), _conflict(pair, likeness))
    return list(found.values())[:MOST_CONFLICTS]


def _conflict(pair: _Pair, likeness: float) -> Conflict:
    chunk, document = pair.found[:2]
    return Conflict(
        document,
        chunk.version,
        pair.theirs.section,
        pair.theirs.text,
        pair.ours.text,
        tuple(pair.theirs.text[q.start : q.end] for q in pair.values.theirs),
        tuple(pair.ours.text[q.start : q.end] for q in pair.values.ours),
        round(likeness, 3),
    )
