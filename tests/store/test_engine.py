"""Reaching Postgres, and being told plainly when that fails."""

import socket

import pytest
from sqlalchemy import make_url, text

from ecg_core.errors import DatabaseUnavailable, StoreError
from ecg_core.store import open_engine

SECRET = "s3cret-pass"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_no_server_is_one_sentence_without_the_password():
    port = _free_port()
    with pytest.raises(DatabaseUnavailable) as caught:
        open_engine(f"postgresql://ecg:{SECRET}@127.0.0.1:{port}/ecg").connect()
    assert f"127.0.0.1:{port}/ecg" in caught.value.what
    assert "\n" not in str(caught.value)
    assert SECRET not in repr(caught.value)
    assert caught.value.retryable


def test_a_wrong_database_or_password_is_told_without_the_password(empty_database):
    url = make_url(empty_database)
    for wrong in (url.set(database="nowhere"), url.set(username="nobody-there", password=SECRET)):
        with pytest.raises(DatabaseUnavailable) as caught:
            open_engine(wrong.render_as_string(hide_password=False)).connect()
        assert SECRET not in str(caught.value)
        if url.password:
            assert url.password not in str(caught.value)


@pytest.mark.parametrize(
    "address", [f"postgresql://ecg:{SECRET}@x{SECRET}@127.0.0.1/ecg", f"mysql://u:{SECRET}@h/d", SECRET, ""]
)
def test_what_is_no_address_is_refused_without_showing_it(address):
    with pytest.raises(StoreError) as caught:
        open_engine(address)
    assert SECRET not in str(caught.value)


def test_a_lost_connection_is_unavailable_and_the_next_one_works(engine):
    with engine.connect() as conn, engine.connect() as killer:
        pid = conn.execute(text("SELECT pg_backend_pid()")).scalar_one()
        killer.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
        with pytest.raises(DatabaseUnavailable):
            conn.execute(text("SELECT 1"))
    with engine.connect() as conn:
        assert conn.execute(text("SELECT 1")).scalar_one() == 1


def test_connections_that_died_in_the_pool_are_replaced_unnoticed(empty_database):
    engine = open_engine(empty_database)
    with engine.connect() as conn:
        pid = conn.execute(text("SELECT pg_backend_pid()")).scalar_one()
    # As when Postgres was restarted while nobody used the connection.
    with open_engine(empty_database).connect() as killer:
        killer.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
    with engine.connect() as conn:
        assert conn.execute(text("SELECT pg_backend_pid()")).scalar_one() != pid


def test_sessions_speak_utc_and_have_a_name(engine):
    with engine.connect() as conn:
        settings = text("SELECT current_setting('timezone'), current_setting('application_name')")
        assert tuple(conn.execute(settings).one()) == ("UTC", "ecg")


def test_errors_do_not_list_the_values_of_a_statement(engine):
    with engine.connect() as conn, pytest.raises(Exception, match="division by zero") as caught:
        conn.execute(text("SELECT :secret, 1 / 0"), {"secret": SECRET})
    assert SECRET not in str(caught.value)
