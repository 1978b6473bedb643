"""Rows of databases as documents: real SQLite and PostgreSQL, read-only, and passwords that are told to nobody."""

import logging
import sqlite3
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge import rows
from knowledge.errors import QueryRefused, SourceError
from knowledge.rows import Row, RowLimits, TableQuery, check_query, fill_url, read_rows, shown_url
from tests.postgres import PASSWORD, serve_postgres

FAQ = [
    (1, "Opening hours?", "Nine to six.\nClosed on Sundays.", "2026-11-20 10:00:00"),
    (2, "Returns?", "45 days.", None),
]


@pytest.fixture
def sqlite(tmp_path):
    """A database file with a table; `ask` reads it, `run` changes it."""
    return _Sqlite(tmp_path / "shop ü #1.db")


class _Sqlite:
    def __init__(self, path):
        self.path, self.url = path, f"sqlite:///{path}"
        self.run("CREATE TABLE faq (id INTEGER, question TEXT, answer TEXT, changed)")
        for row in FAQ:
            self.run("INSERT INTO faq VALUES (?, ?, ?, ?)", row)

    def run(self, statement, values=()):
        db = sqlite3.connect(self.path)
        with db:
            found = db.execute(statement, values).fetchall()
        db.close()
        return found

    def ask(self, query="", key="id", limits=None, **columns):
        return read_rows(TableQuery(self.url, key, query, **columns), {}, limits)


@pytest.fixture(scope="module")
def cluster():
    with serve_postgres() as port:
        yield port


@pytest.fixture
def postgres(cluster):
    """A table in a running PostgreSQL, made anew for each test."""
    return _Postgres(cluster)


