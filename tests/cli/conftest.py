"""Commands run in this process read the settings anew, as each does on its own."""

from collections.abc import Iterator

import pytest

from ecg_core import settings as settings_module


@pytest.fixture(autouse=True)
def read_anew() -> Iterator[None]:
    settings_module._load.cache_clear()
    yield
    settings_module._load.cache_clear()
