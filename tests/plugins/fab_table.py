"""Each role signs in and tries each page and action; a process of its own, since an Airflow has one auth manager.

Prints one line of JSON: by role, the status that each answered with.
"""

import json
import re
import subprocess
import sys

PASSWORD = "a long enough password"
READ = "/ecg/reports/1"
ACTIONS = {
    "worklist": ("GET", "/ecg/", {}),
    "report": ("GET", READ, {}),
    "review form": ("GET", f"{READ}/review", {}),
    "model card": ("GET", "/ecg/models/no-such", {}),
    "upload page": ("GET", "/ecg/uploads", {}),
    "upload": ("POST", "/ecg/uploads", {"content": b"x"}),
    "see DAGs": ("GET", "/api/v2/dags", {}),
    "see task logs": ("GET", "/api/v2/dags/ecg_score_inbox/dagRuns/r/taskInstances/t/logs/1", {}),
    "pause a DAG": ("PATCH", "/api/v2/dags/ecg_score_inbox", {"json": {"is_paused": True}}),
    "start a DAG": ("POST", "/api/v2/dags/ecg_score_inbox/dagRuns", {"json": {"logical_date": None}}),
    "change a pool": ("PATCH", "/api/v2/pools/no_such", {"json": {"slots": 2}}),
    "see connections": ("GET", "/api/v2/connections", {}),
    "see the audit log": ("GET", "/api/v2/eventLogs", {}),
    "see users": ("GET", "/auth/fab/v1/users", {}),
}


def main() -> None:
    subprocess.run([sys.executable, "-m", "airflow", "db", "migrate"], check=True, capture_output=True)
    from airflow.api_fastapi.app import create_app
    from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder
    from ecg_airflow.rights import ROLES
    from fastapi.testclient import TestClient

    app = create_app(apps="core")
    with get_application_builder() as builder:
        builder.sm.sync_roles()
        for role in (*ROLES, "Public"):
            name = role.replace(" ", "-")
            assert builder.sm.add_user(name, "A", "B", f"{name}@example.org", builder.sm.find_role(role), PASSWORD)
    table = {}
    for role in (*ROLES, "Public"):
        client = TestClient(app, raise_server_exceptions=False, follow_redirects=False)
        login = {"username": role.replace(" ", "-"), "password": PASSWORD}
        client.headers["Authorization"] = f"Bearer {client.post('/auth/token', json=login).json()['access_token']}"
        table[role] = {
            name: client.request(method, path, **sent).status_code for name, (method, path, sent) in ACTIONS.items()
        }
        table[role]["sign"] = sign(client)
    client = TestClient(app, raise_server_exceptions=False, follow_redirects=False)
    table["nobody"] = {name: client.request(method, path).status_code for name, (method, path, _) in ACTIONS.items()}
    sys.stdout.write(f"TABLE{json.dumps(table)}\n")


def sign(client) -> int:
    page = client.get(f"{READ}/review").text
    token = re.search(r'name="token" value="([^"]+)"', page)
    sent = {"token": token[1] if token else "forged", "action": "sign", "comment": "Seen."}
    headers = {"Origin": "http://testserver"}
    return client.post(f"{READ}/review", data=sent, headers=headers).status_code


main()
