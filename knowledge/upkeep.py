"""Upkeep of the indexes: proof that catalog, vectors and word index agree, repair, rebuilding, and true erasure."""

import logging
from pathlib import Path
from typing import Any

import numpy as np

from knowledge.audiences import parts_with
from knowledge.calendar import windows
from knowledge.catalog import Catalog
from knowledge.documents import Document
from knowledge.errors import StoreError
from knowledge.passage_index import PassageIndex, Progress, silent
from knowledge.records import DATES, to_dates, to_window
from knowledge.store import VectorIndex, Vectors

__all__ = ["catalog_faults", "drop_strays", "erase", "faults", "finish_erasure", "rebuild", "repair"]

SAMPLE = 100  # vectors that are searched for: an index may have lost what its list still names
MISSED = 0.1  # of them; a search that is approximate misses some, 15 in 367 of equally distant ones
COPY_TOGETHER = 1000
ERASING = "erasing"  # setting: something was forgotten and its bytes are still on disk
log = logging.getLogger(__name__)


def faults(index: PassageIndex) -> list[str]:
    """Everything that does not agree between the catalog, the word index and the vectors, a sentence each."""
    with index.changing:
        return catalog_faults(index.catalog) + _vector_faults(index)


def repair(index: PassageIndex) -> None:
    """Make calendar, passages, word index and vectors anew where they do not follow from the stored texts."""
    with index.changing:
        catalog = index.catalog
        catalog.date_again()
        catalog.forget_stray()
        for document_id, number in _misplaced(catalog):
            index.split_again(catalog.version(document_id, number))
        catalog.index_words()
        index.recover()
        if _vector_faults(index):  # the index of the store itself is broken
            index.embed_all()


def rebuild(index: PassageIndex, on_progress: Progress = silent) -> int:
    """Both indexes from the stored texts alone, split anew; the old ones answer until then. Returns the passages."""
    with index.changing:
        catalog = index.catalog
        for document in catalog.all_documents():
            for version in catalog.versions(document.id):
                on_progress(0, 0, document.source)
                index.split_again(version)
        catalog.index_words()
        return index.embed_all(lambda done, total: on_progress(done, total, "embedding"))


def erase(index: PassageIndex, document: Document, originals: Path) -> None:
    """Leave no text and no vector of a document in any index, original or catalog file."""
    with index.changing:
        hashes = {version.original_hash for version in index.catalog.versions(document.id)}
        hashes |= set(filter(None, (index.catalog.setting(ERASING) or "").split(",")))  # of one that was cut short
        index.catalog.erase(document.id, (ERASING, ",".join(sorted(hashes))))
        finish_erasure(index, originals)


def finish_erasure(index: PassageIndex, originals: Path) -> None:
    """The part of `erase` that a kill may cut short: originals, a new vector store, a new catalog file."""
    pending = index.catalog.setting(ERASING)
    if pending is None:
        return
    with index.changing:
        for name in filter(None, pending.split(",")):
            if not index.catalog.has_original(name):
                (originals / name).unlink(missing_ok=True)
        try:
            index.vectors.renew(lambda fresh: _copy(index, fresh))
        except StoreError as error:
            log.warning("%s They are made anew from the catalog.", error)
            index.embed_all()
        index.catalog.shred()
        index.catalog.set_setting(ERASING, None)


def drop_strays(catalog: Catalog, originals: Path) -> None:
    """Remove originals that no version came from, of uploads that a kill cut short; only while nothing is added."""
    known = {name for (name,) in catalog.database.read("SELECT DISTINCT original_hash FROM versions")}
    for path in originals.iterdir() if originals.is_dir() else ():
        if path.name not in known:
            path.unlink(missing_ok=True)


def _copy(index: PassageIndex, fresh: VectorIndex) -> None:
    """Every vector that the catalog wants, into the part where it wants it."""
    wanted = index.catalog.placement(index.clock())
    for part, names in index.vectors.ids().items():
        for target in {wanted[name] for name in names if name in wanted}:
            kept = sorted(name for name in names if wanted.get(name) == target)
            for at in range(0, len(kept), COPY_TOGETHER):
                found = index.vectors.get([part], kept[at : at + COPY_TOGETHER])
                fresh.upsert(target, list(found), np.stack(list(found.values())))


