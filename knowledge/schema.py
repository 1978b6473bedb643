"""The tables of catalog.db, as numbered migrations."""

__all__ = ["MIGRATIONS"]

# Never edit one that was released: add the next.
MIGRATIONS = (
    """CREATE TABLE documents (
        id TEXT PRIMARY KEY, collection TEXT NOT NULL, source TEXT NOT NULL, title TEXT NOT NULL,
        version INTEGER NOT NULL, removed_at TEXT, UNIQUE (collection, source));
    CREATE TABLE versions (
        document_id TEXT NOT NULL REFERENCES documents(id), version INTEGER NOT NULL, content_hash TEXT NOT NULL,
        added_at TEXT NOT NULL, markdown TEXT NOT NULL, original_hash TEXT NOT NULL,
        PRIMARY KEY (document_id, version));
    CREATE TABLE chunks (
        number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, document_id TEXT NOT NULL REFERENCES documents(id),
        version INTEGER NOT NULL, position INTEGER NOT NULL, text TEXT NOT NULL, heading_path TEXT NOT NULL,
        start INTEGER NOT NULL, "end" INTEGER NOT NULL, page INTEGER);
    CREATE INDEX chunks_of_document ON chunks(document_id, position);
    CREATE VIRTUAL TABLE chunk_words USING fts5(heading, text, tokenize='porter unicode61');""",
    # Versions get dates and documents an audience. A passage is kept once, however many versions have it; `places`
    # says where in which. `begins` and `ends` are the window of a version by knowledge/calendar.py; both are NULL
    # where it is never in force. Moments are texts as knowledge/database.py stamps them, so they compare as such.
    """ALTER TABLE documents ADD COLUMN audience TEXT NOT NULL DEFAULT 'public';
    ALTER TABLE documents ADD COLUMN review_at TEXT;
    ALTER TABLE versions ADD COLUMN title TEXT NOT NULL DEFAULT '';
    ALTER TABLE versions ADD COLUMN effective_from TEXT NOT NULL DEFAULT '';
    ALTER TABLE versions ADD COLUMN effective_until TEXT;
    ALTER TABLE versions ADD COLUMN withdrawn_at TEXT;
    ALTER TABLE versions ADD COLUMN uploaded_by TEXT NOT NULL DEFAULT '';
    ALTER TABLE versions ADD COLUMN origin TEXT NOT NULL DEFAULT '';
    ALTER TABLE versions ADD COLUMN note TEXT NOT NULL DEFAULT '';
    ALTER TABLE versions ADD COLUMN begins TEXT;
    ALTER TABLE versions ADD COLUMN ends TEXT;
    UPDATE versions SET
        effective_from = (SELECT max(o.added_at) FROM versions o WHERE o.document_id = versions.document_id
                          AND o.version <= versions.version),
        title = (SELECT title FROM documents WHERE id = document_id),
        withdrawn_at = (SELECT removed_at FROM documents d WHERE d.id = document_id AND d.version = versions.version);
    UPDATE versions SET begins = effective_from, ends = coalesce(
        (SELECT min(n.effective_from) FROM versions n WHERE n.document_id = versions.document_id
         AND n.version > versions.version), withdrawn_at, '9999-12-31T00:00:00.000000+00:00');
    UPDATE versions SET begins = NULL, ends = NULL WHERE begins >= ends;
    CREATE INDEX versions_by_begin ON versions(begins);
    CREATE INDEX versions_by_end ON versions(ends);
    CREATE TABLE passages (
        number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, document_id TEXT NOT NULL REFERENCES documents(id),
        title TEXT NOT NULL, heading_path TEXT NOT NULL, text TEXT NOT NULL);
    CREATE INDEX passages_of_document ON passages(document_id);
    CREATE TABLE places (
        document_id TEXT NOT NULL, version INTEGER NOT NULL, position INTEGER NOT NULL,
        number INTEGER NOT NULL REFERENCES passages(number), start INTEGER NOT NULL, "end" INTEGER NOT NULL,
        page INTEGER, PRIMARY KEY (document_id, version, position),
        FOREIGN KEY (document_id, version) REFERENCES versions(document_id, version)) WITHOUT ROWID;
    CREATE INDEX places_of_passage ON places(number);
    INSERT INTO passages SELECT c.number, c.id, c.document_id, d.title, c.heading_path, c.text
        FROM chunks c JOIN documents d ON d.id = c.document_id;
    INSERT INTO places SELECT document_id, version, position, number, start, "end", page FROM chunks;
    DROP TABLE chunks;
    ALTER TABLE documents DROP COLUMN version;
    ALTER TABLE documents DROP COLUMN removed_at;
    CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);""",
)
