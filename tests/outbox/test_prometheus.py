"""The rules for Prometheus, held by its own promtool; the Grafana dashboard asks for metrics that there are."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from ecg_core.operations import metrics
from ecg_core.settings import PROJECT_DIR

RULES_FILE = PROJECT_DIR / "docs" / "prometheus" / "alerts.yml"
RULES = yaml.safe_load(RULES_FILE.read_text())["groups"][0]["rules"]
WELL = {
    "ecg_database_up": "1",
    "ecg_oldest_waiting_seconds": "60",
    'ecg_sign_of_life_age_seconds{part="inbox"}': "30",
    'ecg_sign_of_life_age_seconds{part="worker a"}': "20",
    'ecg_sign_of_life_age_seconds{part="worker long gone"}': "90000",
    'ecg_sign_of_life_age_seconds{part="airflow"}': "20",
    'ecg_sign_of_life_age_seconds{part="canary"}': "3600",
    "ecg_urgent_unsigned": "0",
    'ecg_drift_index{model_version="v",quantity="class"}': "0.05",
    'ecg_outbox_deliveries{state="dead"}': "0",
    "ecg_disk_free_bytes": "5e10",
}
FAULTS = {
    "EcgDatabaseDown": ("ecg_database_up", "0"),
    "EcgInboxLate": ("ecg_oldest_waiting_seconds", "4000"),
    "EcgInboxSilent": ('ecg_sign_of_life_age_seconds{part="inbox"}', "1000"),
    "EcgNoWorker": ('ecg_sign_of_life_age_seconds{part="worker a"}', "120"),
    "EcgAirflowDown": ('ecg_sign_of_life_age_seconds{part="airflow"}', "120"),
    "EcgCanaryFailed": ('ecg_sign_of_life_age_seconds{part="canary"}', "8000"),
    "EcgUrgentUnsigned": ("ecg_urgent_unsigned", "1"),
    "EcgDrift": ('ecg_drift_index{model_version="v",quantity="class"}', "0.3"),
    "EcgDeadLetters": ('ecg_outbox_deliveries{state="dead"}', "1"),
    "EcgDiskLow": ("ecg_disk_free_bytes", "1e9"),
}


@pytest.fixture(scope="module")
def promtool() -> str:
    """Prometheus' own tool: Debian's, installed where it is missing and we may."""
    if shutil.which("promtool") is None and shutil.which("apt-get"):
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "check": False, "timeout": 600}
        subprocess.run(["apt-get", "update", "-qq"], **quiet)
        subprocess.run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", "prometheus"], **quiet)
    return shutil.which("promtool") or pytest.skip("no promtool here, and none can be installed")


def case(name: str, values: dict[str, str], expected: list[dict[str, object]]) -> dict[str, object]:
    alerts = expected or [{"alertname": rule["alert"], "exp_alerts": []} for rule in RULES]
    series = [{"series": series, "values": f"{value}+0x900"} for series, value in values.items()]
    tests = [{"eval_time": "14h", **alert} for alert in alerts]
    return {"name": name, "interval": "1m", "input_series": series, "alert_rule_test": tests}


@pytest.mark.long
def test_each_rule_speaks_when_its_fault_is_there_and_not_before(promtool: str, tmp_path: Path):
    assert {rule["alert"] for rule in RULES} == set(FAULTS)
    cases = [case("all is well", WELL, [])]
    for rule in RULES:
        series, value = FAULTS[rule["alert"]]
        is_worker = rule["alert"] == "EcgNoWorker"  # that any worker lives is enough, and the alert names none
        labels = {} if is_worker else dict(re.findall(r'(\w+)="([^"]*)"', series))
        told = {"exp_labels": {**rule["labels"], **labels}, "exp_annotations": rule["annotations"]}
        cases.append(case(rule["alert"], {**WELL, series: value}, [{"alertname": rule["alert"], "exp_alerts": [told]}]))
    document = {"rule_files": [str(RULES_FILE)], "evaluation_interval": "1m", "tests": cases}
    (tmp_path / "tests.yml").write_text(yaml.safe_dump(document))
    for command in (["check", "rules", str(RULES_FILE)], ["test", "rules", str(tmp_path / "tests.yml")]):
        done = subprocess.run([promtool, *command], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_rules_have_the_annotations_that_are_meant():
    """A comma that stands in no quotes makes an annotation of its own, which Prometheus refuses."""
    assert {tuple(rule["annotations"]) for rule in RULES} == {("summary", "runbook")}


def test_the_dashboard_shows_metrics_that_there_are():
    board = json.loads((PROJECT_DIR / "docs" / "grafana" / "ecg.json").read_text())
    asked = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    assert {re.match(r"ecg_[a-z_]+", query)[0] for query in asked} == set(metrics.NAMES)
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
