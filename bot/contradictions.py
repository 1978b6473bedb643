"""What a person is told after an upload: passages in force that state a fact of it with another value."""

import logging

from knowledge.conflicts import Conflict, find_conflicts
from knowledge.errors import KnowledgeError
from knowledge.indexing import DocumentIndex

__all__ = ["contradictions"]

log = logging.getLogger(__name__)


def contradictions(documents: DocumentIndex, document_id: str, number: int | None = None) -> list[str]:
    """A sentence for each contradiction of a version (the newest by default) with another document.

    The version is stored already, so a fault of this look is logged and spoils nothing.
    """
    try:
        return [_sentence(conflict) for conflict in find_conflicts(documents, document_id, number)]
    except KnowledgeError as error:
        log.warning("contradictions of %s were not looked for: %s", document_id, error)
        return []


def _sentence(conflict: Conflict) -> str:
    section = f" ({conflict.section})" if conflict.section else ""
    ours, theirs = ", ".join(conflict.our_values), ", ".join(conflict.their_values)
    return f"It says {ours}; '{conflict.document.source}'{section} says {theirs}: \"{conflict.theirs}\""