class _Postgres:
    def __init__(self, port):
        self.port = port
        self.url = f"postgresql://postgres:${{PASSWORD}}@127.0.0.1:{port}/postgres"
        self.run("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        self.run("CREATE TABLE faq (id int PRIMARY KEY, question text, answer text, changed timestamptz)")
        for row in FAQ:
            self.run("INSERT INTO faq VALUES (%s, %s, %s, %s::timestamp AT TIME ZONE 'Europe/Berlin')", row)

    def run(self, statement, values=None):
        import psycopg

        with psycopg.connect(
            host="127.0.0.1", port=self.port, user="postgres", password=PASSWORD, dbname="postgres", autocommit=True
        ) as db:
            found = db.execute(statement, values)
            return found.fetchall() if found.description else []

    def ask(self, query="", key="id", limits=None, **columns):
        return read_rows(TableQuery(self.url, key, query, **columns), {"PASSWORD": PASSWORD}, limits)


def test_a_table_becomes_a_document_a_row(sqlite):
    """The title as heading, every other column as an item, the date of the last change apart."""
    first, second = sqlite.ask(table="faq", title="question", updated_at="changed")

    text = "# Opening hours?\n\n- id: 1\n- answer: Nine to six.\n    Closed on Sundays.\n"
    assert first == Row("1", text, datetime(2026, 11, 20, 10, tzinfo=UTC))
    assert second == Row("2", "# Returns?\n\n- id: 2\n- answer: 45 days.\n", None)


def test_a_query_names_its_own_columns(sqlite):
    """Without a title the key is the heading; a column may be written in other letters."""
    found = sqlite.ask("SELECT 'row-' || id AS Code, answer AS \"What to say\" FROM faq WHERE id = 2;", key="code")

    assert found == [Row("row-2", "# row-2\n\n- What to say: 45 days.\n")]


def test_postgresql_is_read_like_sqlite(postgres):
    """A table, a view of a schema and a query; times are those of the zone they were written in."""
    postgres.run('CREATE SCHEMA "Help"; CREATE VIEW "Help"."Both faqs" AS SELECT * FROM faq')
    first, second = found = postgres.ask(table="faq", title="question", updated_at="changed")

    assert first.markdown == "# Opening hours?\n\n- id: 1\n- answer: Nine to six.\n    Closed on Sundays.\n"
    assert (first.updated_at, second.updated_at) == (datetime(2026, 11, 20, 9, tzinfo=UTC), None)
    assert postgres.ask(table="Help.Both faqs", title="question", updated_at="changed") == found
    assert [row.key for row in postgres.ask("WITH x AS (SELECT id FROM faq) SELECT id FROM x ORDER BY id; -- end")] == [
        "1", "2",
    ]  # fmt: skip


def test_signs_with_a_meaning_elsewhere_stay_what_they_are(sqlite, postgres):
    """A percent sign, a colon, a semicolon in a string; a name that tries to be more than a name."""
    for database in (sqlite, postgres):
        database.run("INSERT INTO faq (id, question) VALUES (3, '100% :id; ''--')")
        (row,) = database.ask("SELECT id, question FROM faq WHERE question LIKE '100% :id%' /* ; */")
        assert row.markdown == "# 3\n\n- question: 100% :id; '--\n"
        with pytest.raises(SourceError, match=r"no such table|does not exist"):
            database.ask(table="faq; DROP TABLE faq")
        assert len(database.run("SELECT * FROM faq")) == 3


def test_values_are_written_as_people_write_them(postgres):
    """Whatever type the database has for them; bytes and nothing are left out; the server's zone does not show."""
    postgres.run("ALTER SYSTEM SET timezone = 'Asia/Tokyo'")
    postgres.run("SELECT pg_reload_conf()")

    (row,) = postgres.ask(
        "SELECT 'a' AS id, true AS yes, 1.50::numeric(9,2) AS price, 0.1::float8 AS share, 12::bigint AS n, "
        "'{\"a\": \"ü\"}'::jsonb AS doc, ARRAY['x', NULL, 'y'] AS list, NULL AS nothing, '\\x00'::bytea AS bytes, "
        "DATE '2026-11-24' AS day, TIMESTAMPTZ '2026-11-24 12:00+02' AS at, '' AS empty, "
        "'00000000-0000-0000-0000-000000000001'::uuid AS uuid, E'a\\r\\n\\n  b\\x07' AS lines"
    )

    assert row.markdown.splitlines()[2:] == [
        "- yes: yes",
        "- price: 1.50",
        "- share: 0.1",
        "- n: 12",
        '- doc: {"a": "ü"}',
        "- list: x, , y",
        "- day: 2026-11-24",
        "- at: 2026-11-24 10:00:00+00:00",
        "- uuid: 00000000-0000-0000-0000-000000000001",
        "- lines: a",
        "    b",
    ]


def test_a_text_cannot_begin_a_heading_or_another_item(sqlite):
    """However its lines begin, they stay inside of the column's item."""
    from knowledge.blocks import read_blocks

    sqlite.run("UPDATE faq SET question = 'A\n# B', answer = '# Fake\n## Fake\n\n===\nlast' WHERE id = 1")
    row = sqlite.ask(table="faq", title="question")[0]

    assert {block.path for block in read_blocks(row.markdown)} == {("A # B",)}


@pytest.mark.parametrize(
    ("value", "date"),
    [
        ("2026-11-24", datetime(2026, 11, 24, tzinfo=UTC)),
        ("2026-11-24T12:00:00+02:00", datetime(2026, 11, 24, 10, tzinfo=UTC)),
        ("2026-11-24T12:00:00Z", datetime(2026, 11, 24, 12, tzinfo=UTC)),
        (" 2026-11-24 12:00 ", datetime(2026, 11, 24, 12, tzinfo=UTC)),
        (1795521600, datetime(2026, 11, 24, 12, tzinfo=UTC)),
        (1795521600.0, datetime(2026, 11, 24, 12, tzinfo=UTC)),
        ("", None),
        (None, None),
    ],
)
def test_dates_come_aware_in_utc(sqlite, value, date):
    """As text with a zone or without, or as seconds since 1970."""
    sqlite.run("DELETE FROM faq WHERE id = 2")
    sqlite.run("UPDATE faq SET changed = ?", (value,))

    assert sqlite.ask(table="faq", updated_at="changed")[0].updated_at == date


@pytest.mark.parametrize("value", ["yesterday", "2026-13-01", 1e30, "infinity"])
def test_a_date_that_is_none_fails_its_row_only(sqlite, value):
    """It is named; the others are read."""
    sqlite.run("UPDATE faq SET changed = ? WHERE id = 1", (value,))

    first, second = sqlite.ask(table="faq", updated_at="changed")

    assert first.fault.startswith("Row '1' was updated at '") and "use one like 2026-11-24" in first.fault
    assert (first.markdown, second.fault) == ("", "")


def test_a_row_without_a_key_fails_alone(sqlite):
    """As does one with a key too long; a key is trimmed to one line."""
    for key in [None, " ", "x" * 201, " a\n b ", b"bytes"]:
        sqlite.run("INSERT INTO faq VALUES (?, 'q', 'a', NULL)", (key,))

    found = sqlite.ask(table="faq")

    assert [row.key for row in found] == ["1", "2", "", "", "", "a b", ""]
    assert found[2].fault == "Row 3 has a key of 0 characters: it needs 1 to 200."
    assert found[4].fault == "Row 5 has a key of 201 characters: it needs 1 to 200."


WRITING = [
    "DELETE FROM faq",
    "INSERT INTO faq (id) VALUES (9)",
    "UPDATE faq SET answer = ''",
    "DROP TABLE faq",
    "PRAGMA query_only = OFF",
    "ATTACH 'x.db' AS x",
    "COPY faq TO PROGRAM 'sh'",
    "SELECT 1 AS id; DROP TABLE faq",
    "SELECT 1 AS id; COMMIT; DROP TABLE faq; SELECT 1 AS id",
    "SELECT 1 AS id -- ' \n; DROP TABLE faq",
    "SELECT ';' AS id; DROP TABLE faq",
    "WITH x AS (DELETE FROM faq RETURNING *) SELECT * FROM x",
    "/* SELECT */ DELETE FROM faq",
    "",
    "  ; ",
]


@pytest.mark.parametrize("query", WRITING)
def test_a_query_that_does_more_than_read_is_refused_by_a_sentence(query):
    """Before the database hears of it."""
    with pytest.raises(QueryRefused, match=r"more than one statement|must be one SELECT|would write"):
        check_query(query)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT 1;",
        "  select a.update, deleted from x",
        "WITH a AS (SELECT 1) SELECT * FROM a",
        "(SELECT 1) UNION (SELECT 2)",
        "-- a comment; with a semicolon\nSELECT 1",
        "SELECT $tag$ ; $tag$, 'it''s;', \"odd;name\", `other;` /* ; */",
    ],
)
def test_a_query_that_reads_is_let_through(query):
    """Without the semicolon at its end."""
    assert check_query(query) == query.strip().rstrip(";")


