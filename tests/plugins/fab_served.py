"""Airflow's API server with the FAB auth manager on a port, as a process of its own: ``fab_served.py PORT``."""

import subprocess
import sys

import uvicorn


def main() -> None:
    subprocess.run([sys.executable, "-m", "airflow", "db", "migrate"], check=True, capture_output=True)
    from airflow.api_fastapi.app import create_app

    uvicorn.run(create_app(apps="core"), host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")


main()
