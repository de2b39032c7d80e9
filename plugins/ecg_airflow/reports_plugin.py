"""Adds "ECG reports" to Airflow's navigation."""

from __future__ import annotations

import logging
from typing import Any

from airflow.plugins_manager import AirflowPlugin

log = logging.getLogger(__name__)


class EcgReportsPlugin(AirflowPlugin):
    """The report browser under ``/ecg``, shown inside the UI."""

    name = "ecg_reports"
    external_views = [  # noqa: RUF012 (Airflow's own interface)
        {
            "name": "ECG reports",
            "href": "/ecg/",
            "destination": "nav",
            "nav_top_level": True,
            # Without a route of its own, a view is not listed.
            "url_route": "ecg-reports",
        }
    ]

    @property
    def fastapi_apps(self) -> list[dict[str, Any]]:  # type: ignore[override]
        """The app, built when the API server asks for it: every other process of Airflow loads this plugin too."""
        try:
            from ecg_airflow.reports_app import build_app

            return [{"app": build_app(), "url_prefix": "/ecg", "name": "ECG reports"}]
        except Exception:
            # Raised from here it would keep Airflow's whole API server from starting, and with it every task.
            log.exception("The report browser is not available")
            return []