@given(st.text())
def test_any_text_is_a_query_or_a_sentence(query):
    """And takes no time."""
    try:
        check_query(query)
    except QueryRefused:
        return


@pytest.fixture
def unchecked(monkeypatch):
    """Without the first look at a query: what stands behind it has to hold alone."""
    monkeypatch.setattr(rows, "check_query", lambda query: query)


@pytest.mark.parametrize("query", [*filter(None, map(str.strip, WRITING)), "REPLACE INTO faq VALUES (1, 2, 3, 4)"])
def test_sqlite_itself_refuses_to_write(sqlite, unchecked, query, tmp_path, monkeypatch):
    """The file is opened for reading and takes one statement, which may make no other file."""
    monkeypatch.chdir(tmp_path)
    before = sqlite.run("SELECT * FROM faq")

    with pytest.raises(SourceError):
        sqlite.ask(query)
    assert sqlite.run("SELECT * FROM faq") == before
    assert list(tmp_path.iterdir()) == [sqlite.path]


POSTGRES_WRITING = [
    "SELECT setval('numbers', 99) AS id",
    "SELECT nextval('numbers') AS id",
    "SELECT 1 AS id INTO copied",
    "SELECT id FROM faq FOR UPDATE",
    "SELECT add_row() AS id",
    "SELECT 1 AS id, set_config('transaction_read_only', 'off', false) UNION ALL SELECT add_row(), ''",
    "SELECT 1 AS id; SET TRANSACTION READ WRITE; SELECT add_row() AS id",
    "SELECT 1 AS id; ROLLBACK; SELECT add_row() AS id",
    "EXPLAIN ANALYZE INSERT INTO faq (id) VALUES (9)",
    "DO $$ BEGIN DELETE FROM faq; END $$",
    "CALL writes()",
]


