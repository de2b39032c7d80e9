"""Both DAGs run for real, under Airflow, on Postgres: started and watched through the REST API, as operations would."""

import json
import shutil
import sys
from pathlib import Path

import httpx
import pytest
from pydantic import PostgresDsn

from ecg_core.errors import StackError
from ecg_core.readers.reports import list_arrivals
from ecg_core.settings import PROJECT_DIR, Settings
from ecg_core.stack import StackInfo
from ecg_core.store import counts
from ecg_core.store.database import store_engine

sys.path.insert(0, str(PROJECT_DIR / "tests" / "formats"))
import format_writers as w

RUN_LIMIT_S = 400.0
MARKED = f"{w.NAME} {w.ID}.dcm"


@pytest.fixture(scope="module")
def results(stack: StackInfo, stack_settings: Settings) -> Settings:
    """The stack's settings, with its results database."""
    return stack_settings.model_copy(update={"database_url": PostgresDsn(stack.database_url)})


@pytest.fixture(scope="module")
def inbox(small_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two short recordings, one duplicate, one file that is no ECG, one of a marked person."""
    folder = tmp_path_factory.mktemp("inbox")
    source = small_base / "mitdb" / "1.0.0"
    for name in ("207", "223"):
        for suffix in ("hea", "dat"):
            shutil.copyfile(source / f"{name}.{suffix}", folder / f"{name}.{suffix}")
    (folder / "twin.hea").write_text((folder / "207.hea").read_text().replace("207", "twin"))
    shutil.copyfile(folder / "207.dat", folder / "twin.dat")
    w.dicom(folder / MARKED, w.Truth())
    (folder / "invoice.pdf").write_bytes(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")
    return folder


@pytest.fixture(scope="module")
def scored(stack: StackInfo, inbox: Path) -> str:
    """Id of a finished run of ecg_score_inbox over that inbox."""
    with stack.api() as api:
        run_id = api.trigger("ecg_score_inbox", {"folder": str(inbox)})
        run = api.wait("ecg_score_inbox", run_id, RUN_LIMIT_S)
        tasks = {f"{t['task_id']}[{t['map_index']}]": t["state"] for t in api.task_instances("ecg_score_inbox", run_id)}
    assert run["state"] == "success", tasks
    return run_id


def test_what_arrived_is_scored_by_mapped_tasks(stack: StackInfo, results: Settings, inbox: Path, scored: str):
    with stack.api() as api:
        tasks = api.task_instances("ecg_score_inbox", scored)
        log = api.task_log("ecg_score_inbox", scored, "score_chunk", map_index=0)
    assert [t["state"] for t in tasks if t["task_id"] == "score_chunk" and t["map_index"] >= 0] == ["success"]
    assert "recording done" in log
    told = {arrival.file: arrival for arrival in list_arrivals(results, str(inbox))}
    assert {file: arrival.outcome for file, arrival in told.items()} == {
        "207.hea": "scored",
        "223.hea": "scored",
        "invoice.pdf": "set aside",
        "twin.hea": "already scored",
        MARKED: "scored",
    }
    assert all(told[file].report.is_file() for file in ("207.hea", "223.hea", "twin.hea"))
    assert sum(told["223.hea"].beats.values()) > 200


def test_nobodys_name_is_handed_on_or_logged(stack: StackInfo, scored: str):
    marks = [mark for mark in w.MARKS if mark != str(w.BIRTH_YEAR)]
    handed_on = 0
    with stack.api() as api:
        for task in api.task_instances("ecg_score_inbox", scored):
            where = ("ecg_score_inbox", scored, task["task_id"], task["map_index"])
            if task["state"] == "success" and task["task_id"] != "announce":
                said = json.dumps(api.xcom(*where))
                handed_on += 1
                assert [mark for mark in marks if mark in said] == [], where
            log = api.task_log(*where)
            assert [mark for mark in marks if mark in log] == [], where
    assert handed_on >= 5


def test_another_run_repeats_nothing(stack: StackInfo, results: Settings, inbox: Path, scored: str):
    with store_engine(results).connect() as connection:
        before = counts(connection)
    with stack.api() as api:
        run_id = api.trigger("ecg_score_inbox", {"folder": str(inbox)})
        assert api.wait("ecg_score_inbox", run_id, RUN_LIMIT_S)["state"] == "success"
    with store_engine(results).connect() as connection:
        assert counts(connection) == before


@pytest.mark.parametrize("conf", [{"limit": -1}, {"folder": "not/absolute"}, {"model_version": "../etc"}])
def test_parameters_that_make_no_sense_are_refused(stack: StackInfo, conf: dict):
    with stack.api() as api, pytest.raises(StackError, match="refuses"):
        api.trigger("ecg_score_inbox", conf)


def test_reports_are_for_those_who_signed_in(stack: StackInfo, scored: str):
    with httpx.Client(base_url=stack.url, trust_env=False) as client:
        assert client.get("/ecg/").status_code == 401
        assert client.get("/ecg/reports/1").status_code == 401
        with stack.api() as api:
            client.headers["Authorization"] = f"Bearer {api.sign_in()}"
        page = client.get("/ecg/")
        assert page.status_code == 200
        report = client.get("/ecg/reports/1")
    assert report.status_code == 200
    assert "not for diagnosis" in report.text
    assert "default-src 'none'" in report.headers["content-security-policy"]


@pytest.mark.long
def test_retraining_runs_through_and_says_why(stack: StackInfo, results: Settings):
    with stack.api() as api:
        run_id = api.trigger("ecg_retrain_nightly")
        run = api.wait("ecg_retrain_nightly", run_id, RUN_LIMIT_S)
        tasks = {
            f"{t['task_id']}[{t['map_index']}]": t["state"] for t in api.task_instances("ecg_retrain_nightly", run_id)
        }
        assert run["state"] == "success", tasks
        assert {"beats.train[0]", "beats.train[1]"} <= set(tasks)
        decision = api.xcom("ecg_retrain_nightly", run_id, "beats.decide")
    assert isinstance(decision, dict)
    assert decision["promoted"] in (True, False)
    assert "macro F1" in str(decision["reason"])
    assert json.dumps(decision)
