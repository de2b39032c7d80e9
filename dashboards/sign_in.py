"""Let the user ``admin`` sign in with the password of the home folder, which stands in no list of processes."""

import os
from pathlib import Path

from superset.app import create_app

password = (Path(os.environ["DASHBOARDS_HOME"]) / "password").read_text().strip()
app = create_app()
with app.app_context():
    manager = app.appbuilder.sm
    manager.sync_role_definitions()
    user = manager.find_user("admin")
    if user is None:
        manager.add_user("admin", "ECG", "Admin", "admin@localhost", manager.find_role("Admin"), password=password)
    else:
        manager.reset_password(user.id, password)
