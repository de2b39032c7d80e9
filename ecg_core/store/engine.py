"""One way to reach Postgres, and one sentence when it cannot be reached."""

from __future__ import annotations

import hashlib
import hmac
from functools import partial
from typing import Any, Final, Literal

import psycopg2
import structlog
from sqlalchemy import URL, Dialect, Engine, create_engine, event, make_url
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import ArgumentError

from ecg_core.errors import DatabaseUnavailable, RowRefused, StoreError

log = structlog.get_logger(__name__)

CONNECT_TIMEOUT_S: Final = 10

Role = Literal["ecg_writer", "ecg_reviewer"]
"""Whom a session acts as: it can do no more than ``sql/roles`` gives that role, whoever signed in."""


def open_engine(database_url: str, role: Role | None = None) -> Engine:
    """Open an engine on the results database; nothing is connected yet.

    Sessions speak UTC and are named ``ecg`` in ``pg_stat_activity``; errors do not list the values of a statement,
    because logs are no place for them.

    Parameters
    ----------
    database_url : str
        ``postgresql://user:password@host:port/database``.
    role : {'ecg_writer', 'ecg_reviewer'}, optional
        Every session acts as this role: where the address names a superuser, as that of the embedded server does, it
        signs in as the role itself, so that nothing said in it leads back; else by ``SET ROLE`` before anything else is
        said. As the user who signs in where it is left out, for migrations.

    Returns
    -------
    Engine
        Whose every operational failure (no server, lost connection, full disk, deadlock) is a `DatabaseUnavailable`,
        and every row that breaks a rule of its table a `StoreError`.

    Raises
    ------
    StoreError
        The address is no Postgres address. At the first connection: the database has no such role, or the user may
        not act as it.
    """
    engine = create_engine(
        _postgres_address(database_url),
        pool_pre_ping=True,
        hide_parameters=True,
        connect_args={
            "connect_timeout": CONNECT_TIMEOUT_S,
            "application_name": "ecg",
            "options": "-c timezone=UTC",
        },
    )
    event.listen(engine, "handle_error", _in_plain_words)
    if role is not None:
        event.listen(engine, "do_connect", _SignIn(role))
        event.listen(engine, "connect", partial(_act_as, role))
    return engine


def role_password(password: str, role: str) -> str:
    """Password of a role on a server whose superuser has `password`; whoever has that can sign in as all of them."""
    return hmac.new(password.encode(), f"ecg role {role}".encode(), hashlib.sha256).hexdigest()


class _SignIn:
    """Sign in as the role itself where the address names a superuser: ``RESET ROLE`` would give all rights back."""

    def __init__(self, role: str) -> None:
        self._role = role
        self._as_role = False

    def __call__(
        self, dialect: Dialect, _record: object, arguments: list[Any], names: dict[str, Any]
    ) -> psycopg2.extensions.connection:
        own = {**names, "user": self._role, "password": role_password(str(names.get("password") or ""), self._role)}
        if self._as_role:
            return dialect.connect(*arguments, **own)  # type: ignore[return-value]
        connection = dialect.connect(*arguments, **names)
        if connection.get_parameter_status("is_superuser") != "on":
            return connection  # type: ignore[return-value]
        try:
            as_role = dialect.connect(*arguments, **own)
        except psycopg2.OperationalError:
            log.warning("no sign-in as a role of few rights", role=self._role, mend="run `ecg db migrate`")
            return connection  # type: ignore[return-value]
        connection.close()
        self._as_role = True
        return as_role  # type: ignore[return-value]


def unavailable(error: psycopg2.Error, where: str) -> DatabaseUnavailable:
    """Put psycopg2's operational error in one sentence; the server's own words hold no password."""
    message = " ".join(str(error.diag.message_primary or error).split()) or "no answer"
    mend = _MEND_OF_CODE.get(
        error.pgcode or "",
        "Check that it runs and that ECG_DATABASE_URL names it with a valid user and password, then try again.",
    )
    return DatabaseUnavailable(f"Postgres at {where} failed: {message.rstrip('.')}.", mend)


_MEND_OF_CODE: Final = {
    "53100": "Free space on its disk; what waits goes on by itself then.",
    "53200": "Give it more memory, or fewer connections; what waits goes on by itself then.",
    "57014": "A statement took longer than the server allows: look at its load; what waits goes on by itself then.",
    "25006": "It only reads: it is a standby, or set so; what waits goes on by itself when it writes again.",
}
"""By SQLSTATE: disk full, out of memory, statement cancelled, read-only transaction."""


def refused(error: psycopg2.Error) -> RowRefused:
    """Put it in one sentence that a row broke a rule of its table; the row itself is not shown."""
    return RowRefused(
        f"Postgres refused a row: {error.diag.message_primary}.",
        "What was to be stored breaks a rule of the table, so nothing of it was stored; report it with this message, "
        "and after its cause was mended: `ecg retry`.",
    )


def _act_as(role: Role, connection: psycopg2.extensions.connection, _record: object) -> None:
    mend = "Run `ecg db migrate` as the user who owns the database; it says what an administrator must do, if anything."
    if connection.info.user == role:
        return
    try:
        with connection.cursor() as cursor:
            cursor.execute(f"SET ROLE {role}")
        # Not undone with the first transaction that is rolled back.
        connection.commit()
    except (psycopg2.errors.InvalidParameterValue, psycopg2.errors.UndefinedObject):
        connection.close()
        raise StoreError(
            f"The database's server has no role {role}, and sessions of this kind act as it.", mend
        ) from None
    except psycopg2.errors.InsufficientPrivilege:
        user = connection.info.user
        connection.close()
        raise StoreError(f"{user} may not act as the role {role} in the database.", mend) from None


def _postgres_address(database_url: str) -> URL:
    mend = "Write it as postgresql://user:password@host:port/database, with special characters of the password as %XX."
    try:
        url = make_url(database_url)
    except ArgumentError:
        raise StoreError("The database's address cannot be read.", mend) from None
    if not url.drivername.startswith("postgres"):
        raise StoreError(f"The database's address is one of {url.get_backend_name()}, not of Postgres.", mend)
    if "@" in (url.host or ""):
        # A raw @ in the password: what follows would be taken for the host and shown in messages.
        raise StoreError("The database's address holds more than one @.", mend)
    return url.set(drivername="postgresql+psycopg2")


def _in_plain_words(context: ExceptionContext) -> None:
    if context.is_pre_ping:
        # The pool found a connection of its own dead and makes a new one: nothing to tell, unless that fails too.
        return
    error = context.original_exception
    url = context.engine.url if context.engine is not None else None
    if isinstance(error, (psycopg2.OperationalError, psycopg2.errors.ReadOnlySqlTransaction)):
        raise unavailable(
            error, f"{url.host}:{url.port or 5432}/{url.database}" if url else "the set address"
        ) from None
    if isinstance(error, (psycopg2.IntegrityError, psycopg2.DataError)):
        raise refused(error) from error
