"""What all tests share: real data where it lies, one embedded Postgres, one Airflow."""

import fcntl
import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import psycopg2
import pytest
import wfdb
from playwright.sync_api import Browser, sync_playwright
from psycopg2 import sql
from pydantic import PostgresDsn
from sqlalchemy import make_url

from benchmarks.report import axe_script, find_browser
from ecg_core.beats.fibrillation import read_trees
from ecg_core.datasets import synth
from ecg_core.models import SHIPPED, SHIPPED_VERSION, LoadedModel, load_model
from ecg_core.models.version import SHIPPED_DIR
from ecg_core.pipeline import examining, inbox, rescore
from ecg_core.pipeline.versions import prepare_database
from ecg_core.settings import Settings
from ecg_core.stack import postgres
from ecg_core.stack.airflow import AUTH_MANAGER
from ecg_core.stack.postgres import ensure_postgres, remove_postgres
from ecg_core.store.database import owner_engine
from ecg_core.training import (
    FAMILIES,
    TrainingOptions,
    TrainingSource,
    assemble,
    join_beats,
    prepare_records,
    train,
    train_family,
)

PROJECT_DIR = Path(__file__).resolve().parents[1]
MIRROR = Path(os.environ.get("ECG_PHYSIONET_BASE", PROJECT_DIR.parent / "shared" / "physionet"))

# Which tests run on one worker, one after the other, because they share what is dear to make; in the order in which
# workers take them: the longest first, so that none is left with them at the end. Any other file is a group of its own.
GROUPS: dict[str, tuple[str, ...]] = {
    "Airflow's stack": ("stack/test_end_to_end.py", "stack/test_airflow.py"),
    "retraining": ("pipeline/test_retrain.py",),
    "Airflow in this process": ("dags/", "plugins/", "pipeline/test_watching.py"),
    "a tiny version": ("training/test_train.py", "training/test_noise.py", "models/"),
    "explanations": ("explain/", "pipeline/test_explanations_tested.py"),
    "inbox": ("pipeline/test_inbox.py", "pipeline/test_inbox_formats.py"),
    "golden": ("pipeline/test_golden.py",),
    "benchmarks": ("benchmarks/",),
    "command": ("cli/",),
}
# Left out by `make test-fast`: measured, what starts Airflow or a browser, trains, or traces a model's gradients.
SLOW = ("test_compose.py", "stack/", "dags/", "plugins/", "pipeline/", "benchmarks/", "explain/")
SLOW += ("cli/test_app.py", "cli/test_models.py", "training/test_train.py", "training/test_noise.py", "models/")
SLOW += ("report/test_browser.py", "report/test_browser_resting.py", "store/test_killed.py")


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give every test its group, the groups their order, and the slow ones their marker."""
    order = list(GROUPS)
    place: dict[pytest.Item, int] = {}
    for item in items:
        path = item.path.relative_to(PROJECT_DIR / "tests").as_posix()
        group = next((name for name, parts in GROUPS.items() if path.startswith(parts)), path)
        place[item] = order.index(group) if group in order else len(order)
        item.add_marker(pytest.mark.xdist_group(group))
        if path.startswith(SLOW):
            item.add_marker(pytest.mark.slow)
    items.sort(key=place.__getitem__)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Stop where workers do not heed the groups: each would start an Airflow, train a version and so on."""
    if getattr(session.config.option, "loadgroup", False) and any("@" not in item.nodeid for item in session.items):
        raise pytest.UsageError("Tests have no group in their names: does this pytest go with this pytest-xdist?")


@pytest.fixture(scope="session")
def physionet_base() -> Path:
    """Where PhysioNet's databases lie beside the checkout; it need not exist."""
    return MIRROR


@pytest.fixture(scope="session")
def mitdb() -> Path:
    """The folder of real MIT-BIH records."""
    folder = MIRROR / "mitdb" / "1.0.0"
    if not folder.is_dir():
        pytest.skip("no PhysioNet mirror here: set ECG_PHYSIONET_BASE to a folder that holds mitdb/1.0.0")
    return folder


