"""The commands around the results database, as a user types them."""

import json
import os
import shutil
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
from pydantic import PostgresDsn
from sqlalchemy import make_url, text
from typer.testing import CliRunner

from benchmarks import mart
from ecg_core.cli.app import app, main
from ecg_core.pipeline.versions import prepare_database
from ecg_core.settings import PROJECT_DIR, Settings
from ecg_core.store.database import owner_engine


@pytest.fixture
def settings(empty_database, tmp_path, monkeypatch) -> Settings:
    made = Settings(_env_file=None, home=tmp_path, database_url=PostgresDsn(empty_database))
    prepare_database(made)
    monkeypatch.setenv("ECG_HOME", str(tmp_path))
    monkeypatch.setenv("ECG_DATABASE_URL", empty_database)
    return made


def run(*words: str):
    return CliRunner().invoke(app, list(words))


def test_check_says_that_all_is_well_and_fails_where_it_is_not(settings):
    assert run("db", "check").exit_code == 0
    with owner_engine(settings).begin() as conn:
        conn.execute(text("DROP INDEX ecg.scoring_run_scored"))
    failed = run("db", "check")
    assert failed.exit_code == 1
    assert "Missing: index ecg.scoring_run.scoring_run_scored." in failed.output


@pytest.mark.parametrize(
    "words",
    [
        ("synth",),
        ("export", "--as", "fhir"),
        ("export", "--as", "wfdb"),
        ("export", "--as", "json"),
        ("export", "abc", "--as", "parquet"),
        ("export", "--as", "xml"),
        ("export", "--since", "yesterday"),
        ("benchmark", "mart", "--beats", "10"),
    ],
)
def test_nonsense_is_a_usage_error(settings, words):
    assert run(*words).exit_code == 2


def test_the_mart_is_exported_by_one_command(settings, tmp_path):
    done = run("export", "--out", str(tmp_path / "out"), "--since", "2026-01-01")
    assert done.exit_code == 0, done.output
    assert (tmp_path / "out" / "model_version.parquet").is_file()


def test_made_up_data_and_benchmark_by_their_commands(settings):
    name = f"{make_url(str(settings.database_url)).database}_made"
    try:
        assert run("benchmark", "mart", "--fill", "--beats", "12000", "--into", name).exit_code == 0
        done = run("benchmark", "mart", "--beats", "12000", "--into", name, "--json")
        assert done.exit_code == 0, done.output
        figures = json.loads(done.stdout.splitlines()[-1])
        assert figures["beats"] >= 12_000
        assert {"beats", "copy_rows_per_second", "queries"} <= set(figures)
        assert all({"grain", "seconds"} <= set(query) for query in figures["queries"].values())
    finally:
        mart.drop_made_up_database(str(settings.database_url), name)


@pytest.mark.skipif(shutil.which("psql") is None, reason="no psql here (Debian: postgresql-client)")
def test_psql_is_the_analyst_and_shows_no_password(settings):
    command = [str(Path(sys.executable).with_name("ecg")), "db", "psql", "-At", "-c"]
    ask = "SELECT current_user, (SELECT count(*) FROM reading)"
    done = subprocess.run([*command, ask], capture_output=True, text=True, cwd=PROJECT_DIR, check=False)
    assert done.stdout == "ecg_analyst|0\n", done.stderr
    refused = subprocess.run([*command, "SELECT * FROM ecg.arrival"], capture_output=True, cwd=PROJECT_DIR, check=False)
    assert b"permission denied" in refused.stderr
    for way_back in ("RESET ROLE", "SET ROLE NONE", "RESET SESSION AUTHORIZATION"):
        done = subprocess.run(
            [*command, f"{way_back}; {ask}"], capture_output=True, text=True, cwd=PROJECT_DIR, check=False
        )
        assert done.stdout.endswith("ecg_analyst|0\n"), done.stderr
    waiting = subprocess.Popen([*command, "SELECT pg_sleep(10)"], cwd=PROJECT_DIR)
    time.sleep(4)
    words = Path(f"/proc/{waiting.pid}/cmdline").read_bytes()
    waiting.kill()
    waiting.wait()
    assert b"psql" in words
    assert str(make_url(str(settings.database_url)).password).encode() not in words


def test_the_home_and_its_folders_are_their_owners_alone(settings):
    kept = {folder.name: stat.S_IMODE(folder.stat().st_mode) for folder in settings.private_dirs}
    assert kept == dict.fromkeys(("recordings", "reports", "models", "uploads", "logs"), 0o700)
    # Root's Postgres runs as another user, who walks through the home without looking.
    assert stat.S_IMODE(settings.home.stat().st_mode) in (0o700, 0o711)


@pytest.fixture
def full_disk(tmp_path):
    """A disk of 16 KB."""
    folder = tmp_path / "full"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("we may not mount a small disk here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.parametrize("words", [("export",), ("export", "--as", "duckdb"), ("synth",)])
def test_a_full_disk_is_a_sentence(settings, full_disk, monkeypatch, capfd, words):
    where = [str(full_disk / "made")] if words == ("synth",) else ["--out", str(full_disk / "made")]
    monkeypatch.setattr(sys, "argv", ["ecg", *words, *where])
    with pytest.raises(SystemExit) as ended:
        main()
    told = capfd.readouterr().err
    assert ended.value.code == 1
    assert "machine: The disk of" in told
    assert "is full. Free space on it." in told
    assert "Traceback" not in told
