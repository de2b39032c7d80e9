"""Migrations: once, in order, whole or not at all, and noticed when tampered with."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Engine, inspect, text

from ecg_core.errors import DatabaseUnavailable, MigrationError
from ecg_core.store import migrate, open_engine
from ecg_core.store.migrate import MIGRATIONS_DIR
from ecg_core.store.tables import metadata


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the migrations that a test may spoil."""
    return Path(shutil.copytree(MIGRATIONS_DIR, tmp_path / "migrations"))


def _history(engine: Engine) -> list[str]:
    with engine.connect() as conn:
        return list(conn.execute(text("SELECT name FROM ecg.schema_migration ORDER BY name")).scalars())


def _next(folder: Path, sql: str) -> Path:
    file = folder / f"{len(list(folder.glob('*.sql'))) + 1:04d}_next.sql"
    file.write_text(sql)
    return file


def test_applies_every_file_once(empty_engine):
    names = sorted(path.name for path in MIGRATIONS_DIR.glob("*.sql"))
    assert migrate(empty_engine) == names
    assert migrate(empty_engine) == []
    assert _history(empty_engine) == names


def test_two_processes_at_once_apply_each_file_once(empty_database):
    engines = [open_engine(empty_database) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        applied = [name for names in pool.map(migrate, engines) for name in names]
    assert sorted(applied) == _history(engines[0])
    for engine in engines:
        engine.dispose()


@pytest.mark.parametrize("change", ["-- more\n", " "])
def test_a_changed_file_is_named_with_its_mend(empty_engine, folder, change):
    migrate(empty_engine, folder)
    changed = sorted(folder.glob("*.sql"))[0]
    changed.write_text(changed.read_text() + change)
    with pytest.raises(MigrationError, match=r"0001_\w+\.sql was changed.*Restore 0001_"):
        migrate(empty_engine, folder)


def test_line_ends_of_a_checkout_change_nothing(empty_engine, folder):
    migrate(empty_engine, folder)
    for file in folder.glob("*.sql"):
        file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))
    assert migrate(empty_engine, folder) == []


def test_a_failing_migration_leaves_no_trace_and_can_be_corrected(empty_engine, folder):
    file = _next(folder, "CREATE TABLE ecg.half (id int); INSERT INTO ecg.half VALUES (1); SELECT 1 / 0;")
    with pytest.raises(MigrationError, match=r"_next\.sql failed and was rolled back: division by zero"):
        migrate(empty_engine, folder)
    assert not inspect(empty_engine).has_schema("ecg")
    file.write_text("CREATE TABLE ecg.half (id int); COMMENT ON TABLE ecg.half IS '100 % :of %s';")
    assert migrate(empty_engine, folder)[-1] == file.name


def test_a_database_newer_than_the_code_is_refused(empty_engine, folder):
    newer = _next(folder, "CREATE TABLE ecg.newer (id int);")
    migrate(empty_engine, folder)
    with pytest.raises(MigrationError, match=f"{newer.name}.*newer than the code"):
        migrate(empty_engine)


@pytest.mark.parametrize("name", ["0999_gap.sql", "0004.sql", "0001_zz_twice.sql"])
def test_wrong_numbers_are_refused_before_anything_is_applied(empty_engine, folder, name):
    (folder / name).write_text("SELECT 1;")
    with pytest.raises(MigrationError, match="without a gap"):
        migrate(empty_engine, folder)
    assert not inspect(empty_engine).has_schema("ecg")


def test_an_empty_folder_is_refused(empty_engine, tmp_path):
    with pytest.raises(MigrationError, match="holds no migration"):
        migrate(empty_engine, tmp_path)