@pytest.mark.parametrize("query", [*filter(None, map(str.strip, WRITING)), *POSTGRES_WRITING])
def test_postgresql_itself_refuses_to_write(postgres, unchecked, query):
    """Even a user who may do anything, calling functions that write or ending the transaction."""
    postgres.run("CREATE SEQUENCE numbers")
    postgres.run(
        "CREATE FUNCTION add_row() RETURNS int LANGUAGE sql AS 'INSERT INTO faq (id) VALUES (9) RETURNING id';"
        "CREATE PROCEDURE writes() LANGUAGE sql AS 'DELETE FROM faq'"
    )

    with pytest.raises(SourceError):
        postgres.ask(query)
    assert postgres.run("SELECT count(*) FROM faq") == [(2,)]
    assert postgres.run("SELECT last_value, is_called FROM numbers") == [(1, False)]
    assert postgres.run("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == [(1,)]


def test_what_is_read_is_of_one_moment_and_leaves_no_lock(postgres):
    """A snapshot in a transaction that is over afterwards."""
    (row,) = postgres.ask(
        "SELECT current_setting('transaction_isolation') AS id, current_setting('transaction_read_only') AS readonly"
    )

    assert (row.key, row.markdown) == ("repeatable read", "# repeatable read\n\n- readonly: on\n")
    assert postgres.run("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'frontdesk'") == [(0,)]


def test_a_query_that_takes_too_long_is_stopped(sqlite, postgres):
    """By the database itself where it sleeps, whether or not rows come."""
    import time

    quick = RowLimits(seconds=0.3)
    forever = "WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n) SELECT id FROM n"
    began = time.monotonic()
    with pytest.raises(SourceError, match=r"refuses \(canceling statement due to statement timeout"):
        postgres.ask("SELECT pg_sleep(9) AS id", limits=quick)
    with pytest.raises(SourceError, match=r"refuses \(interrupted"):
        sqlite.ask(f"{forever} WHERE id < 0", limits=quick)
    with pytest.raises(SourceError, match="takes longer than"):
        postgres.ask("SELECT g AS id, pg_sleep(0.01) AS x FROM generate_series(1, 1000) g", limits=quick)
    assert time.monotonic() - began < 3


def test_more_rows_or_text_than_the_limits_fail_the_source(sqlite, postgres):
    """As cut rows would seem removed; a single long row fails alone."""
    many = "WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n) SELECT id FROM n"
    long = f"SELECT 1 AS id, '{'x' * 1000}' AS text UNION ALL SELECT 2, 'short'"
    for database in (sqlite, postgres):
        with pytest.raises(SourceError, match="more than 100 rows: narrow it down"):
            database.ask(many, limits=RowLimits(rows=100))
        assert len(database.ask(f"{many} LIMIT 100", limits=RowLimits(rows=100))) == 100
        with pytest.raises(SourceError, match="more than 500 characters: leave out long columns"):
            database.ask(long, limits=RowLimits(all_characters=500))
        first, second = database.ask(long, limits=RowLimits(row_characters=500))
        assert first.fault == "Row '1' has more than 500 characters: leave out long columns."
        assert second.markdown == "# 2\n\n- text: short\n"


def test_a_value_too_large_for_the_memory_is_refused_by_sqlite(sqlite):
    """Before it is made."""
    with pytest.raises(SourceError, match="too big"):
        sqlite.ask("SELECT 1 AS id, hex(zeroblob(3000000)) AS text")


@pytest.mark.parametrize(
    ("columns", "why"),
    [
        ({"key": "code"}, "gives no column 'code': use one of id, question, answer, changed"),
        ({"title": "name"}, "gives no column 'name'"),
        ({"updated_at": "updated"}, "gives no column 'updated'"),
        ({"key": "question"}, "The key 'Same' stands for several rows"),
        ({"query": "SELECT id, id FROM faq"}, "gives 2 columns 'id'"),
        ({"query": "SELECT id FROM nowhere"}, r"refuses \(no such table: nowhere"),
        ({"query": "SELECT id FROM faq WHERE"}, r"refuses \(incomplete input"),
        ({"table": "nowhere"}, r"refuses \(no such table: nowhere"),
        ({"query": "SELECT 1", "table": "faq"}, "either a query or a table"),
        ({"table": ""}, "either a query or a table"),
    ],
)
def test_what_does_not_fit_the_database_is_a_sentence(sqlite, columns, why):
    """Columns, keys, tables and queries; nothing foreign gets out."""
    sqlite.run("UPDATE faq SET question = 'Same'")
    asked = {"table": "" if "query" in columns else "faq", **columns}

    with pytest.raises(SourceError, match=why):
        sqlite.ask(**asked)


def test_an_empty_table_has_no_rows(sqlite):
    """Which is no fault here."""
    sqlite.run("DELETE FROM faq")

    assert sqlite.ask(table="faq") == []


def test_text_that_is_none_is_still_read(sqlite):
    """Bytes that are no UTF-8, and signs that no text has."""
    sqlite.run("INSERT INTO faq VALUES (3, CAST(x'636166e9' AS TEXT), 'a' || char(0) || 'b', NULL)")

    assert sqlite.ask(table="faq")[2].markdown == "# 3\n\n- question: caf\N{REPLACEMENT CHARACTER}\n- answer: a b\n"


def test_a_database_in_use_can_be_read(sqlite):
    """Also in the mode that writes beside the file, while another program has it open."""
    other = sqlite3.connect(sqlite.path)
    other.execute("PRAGMA journal_mode=WAL")
    other.execute("INSERT INTO faq (id) VALUES (3)")

    assert len(sqlite.ask(table="faq")) == 2
    other.commit()
    assert len(sqlite.ask(table="faq")) == 3
    other.close()


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "sqlite:///shop.db", "sqlite:////no/such/file.db"])
def test_a_file_that_is_not_there_is_not_made(url, tmp_path, monkeypatch):
    """Nor one in memory; a path must be whole, also where it would lead to a file."""
    monkeypatch.chdir(tmp_path)
    for files in ([], ["shop.db"]):
        for name in files:
            (tmp_path / name).touch()
        with pytest.raises(SourceError, match="does not exist: give its whole path"):
            read_rows(TableQuery(url, "id", table="faq"), {})
        assert [path.name for path in tmp_path.iterdir()] == files


