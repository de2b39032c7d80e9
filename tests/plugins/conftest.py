"""The plugins in Airflow's API server, with reports in a database of their own."""

import hashlib
import socket
import sys
import threading
import time
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
import uvicorn
from sqlalchemy import create_engine, insert, text

from ecg_core import settings as settings_module
from ecg_core.datasets import synth
from ecg_core.settings import load_settings

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "formats"))
import format_writers as w

PROJECT_DIR = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def api_app(airflow_home):
    from airflow.api_fastapi.app import create_app

    return create_app(apps="core")


@pytest.fixture
def platform(database, tmp_path, monkeypatch):
    from ecg_core.store import migrate
    from ecg_core.store.database import owner_engine

    monkeypatch.setenv("ECG_HOME", str(tmp_path))
    monkeypatch.setenv("ECG_DATABASE_URL", database)
    settings_module._load.cache_clear()
    migrate(owner_engine(settings_module.load_settings()))
    (tmp_path / "reports").mkdir()
    yield tmp_path
    settings_module._load.cache_clear()


@pytest.fixture
def client(api_app, platform):
    from fastapi.testclient import TestClient

    return TestClient(api_app, raise_server_exceptions=False, follow_redirects=False)


def token_of(role: str | None, name: str = "reader") -> str:
    from airflow.api_fastapi.app import get_auth_manager
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

    return get_auth_manager().generate_jwt(SimpleAuthManagerUser(username=name, role=role))


@pytest.fixture
def signed_in(client):
    client.headers["Authorization"] = f"Bearer {token_of('viewer')}"
    return client


def add_report(
    database: str, path: str, n: int = 0, version: str = "v1", n_class_v: int = 3, html: str = "", urgency: int = 0
) -> tuple[int, str]:
    """Enter a recording with one report row, as scoring does; the report's number and the recording's id."""
    from ecg_core.store import tables
    from ecg_core.store.readings import write_reading

    recording_id = hashlib.sha256(str(n).encode()).hexdigest()
    engine = create_engine(database)
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO ecg.model_version (model_version, family, created_at, training_data, figures, limits)"
                " VALUES (:version, 'cnn', now(), '{}', '{}', '{}') ON CONFLICT DO NOTHING"
            ),
            {"version": version},
        )
        connection.execute(
            insert(tables.recording).values(
                recording_id=recording_id,
                source_format="wfdb",
                lead_names=["II"],
                sampling_rate_hz=360.0,
                n_samples=21600,
                duration_s=60.0,
                synthetic=True,
                arrived_at=datetime(2026, 11, 2, tzinfo=UTC),
            )
        )
        run_id = connection.execute(
            insert(tables.scoring_run)
            .values(
                recording_id=recording_id,
                model_version=version,
                scored_by="test",
                n_beats=10 + n_class_v,
                n_beats_analysable=10 + n_class_v,
                n_class_n=10,
                n_class_s=0,
                n_class_v=n_class_v,
                n_class_f=0,
                n_class_q=0,
                analysable_share=0.97,
                primary_lead="II",
                filters=[],
                stage_seconds={},
                arrived_month=date(2026, 11, 1),
            )
            .returning(tables.scoring_run.c.scoring_run_id)
        ).scalar_one()
        report_id = connection.execute(
            insert(tables.report)
            .values(
                reading_id=write_reading(connection, recording_id, {"beats": run_id}),
                path=path,
                sha256=hashlib.sha256(html.encode()).hexdigest(),
                size_bytes=1,
                urgency=urgency,
            )
            .returning(tables.report.c.report_id)
        ).scalar_one()
    engine.dispose()
    return report_id, recording_id


@pytest.fixture(name="token_of")
def _token_of():
    return token_of


@pytest.fixture(name="add_report")
def _add_report():
    return add_report


