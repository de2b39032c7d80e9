"""Apache Superset on the mart: reads as ``ecg_analyst``, listens on loopback, keeps what is its own in the home."""

import os
from pathlib import Path

from sqlalchemy.engine import URL, make_url

HOME = Path(os.environ["DASHBOARDS_HOME"])
SECRET_KEY = (HOME / "secret").read_text()
SQLALCHEMY_DATABASE_URI = f"sqlite:///{HOME / 'superset.db'}"
WTF_CSRF_ENABLED = True
TALISMAN_ENABLED = False  # on loopback there is no TLS to insist on
PREVENT_UNSAFE_DB_CONNECTIONS = True
SQLLAB_TIMEOUT = SUPERSET_WEBSERVER_TIMEOUT = 60  # as the analyst's role has it


def DB_CONNECTION_MUTATOR(  # noqa: N802 (Superset's name)
    uri: URL, params: dict[str, object], *_: object
) -> tuple[URL, dict[str, object]]:
    """Put the address of the results database in place of the files' placeholder: no password is stored anywhere."""
    address = make_url(os.environ["DASHBOARDS_URL"]).set(drivername="postgresql+psycopg2")
    options = "-c role=ecg_analyst -c default_transaction_read_only=on -c search_path=ecg_mart"
    return address, {**params, "connect_args": {"options": options}}
