"""The analysts' limits, kept from outside: a session may change its own settings, its timeout among them."""

from __future__ import annotations

from typing import Final

import structlog
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from ecg_core.errors import StoreError
from ecg_core.settings import Settings
from ecg_core.store.database import owner_engine

log = structlog.get_logger(__name__)

STATEMENT_S: Final = 60.0
IDLE_IN_TRANSACTION_S: Final = 600.0
"""As ``sql/roles/roles.sql`` sets them for sessions that leave them alone."""
_END: Final = text("""
SELECT
    pg_terminate_backend(pid) AS ended,
    CASE state WHEN 'active' THEN 'statement' ELSE 'open transaction' END AS what
FROM pg_stat_activity
WHERE usename = 'ecg_analyst' AND pid <> pg_backend_pid() AND (
    (state = 'active' AND clock_timestamp() - query_start > make_interval(secs => :statement_s))
    OR (state LIKE 'idle in transaction%' AND clock_timestamp() - state_change > make_interval(secs => :idle_s))
)
""")


def end_long_statements(
    settings: Settings, statement_s: float = STATEMENT_S, idle_s: float = IDLE_IN_TRANSACTION_S
) -> int:
    """End analysts' sessions whose statement or idle transaction has outlived its limit; how many.

    Raises
    ------
    StoreError
        Whoever owns the tables may not end other users' sessions.
    """
    with owner_engine(settings).connect() as connection:
        try:
            ended = connection.execute(_END, {"statement_s": statement_s, "idle_s": idle_s}).all()
        except ProgrammingError:
            raise StoreError(
                "An analyst's statement takes longer than it may, and the tables' owner may not end it.",
                "Let an administrator run `GRANT pg_signal_backend` to the user of ECG_DATABASE_URL.",
            ) from None
    for row in ended:
        log.warning("an analyst's session ended", what=row.what)
    return len(ended)