@pytest.fixture
def build_scored():
    """Store a result with beats, findings and its real report, as scoring does: its number and the result."""
    from dataclasses import replace

    from benchmarks.made_up import drawn
    from ecg_core.report import sentences, write_report
    from ecg_core.result import RhythmEpisode
    from ecg_core.store import write_result
    from ecg_core.store.readings import reading_of

    def store(home, database, seed=0, result=None):
        letters = "N" * 20 + "VVV" + "N" * 20
        run = RhythmEpisode("v_run", 16.8, 18.4, 20, 22, 120.0)
        result = result or drawn(letters, episodes=(run,))
        recording_id = hashlib.sha256(f"scored {seed}".encode()).hexdigest()
        result = replace(result, recording=replace(result.recording, recording_id=recording_id))
        written = write_report(result, home / "reports" / f"scored-{seed}.html")
        engine = create_engine(database)
        with engine.begin() as connection:
            run_id = write_result.write_result(connection, result, "test", sentences(result))
            report_id = write_result.write_report(
                connection,
                reading_of(connection, run_id),
                path=written.path.name,
                sha256=written.sha256,
                size_bytes=written.size_bytes,
                stages={},
            )
        engine.dispose()
        return report_id, result

    return store


@pytest.fixture
def served(api_app, platform):
    """The API app on a port of its own; its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(api_app, host="127.0.0.1", port=port, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 60
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.05)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(20)


@pytest.fixture
def context(chromium, served, token_of):
    context = chromium.new_context(viewport={"width": 1400, "height": 1000})
    context.add_cookies([{"name": "_token", "value": token_of("user"), "url": served, "sameSite": "Lax"}])
    yield context
    context.close()


@pytest.fixture
def page(context, served):
    """A page; every console error and every request elsewhere fails the test at its end."""
    faults = []
    page = context.new_page()
    page.on(
        "console", lambda said: faults.append(said.text) if said.type == "error" and "422" not in said.text else None
    )
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("request", lambda asked: None if asked.url.startswith(served) else faults.append(asked.url))
    yield page
    assert [fault for fault in faults if "favicon" not in fault] == []


@pytest.fixture
def score_at_once(monkeypatch, loaded_once):
    """Score an upload's folder here, as the run of the DAG would that Airflow starts for it."""
    from ecg_airflow import uploads
    from ecg_airflow.defaults import inbox_of

    from ecg_core.pipeline import inbox

    def start(folder, user_name):
        settings, where = load_settings(), inbox_of(folder)
        inbox.register_arrivals(settings, where)
        for chunk in inbox.plan_chunks(settings, None, where):
            inbox.score_chunk(settings, chunk, user_name)

    monkeypatch.setattr(uploads, "start_scoring", start)


@pytest.fixture
def writable(platform, database, score_at_once):
    from ecg_core.pipeline.versions import prepare_database

    prepare_database(load_settings())
    return platform


@pytest.fixture
def twenty(tmp_path):
    """Twenty files: WFDB in two, a table with its profile, one format each, and one that is no ECG."""
    folder = tmp_path / "Zzyzxname"
    folder.mkdir()
    files = []
    for change, name in enumerate([*w.TWELVE][1:]):
        truth = w.Truth()
        truth.steps[700, 0] += change + 1
        own = folder / name.replace("+", "p")
        own.mkdir()
        path, _ = w.write(own, name, truth)
        files.append(path.rename(folder / f"Zzyzxname {name}{path.suffix}"))
    header = synth.write_wfdb(synth.synthesise(10.0, n_leads=2, seed=5), folder, "Zzyzxname-1")
    files += [header, header.with_suffix(".dat")]
    bare = folder / "bare.csv"
    bare.write_text("ecg\n" + "".join(f"{value}\n" for value in w.Truth(leads=("I",)).steps[:, 0] * 5))
    bare.with_suffix(".toml").write_text('rate_hz = 500\nunit = "uV"')
    files += [bare, bare.with_suffix(".toml")]
    letter = folder / "letter.txt"
    letter.write_text("Dear colleague,\n")
    other = synth.write_wfdb(synth.synthesise(10.0, n_leads=1, seed=6), folder, "other")
    return [*files, other.with_suffix(".dat"), letter]
