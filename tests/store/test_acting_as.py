"""Sessions act as a role of few rights, whoever signs in."""

import secrets

import pytest
from sqlalchemy import NullPool, create_engine, make_url, text
from sqlalchemy.exc import ProgrammingError

from ecg_core.errors import StoreError
from ecg_core.store import engine as store_engine_module
from ecg_core.store import migrate, open_engine
from ecg_core.store.install import role_gap


@pytest.fixture
def plain_user(empty_database):
    """A user who may do nothing in particular, with an empty database; the database's address as that user."""
    name = f"plain_{secrets.token_hex(6)}"
    admin = create_engine(empty_database, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with admin.connect() as conn:
        conn.execute(text(f"CREATE ROLE {name} LOGIN PASSWORD '{name}'"))
        conn.execute(text(f"ALTER DATABASE {make_url(empty_database).database} OWNER TO {name}"))
    yield make_url(empty_database).set(username=name, password=name).render_as_string(hide_password=False)
    with admin.connect() as conn:
        conn.execute(text(f"REASSIGN OWNED BY {name} TO CURRENT_USER"))
        conn.execute(text(f"DROP OWNED BY {name}"))
        conn.execute(text(f"DROP ROLE {name}"))


@pytest.mark.parametrize("role", ["ecg_writer", "ecg_reviewer"])
def test_every_session_acts_as_its_role_after_rollbacks_too(engine, role):
    acting = open_engine(engine.url.render_as_string(hide_password=False), role)
    for _ in range(2):
        with acting.connect() as conn:
            assert conn.execute(text("SELECT current_user, session_user")).one() == (role, role)
            conn.rollback()
            assert conn.execute(text("SELECT current_user")).scalar_one() == role
            for statement in ("DROP TABLE ecg.beat", "ALTER TABLE ecg.beat ADD mine int", "TRUNCATE ecg.review"):
                with pytest.raises(ProgrammingError, match=r"must be owner|permission denied"):
                    conn.execute(text(statement))
                conn.rollback()
    with acting.connect() as conn, conn.begin():
        assert conn.execute(text("SHOW timezone")).scalar_one() == "UTC"
    acting.dispose()


@pytest.mark.parametrize("role", ["ecg_writer", "ecg_reviewer"])
@pytest.mark.parametrize("statement", ["RESET ROLE", "SET ROLE NONE", "RESET SESSION AUTHORIZATION", "RESET ALL"])
def test_nothing_said_in_a_session_leads_back_to_more_rights(engine, role, statement):
    """On the embedded server, whose address names a superuser."""
    acting = open_engine(engine.url.render_as_string(hide_password=False), role)
    with acting.connect() as conn:
        conn.execute(text(statement))
        assert conn.execute(text("SELECT current_user")).scalar_one() == role
        assert conn.execute(text("SHOW is_superuser")).scalar_one() == "off"
        with pytest.raises(ProgrammingError, match="permission denied"):
            conn.execute(text("SET ROLE ecg_owner"))
    acting.dispose()


def test_a_role_that_is_not_there_is_one_sentence_that_says_what_mends_it(engine):
    acting = open_engine(engine.url.render_as_string(hide_password=False), "ecg_nobody")
    with pytest.raises(StoreError, match="has no role ecg_nobody") as caught:
        acting.connect()
    assert "ecg db migrate" in str(caught.value)
    assert not caught.value.retryable
    assert engine.url.password not in str(caught.value)


def test_who_may_not_act_as_the_role_is_told_so_and_what_mends_it(engine, plain_user):
    """As where an administrator made the roles, but did not let the user who migrates act as them."""
    user = make_url(plain_user).username
    owner = open_engine(plain_user)
    assert migrate(owner)
    with owner.connect() as conn:
        told = role_gap(conn)
    assert told is not None
    assert f"GRANT ecg_writer, ecg_reviewer TO {user}" in told
    acting = open_engine(plain_user, "ecg_writer")
    with pytest.raises(StoreError, match=f"{user} may not act as the role ecg_writer") as caught:
        acting.connect()
    assert "ecg db migrate" in str(caught.value)

    with engine.begin() as conn:
        conn.execute(text(told.split("`")[1]))
    with owner.connect() as conn:
        assert role_gap(conn) is None
    with acting.connect() as conn:
        assert conn.execute(text("SELECT current_user")).scalar_one() == "ecg_writer"
        assert conn.execute(text("SELECT count(*) FROM ecg_mart.beat")).scalar_one() == 0
    owner.dispose()
    acting.dispose()


def test_no_connection_is_left_behind_where_the_role_is_refused(engine):
    name = f"left_{secrets.token_hex(4)}"
    before = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    with engine.connect() as conn:
        there = conn.execute(text(before)).scalar_one()
    acting = open_engine(engine.url.render_as_string(hide_password=False), name)
    for _ in range(3):
        with pytest.raises(StoreError):
            acting.connect()
    with engine.connect() as conn:
        conn.execute(text("SELECT pg_sleep(0.2)"))
        assert conn.execute(text(before)).scalar_one() <= there


def test_roles_that_sessions_act_as_are_those_of_the_files():
    from typing import get_args

    from ecg_core.store.install import ROLES

    assert set(get_args(store_engine_module.Role)) < set(ROLES)
