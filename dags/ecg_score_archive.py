"""
### Score recordings of archives, behind the fresh ones

What was old when it was first seen (`ECG_ARCHIVE_AFTER_S`), or lies in a folder of `ECG_ARCHIVE_FOLDERS`, is scored
here, a page of chunks a run, in the pool `ecg_archive`. That pool has fewer slots than there are in all, so that a
fresh recording finds one however many thousands wait here. Give it more where nothing fresh is expected (Admin, Pools).
*ECG: score the inbox* does neither of it for them, unless it is given their folder.

**When it fails**

* As *ECG: score the inbox*: `score_chunk` tries again by itself where that can help. *Clear* it as often as you like.
* It does nothing though many wait: are they fresh? `ecg_mart.ingest` shows what waits; a run of *ECG: score the inbox*
  with a folder takes both.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import Metadata, dag, get_current_context, task
from airflow.sdk.exceptions import AirflowSkipException
from ecg_airflow.defaults import ARCHIVE_POOL, DEFAULT_ARGS, SCORES, Events, Facts, inboxes_of, lane

from ecg_core.settings import load_settings

PAGE = 64
"""Chunks a run: a page that ends, so that its outcome is told and the next one is planned anew."""
CHUNK = "{{ task.op_kwargs.recording_ids | length }} from {{ task.op_kwargs.recording_ids[0][:8] }}"


@dag(
    dag_id="ecg_score_archive",
    dag_display_name="ECG: score archives",
    description="Recordings of archives → scores, explanations and reports, behind the fresh ones",
    doc_md=__doc__,
    schedule=load_settings().score_schedule,
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=24),
    default_args=DEFAULT_ARGS,
    tags=["ecg", "scoring"],
)
def ecg_score_archive() -> None:
    """Register, plan a page, score one chunk a task, sum up."""

    @task(execution_timeout=timedelta(hours=2), pool=ARCHIVE_POOL)
    def register_arrivals() -> dict[str, int]:
        """Enter an archive's files in the ledger, for a minute: copying them would hold fresh ones up."""
        from ecg_core.pipeline import inbox

        return inbox.register_all(load_settings(), inboxes_of(None), "archive")

    @task(trigger_rule="all_done")  # what waits already does not wait for a look that fails
    def plan_chunks() -> list[list[str]]:
        """Cut the archive's waiting recordings into chunks; a page of them."""
        from ecg_core.pipeline import inbox

        chunks = inbox.plan_chunks(load_settings(), lane="archive")[:PAGE]
        if not chunks:
            raise AirflowSkipException("Nothing of an archive waits.")
        return chunks

    @task(
        execution_timeout=timedelta(hours=6),
        map_index_template=CHUNK,
        pool=ARCHIVE_POOL,
        **lane("archive"),
        doc_md="Claim, score, explain, store and report a chunk's recordings.",
    )
    def score_chunk(recording_ids: list[str]) -> list[Facts]:
        from ecg_core.pipeline import inbox

        instance = get_current_context()["ti"]  # the same over all tries: a retry goes on with its own claims
        owner = f"{instance.dag_id}/{instance.run_id}/{instance.map_index}"
        return inbox.score_chunk(load_settings(), recording_ids, owner)

    @task
    def inbox_was_read(counts: dict[str, int]) -> dict[str, int]:
        """Let the run fail where the look at the inbox did."""
        return counts

    @task(outlets=[SCORES])
    def announce(outcomes: list[list[Facts]]) -> Events:
        """Announce that new scores stand."""
        from ecg_core.pipeline import inbox

        totals: Facts = inbox.summarise(load_settings(), [outcome for chunk in outcomes for outcome in chunk])
        if not totals["scored"]:
            raise AirflowSkipException("Nothing new was scored.")
        yield Metadata(SCORES, extra={"scored": totals["scored"]})

    chunks, looked = plan_chunks(), register_arrivals()
    looked >> [inbox_was_read(looked), chunks]
    announce(score_chunk.expand(recording_ids=chunks))


ecg_score_archive()
