"""A person between the gate and a promotion."""

from __future__ import annotations

from typing import Any, Final

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowSkipException

PROMOTE: Final = "Promote"
KEEP: Final = "Keep the champion"


class AskBeforePromotion(HITLOperator):
    """Ask under *Required Actions* whether the challenger may score, where the gate would let it.

    Parameters
    ----------
    verdict_from : str
        Task whose result says ``promote`` and ``reason``.
    """

    def __init__(self, *, verdict_from: str, **kwargs: Any) -> None:  # noqa: ANN401 (what every operator takes)
        super().__init__(options=[PROMOTE, KEEP], defaults=KEEP, **kwargs)
        self.verdict_from = verdict_from

    def execute(self, context: Context) -> object:
        """Wait for an answer; where the gate keeps the champion there is nothing to ask."""
        verdict = context["ti"].xcom_pull(task_ids=self.verdict_from)
        if not verdict["promote"]:
            raise AirflowSkipException("The gate keeps the champion: there is nothing to ask.")
        return super().execute(context)


def answer_of(response: dict[str, Any] | None) -> tuple[bool, str | None]:
    """Read what was answered: approved or not, and by whom (None where nobody answered in time)."""
    if response is None:
        return False, None
    user = response.get("responded_by_user")
    return response["chosen_options"] == [PROMOTE], user["name"] if user else None
