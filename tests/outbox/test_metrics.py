"""Figures that Prometheus reads, and health that tells the truth."""

import json
import re
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
import yaml
from outbox_time import earlier, tell
from pydantic import PostgresDsn

from ecg_core.messages import outbox as use
from ecg_core.operations import metrics
from ecg_core.operations.watch import serve
from ecg_core.settings import PROJECT_DIR, Settings
from ecg_core.store import outbox
from ecg_core.store.database import store_engine

SAMPLE = re.compile(r'^(ecg_[a-z_]+)(\{([a-z_]+="[^"]*",?)+\})? -?[0-9.e+]+$')


@pytest.fixture
def address(settings: Settings) -> Iterator[str]:
    server = serve(settings)
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def get(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def sign(settings: Settings, part: str) -> None:
    with store_engine(settings).begin() as connection:
        outbox.give_sign(connection, part)


def test_every_line_is_prometheus_and_every_metric_is_told(settings, address):
    tell(settings, "run_failed")
    sign(settings, 'worker a"b\\c')
    status, body = get(f"{address}/metrics")
    assert status == 200
    lines = body.splitlines()
    assert {line.split()[2] for line in lines if line.startswith("# TYPE")} == set(metrics.NAMES)
    samples = [line for line in lines if not line.startswith("#")]
    assert "ecg_database_up 1" in samples
    assert 'ecg_open_alerts{kind="run_failed",severity="warning"} 1' in samples
    assert any('part="worker a\\"b\\\\c"' in line for line in samples)
    plain = [line for line in samples if "\\" not in line]
    assert [line for line in plain if not SAMPLE.match(line)] == []


def test_rules_for_prometheus_name_metrics_and_pages_that_are_there():
    document = yaml.safe_load((PROJECT_DIR / "docs" / "prometheus" / "alerts.yml").read_text())
    [group] = document["groups"]
    for rule in group["rules"]:
        named = set(re.findall(r"\becg_[a-z_]+", rule["expr"]))
        assert named, rule["alert"]
        assert named <= set(metrics.NAMES), rule["alert"]
        assert (PROJECT_DIR / rule["annotations"]["runbook"]).is_file(), rule["alert"]
        assert rule["labels"]["severity"] in ("critical", "warning")


def test_health_says_what_is_wrong(settings, address):
    status, body = get(f"{address}/health")
    assert (status, json.loads(body)["healthy"]) == (503, False)
    assert "looked at the inbox yet" in body
    sign(settings, "inbox")
    assert get(f"{address}/health")[0] == 200
    use.give_sign(settings, "worker one")
    earlier(settings, metrics.WORKER_ALIVE_WITHIN_S + 70)
    status, body = get(f"{address}/health")
    assert status == 503
    assert json.loads(body)["problems"] == ["No worker has given a sign of life for 3 minutes."]
    use.give_sign(settings, "worker two")
    assert get(f"{address}/health")[0] == 200


def test_without_a_database_the_rest_is_told(settings):
    nowhere = settings.model_copy(update={"database_url": PostgresDsn("postgresql://a:b@127.0.0.1:1/ecg")})
    told = metrics.prometheus(nowhere)
    assert "ecg_database_up 0" in told
    assert "ecg_disk_free_bytes" in told
    [problem] = metrics.problems(nowhere)
    assert "127.0.0.1:1/ecg failed" in problem


def test_a_taken_port_is_passed_over(settings, address):
    second = serve(settings)
    assert second.server_port != int(address.rpartition(":")[2])
    second.shutdown()
    second.server_close()


def test_a_worker_gives_its_sign_with_its_heartbeats(settings, airflow_home, monkeypatch, tmp_path):
    """As Celery calls it: twice within half a minute is once."""
    from celery.signals import heartbeat_sent
    from ecg_airflow import signs

    from ecg_core import settings as module

    monkeypatch.setattr(module, "load_settings", lambda: settings)
    monkeypatch.setattr(signs, "ALIVE_FILE", tmp_path / "alive")
    calls = []
    monkeypatch.setattr(signs, "give_sign", lambda real=signs.give_sign: calls.append(real()))
    receiver = signs.SignsOfLife()
    heartbeat_sent.connect(receiver, weak=False)
    try:
        for _ in range(3):
            heartbeat_sent.send(sender=None)
    finally:
        heartbeat_sent.disconnect(receiver)
    for _ in range(100):
        if calls:
            break
        __import__("time").sleep(0.05)
    assert len(calls) == 1
    assert (tmp_path / "alive").exists()
    with store_engine(settings).connect() as connection:
        [part] = outbox.signs(connection)
    assert part.startswith("worker ")
