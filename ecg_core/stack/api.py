"""The little of Airflow's REST API that the demo and the tests need."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Final, Self

import httpx

from ecg_core.errors import StackBusy, StackError

_Params = Mapping[str, str | int | bool]
_ANSWER_WITHIN_S: Final = 60.0
API_SERVER = "api-server"
_FINISHED = ("success", "failed")
_PARTS = {
    "metadatabase": None,
    "scheduler": "latest_scheduler_heartbeat",
    "dag_processor": "latest_dag_processor_heartbeat",
    "triggerer": "latest_triggerer_heartbeat",
}


class AirflowApi:
    """A signed-in session with Airflow's API; a context manager.

    Parameters
    ----------
    url : str
        Address of the UI, for example ``http://127.0.0.1:8080``.
    user, password : str
        Who signs in.
    """

    def __init__(self, url: str, user: str, password: str) -> None:
        # No proxy of the environment may come between us and loopback.
        self._client = httpx.Client(base_url=url, timeout=_ANSWER_WITHIN_S, trust_env=False)
        self._login = {"username": user, "password": password}
        self._signed_in = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def sign_in(self) -> str:
        """Get a bearer token, use it from here on, and return it.

        Raises
        ------
        StackError
            User or password are refused: another program's Airflow may be on that port.
        """
        response = self._send("POST", "/auth/token", json=self._login)
        token: str = response.json()["access_token"]
        self._client.headers["Authorization"] = f"Bearer {token}"
        self._signed_in = True
        return token

    def unhealthy_parts(self, since: float | Mapping[str, float] = 0.0) -> list[str]:
        """List the parts of Airflow that are not up, or last gave a sign of life before ``since``.

        Parameters
        ----------
        since : float or dict
            Unix seconds, perhaps by part. After a crash the last life's heartbeats look fresh for half a minute.
        """
        try:
            health = self._client.get("/api/v2/monitor/health", timeout=5.0).json()
        except (httpx.HTTPError, ValueError):
            return [API_SERVER]
        begun = since if isinstance(since, Mapping) else {part.replace("_", "-"): since for part in _PARTS}
        return [
            part
            for part, heartbeat in _PARTS.items()
            if not _is_healthy(health.get(part), heartbeat, begun.get(part.replace("_", "-"), 0.0))
        ]

    def trigger(self, dag_id: str, conf: Mapping[str, Any] | None = None, timeout_s: float = 120.0) -> str:
        """Start a run of a DAG with ``conf`` as its parameters and return the run's id.

        A DAG that Airflow has not parsed yet is waited for.

        Raises
        ------
        StackError
            There is no such DAG after ``timeout_s``, or ``conf`` does not fit its parameters.
        """
        self.wait_for_dag(dag_id, timeout_s)
        body = {"conf": dict(conf or {}), "logical_date": None}
        run_id: str = self._call("POST", f"/api/v2/dags/{dag_id}/dagRuns", json=body)["dag_run_id"]
        return run_id

    def wait_for_dag(self, dag_id: str, timeout_s: float = 120.0) -> None:
        """Wait until Airflow has parsed a DAG.

        Raises
        ------
        StackError
            It has not after ``timeout_s``; the message holds the DAG files' errors.
        """
        deadline = time.monotonic() + timeout_s
        while dag_id not in self.dag_ids():
            if time.monotonic() > deadline:
                raise StackError(
                    f"Airflow knows no DAG {dag_id!r}. Errors in DAG files: {self.import_errors() or 'none'}.",
                    "Mend the file in dags/, or run `ecg status` to see whether the DAG processor runs.",
                )
            time.sleep(0.5)

    def wait(self, dag_id: str, run_id: str, timeout_s: float) -> dict[str, Any]:
        """Wait until a run has ended and return it as Airflow tells it (``state`` is success or failed).

        An answer that takes too long is asked for again: a machine that works hard is what is waited for.

        Raises
        ------
        StackError
            It has not ended after ``timeout_s``.
        """
        deadline = time.monotonic() + timeout_s
        state = "not answered for"
        while True:
            with suppress(StackBusy):
                run = self.run(dag_id, run_id)
                state = run["state"]
                if state in _FINISHED:
                    return run
            if time.monotonic() > deadline:
                raise StackError(
                    f"Run {run_id} of {dag_id} is {state} after {timeout_s:.0f} s.",
                    "Look at its tasks in Airflow's UI.",
                )
            time.sleep(0.5)

    def run(self, dag_id: str, run_id: str) -> dict[str, Any]:
        """Return one run."""
        return self._call("GET", f"/api/v2/dags/{dag_id}/dagRuns/{run_id}")

    def task_instances(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """Return a run's task instances: ``task_id``, ``map_index``, ``state``, ``duration`` and more."""
        return self._all(f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances", "task_instances")

    def task_log(self, dag_id: str, run_id: str, task_id: str, map_index: int = -1, try_number: int = 1) -> str:
        """Return the log of one try of a task, one event a line."""
        path = f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/logs/{try_number}"
        content = self._call("GET", path, params={"map_index": map_index, "full_content": True})["content"]
        return "\n".join(str(line) for line in content) if isinstance(content, list) else str(content)

    def xcom(self, dag_id: str, run_id: str, task_id: str, map_index: int = -1, key: str = "return_value") -> object:
        """Return what a task handed on, as JSON."""
        path = f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/xcomEntries/{key}"
        return self._call("GET", path, params={"map_index": map_index, "deserialize": True})["value"]

    def ensure_pool(self, name: str, slots: int, description: str) -> None:
        """Make a pool where it is missing; one that is there keeps the slots that its operators gave it."""
        if name not in {pool["name"] for pool in self._all("/api/v2/pools", "pools")}:
            self._call("POST", "/api/v2/pools", json={"name": name, "slots": slots, "description": description})

    def next_runs(self) -> dict[str, datetime]:
        """Return when each DAG that has a schedule runs next, by its id; the soonest first."""
        dags = self._all("/api/v2/dags", "dags")
        soon = {dag["dag_id"]: dag["next_dagrun_run_after"] for dag in dags if not dag["is_paused"]}
        found = {dag_id: datetime.fromisoformat(when) for dag_id, when in soon.items() if when}
        return dict(sorted(found.items(), key=lambda item: item[1]))

    def dag_ids(self) -> set[str]:
        """Return the ids of all DAGs that Airflow has parsed."""
        return {dag["dag_id"] for dag in self._all("/api/v2/dags", "dags")}

    def import_errors(self) -> dict[str, str]:
        """Return, by file, the errors that keep DAGs from loading."""
        errors = self._all("/api/v2/importErrors", "import_errors")
        return {error["filename"]: error["stack_trace"] for error in errors}

    def _all(self, path: str, key: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        while True:
            page = self._call("GET", path, params={"limit": 100, "offset": len(rows)})
            rows += page[key]
            if len(rows) >= page["total_entries"] or not page[key]:
                return rows

    def _call(
        self, method: str, path: str, json: Mapping[str, object] | None = None, params: _Params | None = None
    ) -> dict[str, Any]:
        if not self._signed_in:
            self.sign_in()
        answer: dict[str, Any] = self._send(method, path, json, params).json()
        return answer

    def _send(
        self, method: str, path: str, json: Mapping[str, object] | None = None, params: _Params | None = None
    ) -> httpx.Response:
        try:
            response = self._client.request(method, path, json=json, params=params)
        except httpx.TimeoutException:
            raise StackBusy(
                f"Airflow does not answer {method} {path} within {_ANSWER_WITHIN_S:.0f} s.",
                "Wait until the machine has less to do; `ecg status` tells whether all of the stack runs.",
            ) from None
        except httpx.HTTPError as error:
            raise StackError(f"Airflow does not answer {method} {path}: {error}.", "Run `ecg status`.") from None
        if response.is_error:
            raise StackError(
                f"Airflow refuses {method} {path} ({response.status_code}): {response.text[:600]}.",
                "Correct what it names; where the password is refused, run `ecg down` and `ecg up`.",
            )
        return response


def _is_healthy(part: Mapping[str, Any] | None, heartbeat: str | None, since: float) -> bool:
    if not part or part.get("status") != "healthy":
        return False
    if heartbeat is None:
        return True
    last = datetime.fromisoformat(part[heartbeat])
    return (last if last.tzinfo else last.replace(tzinfo=UTC)).timestamp() >= since
