"""The whole stack, with Airflow."""

from collections.abc import Iterator

import pytest
from pydantic import PostgresDsn

from ecg_core.pipeline.versions import prepare_database
from ecg_core.settings import Settings
from ecg_core.stack import StackInfo, up
from ecg_core.stack.airflow import stop_airflow


@pytest.fixture(scope="package")
def stack(stack_settings: Settings, postgres_url: str) -> Iterator[StackInfo]:
    """The whole stack with Airflow, started once for the tests of this folder (half a minute).

    Not for the whole session: idle, it takes a quarter of a core from the others.
    """
    prepare_database(stack_settings.model_copy(update={"database_url": PostgresDsn(postgres_url)}))
    with pytest.MonkeyPatch.context() as patch:
        # Its processes are ended by a signal and leave no word of the lines they ran: measuring them only costs.
        patch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)
        started = up(stack_settings)
    yield started
    # Airflow alone: fixtures that began before this one still need Postgres to clear up.
    stop_airflow(stack_settings)
