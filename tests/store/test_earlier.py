"""A database that an earlier release made and filled becomes what a fresh one is, or stays as it was.

``tests/sql/earlier/NNNN.sql.xz`` is what ``pg_dump --inserts`` gave of a database that the code of that time had made,
up to migration NNNN, with its views and roles, two made-up recordings that it had scored, one that it had set aside,
and where it could review, one review. `ECG_WRITE_DUMP=1` adds the one of today.
"""

import lzma
import os
import secrets
import shutil
import subprocess
from pathlib import Path

import pytest
from sqlalchemy import Engine, NullPool, create_engine, make_url, text

from ecg_core.errors import MigrationError
from ecg_core.result import Review
from ecg_core.stack.cluster import installation
from ecg_core.store import checks, ledger, migrate, open_engine, read_result, reviews, write_result
from ecg_core.store.catalog import describe, differences
from ecg_core.store.migrate import MIGRATIONS_DIR
from ecg_core.store.readings import reading_of

DUMPS = Path(__file__).resolve().parents[1] / "sql" / "earlier"
EARLIER = sorted(DUMPS.glob("*.sql.xz"))
ROLES = MIGRATIONS_DIR.parent / "roles" / "roles.sql"
PROGRAMS = installation() / "bin"
NEWEST = sorted(MIGRATIONS_DIR.glob("*.sql"))[-1].name


def restored(engine: Engine, dump: Path) -> Engine:
    """Fill an empty database with a dump; the roles that it names are of the whole server, and there."""
    with engine.begin() as conn:
        cursor = conn.connection.cursor()
        cursor.execute(ROLES.read_text())
        cursor.execute(lzma.decompress(dump.read_bytes()).decode())
        cursor.execute("RESET ALL")
    return engine


def test_the_dumps_reach_to_these_days():
    """So that the next upgrade is tried from what stands now: ECG_WRITE_DUMP=1 writes the one of today."""
    assert int(NEWEST[:4]) - int(EARLIER[-1].name[:4]) <= 4


@pytest.fixture(params=EARLIER, ids=lambda path: path.name[:4])
def earlier(request, empty_engine: Engine) -> Engine:
    return restored(empty_engine, request.param)


def _facts(engine: Engine) -> dict[str, list]:
    """What an upgrade must keep, in words that every release knows."""
    queries = {
        "ledger": "SELECT recording_id, state, code, reason FROM ecg.ingest_ledger ORDER BY 1",
        "arrivals": "SELECT source, recording_id FROM ecg.arrival ORDER BY 1",
        "runs": "SELECT scoring_run_id, recording_id, model_version, n_beats FROM ecg.scoring_run ORDER BY 1",
        "beats": "SELECT scoring_run_id, beat_index, r_sample, class, probability_v FROM ecg.beat ORDER BY 1, 2",
        "reports": "SELECT path, sha256 FROM ecg.report ORDER BY 1",
    }
    with engine.connect() as conn:
        facts = {name: [tuple(row) for row in conn.execute(text(query))] for name, query in queries.items()}
        if conn.execute(text("SELECT to_regclass('ecg.review')")).scalar():
            facts["reviews"] = [tuple(row) for row in conn.execute(text("SELECT comment, signed FROM ecg.review"))]
    return facts


def test_it_becomes_what_a_fresh_database_is_and_keeps_what_it_held(earlier, build_result):
    before = _facts(earlier)
    assert len(before["runs"]) == len(before["reports"]) == 2
    assert len(before["ledger"]) == 3
    migrate(earlier)
    assert migrate(earlier) == []
    assert {name: _facts(earlier)[name] for name in before} == before
    with earlier.begin() as conn:
        assert differences(conn) == []
        # Its rows are read, checked and added to as those of a fresh one.
        for run, *_ in before["runs"]:
            assert len(read_result.read_result(conn, run).beats)
        broken = [found.rule.name for rule in checks.read_rules() if (found := checks.check(conn, rule, None)).examples]
        assert broken == []
        conn.execute(text("SELECT ecg.ensure_partitions('2031-05-06')"))
        assert write_result.write_result(conn, build_result(5, seed=7), "test") not in (None, *before["runs"])


