"""`ecg benchmark faults`: the real thing broken at random instants, and compared with a run that nobody disturbed.

Each trial has an inbox of four short generated recordings, one that is cut, and a letter. Something is broken while it
is worked on, the cause goes away, and the work is done to its end. Counted is, by kind of fault: recordings lost (they
have no score), repeated (more scores or reports than there should be), stuck (neither scored nor set aside), different
(other rows, or a report file other than its row says), and untold (files of the inbox in no row).
"""

from __future__ import annotations

import functools
import json
import os
import random
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import psutil
import structlog
from pydantic import PostgresDsn
from sqlalchemy import Engine, NullPool, create_engine, make_url, text

from benchmarks import faults_broken as broken
from benchmarks import formats
from ecg_core.arrivals.inbox_listing import list_inbox
from ecg_core.datasets import synth
from ecg_core.errors import EcgError
from ecg_core.files import file_sha256
from ecg_core.models import SHIPPED, load_model
from ecg_core.models.version import MANIFEST, SHIPPED_DIR, content_id
from ecg_core.pipeline import inbox, versions
from ecg_core.settings import PROJECT_DIR, Settings
from ecg_core.stack.postgres import ensure_postgres, postgres_process
from ecg_core.store import catalog
from ecg_core.store.database import owner_engine, store_engine

log = structlog.get_logger(__name__)

N_GOOD: Final = 4
KILLED: Final = {"registering": 6, "scoring": 4, "rendering": 2, "exporting": 2, "reviewing": 2, "promoting": 2}
KILLED_ALONE: Final = {"migrating": 3, "forgetting": 2, "postgres": 2, "reading process": 3}
"""Share of the kills by place, of about thirty."""
_MEASURES: Final = ("lost", "repeated", "stuck", "different", "untold")
_OF_A_RUN: Final = "beat attribution chosen_beat hourly rhythm_episode signal_quality shapley"
_NOT_FOUND: Final = ("scoring_run_id", "reading_id")
_EXPIRE: Final = "UPDATE ecg.ingest_ledger SET lease_until = now() - interval '1 s' WHERE state = 'claimed'"
_AN_HOUR_LATER: Final = "UPDATE ecg.inbox_entry SET since = since - interval '1 hour'"
"""What reading died of is read again then, as scoring begins again with what a dead one claimed."""
_CUT: Final = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'ecg'"
_PARTITIONED: Final = "SELECT relname FROM pg_class WHERE relnamespace = 'ecg'::regnamespace AND relkind = 'p'"


@dataclass(slots=True)
class Tried:
    """What became of one kind of fault."""

    tried: int = 0
    lost: int = 0
    repeated: int = 0
    stuck: int = 0
    different: int = 0
    untold: int = 0


def measure(own: Settings, kills: int = 28, hostile: int = 300, seed: int = 0) -> dict[str, Any]:
    """Break everything, and compare.

    Parameters
    ----------
    own : Settings
        Of a home of the benchmark's own with a running embedded Postgres.
    kills : int
        About so many processes are killed, over ten places.
    hostile : int
        Damaged files of all formats that are read.
    seed : int

    Returns
    -------
    dict
        ``faults`` (`Tried` by kind), ``kills``, ``sum`` over all.
    """
    made = functools.lru_cache(load_model)
    inbox.load_model = made  # type: ignore[attr-defined]  # once a process, as a task does
    bench = _Bench(own, random.Random(seed))
    share = kills / sum([*KILLED.values(), *KILLED_ALONE.values()])
    places = [*KILLED, *KILLED_ALONE]
    for place in places:
        for _ in range(max(1, round((KILLED | KILLED_ALONE)[place] * share))):
            bench.kill(place)
        log.info("killed", place=place, **asdict(bench.found[f"killed: {place}"]))
    killed = sum(tried.tried for tried in bench.found.values())
    for fault in bench.faults():
        bench.break_it(fault)
        log.info("broken", fault=fault[0], **asdict(bench.found[fault[0]]))
    files = formats.measure(hostile, seed)
    bench.found["hostile files"] = Tried(tried=files["tried"], stuck=files["crashed"], untold=files["left_behind"])
    found = {name: asdict(tried) for name, tried in bench.found.items()}
    return {
        "faults": found,
        "kills": killed,
        "sum": {name: sum(one[name] for one in found.values()) for name in ("tried", *_MEASURES)},
    }


