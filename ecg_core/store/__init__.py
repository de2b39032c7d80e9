"""Postgres: migrations, the ledger of what arrived, scores, model versions, reports.

Functions that write take a `sqlalchemy.Connection`: the caller owns the transaction.
"""

from ecg_core.store.engine import open_engine
from ecg_core.store.migrate import migrate
from ecg_core.store.tables import counts

__all__ = ["counts", "migrate", "open_engine"]
