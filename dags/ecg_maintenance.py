"""
### Keep the results database in order

Makes the partitions of the coming months, drops beats and attributions that are older than `ECG_RETENTION_MONTHS`
(0, the default, keeps them all; summaries and reports always stay), frees abandoned claims, measures how far inputs
and scores have drifted from the training data, and checks all stored scores. Runs on the schedule
`ECG_MAINTENANCE_SCHEDULE`.

What it finds stands in `ecg_mart.drift` and `ecg_mart.data_quality`.

**When it fails**

* `check_everything` fails where a severe rule of `sql/checks` is broken. `ecg_mart.data_quality` names the first rows
  of each rule. Scores are never mended in place: find out how they came to be, then score the recordings again.
* `drop_old_partitions` tries again by itself where somebody was reading the old months.
* Nothing here touches recordings, reports or model versions; *clear* a failed task as often as you like.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import dag, task
from ecg_airflow.defaults import DEFAULT_ARGS, nightly

from ecg_core.settings import load_settings


@dag(
    dag_id="ecg_maintenance",
    dag_display_name="ECG: maintenance",
    description="Partitions, retention, abandoned claims, drift, data quality",
    doc_md=__doc__,
    schedule=nightly(load_settings().maintenance_schedule),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=6),
    default_args=DEFAULT_ARGS,
    tags=["ecg", "maintenance"],
)
def ecg_maintenance() -> None:
    """Partitions before retention, so that there is always somewhere to write; checks last."""

    @task
    def make_partitions() -> list[str]:
        """Make the tables' partitions of this month and the next two."""
        from ecg_core.operations import maintenance

        return maintenance.make_partitions(load_settings())

    @task
    def drop_old_partitions() -> list[str]:
        """Drop beats and attributions past `ECG_RETENTION_MONTHS`."""
        from ecg_core.operations import maintenance

        return maintenance.drop_old_partitions(load_settings())

    @task
    def free_abandoned_claims() -> int:
        """Free claims past their lease, and remove what was left half written."""
        from ecg_core.operations import maintenance

        return maintenance.free_abandoned_claims(load_settings())

    @task(execution_timeout=timedelta(hours=1))
    def measure_drift() -> dict[str, dict[str, float]]:
        """Measure how far the last days' inputs and scores are from the training data."""
        from ecg_core.operations import maintenance

        return maintenance.measure_drift(load_settings())

    @task(execution_timeout=timedelta(hours=2))
    def check_everything() -> dict[str, int]:
        """Hold all stored scores against the rules of `sql/checks`."""
        from ecg_core.operations import maintenance

        return maintenance.run_checks(load_settings(), everything=True)

    make_partitions() >> drop_old_partitions() >> [free_abandoned_claims(), measure_drift()] >> check_everything()


ecg_maintenance()
