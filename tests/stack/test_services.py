"""docker-compose.yml's services as processes: two Celery workers without a shared disk, and what happens to them.

All of it takes minutes: the short forms are `tests/pipeline/test_depot.py` (machines that share a store alone) and
`tests/test_compose.py` (what the services are told).
"""

import hashlib
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from pydantic import PostgresDsn
from sqlalchemy import Engine, create_engine, text

from ecg_core import depot
from ecg_core.datasets import synth
from ecg_core.settings import PROJECT_DIR, Settings
from ecg_core.stack.api import AirflowApi

sys.path.insert(0, str(PROJECT_DIR / "tests" / "stack"))
from services import Services, composed, kill_tree, until

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def services() -> Iterator[Services]:
    if shutil.which("redis-server") is None:
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "check": False, "timeout": 600}
        subprocess.run(["apt-get", "update", "-qq"], **quiet)
        subprocess.run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", "redis-server"], **quiet)
    if shutil.which("redis-server") is None:
        pytest.skip("no redis-server here, and none can be installed")
    folder = Path(tempfile.mkdtemp(prefix="ecg-tests-"))
    folder.chmod(0o755)
    (folder / "inbox").mkdir()
    settings = {"ECG_SETTLE_S": "0", "ECG_CHUNK_SIZE": "16", "ECG_CLAIM_LEASE_S": "120"}
    with composed(folder, folder / "inbox", ECG_SCORE_SCHEDULE="* * * * *", WORKER_CONCURRENCY="1", **settings) as made:
        for service in ("api-server", "scheduler", "dag-processor", "triggerer", "watch"):
            made.start(service)
        for name in ("worker-1", "worker-2"):
            made.start("worker", name)
        yield made
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def api(services: Services) -> Iterator[AirflowApi]:
    with AirflowApi(services.api, "admin", services.variables["AIRFLOW_ADMIN_PASSWORD"]) as signed_in:
        until(lambda: not signed_in.unhealthy_parts(), 180, services.tail("scheduler") + services.tail("api-server"))
        signed_in.wait_for_dag("ecg_score_inbox")
        yield signed_in


@pytest.fixture(scope="module")
def engine(services: Services) -> Iterator[Engine]:
    made = create_engine(services.database_url)
    yield made
    made.dispose()


def arrive(services: Services, prefix: str, n: int, seconds: float = 30.0, written_at: float | None = None) -> set[str]:
    """Let recordings arrive, all of them others; written elsewhere first, so that each arrives whole."""
    inbox, elsewhere = services.folder / "inbox", services.folder / "made"
    elsewhere.mkdir(exist_ok=True)
    for number in range(n):
        name = f"{prefix}{number}"
        synth.write_wfdb(synth.synthesise(seconds, pvc_per_minute=6.0, seed=zlib.crc32(name.encode())), elsewhere, name)
        for suffix in (".dat", ".hea"):
            if written_at is not None:
                os.utime(elsewhere / f"{name}{suffix}", (written_at, written_at))
            (elsewhere / f"{name}{suffix}").rename(inbox / f"{name}{suffix}")
    return {f"{inbox}/{prefix}{number}.hea" for number in range(n)}


def states(engine: Engine, sources: set[str]) -> dict[str, str]:
    query = (
        "SELECT ledger.recording_id, state FROM ecg.ingest_ledger AS ledger "
        "JOIN ecg.arrival USING (recording_id) WHERE source = ANY(:sources)"
    )
    with engine.connect() as connection:
        return dict(connection.execute(text(query), {"sources": list(sources)}).tuples().all())


@pytest.mark.parametrize(("n", "kills"), [(24, 1), (500, 20)])
def test_workers_without_a_shared_disk_score_all_once_though_killed(services, api, engine, n, kills):
    """The one is killed at random instants while it works, and started again; what it had in hand must not be lost."""
    started = time.monotonic()
    sources = arrive(services, f"r{n}-", n)
    chance = random.Random(7)
    until(lambda: "claimed" in states(engine, sources).values(), 180, "scoring begins")
    begun = time.monotonic()
    open_kills: list[tuple[float, set[str]]] = []
    recovered: list[float] = []
    due = [begun + 3 + chance.uniform(0, 25) * (i + 1) for i in range(kills)]
    while True:
        now = states(engine, sources)
        done = {recording for recording, state in now.items() if state == "scored"}
        for kill in [kill for kill in open_kills if kill[1] <= done]:
            recovered.append(time.monotonic() - kill[0])
            open_kills.remove(kill)
        if len(done) == n:
            break
        assert time.monotonic() - begun < 3000, f"{len(done)} of {n} are scored"
        if due and time.monotonic() >= min(due) and "claimed" in now.values():
            due.remove(min(due))
            name = chance.choice(["worker-1", "worker-2"])
            in_hand = {recording for recording, state in now.items() if state == "claimed"}
            kill_tree(services.running[name])
            open_kills.append((time.monotonic(), in_hand))
            services.start("worker", name)
        time.sleep(1.0)
    took = time.monotonic() - started
    print(  # noqa: T201
        f"\n{n} recordings, {len(recovered)} kills: all scored after {took:.0f} s; what was in hand was scored "
        f"{statistics.median(recovered or [0]):.0f} s after the kill (median), {max(recovered or [0]):.0f} s at most"
    )
    assert len(recovered) >= min(kills, 1)
    check_all_once(services, engine, sources)


