"""What Kubernetes is given: each manifest against Kubernetes' own schema, and against what the platform needs."""

import re
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

import ecg_core
from ecg_core.settings import PREFIX, PROJECT_DIR, Settings

FOLDER = PROJECT_DIR / "kubernetes"
PODS = sorted((FOLDER / "pod_templates").glob("*.yaml"))
VALUES = yaml.safe_load((FOLDER / "values.yaml").read_text())


@pytest.mark.parametrize("path", [*PODS, FOLDER / "watch.yaml"], ids=lambda path: path.stem)
def test_manifests_are_what_kubernetes_takes(path: Path):
    for document in yaml.safe_load_all(path.read_text()):
        kubernetes_validate.validate(document, "1.30", strict=True)


def test_what_kubernetes_would_not_take_is_seen():
    pod = yaml.safe_load(PODS[0].read_text())
    pod["spec"]["containers"][0]["resources"]["request"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(pod, "1.30", strict=True)


@pytest.mark.parametrize("path", PODS, ids=lambda path: path.stem)
def test_a_lane_says_what_it_needs_and_how_it_may_end(path: Path):
    pod = yaml.safe_load(path.read_text())
    [container] = pod["spec"]["containers"]
    assert container["name"] == "base", "Airflow looks for it by this name"
    assert pod["metadata"]["labels"]["ecg/lane"] == path.stem
    assert set(container["resources"]["requests"]) == {"cpu", "memory", "ephemeral-storage"}
    assert container["resources"]["limits"]["memory"]
    assert pod["spec"]["terminationGracePeriodSeconds"] >= 120
    assert pod["spec"]["restartPolicy"] == "Never"
    # What may be taken away at any moment is what nobody waits for.
    assert ("tolerations" in pod["spec"]) == (path.stem == "archive")
    assert pod["spec"]["securityContext"]["runAsNonRoot"] is True


def test_every_variable_of_ours_is_a_setting_and_no_secret_is_written_down():
    source = "".join(path.read_text() for path in FOLDER.rglob("*.yaml"))
    named = set(re.findall(rf"\b{PREFIX}[A-Z_]+", source))
    assert {"ECG_STORE", "ECG_DATABASE_URL", "ECG_PSEUDONYM_KEY"} <= named
    assert named <= {f"{PREFIX}{field}".upper() for field in Settings.model_fields}
    assert not re.search(r"(PASSWORD|SECRET|KEY), value:", source)


def test_the_image_is_the_one_that_is_built():
    images = set(
        re.findall(r"registry\.example\.org/([\w-]+:[\w.]+)", "".join(p.read_text() for p in FOLDER.rglob("*.yaml")))
    )
    assert images == {f"ecg-platform:{ecg_core.__version__}"}
    assert VALUES["images"]["airflow"]["tag"] == ecg_core.__version__
    locked = (PROJECT_DIR / "requirements.txt").read_text()
    assert f"apache-airflow=={VALUES['airflowVersion']} " in locked