@pytest.fixture(scope="session")
def qtdb_folder() -> Path:
    """The folder of real QT Database records."""
    folder = MIRROR / "qtdb" / "1.0.0"
    if not folder.is_dir():
        pytest.skip("no QT Database here: set ECG_PHYSIONET_BASE to a folder that holds qtdb/1.0.0")
    return folder


@pytest.fixture(scope="session")
def small_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A PhysioNet base with the first five minutes of a few MIT-BIH records."""
    return make_base(tmp_path_factory.mktemp("physionet"), minutes=5)


@pytest.fixture(scope="session")
def smallest_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with two minutes: enough to train on, too little to learn much."""
    return make_base(tmp_path_factory.mktemp("physionet"), minutes=2)


def make_base(base: Path, minutes: float) -> Path:
    """Fill a PhysioNet base: real where the mirror answers, else generated.

    Three deciding patients (116, 207, 223), the others training patients.
    """
    folder = base / "mitdb" / "1.0.0"
    folder.mkdir(parents=True)
    real = MIRROR / "mitdb" / "1.0.0"
    for seed, name in enumerate(("106", "119", "208", "209", "116", "207", "223")):
        if real.is_dir():
            cut_record(real / name, folder, minutes)
        else:
            made = synth.synthesise(60.0 * minutes, pvc_per_minute=6.0, sveb_per_minute=4.0, seed=seed)
            synth.write_wfdb(made, folder, name)
    return base


def cut_record(record: Path, folder: Path, minutes: float) -> None:
    """Write the first minutes of a WFDB record and its annotations into a folder."""
    header = wfdb.rdheader(str(record))
    end = int(minutes * 60 * header.fs)
    signal = wfdb.rdrecord(str(record), sampto=end, physical=False)
    signal.wrsamp(write_dir=str(folder))
    marks = wfdb.rdann(str(record), "atr", sampto=end)
    marks.wrann(write_fs=True, write_dir=str(folder))