class _Bench:
    def __init__(self, own: Settings, rng: random.Random) -> None:
        self.own, self.rng, self.number = own, rng, 0
        self.found: dict[str, Tried] = {}
        self.originals = own.home / "originals"
        self.originals.mkdir()
        for seed in range(N_GOOD):
            synth.write_wfdb(synth.synthesise(15.0, pvc_per_minute=8.0, seed=100 + seed), self.originals, f"r{seed}")
        versions.prepare_database(own)
        self.second = self._second_version()
        with self.trial() as settings:
            self.seconds = {}
            for what in ("registering", "scoring"):
                started = time.monotonic()
                self._run(settings, what).wait()
                self.seconds[what] = time.monotonic() - started
            self.undisturbed = self._told(settings)
        n_scored = sum(state == "scored" for state in self.undisturbed["states"].values())
        if n_scored != N_GOOD:
            raise EcgError(f"Undisturbed, {n_scored} of {N_GOOD} recordings were scored.", "Mend that first.")

    def kill(self, place: str) -> None:
        """Kill something at a random instant of a piece of work, do the work to its end, and compare."""
        tried = self.found.setdefault(f"killed: {place}", Tried())
        tried.tried += 1
        with self.trial() as settings:
            if place == "migrating":
                self._kill_migration(tried)
                return
            if place not in ("registering", "scoring", "postgres", "reading process"):
                self._finish(settings)
            work = {"postgres": "scoring", "reading process": "registering"}.get(place, place)
            if work == "scoring":
                inbox.register_arrivals(settings)
            argument = {"promoting": f"{self.second},{SHIPPED['beats']}"}.get(place, str(settings.home / "out"))
            if place == "forgetting":
                argument = self._take_away_one(settings)
            process = self._run(settings, work, argument)
            time.sleep(self.rng.uniform(0, self.seconds.get(work, 2.0)))
            self._strike(place, process)
            self._finish(settings)
            if place == "forgetting":
                self._compare_forgotten(tried, settings, argument)
            else:
                self._compare(tried, self._told(settings))
            if place == "promoting":
                tried.different += versions.scoring_version(settings) not in (self.second, SHIPPED["beats"])

    def _strike(self, place: str, process: subprocess.Popen[str]) -> None:
        if place == "postgres":
            server = postgres_process(self.own.model_copy(update={"database_url": None}))
            if server is not None:
                server[0].kill()
                server[0].wait()
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=60)
            process.kill()
            process.wait()
            ensure_postgres(self.own.model_copy(update={"database_url": None}))
        elif place == "reading process":
            while process.poll() is None:
                for child in psutil.Process(process.pid).children() if psutil.pid_exists(process.pid) else []:
                    with suppress(psutil.Error):
                        child.kill()
                time.sleep(self.rng.uniform(0.5, 3.0))
        else:
            process.kill()
            process.wait()

    def break_it(self, fault: tuple[str, Callable[[Settings], Any]]) -> None:
        """Work while something is broken, mend it, work to the end, and compare."""
        name, breaking = fault
        tried = self.found.setdefault(name, Tried())
        tried.tried += 1
        with self.trial() as settings:
            with breaking(settings), suppress(EcgError, OSError):
                self._work(settings)
            self._finish(settings)
            self._compare(tried, self._told(settings))

    def faults(self) -> Iterator[tuple[str, Callable[[Settings], Any]]]:
        """Give the faults that are no kills, each as a context in which it holds."""
        yield "connections gone", self._connections_gone
        yield "statements time out", self._statements_time_out
        yield "models gone", lambda settings: broken.away(settings.models_dir)
        yield "copies gone", lambda settings: broken.broken_copies(settings)
        yield "temporary folder gone", lambda settings: broken.no_temporary_folder()
        yield "reports: a file in the folder's place", lambda settings: broken.in_the_way(settings.reports_dir)
        yield "source comes twice", lambda settings: broken.twice(settings)
        yield "source touched while it is worked on", lambda settings: broken.touched(settings)
        yield "source goes and comes back", lambda settings: broken.going_and_coming(settings)
        yield "clock a day fast at the sender", lambda settings: broken.in_the_future(settings)
        if broken.may_mount():
            yield "reports' disk full", lambda settings: broken.small_disk(settings.reports_dir, "size=40k")
            yield "reports' disk read-only", lambda settings: broken.small_disk(settings.reports_dir, "ro,size=9m")
            yield "copies' disk full", lambda settings: broken.small_disk(settings.recordings_dir, "size=16k")

    @contextmanager
    def trial(self) -> Iterator[Settings]:
        """Give an empty platform with a filled inbox."""
        self.number += 1
        home = self.own.home / f"trial{self.number}"
        arrivals = home / "inbox"
        shutil.copytree(self.originals, arrivals)
        for path in arrivals.glob("*.atr"):
            path.unlink()
        (arrivals / "letter.txt").write_text("Dear colleague, no ECG.\n")
        (arrivals / "cut.hea").write_text((arrivals / "r0.hea").read_text().replace("r0", "cut"))
        (arrivals / "cut.dat").write_bytes((arrivals / "r0.dat").read_bytes()[:5000])
        shutil.copytree(self.own.models_dir, home / "models")
        with owner_engine(self.own).begin() as connection:
            connection.execute(text("TRUNCATE ecg.ingest_ledger, ecg.recording, ecg.inbox_entry, ecg.patient CASCADE"))
            for table in connection.execute(text(_PARTITIONED)).scalars().all():
                connection.execute(text(f"TRUNCATE ecg.{table}"))
        # A promotion that was killed leaves either of the two in place.
        versions.promote_version(self.own, SHIPPED["beats"], "benchmark")
        yield self.own.model_copy(update={"home": home, "inbox": str(arrivals), "explained_beats": 1})
        shutil.rmtree(home, ignore_errors=True)

    def _run(self, settings: Settings, what: str, argument: str = "") -> subprocess.Popen[str]:
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("ECG_")},
            "ECG_HOME": str(settings.home),
            "ECG_INBOX": settings.inbox,
            "ECG_DATABASE_URL": str(settings.database_url),
            "ECG_SETTLE_S": "0",
            "ECG_EXPLAINED_BEATS": "1",
            "ECG_CHUNK_SIZE": "2",
        }
        process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.faults_process", what, argument],
            env=environment,
            cwd=PROJECT_DIR,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert process.stdout is not None
        while process.stdout.readline() not in ("began\n", ""):
            pass
        threading.Thread(target=process.stdout.read, daemon=True).start()
        return process

    def _work(self, settings: Settings) -> None:
        inbox.register_arrivals(settings)
        for chunk in inbox.plan_chunks(settings):
            inbox.score_chunk(settings, chunk, "again")

    def _finish(self, settings: Settings) -> None:
        """Work until nothing waits, as the schedule would; what waits for its time has it at once here."""
        for _ in range(4):
            with owner_engine(settings).begin() as connection:
                connection.execute(text(_EXPIRE))
                connection.execute(text(_AN_HOUR_LATER))
            with suppress(EcgError):
                self._work(settings)
            if not inbox.plan_chunks(settings):
                return

    def _told(self, settings: Settings) -> dict[str, Any]:
        """Everything that a run leaves, without what tells of the run itself."""
        rows: dict[str, Any] = {}
        with store_engine(settings).connect() as connection:

            def ask(query: str) -> list[tuple[Any, ...]]:
                return [tuple(row) for row in connection.execute(text(query), {"left_out": list(_NOT_FOUND)}).tuples()]

            rows["states"] = dict(ask("SELECT recording_id, state FROM ecg.ingest_ledger"))
            rows["runs"] = ask("SELECT recording_id, model_version FROM ecg.scoring_run ORDER BY 1, 2")
            rows["reports"] = ask("SELECT path, sha256 FROM ecg.report ORDER BY path")
            for table in _OF_A_RUN.split():
                joined = f"ecg.{table} t JOIN ecg.scoring_run r USING (scoring_run_id)"
                query = f"SELECT to_jsonb(t) || jsonb_build_object('of', r.recording_id) AS told FROM {joined}"
                lines = f"SELECT (told - CAST(:left_out AS text[]))::text AS line FROM ({query}) q"
                rows[table] = ask(f"SELECT count(*), md5(string_agg(line, ';' ORDER BY line)) FROM ({lines}) s")
        rows["files"] = [
            (path, file_sha256(settings.reports_dir / path) if (settings.reports_dir / path).is_file() else "")
            for path, _ in rows["reports"]
        ]
        rows["untold"] = list(list_inbox(settings).untold)
        return rows

    def _compare(self, tried: Tried, now: dict[str, Any]) -> None:
        wanted = self.undisturbed
        scored = {i for i, state in wanted["states"].items() if state == "scored"}
        tried.lost += sum(now["states"].get(i) != "scored" for i in scored)
        tried.repeated += len(now["runs"]) > len(wanted["runs"]) or len(now["reports"]) > len(wanted["reports"])
        tried.stuck += sum(state in ("waiting", "claimed") for state in now["states"].values())
        tables = (*_OF_A_RUN.split(), "reports")
        tried.different += any(now[table] != wanted[table] for table in tables) or now["files"] != now["reports"]
        tried.untold += len(now["untold"]) + len(set(wanted["states"]) - set(now["states"]))

    def _take_away_one(self, settings: Settings) -> str:
        with store_engine(settings).connect() as connection:
            row = connection.execute(text("SELECT recording_id FROM ecg.arrival WHERE source LIKE '%/r1.hea'"))
            recording_id = str(row.scalar_one())
        for path in Path(settings.inbox).glob("r1.*"):
            path.unlink()
        return recording_id

    def _compare_forgotten(self, tried: Tried, settings: Settings, recording_id: str) -> None:
        from ecg_core.readers.forgetting import forget

        with suppress(EcgError):
            forget(settings, recording_id)
        now = self._told(settings)
        tried.different += recording_id in json.dumps(now, default=str)
        tried.lost += sum(state == "scored" for state in now["states"].values()) != N_GOOD - 1

    def _kill_migration(self, tried: Tried) -> None:
        name = f"migrating_{self.number}"
        server = self._server()
        with server.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        url = make_url(str(self.own.database_url)).set(database=name).render_as_string(hide_password=False)
        apart = self.own.model_copy(update={"database_url": PostgresDsn(url)})
        process = self._run(apart, "migrating")
        time.sleep(self.rng.uniform(0, 2.0))
        process.kill()
        process.wait()
        self._run(apart, "migrating").wait()
        with owner_engine(apart).connect() as connection:
            tried.different += bool(catalog.differences(connection))
        owner_engine(apart).dispose()
        with server.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
        server.dispose()

    def _server(self) -> Engine:
        address = make_url(str(self.own.database_url)).set(drivername="postgresql+psycopg2", database="postgres")
        return create_engine(address, isolation_level="AUTOCOMMIT", poolclass=NullPool)

    def _second_version(self) -> str:
        """Make another version of the same graphs, to promote."""
        shipped = SHIPPED["beats"]
        manifest = {
            **json.loads((SHIPPED_DIR / shipped / MANIFEST).read_text()),
            "created_at": "2026-01-01T00:00:00+00:00",
        }
        name = f"{shipped[:-8]}{content_id(manifest)}"
        folder = shutil.copytree(SHIPPED_DIR / shipped, self.own.models_dir / name)
        (folder / MANIFEST).write_text(json.dumps({**manifest, "version": name}))
        versions.promote_version(self.own, name, "benchmark")
        versions.promote_version(self.own, shipped, "benchmark")
        return name

    @contextmanager
    def _connections_gone(self, settings: Settings) -> Iterator[None]:
        done = threading.Event()
        server = self._server()

        def cut() -> None:
            while not done.wait(0.4):
                with server.begin() as connection:
                    connection.execute(text(_CUT))

        thread = threading.Thread(target=cut)
        thread.start()
        yield
        done.set()
        thread.join()
        server.dispose()

    @contextmanager
    def _statements_time_out(self, settings: Settings) -> Iterator[None]:
        """Let the server cancel what takes the writer longer than a few milliseconds."""
        server = self._server()
        for told in (f"SET statement_timeout = '{self.rng.randint(2, 12)}ms'", "RESET statement_timeout"):
            with server.begin() as connection:
                connection.execute(text(f"ALTER ROLE ecg_writer {told}"))
                connection.execute(text(_CUT))  # the setting is a new session's
            if told.startswith("SET"):
                yield
        server.dispose()
