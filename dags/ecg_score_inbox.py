"""
### Score what arrived in the inbox

Enters every settled file of the inbox in the ledger by the hash of its content, and scores what has no score; without
parameters fresh recordings alone (archives: *ECG: score archives*). Runs within seconds of something having settled
(`ECG_LOOK_EVERY_S`), as `ECG_SCORE_SCHEDULE` says, and on demand.

**Parameters** (all optional)

| name | meaning |
|---|---|
| `folder` | look here instead of `ECG_INBOX`, and score this folder's alone (or `s3://connection@bucket/in`) |
| `limit` | score at most so many recordings in this run; the rest wait for the next one |
| `model_version` | score with this version instead of the champion |

**When it fails** (two runs at once are safe: recordings are claimed, and come free after `ECG_CLAIM_LEASE_S`)

* `score_chunk` tries again where that can help; its log says what mends it. What is left waits for the next run.
* `check_quality` fails where what was stored breaks a severe rule of `sql/checks`: see `ecg_mart.data_quality`.
* A file that cannot be used, or on which scoring failed, is set aside in `ecg.ingest_ledger` and stops no other.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import Metadata, Param, dag, get_current_context, task
from airflow.sdk.exceptions import AirflowSkipException
from ecg_airflow.defaults import DEFAULT_ARGS, FRESH_FIRST, MAX_MAPPED_TASKS, SCORES, Events, Facts, inboxes_of
from ecg_airflow.inbox_trigger import when_something_arrived

from ecg_core.settings import load_settings

CHUNK = "{{ task.op_kwargs.recording_ids | length }} from {{ task.op_kwargs.recording_ids[0][:8] }}"


@dag(
    dag_id="ecg_score_inbox",
    dag_display_name="ECG: score the inbox",
    description="Newly arrived recordings → scores, explanations and reports",
    doc_md=__doc__,
    schedule=when_something_arrived(load_settings()),
    catchup=False,
    max_active_runs=4,
    dagrun_timeout=timedelta(hours=12),
    default_args=DEFAULT_ARGS,
    tags=["ecg", "scoring"],
    params={
        "folder": Param(
            None,
            type=["null", "string"],
            pattern=r"^(/[^/\s].*|[a-z][a-z0-9+.-]*://[^/\s].*|file:///[^/\s].*)$",
            maxLength=1024,
            title="Folder",
            description="An absolute folder of the host, or an object-store address. Empty: the inbox of the settings.",
        ),
        "limit": Param(
            None, type=["null", "integer"], minimum=1, maximum=10**6, title="Limit", description="Empty: all."
        ),
        "model_version": Param(
            None,
            type=["null", "string"],
            pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$",
            title="Model version",
            description="Empty: the champion.",
        ),
    },
)
def ecg_score_inbox() -> None:
    """Register arrivals, plan chunks, score one chunk a task, sum up, check."""

    @task(execution_timeout=timedelta(hours=2), weight_rule="absolute", priority_weight=FRESH_FIRST - 2)
    def register_arrivals(*, params: Facts) -> dict[str, int]:
        """Enter what has settled in the ledger; with parameters an archive's files too."""
        from ecg_core.pipeline import inbox

        lane = None if any(params.values()) else "fresh"
        return inbox.register_all(load_settings(), inboxes_of(params["folder"]), lane)

    # What waits already does not wait for a look that fails, and what has been registered not for others' looks.
    @task(trigger_rule="all_done", weight_rule="absolute", priority_weight=FRESH_FIRST - 1)
    def plan_chunks(*, params: Facts) -> list[list[str]]:
        """Cut what waits into chunks, by what it costs."""
        from ecg_core.pipeline import inbox

        (folder,) = inboxes_of(params["folder"]) if params["folder"] else (None,)
        lane = None if any(params.values()) else "fresh"  # a run with parameters takes all that its form says
        return inbox.plan_chunks(load_settings(), params["limit"], folder, lane)[:MAX_MAPPED_TASKS]

    @task(
        execution_timeout=timedelta(hours=6),
        map_index_template=CHUNK,
        priority_weight=FRESH_FIRST,
        weight_rule="absolute",
        doc_md="Claim, score, explain, store and report a chunk's recordings.",
    )
    def score_chunk(recording_ids: list[str], *, params: Facts) -> list[Facts]:
        from ecg_core.pipeline import inbox

        instance = get_current_context()["ti"]  # the same over all tries: a retry goes on with its own claims
        owner = f"{instance.dag_id}/{instance.run_id}/{instance.map_index}"
        return inbox.score_chunk(load_settings(), recording_ids, owner, params["model_version"])

    @task(trigger_rule="none_failed")
    def summarise(outcomes: list[list[Facts]] | None) -> Facts:
        """Total what this run did."""
        from ecg_core.pipeline import inbox

        return inbox.summarise(load_settings(), [outcome for chunk in outcomes or [] for outcome in chunk])

    @task(execution_timeout=timedelta(hours=1))
    def check_quality(totals: Facts) -> dict[str, int]:
        """Hold what was stored against the rules of `sql/checks`."""
        from ecg_core.operations import maintenance

        return maintenance.run_checks(load_settings()) if totals["scored"] else {}

    @task(outlets=[SCORES])
    def announce(totals: Facts) -> Events:
        """Announce that new scores stand."""
        if not totals["scored"]:
            raise AirflowSkipException("Nothing new was scored.")
        yield Metadata(SCORES, extra={"scored": totals["scored"]})

    @task
    def inbox_was_read(counts: dict[str, int]) -> dict[str, int]:
        """Let the run fail where the look at the inbox did."""
        return counts  # the run fails where the look did

    chunks, looked = plan_chunks(), register_arrivals()
    looked >> [inbox_was_read(looked), chunks]
    totals = summarise(score_chunk.expand(recording_ids=chunks))
    check_quality(totals) >> announce(totals)


ecg_score_inbox()