@pytest.fixture(scope="session")
def stack_settings(smallest_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Settings of the embedded stack that the tests share: a home of its own, away from the user's `.ecg`."""
    # Not pytest's tmp_path: its parents are closed to the user that root runs Postgres as.
    home = Path(tempfile.mkdtemp(prefix="ecg-tests-"))
    home.chmod(0o755)
    yield Settings(
        _env_file=None,
        home=home,
        # Where tests put what a run is to score.
        further_inboxes=(str(tmp_path_factory.getbasetemp()),),
        database_url=None,
        # Files are tested side by side, each worker with a stack of its own.
        airflow_port=18080 + 100 * int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")),
        physionet_base=str(smallest_base),
        settle_s=0.0,
        explained_beats=4,
        retrain_epochs=1,
        # Only the tests start runs.
        score_schedule="0 0 1 1 *",
        look_every_s=0.0,
        canary_schedule="0 0 1 1 *",
        retrain_schedule="0 0 1 1 *",
        maintenance_schedule="0 0 1 1 *",
    )
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_url(stack_settings: Settings) -> Iterator[str]:
    """A running embedded Postgres: the address of its database `ecg`.

    It waits for no disk, since tests kill processes and never the power: dropping one database alone cost seconds.
    """
    with pytest.MonkeyPatch.context() as patch:
        for option in ("fsync", "full_page_writes"):
            patch.setitem(postgres._SERVER_OPTIONS, option, "off")
        yield ensure_postgres(stack_settings)
    remove_postgres(stack_settings)


@contextmanager
def database_of_its_own(postgres_url: str, prefix: str, template: str = "template1") -> Iterator[str]:
    """Make a database on that server, and drop it afterwards; yields its SQLAlchemy address."""
    name = f"{prefix}_{uuid.uuid4().hex[:12]}"
    url = make_url(postgres_url)
    # A connection for each of the two: a test may restart the server in the meantime.
    plain = url.set(drivername="postgresql", database="postgres").render_as_string(hide_password=False)
    with closing(psycopg2.connect(plain)) as connection:
        connection.autocommit = True
        make = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
        connection.cursor().execute(make)
    yield url.set(database=name).render_as_string(hide_password=False)
    with closing(psycopg2.connect(plain)) as connection:
        connection.autocommit = True
        connection.cursor().execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture(scope="session")
def new_database(postgres_url: str) -> Callable[..., AbstractContextManager[str]]:
    """Make a database on that server, named with a prefix, and drop it afterwards."""
    return partial(database_of_its_own, postgres_url)


@pytest.fixture
def empty_database(postgres_url: str) -> Iterator[str]:
    """A fresh, empty database on that server, dropped afterwards; yields its SQLAlchemy address."""
    with database_of_its_own(postgres_url, "test") as url:
        yield url


@pytest.fixture(scope="session")
def prepared(postgres_url: str, stack_settings: Settings) -> Iterator[str]:
    """Name of a database with the schema of today and the shipped champion, from which others are copied.

    Making one takes a second, longer than most tests that need one; a copy a tenth.
    """
    with database_of_its_own(postgres_url, "prepared") as url:
        made = stack_settings.model_copy(update={"database_url": PostgresDsn(url)})
        prepare_database(made)
        owner_engine(made).dispose()  # Nobody may be signed in to what is copied.
        yield make_url(url).database or ""


@pytest.fixture
def database(postgres_url: str, prepared: str) -> Iterator[str]:
    """A fresh database that is prepared already, dropped afterwards; yields its SQLAlchemy address."""
    with database_of_its_own(postgres_url, "test", prepared) as url:
        yield url


@pytest.fixture(scope="session")
def airflow_home(tmp_path_factory) -> Path:
    """An Airflow of the tests' own: scratch home on SQLite, our DAGs and plugins, never the user's.

    The environment is set before Airflow is first imported in this process.
    """
    if "airflow" not in sys.modules:
        os.environ["AIRFLOW_HOME"] = str(tmp_path_factory.mktemp("airflow"))
        os.environ["AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST"] = json.dumps(
            [
                {
                    "name": name,
                    "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
                    "kwargs": {"path": str(PROJECT_DIR / folder)},
                }
                for name, folder in (("dags-folder", "dags"), ("scratch", "tests/dags/scratch"))
            ]
        )
        os.environ["AIRFLOW__CORE__PLUGINS_FOLDER"] = str(PROJECT_DIR / "plugins")
        os.environ["AIRFLOW__CORE__AUTH_MANAGER"] = AUTH_MANAGER
        os.environ["AIRFLOW__API_AUTH__JWT_SECRET"] = secrets.token_hex(32)
        os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
    home = Path(os.environ["AIRFLOW_HOME"])
    if not (home / "airflow.db").exists():
        subprocess.run([sys.executable, "-m", "airflow", "db", "migrate"], check=True, capture_output=True)
    import airflow  # noqa: F401 (puts the plugins folder on the path)

    return home


@contextmanager
def alone(what: str) -> Iterator[None]:
    """Let one worker bring something, while the other waits."""
    with (Path(tempfile.gettempdir()) / f"ecg-tests-{os.getuid()}-{what}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """A real browser: Debian's, installed where it is missing and we may."""
    with alone("chromium"):
        found = find_browser()
        if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
            quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "check": False, "timeout": 600}
            subprocess.run(["apt-get", "update", "-qq"], **quiet)
            install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium", "poppler-utils"]
            subprocess.run(install, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"}, **quiet)
            found = find_browser()
    if found is None:
        pytest.skip("no Chromium is installed here, and we may not install one (Debian: chromium)")
    return found


@pytest.fixture(scope="module")
def chromium(chromium_path: str) -> Iterator[Browser]:
    """That browser, driven by Playwright. Not for the whole session: while it runs, this thread has an event loop."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def axe(request: pytest.FixtureRequest) -> Path:
    """axe-core's script, from npm, kept in pytest's cache."""
    with alone("axe"):
        script = axe_script(request.config.cache.mkdir("axe-core"))
    if script is None:
        pytest.skip("axe-core cannot be had here: npm is missing or does not reach its registry")
    return script


@pytest.fixture(scope="session")
def champion() -> LoadedModel:
    """The shipped version, loaded once: what a first beat costs (Keras traces each method) is paid once a process."""
    return load_model(SHIPPED_VERSION, PROJECT_DIR)


@pytest.fixture
def loaded_once(champion: LoadedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let scoring in this process take the shipped version that is loaded already."""

    def load(version: str, models_dir: Path) -> LoadedModel:
        return champion if version == SHIPPED_VERSION else load_model(version, models_dir)

    for module in (inbox, rescore):
        monkeypatch.setattr(module, "load_model", load)


@contextmanager
def without_graphs() -> Iterator[None]:
    """Let TensorFlow train without making graphs: those of a fit cost ten seconds, a step without one an eighth."""
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(False)


@pytest.fixture
def eagerly() -> Iterator[None]:
    """Train without graphs."""
    with without_graphs():
        yield


@pytest.fixture(scope="module")
def quick_training() -> Iterator[None]:
    """Train and examine as little as can be, for tests of what stands around the training."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train, "FOLDS", 2)
        patch.setattr(train, "SIMULATED_STRETCHES", 1)
        patch.setattr(train, "SIMULATED_DRAWS", 1)
        patch.setitem(train.RECIPES, "autoencoder", replace(train.RECIPES["autoencoder"], sizes=(2,)))
        patch.setattr(examining, "PER_PATIENT_QUICK", 2)
        patch.setattr(examining, "EXACT_EXPLAINER_BEATS", 20)
        yield


# A tiny but real model version, trained once for all tests of a process, on two real records.


@pytest.fixture(scope="session")
def cache_dir(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("beats")


@pytest.fixture(scope="session")
def trees():
    """The trees that ship, for the probability of fibrillation."""
    return read_trees(SHIPPED_DIR / SHIPPED["rhythm"])


@pytest.fixture(scope="session")
def two_patients(mitdb, cache_dir, trees):
    """Every fifth beat of 119 (V) and 209 (S), on both leads."""
    return thinned(prepare_records(mitdb, ["119", "209"], "training", cache_dir, trees), 5)


@pytest.fixture(scope="session")
def deciding(mitdb, cache_dir, trees):
    """Every third beat of two deciding patients, on the primary lead."""
    return thinned(prepare_records(mitdb, ["223", "207"], "detected", cache_dir, trees), 3)


@pytest.fixture(scope="session")
def learned_from(two_patients, mitdb, cache_dir, trees):
    """The same, and beats of both records in noise."""
    return join_beats([two_patients, thinned(prepare_records(mitdb, ["119", "209"], "noise", cache_dir, trees), 5)])


@pytest.fixture(scope="session")
def components(learned_from, tmp_path_factory):
    out_dir = tmp_path_factory.mktemp("components")
    options = TrainingOptions("class_weights", epochs=1, seed=3)
    with pytest.MonkeyPatch.context() as patch:
        # Two sizes to choose from are enough.
        patch.setitem(train.RECIPES, "autoencoder", replace(train.RECIPES["autoencoder"], sizes=(2, 8)))
        with without_graphs():
            return [train_family(family, learned_from, options, out_dir) for family in FAMILIES]


@pytest.fixture(scope="session")
def tiny_version(components, learned_from, deciding, tmp_path_factory) -> Path:
    """The folder of a version made of one pass over two records."""
    models_dir = tmp_path_factory.mktemp("models")
    source = TrainingSource("two MIT-BIH records", {"mitdb": "0" * 64})
    return models_dir / assemble(components, learned_from, {"deciding": deciding}, source, models_dir)


@pytest.fixture(scope="session")
def tiny_model(tiny_version):
    return load_model(tiny_version.name, tiny_version.parent)


def thinned(beats, step):
    return beats.select(np.arange(0, len(beats), step))
