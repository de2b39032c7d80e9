"""The mart as OMOP CDM 5.4: loaded by psql into empty tables with their constraints on."""

import csv
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import date, datetime

import pytest
from omop_cdm.regular.cdm54 import Base
from sqlalchemy import NullPool, create_engine, make_url, text

from ecg_core.export import codes
from ecg_core.result import Finding
from ecg_core.stack.cluster import installation
from ecg_core.store import write_result
from ecg_core.store.omop import TABLES, Code, OmopExport, export_omop

ALWAYS = (date(2020, 1, 1), date(2100, 1, 1))
CODES = tuple(Code(name, *code) for name, code in codes.coded().items())
IN_ONE_SCHEMA = dict.fromkeys({table.schema for table in Base.metadata.tables.values()}, "cdm")
EXTENSION = [name for name in TABLES if name.startswith("waveform_")]


@pytest.fixture(scope="module")
def cdm(new_database: Callable[..., AbstractContextManager[str]]) -> Iterator[str]:
    """A database with the empty tables of the CDM."""
    with new_database("cdm") as url:
        engine = create_engine(url, poolclass=NullPool)
        with engine.begin() as conn:
            conn.execute(text("CREATE SCHEMA cdm"))
            Base.metadata.create_all(conn.execution_options(schema_translate_map=IN_ONE_SCHEMA))
        yield url


def psql(url: str, folder, script: str) -> subprocess.CompletedProcess[bytes]:
    target = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    command = [str(installation() / "bin" / "psql"), "--quiet", "--no-psqlrc", "--file", script, target]
    return subprocess.run(command, cwd=folder, env={"PGOPTIONS": "-c search_path=cdm"}, capture_output=True)


@pytest.fixture
def stored(engine, build_result):
    """One patient twice, one of unknown sex, and one recording for each reason to be left out."""

    def store(conn, seed, *, age=71, **facts):
        result = build_result(30, seed=seed, synthetic=False, **facts)
        said = replace(result.recording.stated, age_years=age, sex=None if seed == 3 else "female")
        found = Finding("atrial_fibrillation", "notable", n_episodes=1, total_s=6.0)
        result = replace(result, recording=replace(result.recording, stated=said), findings=(*result.findings, found))
        write_result.write_result(conn, result, "task-1")

    day = datetime(2026, 3, 4, 23, 59, 50)
    with engine.begin() as conn:
        store(conn, 1, patient_pseudonym="one", start_time=day)
        store(conn, 2, patient_pseudonym="one", start_time=day.replace(year=2027))
        store(conn, 3, patient_pseudonym="two", start_time=day)
        store(conn, 4, patient_pseudonym="one", start_time=None)
        store(conn, 5, patient_pseudonym="three", start_time=day, age=None)
        store(conn, 6, patient_pseudonym=None, start_time=day)
    return engine


def test_it_loads_into_empty_tables_with_constraints_on(stored, cdm, tmp_path):
    with stored.begin() as conn:
        written = export_omop(conn, tmp_path, *ALWAYS, CODES)
    assert written.left_out == {
        "of a person without an age": (1, 1),
        "of nobody known": (1, 0),
        "without a date": (1, 1),
    }
    loaded = psql(cdm, tmp_path, "load.sql")
    assert (loaded.returncode, loaded.stderr) == (0, b"")
    with create_engine(cdm, poolclass=NullPool).connect() as conn:
        conn.execute(text("SET search_path = cdm"))
        counts = {name: conn.execute(text(f"SELECT count(*) FROM {name}")).scalar_one() for name in TABLES}
        assert counts == written.rows
        assert min(counts.values()) > 0
        people = conn.execute(text("SELECT person_source_value, year_of_birth, gender_concept_id FROM person")).all()
        assert sorted(map(tuple, people)) == [("one", 1955, 8532), ("two", 1955, 0)]
        rate = text(
            "SELECT name.concept_name, unit.concept_code FROM measurement "
            "JOIN concept AS name ON name.concept_id = measurement_concept_id "
            "JOIN concept AS unit ON unit.concept_id = unit_concept_id "
            "WHERE measurement_source_value = '8867-4'"
        )
        assert set(map(tuple, conn.execute(rate))) == {("Heart rate", "/min")}
        # A run that ends after midnight, and a finding with its code but no concept that is known.
        run = text(
            "SELECT waveform_feature_end_timestamp FROM waveform_feature WHERE algorithm_source_value LIKE 'episode%' "
            "AND value_as_string = 'v_run' ORDER BY 1"
        )
        assert conn.execute(run).scalars().first() == datetime(2026, 3, 4, 23, 59, 53)
        found = text("SELECT DISTINCT value_source_value, value_as_concept_id FROM observation "
                     "WHERE value_as_string = 'atrial_fibrillation'")  # fmt: skip
        assert list(map(tuple, conn.execute(found))) == [(codes.FINDINGS["atrial_fibrillation"][0], 0)]
        assert map_by_a_vocabulary(conn, cdm, tmp_path) == [7]
    again = psql(cdm, tmp_path, "load.sql")
    assert again.returncode != 0
    assert b"duplicate key" in again.stderr


def map_by_a_vocabulary(conn, cdm, folder):
    """Give the CDM a vocabulary in which one code has a concept; which one its measurements have then."""
    conn.execute(text(
        "INSERT INTO concept VALUES (7, 'QRS duration', 'Measurement', 'LOINC', 'Clinical Observation', 'S', '8633-0', "
        "'1970-01-01', '2099-12-31'); INSERT INTO relationship VALUES ('Maps to', 'Maps to', '0', '0', 'Maps to', 0); "
        "INSERT INTO concept_relationship VALUES (7, 7, 'Maps to', '1970-01-01', '2099-12-31')"
    ))  # fmt: skip
    conn.commit()
    mapped = psql(cdm, folder, "map.sql")
    assert (mapped.returncode, mapped.stderr) == (0, b"")
    query = text("SELECT DISTINCT measurement_concept_id FROM measurement WHERE measurement_source_value = '8633-0'")
    return conn.execute(query).scalars().all()


def test_what_it_says_of_the_tables_is_what_they_are(engine, tmp_path):
    """With no recording at all: every file is there, with a head and no row but the source's."""
    with engine.begin() as conn:
        written = export_omop(conn, tmp_path, *ALWAYS, CODES)
    assert written == OmopExport({name: int(name == "cdm_source") for name in TABLES}, {})
    heads = {name: next(csv.reader((tmp_path / f"{name}.csv").open())) for name in TABLES}
    for name in set(TABLES) - set(EXTENSION):
        [table] = [table for table in Base.metadata.tables.values() if table.name == name]
        assert set(heads[name]) <= set(table.columns.keys()), name
        required = {c.name for c in table.columns if not c.nullable}
        assert required <= set(heads[name]), name
