"""What can go wrong with documents, as one tree; every message is a sentence a person can act on.

KnowledgeError
├── ConversionError          a file cannot become Markdown
│   ├── UnsupportedFormat    its type is not one we read
│   ├── EmptyDocument        it has no text
│   ├── DamagedDocument      it is not what its name says, or broken
│   ├── EncryptedDocument    it wants a password
│   └── OversizedDocument    it is larger than the limit
├── DocumentNotFound         no document, or several, by that reference
├── TermsError               dates, an audience or a version that cannot be
├── SourceNotFound           no live source of that name
├── SourceError              a live source cannot be read; what was read before stays
│   ├── AddressRefused       a web address that may not be called
│   ├── PageGone             the page says that it is no more
│   └── QueryRefused         a query that is not one reading statement
├── StoreError               catalog or vectors cannot be read or written
├── EmbedderError            the embedding model is missing or damaged
└── ReaderError              the reader head is missing or damaged
"""

__all__ = [
    "AddressRefused",
    "ConversionError",
    "DamagedDocument",
    "DocumentNotFound",
    "EmbedderError",
    "EmptyDocument",
    "EncryptedDocument",
    "KnowledgeError",
    "OversizedDocument",
    "PageGone",
    "QueryRefused",
    "ReaderError",
    "SourceError",
    "SourceNotFound",
    "StoreError",
    "TermsError",
    "UnsupportedFormat",
]


class KnowledgeError(Exception):
    """Root of everything knowledge raises on purpose."""


class ConversionError(KnowledgeError):
    """A file cannot become Markdown."""


class UnsupportedFormat(ConversionError):
    """The file's type is not one we read."""


class EmptyDocument(ConversionError):
    """The file has no text."""


class DamagedDocument(ConversionError):
    """The file is broken or not what its name says."""


class EncryptedDocument(ConversionError):
    """The file wants a password."""


class OversizedDocument(ConversionError):
    """The file is larger than the limit."""


class DocumentNotFound(KnowledgeError):
    """No document, or several, by that reference."""


class TermsError(KnowledgeError):
    """Dates, an audience or a version that cannot be."""


class SourceNotFound(KnowledgeError):
    """No live source of that name."""


class SourceError(KnowledgeError):
    """A live source, or one item of it, cannot be read; what was read before stays."""


class AddressRefused(SourceError):
    """A web address that may not be called."""


class PageGone(SourceError):
    """The page says that it is no more."""


class QueryRefused(SourceError):
    """A query that is not one reading statement."""


class StoreError(KnowledgeError):
    """The catalog or the vectors cannot be read or written."""


class EmbedderError(KnowledgeError):
    """The embedding model is missing or damaged."""


class ReaderError(KnowledgeError):
    """The reader head is missing or damaged."""