@pytest.mark.parametrize("fails", ["migration", "view"])
@pytest.mark.parametrize("dump", [EARLIER[0], EARLIER[-2]], ids=["first", "last"])
def test_an_upgrade_that_fails_leaves_the_release_before_as_it_was(dump, fails, empty_engine, tmp_path):
    earlier = restored(empty_engine, dump)
    sql = Path(shutil.copytree(MIGRATIONS_DIR.parent, tmp_path / "sql"))
    if fails == "migration":
        number = len(list((sql / "migrations").glob("*.sql"))) + 1
        (sql / "migrations" / f"{number:04d}_fails.sql").write_text("DELETE FROM ecg.report; SELECT 1 / 0;")
    else:
        (sql / "views" / "zz_fails.sql").write_text("CREATE VIEW ecg_mart.fails AS SELECT nothing FROM ecg.nowhere;")
    with earlier.connect() as conn:
        schema, history = describe(conn).objects, conn.execute(text("SELECT name FROM ecg.schema_migration")).all()
    facts = _facts(earlier)
    with pytest.raises(MigrationError, match=r"fails\.sql"):
        migrate(earlier, sql / "migrations")
    with earlier.connect() as conn:
        assert describe(conn).objects == schema
        assert conn.execute(text("SELECT name FROM ecg.schema_migration")).all() == history
    assert _facts(earlier) == facts


def test_a_user_of_few_rights_upgrades_too(empty_database):
    """As under docker compose: whoever migrates owns nothing, and is the owner's member."""
    name = f"upgrades_{secrets.token_hex(4)}"
    admin = create_engine(empty_database, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    restored(open_engine(empty_database), EARLIER[-2])
    with admin.connect() as conn:
        conn.execute(text(f"CREATE ROLE {name} LOGIN PASSWORD '{name}' IN ROLE ecg_owner"))
        conn.execute(text(f"ALTER DATABASE {make_url(empty_database).database} OWNER TO {name}"))
        conn.execute(text(f"GRANT ecg_writer, ecg_reviewer TO {name} WITH INHERIT FALSE, SET TRUE"))
    user = open_engine(make_url(empty_database).set(username=name, password=name).render_as_string(hide_password=False))
    try:
        migrate(user)
        with user.connect() as conn:
            assert differences(conn) == []
    finally:
        user.dispose()
        with admin.connect() as conn:
            conn.execute(text(f"REASSIGN OWNED BY {name} TO CURRENT_USER"))
            conn.execute(text(f"DROP OWNED BY {name}"))
            conn.execute(text(f"DROP ROLE {name}"))


def test_a_restored_database_is_what_the_code_expects(empty_engine, engine):
    """`ecg db check` after a restore, before any migration: the text of a view may not be what it was."""
    url = engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    dump = subprocess.run([str(PROGRAMS / "pg_dump"), url], check=True, capture_output=True).stdout
    target = empty_engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    psql = [str(PROGRAMS / "psql"), "--quiet", "--no-psqlrc", "--set", "ON_ERROR_STOP=1", target]
    subprocess.run(psql, input=dump, check=True, capture_output=True)
    with empty_engine.connect() as conn:
        assert differences(conn) == []


@pytest.mark.skipif(not os.environ.get("ECG_WRITE_DUMP"), reason="writes tests/sql/earlier: ECG_WRITE_DUMP=1")
def test_dump_of_today(engine, build_result, arrive, recording_id_of):
    """A release adds what its database is, so that the next one is tried on it."""
    with engine.begin() as conn:
        for seed in range(3):
            arrive(conn, seed, source=f"inbox/earlier-{seed}.hea")
    for seed, n in ((0, 10), (1, 5)):
        result = build_result(n, seed=seed)
        with engine.begin() as conn:
            run = write_result.write_result(conn, result, "earlier", ["Made up."] * len(result.findings))
            reading = reading_of(conn, run)
            write_result.write_report(conn, reading, path=f"{seed}.html", sha256="a" * 64, size_bytes=9, stages={})
            ledger.mark_scored(conn, recording_id_of(seed))
            if not seed:
                reviews.write_review(conn, reading, Review("ada", None, "Made up.", True, {}, ()))
    with engine.begin() as conn:
        ledger.set_aside(conn, recording_id_of(2), "truncated signal", "Made up.")
    url = engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    command = [str(PROGRAMS / "pg_dump"), url, "--inserts", "--rows-per-insert=100"]
    dump = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    lines = [line for line in dump.splitlines(keepends=True) if line.strip() and not line.startswith(("\\", "--"))]
    (DUMPS / f"{NEWEST[:4]}.sql.xz").write_bytes(lzma.compress("".join(lines).encode()))
