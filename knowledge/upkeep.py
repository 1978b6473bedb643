"""Upkeep of the indexes: proof that catalog, vectors and word index agree, repair, rebuilding, and true erasure."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from knowledge.calendar import Dates, windows
from knowledge.catalog import Catalog
from knowledge.database import moment
from knowledge.documents import Document
from knowledge.passage_index import PassageIndex
from knowledge.records import to_window
from knowledge.store import VectorIndex

__all__ = ["catalog_faults", "erase", "faults", "finish_erasure", "rebuild", "repair"]

SAMPLE = 100  # vectors that are searched for: an index may have lost what its list still names
ERASING = "erasing"  # setting: something was forgotten and its bytes are still on disk
Progress = Callable[[int, int, str], None]


def faults(index: PassageIndex) -> list[str]:
    """Everything that does not agree between the catalog, the word index and the vectors, a sentence each."""
    with index.changing:
        return catalog_faults(index.catalog) + _vector_faults(index)


def repair(index: PassageIndex) -> None:
    """Make calendar, passages, word index and vectors anew where they do not follow from the stored texts."""
    with index.changing:
        catalog = index.catalog
        catalog.date_again()
        for document_id, number in _misplaced(catalog):
            index.split_again(catalog.version(document_id, number))
        catalog.index_words()
        index.recover()
        wanted, lost = catalog.placement(index.clock()), _unfindable(index)
        index.embed({name: wanted[name] for name in lost if name in wanted}, index.vectors)


def rebuild(index: PassageIndex, on_progress: Progress = lambda done, total, name: None) -> int:
    """Both indexes from the stored texts alone, split anew; the old ones answer until then. Returns the passages."""
    with index.changing:
        catalog = index.catalog
        for document in catalog.all_documents():
            for version in catalog.versions(document.id):
                on_progress(0, 0, document.source)
                index.split_again(version)
        catalog.index_words()
        wanted = catalog.placement(index.clock())
        index.vectors.renew(
            lambda fresh: index.embed(wanted, fresh, lambda done, total: on_progress(done, total, "embedding"))
        )
    return len(wanted)


def erase(index: PassageIndex, document: Document, originals: Path) -> None:
    """Leave no text and no vector of a document in any index, original or catalog file."""
    with index.changing:
        hashes = {version.original_hash for version in index.catalog.versions(document.id)}
        index.catalog.set_setting(ERASING, ",".join(sorted(hashes)))
        index.catalog.erase(document.id)
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
        wanted = index.catalog.placement(index.clock())
        old = index.vectors

        def copy(fresh: VectorIndex) -> None:
            for part, names in old.ids().items():
                kept = sorted(name for name in names if wanted.get(name) == part)
                for at in range(0, len(kept), 1000):
                    found = old.get([part], kept[at : at + 1000])
                    fresh.upsert(part, list(found), _stack(found))

        index.vectors.renew(copy)
        index.catalog.shred()
        index.catalog.set_setting(ERASING, None)


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
    wanted = index.catalog.placement(index.clock())
    stored = index.vectors.ids()
    present: dict[str, set[str]] = {}
    for part, names in stored.items():
        for name in names:
            present.setdefault(name, set()).add(part)
    lacking = len(wanted.keys() - present.keys())
    stray = len(present.keys() - wanted.keys())
    # What went out of force by the calendar alone stays where it is until the next start; no answer shows it.
    wrong = sum(
        name in wanted and not parts <= {wanted[name], wanted[name].removesuffix(".past")}
        for name, parts in present.items()
    )
    found = []
    if lacking or stray or wrong:
        found.append(f"The vectors lack {lacking} passages, have {stray} that are gone and {wrong} in a wrong part.")
    if lost := _unfindable(index):
        found.append(f"{len(lost)} of {SAMPLE} vectors that were searched for were not found.")
    return found


def _unfindable(index: PassageIndex) -> list[str]:
    """Ids out of an even sample whose own vector does not find them."""
    lost = []
    for part, names in index.vectors.ids().items():
        step = max(1, len(names) // SAMPLE)
        for name, vector in index.vectors.get([part], sorted(names)[::step]).items():
            found = dict(index.vectors.query([part], vector, 10))
            if name not in found and (not found or max(found.values()) < 0.999):
                lost.append(name)
    return lost


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
    for row in catalog.database.read(
        "SELECT document_id, version, effective_from, effective_until, withdrawn_at, begins, ends FROM versions"
    ):
        rows.setdefault(row[0], []).append(row)
    wrong = []
    for document_id, versions in rows.items():
        right = windows([Dates(r[1], datetime.fromisoformat(r[2]), moment(r[3]), moment(r[4])) for r in versions])
        wrong += [(document_id, r[1]) for r in versions if right[r[1]] != to_window(r[5], r[6])]
    return wrong


def _name(catalog: Catalog, document_id: str) -> str:
    document = catalog.ever(document_id)
    return document.source if document else document_id


def _stack(found: dict[str, Any]) -> Any:  # noqa: ANN401 - vectors as one array
    import numpy as np

    return np.stack(list(found.values()))
