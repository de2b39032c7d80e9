"""
### Score again under another model version

After a promotion, or to compare two versions: recordings that have scores are scored again, and the old scores stay
beside the new ones (`sql/examples` has the query that names the recordings whose class changed). Runs on demand alone,
and **only says what it would do** unless `dry_run` is switched off.

**Parameters** (all optional)

| name | meaning |
|---|---|
| `model_version` | score with this version; empty: the champion |
| `recording_ids` | only these recordings, by their whole id; empty: every recording that has scores |
| `limit` | at most so many in this run; the next run goes on with the rest |
| `dry_run` | on (the default): count and stop |

**When it fails**

* `plan` fails where a version is unknown or damaged, or a recording that was named has no scores; its log says which.
* `score_again` tries again by itself where that can help. *Clear* it as often as you like: what is scored under this
  version is passed over, and nothing is stored twice.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import Metadata, Param, dag, get_current_context, task
from airflow.sdk.exceptions import AirflowSkipException
from ecg_airflow.defaults import DEFAULT_ARGS, MAX_MAPPED_TASKS, SCORES, Events, Facts

from ecg_core.settings import load_settings


@dag(
    dag_id="ecg_rescore",
    dag_display_name="ECG: score again",
    description="Scored recordings → scores under another model version",
    doc_md=__doc__,
    schedule=None,
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=24),
    default_args=DEFAULT_ARGS,
    tags=["ecg", "scoring"],
    params={
        "model_version": Param(
            None,
            type=["null", "string"],
            pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$",
            title="Model version",
            description="Empty: the champion.",
        ),
        "recording_ids": Param(
            None,
            type=["null", "array"],
            items={"type": "string", "pattern": "^[0-9a-f]{64}$"},
            minItems=1,
            title="Recordings",
            description="Whole recording ids, one a line. Empty: every recording that has scores.",
        ),
        "limit": Param(
            None, type=["null", "integer"], minimum=1, maximum=10**6, title="Limit", description="Empty: all."
        ),
        "dry_run": Param(True, type="boolean", title="Dry run", description="On: say what would be done, and stop."),
    },
)
def ecg_rescore() -> None:
    """Plan, score one chunk a task, sum up."""

    @task
    def plan(*, params: Facts) -> Facts:
        """Say how many recordings would be scored again, and cut them into chunks."""
        from ecg_core.pipeline import rescore

        return rescore.plan_rescoring(load_settings(), **params)

    @task
    def chunks_of(planned: Facts) -> list[list[str]]:
        """Take as many chunks as one run may map."""
        chunks: list[list[str]] = planned["chunks"]
        return chunks[:MAX_MAPPED_TASKS]

    @task(execution_timeout=timedelta(hours=6), doc_md="Score a chunk under the version; the old scores stay.")
    def score_again(recording_ids: list[str], planned: Facts) -> list[Facts]:
        from ecg_core.pipeline import rescore

        instance = get_current_context()["ti"]
        owner = f"{instance.dag_id}/{instance.run_id}/{instance.map_index}"
        return rescore.rescore_chunk(load_settings(), recording_ids, owner, planned["model_version"])

    @task(trigger_rule="none_failed", outlets=[SCORES])
    def announce(outcomes: list[list[Facts]] | None) -> Events:
        """Announce that new scores stand."""
        scored = sum(outcome["outcome"] == "scored" for chunk in outcomes or [] for outcome in chunk)
        if not scored:
            raise AirflowSkipException("Nothing was scored again.")
        yield Metadata(SCORES, extra={"scored": scored})

    planned = plan()
    announce(score_again.partial(planned=planned).expand(recording_ids=chunks_of(planned)))


ecg_rescore()
