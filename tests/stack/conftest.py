import pytest
from ecg_core.stack import up, down
@pytest.fixture(scope="session")
def stack(stack_settings, postgres_url):
    yield up(stack_settings)
    down(stack_settings)
