"""What is retried and what fails at once, in real runs of a scratch DAG."""

from pathlib import Path

import pytest

from ecg_core import errors


def _all_errors(root: type[errors.EcgError]) -> list[type[errors.EcgError]]:
    return [root, *(leaf for child in root.__subclasses__() for leaf in _all_errors(child))]


@pytest.fixture(scope="module")
def tries_by_error(airflow_home) -> dict[str, tuple[str, int]]:
    """Final state and number of tries of one task for each kind of failure, all in one run."""
    from airflow.dag_processing.dagbag import DagBag

    run = DagBag(Path(__file__).parent / "scratch").dags["scratch_retries"].test()
    return {ti.task_id: (ti.state, ti.try_number) for ti in run.get_task_instances()}


@pytest.mark.parametrize(
    "kind", ["no_connection", "disk_full", "mixed_group", "DatabaseUnavailable", "ChecksumMismatch"]
)
def test_what_can_pass_is_tried_again(tries_by_error, kind):
    assert tries_by_error[kind] == ("failed", 2)


@pytest.mark.parametrize(
    "kind", ["no_such_file", "hopeless_group", "bug", "CorruptHeader", "ModelIntegrityError", "PatientLeak"]
)
def test_what_cannot_pass_fails_at_once(tries_by_error, kind):
    assert tries_by_error[kind] == ("failed", 1)


@pytest.mark.parametrize("leaf", _all_errors(errors.EcgError), ids=lambda leaf: leaf.__name__)
def test_policy_follows_the_error_tree(airflow_home, leaf):
    from airflow.sdk import RetryAction
    from ecg_airflow.defaults import RetryWhatCanPass

    action = RetryWhatCanPass().evaluate(leaf("What.", "Mend."), try_number=1, max_tries=3).action
    assert action == (RetryAction.RETRY if leaf.retryable else RetryAction.FAIL)
