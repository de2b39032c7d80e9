"""Clinicians of two sites sign in and ask for both sites' reports; a process of its own, as `fab_table.py`.

Prints one line of JSON: by user, the status of each report and how many the worklist has.
"""

import json
import re
import subprocess
import sys

PASSWORD = "a long enough password"
ROLES = {"north": ["Haus Nord"], "south": ["Haus Süd"], "both": ["Haus Nord", "Haus Süd"], "neither": []}


def main() -> None:
    subprocess.run([sys.executable, "-m", "airflow", "db", "migrate"], check=True, capture_output=True)
    from airflow.api_fastapi.app import create_app
    from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder
    from fastapi.testclient import TestClient

    app = create_app(apps="core")
    with get_application_builder() as builder:
        builder.sm.sync_roles()
        for name, own in ROLES.items():
            roles = [builder.sm.find_role(role) for role in ("ecg clinician", *own)]
            assert builder.sm.add_user(name, "A", "B", f"{name}@example.org", roles, PASSWORD)
    table = {}
    for name in ROLES:
        client = TestClient(app, raise_server_exceptions=False, follow_redirects=False)
        login = {"username": name, "password": PASSWORD}
        client.headers["Authorization"] = f"Bearer {client.post('/auth/token', json=login).json()['access_token']}"
        table[name] = {report: client.get(f"/ecg/reports/{report}").status_code for report in (1, 2)}
        table[name]["listed"] = len(set(re.findall(r"/reports/(\d+)/review", client.get("/ecg/").text)))
    sys.stdout.write(f"TABLE{json.dumps(table)}\n")


main()