def test_a_file_that_is_no_database_is_a_sentence(tmp_path):
    """In the words of SQLite."""
    (tmp_path / "a.db").write_text("no database, but long enough to be looked at " * 100)

    with pytest.raises(SourceError, match=r"refuses \(file is not a database\): check its address"):
        read_rows(TableQuery(f"sqlite:///{tmp_path}/a.db", "id", table="faq"), {})


# Addresses and passwords


def test_an_address_is_filled_from_what_is_handed_in():
    """Every part of it, or the whole; values need no escaping, and nothing is read from the environment."""
    variables = {
        "WHO": "us/er",
        "PW": PASSWORD,
        "WHERE": "db.internal",
        "ALL": "postgres://a:b%40c@h:5/d?sslmode=require",
    }

    url = fill_url("postgresql://${WHO}:${PW}@${WHERE}:5433/shop_${WHO}", variables)
    whole = fill_url(" ${ALL} ", variables)

    assert (url.username, url.password, url.host, url.port) == ("us/er", PASSWORD, "db.internal", 5433)
    assert (url.database, url.drivername) == ("shop_us/er", "postgresql+psycopg")
    assert (whole.username, whole.password, whole.port, dict(whole.query)) == ("a", "b@c", 5, {"sslmode": "require"})


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("postgresql://u:${PATH}@h/d", "needs PATH, which is not set"),
        ("${HOME}", "needs HOME, which is not set"),
        ("mysql://u:hunter2@h/d", "'mysql' is no database that can be read safely: use postgresql or sqlite"),
        ("postgresql+asyncpg://u:hunter2@h/d", r"'postgresql\+asyncpg' is no database"),
        ("oracle://u:hunter2@h/d", "'oracle' is no database"),
        ("postgresql://u:hunter2@h/d?options=-c%20x", "has the option 'options': leave it out"),
        ("postgresql://u@h/d?password=hunter2", "has the option 'password': leave it out"),
        ("postgresql://u:p@hunter2@h/d", "cannot be read: write it like"),
        ("postgresql://u:hunter2", "cannot be read: write it like"),
        ("postgresql:u:hunter2@h", "cannot be read: write it like"),
        ("", "cannot be read: write it like"),
    ],
)
def test_an_address_that_cannot_be_used_is_a_sentence_without_its_password(url, why):
    """Wherever in it the password stands; the cause carries it no further."""
    with pytest.raises(SourceError, match=why) as fault:
        fill_url(url, {})
    assert "hunter2" not in str(fault.value)
    assert fault.value.__cause__ is None and "hunter2" not in str(fault.value.__context__)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://user:hunter2@host:5432/shop?sslmode=require", "postgresql://user:***@host:5432/shop"),
        ("postgresql://user:${PW}@host/shop", "postgresql://user:***@host/shop"),
        ("postgresql://user@host/shop?password=hunter2", "postgresql://user@host/shop"),
        ("postgresql://user:pass@hunter2@host/shop", "(unreadable address)"),
        ("postgresql://user:hunter2", "(unreadable address)"),
        ("${DATABASE_URL}", "${DATABASE_URL}"),
        ("sqlite:////data/shop.db", "sqlite:////data/shop.db"),
    ],
)
def test_an_address_is_shown_without_its_password(url, shown):
    """Nor its options."""
    assert shown_url(url) == shown