def test_a_lock_held_elsewhere_ends_the_wait(empty_engine, folder):
    migrate(empty_engine)
    file = _next(folder, "SET LOCAL lock_timeout = '50ms'; ALTER TABLE ecg.beat ADD COLUMN more int;")
    with empty_engine.begin() as holder:
        holder.execute(text("LOCK TABLE ecg.beat"))
        with pytest.raises(DatabaseUnavailable, match=f"migration {file.name}.*lock timeout"):
            migrate(empty_engine, folder)
    assert migrate(empty_engine, folder) == [file.name]


def test_migrations_run_with_a_lock_timeout(empty_engine, folder):
    _next(folder, "CREATE TABLE ecg.seen AS SELECT current_setting('lock_timeout') AS lock_timeout;")
    migrate(empty_engine, folder)
    with empty_engine.connect() as conn:
        assert conn.execute(text("SELECT lock_timeout FROM ecg.seen")).scalar_one() == "10s"


def test_the_code_and_the_database_agree(engine):
    inspector = inspect(engine)
    with engine.connect() as conn:
        partitions = conn.execute(text("SELECT relname FROM pg_class WHERE relispartition AND relkind = 'r'")).scalars()
        in_database = set(inspector.get_table_names("ecg")) - {"schema_migration", "installed_file"} - set(partitions)
    assert in_database == {table.name for table in metadata.sorted_tables}
    for table in metadata.sorted_tables:
        found = {column["name"]: column for column in inspector.get_columns(table.name, "ecg")}
        assert list(found) == [column.name for column in table.columns], table.name
        for column in table.columns:
            there = found[column.name]
            here = column.type.compile(engine.dialect), column.nullable
            assert here == (_without_collation(there["type"], engine), there["nullable"]), f"{table.name}.{column.name}"
        key = inspector.get_pk_constraint(table.name, "ecg")["constrained_columns"]
        assert set(key) == {column.name for column in table.primary_key}, table.name
        theirs = {
            (tuple(k["constrained_columns"]), k["referred_table"])
            for k in inspector.get_foreign_keys(table.name, "ecg")
        }
        ours = {(tuple(k.column_keys), k.referred_table.name) for k in table.foreign_key_constraints}
        assert theirs == ours, table.name


def _without_collation(type_, engine: Engine) -> str:
    return type_.compile(engine.dialect).split(" COLLATE")[0]


def test_every_table_and_column_has_a_comment(engine):
    with engine.connect() as conn:
        bare = conn.execute(
            text("""
            SELECT class.relname, attribute.attname
            FROM pg_class AS class
            LEFT JOIN pg_attribute AS attribute
                ON attribute.attrelid = class.oid AND attribute.attnum > 0 AND NOT attribute.attisdropped
            WHERE class.relnamespace IN ('ecg'::regnamespace, 'ecg_mart'::regnamespace)
                AND class.relkind IN ('r', 'p', 'v', 'm')
                -- A partition's columns are those of its table, which says what they hold.
                AND NOT class.relispartition
                AND coalesce(col_description(class.oid, attribute.attnum), '') = ''
            """)
        ).all()
        grainless = conn.execute(
            text("""
            SELECT relname FROM pg_class
            WHERE relnamespace IN ('ecg'::regnamespace, 'ecg_mart'::regnamespace) AND relkind IN ('r', 'p', 'v')
                AND coalesce(obj_description(oid, 'pg_class'), '') NOT LIKE 'Grain: %'
            """)
        ).all()
    assert bare == []
    assert grainless == []


def test_times_of_ours_have_a_time_zone(engine):
    with engine.connect() as conn:
        naive = conn.execute(
            text("""
            SELECT table_name || '.' || column_name FROM information_schema.columns
            WHERE table_schema IN ('ecg', 'ecg_mart') AND data_type = 'timestamp without time zone'
            ORDER BY 1
            """)
        ).scalars()
        # By the clock of the recorder, which may have no zone.
        of_recorder = ["beat.r_at", "hourly.hour_starts_at", "recording.start_time", "recording.start_time"]
        assert list(naive) == [*of_recorder, "rhythm_episode.starts_at", "score_final.start_time"]