def check_all_once(services: Services, engine: Engine, sources: set[str]) -> None:
    ids = list(states(engine, sources))
    assert set(states(engine, sources).values()) == {"scored"}
    query = """SELECT count(*), count(DISTINCT run.recording_id) FROM ecg.scoring_run AS run
        WHERE run.recording_id = ANY(:ids) AND run.task = 'beats'"""
    files = """SELECT report.path, report.sha256 FROM ecg.report AS report JOIN ecg.reading USING (reading_id)
        WHERE reading.recording_id = ANY(:ids)"""
    with engine.connect() as connection:
        assert connection.execute(text(query), {"ids": ids}).one() == (len(sources), len(sources))
        reports = connection.execute(text(files), {"ids": ids}).tuples().all()
    assert len(reports) == len(sources)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in services.variables.items():
            if name.startswith("AWS_"):
                patch.setenv(name, value)
        shared = Settings(
            _env_file=None,
            home=services.folder / "reader",
            store=services.variables["ECG_STORE"],
            database_url=PostgresDsn(services.database_url),
            pseudonym_key=services.variables["ECG_PSEUDONYM_KEY"],
        )
        names = dict(depot.files(shared, ("reports",)))
        for path, sha256 in reports:
            assert hashlib.sha256(names[f"reports/{path}"].read_bytes()).hexdigest() == sha256


def test_what_is_uploaded_is_scored_by_a_machine_that_has_it_not(services, api):
    """The pages take it in, a worker scores it, and the pages show its report: nothing but the store is shared."""
    made = services.folder / "uploaded"
    made.mkdir()
    synth.write_wfdb(synth.synthesise(30.0, pvc_per_minute=6.0, seed=77), made, "u")
    files = [("file", (f"u{suffix}", (made / f"u{suffix}").read_bytes())) for suffix in (".hea", ".dat")]
    headers = {"Authorization": f"Bearer {api.sign_in()}"}
    with httpx.Client(base_url=services.api, headers=headers, timeout=120.0, trust_env=False) as client:
        sent = client.post("/ecg/uploads", files=files)
        assert sent.status_code == 201, sent.text
        number = sent.json()["upload"]
        until(lambda: client.get(f"/ecg/uploads/{number}").json()["done"], 600, "the upload is done", every_s=3.0)
        [recording] = client.get(f"/ecg/uploads/{number}").json()["recordings"]
        assert recording["outcome"] == "scored", recording
        assert "not for diagnosis" in client.get(recording["report"]).text


def test_health_fails_when_the_last_worker_dies_and_the_alert_is_told(services, api, engine):
    """Within three minutes of its death, and all is well again when one lives."""
    watch = f"http://127.0.0.1:{services.ports['watch']}/health"
    alert = "SELECT count(*) FROM ecg.outbox_message WHERE kind = 'no_worker' AND ended_at IS NULL"

    def told() -> bool:
        with engine.connect() as connection:
            return bool(connection.execute(text(alert)).scalar_one())

    until(lambda: httpx.get(watch, trust_env=False).status_code == 200, 300, httpx.get(watch, trust_env=False).text)
    for name in ("worker-1", "worker-2"):
        kill_tree(services.running[name])
    failed_s = until(lambda: httpx.get(watch, trust_env=False).status_code == 503, 180, "health fails")
    told_s = failed_s + until(told, 180 - failed_s, "the alert is told")
    print(f"\nno worker: health failed after {failed_s:.0f} s, the alert was told after {told_s:.0f} s")  # noqa: T201
    for name in ("worker-1", "worker-2"):
        services.start("worker", name)
    until(lambda: httpx.get(watch, trust_env=False).status_code == 200, 180, "health again")
    run_id = api.trigger("ecg_canary")
    assert api.wait("ecg_canary", run_id, 300)["state"] == "success"
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM ecg.sign_of_life WHERE part = 'canary'")).scalar_one() == 1


def test_fresh_ones_have_their_reports_within_a_minute_behind_an_archive(services, api, engine):
    """Two thousand old files, and ten fresh ones while those are worked through; settled is written, here."""
    old = time.time() - 10 * 86_400
    archive = arrive(services, "archived-", 2000, seconds=10.0, written_at=old)
    until(lambda: "claimed" in states(engine, archive).values(), 600, "the archive is being scored")
    written = {}
    for number in range(10):
        [source] = arrive(services, f"fresh-{number}-", 1)
        written[source] = time.time()
        time.sleep(3.0)
    until(lambda: list(states(engine, set(written)).values()).count("scored") == 10, 600, "fresh ones are scored")
    query = """SELECT source, extract(epoch FROM report.written_at) FROM ecg.report AS report
        JOIN ecg.reading USING (reading_id) JOIN ecg.arrival USING (recording_id) WHERE source = ANY(:sources)"""
    with engine.connect() as connection:
        reported = dict(connection.execute(text(query), {"sources": list(written)}).tuples().all())
    took = sorted(float(reported[source]) - written[source] for source in written)
    left = sum(state != "scored" for state in states(engine, archive).values())
    print(f"\nfresh behind an archive ({left} of it left): {', '.join(f'{s:.0f}' for s in took)} s")  # noqa: T201
    assert left > 100, "the archive is still being worked through"
    assert max(took) <= 60.0