def catalog_faults(catalog: Catalog) -> list[str]:
    """What in the catalog does not follow from the stored texts and dates."""
    found, database = [], catalog.database
    for document_id, number in _misplaced(catalog):
        found.append(f"Passages of version {number} of '{_name(catalog, document_id)}' are not in its text.")
    for document_id, number in _misdated(catalog):
        found.append(
            f"The calendar of '{_name(catalog, document_id)}' does not follow from its dates (version {number})."
        )
    unfound = database.count("SELECT number FROM passages EXCEPT SELECT rowid FROM chunk_words")
    stray = database.count("SELECT rowid FROM chunk_words EXCEPT SELECT number FROM passages")
    other = database.count(
        "SELECT 1 FROM passages p JOIN chunk_words w ON w.rowid = p.number WHERE w.text IS NOT p.text"
    )
    if unfound or stray or other:
        found.append(f"The word index lacks {unfound} passages, has {stray} that are gone and {other} changed ones.")
    nowhere = database.count("SELECT number FROM passages EXCEPT SELECT number FROM places")
    if nowhere:
        found.append(f"{nowhere} passages belong to no version.")
    return found


def _vector_faults(index: PassageIndex) -> list[str]:
    try:
        stored = index.vectors.ids()
        return _misplaced_vectors(index, stored) + _unfindable(index.vectors, stored)
    except StoreError as error:
        return [str(error)]


def _misplaced_vectors(index: PassageIndex, stored: dict[str, set[str]]) -> list[str]:
    wanted = index.catalog.placement(index.clock())
    present: dict[str, set[str]] = {}
    for part, names in stored.items():
        for name in names:
            present.setdefault(name, set()).add(part)
    lacking = len(wanted.keys() - present.keys())
    stray = len(present.keys() - wanted.keys())
    # What went out of force by the calendar alone stays where it is until the next start; no answer shows it.
    wrong = sum(name in wanted and not parts <= parts_with(wanted[name]) for name, parts in present.items())
    if not (lacking or stray or wrong):
        return []
    return [f"The vectors lack {lacking} passages, have {stray} that are gone and {wrong} in a wrong part."]


def _unfindable(vectors: VectorIndex, stored: dict[str, set[str]]) -> list[str]:
    """Whether the vectors of an even sample of each part find themselves."""
    found = []
    for part, names in stored.items():
        step = max(1, -(-len(names) // SAMPLE))
        sample = vectors.get([part], sorted(names)[::step])
        lost = sum(not _finds_itself(vectors, part, name, vector) for name, vector in sample.items())
        if lost > MISSED * len(sample):
            found.append(f"{lost} of {len(sample)} vectors that were searched for in '{part}' were not found.")
    return found


def _finds_itself(vectors: VectorIndex, part: str, name: str, vector: Vectors) -> bool:
    found = dict(vectors.query([part], vector, 10))
    return name in found or max(found.values(), default=0.0) > 0.999  # by another passage of the same words


def _misplaced(catalog: Catalog) -> list[tuple[str, int]]:
    """Versions with a passage that does not stand where it should, or none at all."""
    rows = catalog.database.read(
        "SELECT DISTINCT l.document_id, l.version FROM places l LEFT JOIN passages p USING (number) "
        "LEFT JOIN versions v ON v.document_id = l.document_id AND v.version = l.version "
        'WHERE substr(v.markdown, l.start + 1, l."end" - l.start) IS NOT p.text OR p.document_id IS NOT l.document_id'
    )
    return [(row[0], row[1]) for row in rows] + [(v.document_id, v.version) for v in catalog.unplaced_versions()]


def _misdated(catalog: Catalog) -> list[tuple[str, int]]:
    """Versions whose stored window is another than the calendar's."""
    rows: dict[str, list[tuple[Any, ...]]] = {}
    for row in catalog.database.read(f"SELECT {DATES}, begins, ends, document_id FROM versions"):
        rows.setdefault(row[6], []).append(row)
    wrong = []
    for document_id, versions in rows.items():
        right = windows(list(map(to_dates, versions)))
        wrong += [(document_id, r[0]) for r in versions if right[r[0]] != to_window(r[4], r[5])]
    return wrong


def _name(catalog: Catalog, document_id: str) -> str:
    document = catalog.ever(document_id)
    return document.source if document else document_id
