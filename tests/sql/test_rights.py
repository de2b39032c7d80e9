"""Who may what: each role of Postgres against each table, view, function and command, tried: docs/rights.md.

``ECG_WRITE_RIGHTS=1`` writes the table again. Of people's roles against pages there is a table of its own
(``tests/plugins/test_roles.py``).
"""

import os
from collections.abc import Callable

import pytest
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError
from typer.testing import CliRunner

from ecg_core import settings as settings_module
from ecg_core.cli.app import app
from ecg_core.errors import EcgError
from ecg_core.settings import PROJECT_DIR

ROLES = ("ecg_writer", "ecg_reviewer", "ecg_analyst")
RIGHTS = PROJECT_DIR / "docs" / "rights.md"
HEAD = """# Who may what

Tried by `tests/sql/test_rights.py`, which fails where this page says otherwise (`ECG_WRITE_RIGHTS=1` writes it). Each
role signs in as itself: S reads, I adds rows, U changes them (s, u: some columns alone), D deletes them, X calls; i
adds rows in the name of whom the session acts for and dated now (`tests/sql/test_own_name.py`), none in another's, and
none where it acts for nobody. For whom it acts is proved with a key that `ecg_reviewer` cannot read: who signs in as it
alone answers for nobody. **Not held**: who can sign in as `ecg_writer` too, as the UI's own process must, can act for
anybody. The owner, `ecg_owner`, may all of it; nobody else owns anything. What people may in the UI is tried by
`tests/plugins/test_roles.py`.
"""
COMMANDS = {
    "ecg db check": ("db", "check"),
    "ecg db migrate": ("db", "migrate"),
    "ecg export": ("export",),
    "ecg forget": ("forget", "RECORDING"),
    "ecg inbox": ("inbox",),
    "ecg models list": ("models", "list"),
    "ecg outbox list": ("outbox", "list"),
    "ecg patients move": ("patients", "move", "0" * 16, "--nobody"),
    "ecg pseudonyms list": ("pseudonyms", "list"),
    "ecg retry": ("retry", "--recording", "0" * 64),
}
REFUSED = ("permission denied", "must be owner", "may not act as")
IN_ANOTHERS_NAME = "permission denied: "
"""Opens what our own triggers say; Postgres' own words name the table."""
NO_TABLE = (
    "cannot insert into view",
    "cannot update view",
    "cannot delete from view",
    "can only be updated to DEFAULT",
)


def _refusal(conn: Connection, statement: str) -> str:
    """Why a statement does not get past the rights; empty where it does, whatever else it then meets."""
    trial = conn.begin_nested()
    try:
        conn.execute(text(statement))
    except (SQLAlchemyError, EcgError) as error:
        return str(error) if any(word in str(error) for word in (*REFUSED, *NO_TABLE)) else ""
    finally:
        if trial.is_active:
            trial.rollback()
    return ""


def _is_let(conn: Connection, statement: str) -> bool:
    return not _refusal(conn, statement)


def _letters(conn: Connection, name: str, columns: list[str]) -> str:
    let = "S" * _is_let(conn, f"SELECT {columns[0]} FROM {name} WHERE false")
    if not let and any(_is_let(conn, f"SELECT {column} FROM {name} WHERE false") for column in columns):
        let = "s"
    refusal = _refusal(conn, f"INSERT INTO {name} DEFAULT VALUES")
    let += "I" * (not refusal) + "i" * (IN_ANOTHERS_NAME in refusal)
    if name.startswith("ecg_mart."):
        columns = columns[:1]  # of a view, many can be changed by nobody
    changed = [_is_let(conn, f"UPDATE {name} SET {column} = DEFAULT WHERE false") for column in columns]
    let += "U" if all(changed) else "u" * any(changed)
    return let + "D" * _is_let(conn, f"DELETE FROM {name} WHERE false")


@pytest.fixture(scope="module")
def tables(known) -> dict[str, list[str]]:
    """Columns by table and view, partitions left out."""
    query = """
        SELECT
            format('%I.%I', c.relnamespace::regnamespace, c.relname),
            array_agg(quote_ident(a.attname) ORDER BY a.attnum)
        FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        WHERE c.relnamespace::regnamespace::text IN ('ecg', 'ecg_mart') AND c.relkind IN ('r', 'p', 'v')
            AND NOT c.relispartition
        GROUP BY c.oid ORDER BY 1
    """
    with known.engine.connect() as conn:
        return {name: list(columns) for name, columns in conn.execute(text(query)).tuples()}