def test_a_password_is_in_no_message_and_no_log(postgres, caplog):
    """Whatever goes wrong: the login, the query, the network."""
    caplog.set_level(logging.DEBUG)
    said = []
    for variables, port, query in [
        ({"PASSWORD": "wrong-hunter2"}, postgres.port, "SELECT 1 AS id"),
        ({"PASSWORD": PASSWORD}, postgres.port, "SELECT nothing AS id"),
        ({"PASSWORD": PASSWORD}, 1, "SELECT 1 AS id"),
        ({"PASSWORD": PASSWORD}, postgres.port, f"SELECT '{PASSWORD}'::int AS id"),
    ]:
        url = postgres.url.replace(f":{postgres.port}/", f":{port}/")
        with pytest.raises(SourceError) as fault:
            read_rows(TableQuery(url, "id", query), variables)
        said.append(str(fault.value))

    assert "password authentication failed" in said[0] and "does not exist" in said[1] and "refused" in said[2]
    assert not any(secret in text for secret in ("hunter2", PASSWORD) for text in [*said, caplog.text])


@given(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.decimals(), st.dates(), st.datetimes(), st.text(),
        st.binary(), st.uuids(), st.lists(st.text()), st.dictionaries(st.text(), st.integers()),
    )
)  # fmt: skip
def test_any_value_of_any_column_is_written_or_left_out(value):
    """And the text is such as any file can hold."""
    text = rows._text(value)

    assert text.encode().decode() == text and "\0" not in text
    assert text or not value or isinstance(value, str | bytes | list)