def _of_tables(sign_in: Callable[[str], Engine], tables: dict[str, list[str]]) -> list[str]:
    rows = ["| table or view | " + " | ".join(ROLES) + " |", "|---" * (len(ROLES) + 1) + "|"]
    letters: dict[str, list[str]] = {name: [] for name in tables}
    for role in ROLES:
        with sign_in(role).connect() as conn:
            conn.execute(text("SET TRANSACTION READ WRITE"))
            for name, columns in tables.items():
                letters[name].append(_letters(conn, name, columns))
            conn.rollback()
    return rows + [f"| `{name}` | {' | '.join(let or '–' for let in of_role)} |" for name, of_role in letters.items()]


def _of_functions(known, sign_in: Callable[[str], Engine]) -> list[str]:
    listed = """
        SELECT oid, format('%I.%I(%s)', pronamespace::regnamespace, proname, pg_get_function_identity_arguments(oid))
        FROM pg_proc
        WHERE pronamespace::regnamespace::text IN ('ecg', 'ecg_mart') AND prorettype <> 'trigger'::regtype ORDER BY 2
    """
    may = "SELECT has_function_privilege(CAST(:oid AS oid), 'EXECUTE') AND has_schema_privilege('ecg', 'USAGE')"
    with known.engine.connect() as conn:
        functions = conn.execute(text(listed)).all()
    rows = ["| function | " + " | ".join(ROLES) + " |", "|---" * (len(ROLES) + 1) + "|"]
    marks: dict[str, list[str]] = {name: [] for _, name in functions}
    for role in ROLES:
        with sign_in(role).connect() as conn:
            for oid, name in functions:
                marks[name].append("X" if conn.execute(text(may), {"oid": oid}).scalar_one() else "–")
    return rows + [f"| `{name}` | {' | '.join(of_role)} |" for name, of_role in marks.items()]


def _of_commands(known, sign_in: Callable[[str], Engine], tmp_path, monkeypatch) -> list[str]:
    rows = ["| command, where `ECG_DATABASE_URL` signs in as | " + " | ".join(ROLES) + " |"]
    rows.append("|---" * (len(ROLES) + 1) + "|")
    marks: dict[str, list[str]] = {name: [] for name in COMMANDS}
    monkeypatch.delenv("ECG_WRITE_RIGHTS", raising=False)
    monkeypatch.setenv("ECG_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "inbox").mkdir()
    with known.engine.connect() as conn:
        recording_id = conn.execute(text("SELECT min(recording_id) FROM ecg.recording")).scalar_one()
    for role in ROLES:
        monkeypatch.setenv("ECG_DATABASE_URL", sign_in(role).url.render_as_string(hide_password=False))
        settings_module._load.cache_clear()
        for name, words in COMMANDS.items():
            done = CliRunner().invoke(
                app, [recording_id if word == "RECORDING" else word for word in words], input="y\n"
            )
            said = f"{done.output} {done.exception}"
            marks[name].append("–" if any(word in said for word in REFUSED) else "X")
    settings_module._load.cache_clear()
    return rows + [f"| `{name}` | {' | '.join(of_role)} |" for name, of_role in marks.items()]


def test_who_may_what_is_as_the_page_says(known, sign_in, tables, tmp_path, monkeypatch):
    write = os.environ.get("ECG_WRITE_RIGHTS")
    found = "\n\n".join(
        "\n".join(part)
        for part in (
            [HEAD.strip()],
            _of_tables(sign_in, tables),
            _of_functions(known, sign_in),
            _of_commands(known, sign_in, tmp_path, monkeypatch),
        )
    )
    if write:
        RIGHTS.write_text(f"{found}\n", "utf-8")
    assert found.splitlines() == RIGHTS.read_text("utf-8").rstrip().splitlines()


def test_no_role_deletes_or_changes_what_it_must_not(known, sign_in, tables):
    """The page could be written again over a mistake; what must never be stands here as well."""
    with sign_in("ecg_writer").connect() as conn:
        for name in ("ecg.review", "ecg.reviewer", "ecg.schema_migration", "ecg.audit"):
            assert set(_letters(conn, name, tables[name])) <= set("SI"), name
        assert "D" not in "".join(_letters(conn, name, tables[name]) for name in ("ecg.beat", "ecg.recording"))
    with sign_in("ecg_reviewer").connect() as conn:
        assert set(_letters(conn, "ecg.review", tables["ecg.review"])) == set("Si")
        assert _letters(conn, "ecg.arrival", tables["ecg.arrival"]) == ""
    with sign_in("ecg_analyst").connect() as conn:
        conn.execute(text("SET TRANSACTION READ WRITE"))
        for name, columns in tables.items():
            assert _letters(conn, name, columns) == ("S" if name.startswith("ecg_mart.") else ""), name
