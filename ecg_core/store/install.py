"""What stands beside the tables and can be made again at any time: the mart's views, the roles, who owns and who may.

`ecg_core.store.migrate` calls this after the migrations. Files are installed again when one of them changed, or when a
migration was applied: a migration that changes a table drops the views on it and lets them be made anew.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, get_args

import psycopg2
import structlog
from psycopg2.extensions import encrypt_password
from sqlalchemy import Connection, text
from sqlalchemy.exc import InternalError

from ecg_core.errors import MigrationError
from ecg_core.store.engine import Role, role_password, unavailable

log = structlog.get_logger(__name__)

ROLES: Final = ("ecg_owner", "ecg_writer", "ecg_reviewer", "ecg_analyst")
SCHEMAS: Final = ("ecg", "ecg_mart")
_ACTED_AS: Final = get_args(Role)
"""Roles that sessions take on after signing in as whoever migrates."""

_OTHER_OWNERS: Final = """
SELECT format('ALTER SCHEMA %I OWNER TO ecg_owner', nspname) AS statement, 0 AS place
FROM pg_namespace WHERE nspname = ANY (:schemas) AND nspowner <> 'ecg_owner'::regrole
UNION ALL
SELECT
    format('ALTER %s %s OWNER TO ecg_owner', CASE relkind WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END, oid::regclass), 1
FROM pg_class
WHERE relnamespace::regnamespace::text = ANY (:schemas) AND relkind IN ('r', 'p', 'v')
    AND relowner <> 'ecg_owner'::regrole
UNION ALL
SELECT format('ALTER FUNCTION %s OWNER TO ecg_owner', oid::regprocedure), 2
FROM pg_proc WHERE pronamespace::regnamespace::text = ANY (:schemas) AND proowner <> 'ecg_owner'::regrole
ORDER BY place
"""


def install(conn: Connection, sql_dir: Path, *, again: bool) -> None:
    """Install the views and, where the connected user may, the roles and their rights.

    Parameters
    ----------
    conn : Connection
        The migrator's, in the transaction that applied the migrations.
    sql_dir : Path
        Holds ``views`` and ``roles``; nothing is done where it has no views.
    again : bool
        Install even where no file changed.

    Raises
    ------
    MigrationError
        A view cannot be made.
    """
    files = sorted((sql_dir / "views").glob("*.sql"))
    if not files:
        return
    roles_there = _make_roles(conn, sql_dir / "roles" / "roles.sql")
    if roles_there:
        _let_sign_in(conn)
    files += [sql_dir / "roles" / "grants.sql"] if roles_there else []
    digests = {f"{file.parent.name}/{file.name}": _sha256(file) for file in files}
    if digests == _installed(conn) and not again:
        return
    for file in files:
        _run(conn, file)
    if roles_there and _may_act_for_owner(conn):
        _hand_to_owner(conn)
    _remember(conn, digests)
    log.info("views installed", views=len(files), roles=roles_there)


def role_gap(conn: Connection) -> str | None:
    """Say in a sentence which roles are missing or out of reach and what mends it; None where nothing is."""
    user = conn.execute(text("SELECT current_user")).scalar_one()
    if missing := missing_roles(conn):
        return (
            f"The roles {', '.join(sorted(missing))} are missing, and {user} may not create roles: nothing can be "
            f"scored or reviewed before they are there. Let an administrator run sql/roles/roles.sql, "
            f"`GRANT ecg_owner TO {user}` and `{_grant(user)}`, then migrate again."
        )
    barred = text("SELECT role FROM unnest(CAST(:roles AS text[])) AS role WHERE NOT pg_has_role(role, 'SET')")
    if roles := conn.execute(barred, {"roles": list(_ACTED_AS)}).scalars().all():
        return (
            f"{user} may not act as {' or '.join(roles)}, as scoring and reviewing do. "
            f"Let an administrator run `{_grant(user)}`, or let each sign in as its role (ECG_DATABASE_URL)."
        )
    return None


def missing_roles(conn: Connection) -> set[str]:
    """Return which of the platform's roles the server lacks."""
    return set(ROLES) - set(conn.execute(text("SELECT rolname FROM pg_roles")).scalars())


def _grant(user: str) -> str:
    return f"GRANT {', '.join(_ACTED_AS)} TO {user} WITH INHERIT FALSE, SET TRUE"


def _make_roles(conn: Connection, file: Path) -> bool:
    """Make the roles where they are missing, and let this user act as them; False where they stay missing."""
    for attempt in range(4):
        if role_gap(conn) is None:
            return True
        try:
            with conn.begin_nested():
                conn.connection.cursor().execute(file.read_text("utf-8"))
            return True
        except psycopg2.errors.InsufficientPrivilege:
            log.warning("roles are missing or out of reach", mend=role_gap(conn))
            break
        except (psycopg2.errors.UniqueViolation, psycopg2.errors.DuplicateObject, psycopg2.errors.InternalError_):
            # Roles belong to the whole server: a migrator of another database was faster.
            time.sleep(0.1 * (attempt + 1))
    return not missing_roles(conn)


def _let_sign_in(conn: Connection) -> None:
    """Give roles that sign in a password where they have none, if a superuser migrates (`engine.role_password`)."""
    password = conn.engine.url.password
    if not password or conn.execute(text("SHOW is_superuser")).scalar_one() != "on":
        return
    without = text("SELECT rolname FROM pg_authid WHERE rolname = ANY (:roles) AND rolcanlogin AND rolpassword IS NULL")
    for role in conn.execute(without, {"roles": list(ROLES)}).scalars().all():
        plain = role_password(password, role)
        sealed = encrypt_password(plain, role, scope=conn.connection.driver_connection, algorithm="scram-sha-256")
        with suppress(InternalError), conn.begin_nested():  # a migrator of another database was faster
            conn.exec_driver_sql(f"ALTER ROLE {role} PASSWORD '{sealed}'")


@contextmanager
def acting_as_owner(conn: Connection) -> Iterator[None]:
    """Act as `ecg_owner` where that role owns the schema, so that what a migration makes is its own from the start.

    The schema's functions run with their owner's rights: they see only tables that are the owner's too.
    """
    owned = "SELECT count(*) FROM pg_namespace WHERE nspname = 'ecg' AND nspowner::regrole::text = 'ecg_owner'"
    if not conn.execute(text(owned)).scalar() or not _may_act_for_owner(conn):
        yield
        return
    _hand_to_owner(conn)  # what a release before left to whoever migrated
    conn.execute(text("SET LOCAL ROLE ecg_owner"))
    yield
    conn.execute(text("RESET ROLE"))


def _may_act_for_owner(conn: Connection) -> bool:
    return bool(conn.execute(text("SELECT pg_has_role(current_user, 'ecg_owner', 'SET')")).scalar())


def _hand_to_owner(conn: Connection) -> None:
    statements = conn.execute(text(_OTHER_OWNERS), {"schemas": list(SCHEMAS)}).all()
    for statement, _ in statements:
        conn.exec_driver_sql(statement)


def _installed(conn: Connection) -> dict[str, str]:
    if conn.execute(text("SELECT to_regclass('ecg.installed_file')")).scalar() is None:
        return {}
    return dict(conn.execute(text("SELECT name, sha256 FROM ecg.installed_file")).tuples().all())


def _remember(conn: Connection, digests: dict[str, str]) -> None:
    conn.execute(text("DELETE FROM ecg.installed_file"))
    conn.execute(
        text("INSERT INTO ecg.installed_file (name, sha256) VALUES (:name, :sha256)"),
        [{"name": name, "sha256": sha256} for name, sha256 in digests.items()],
    )


def _run(conn: Connection, file: Path) -> None:
    try:
        conn.connection.cursor().execute(file.read_text("utf-8"))
    except psycopg2.OperationalError as error:
        raise unavailable(error, file.name) from error
    except psycopg2.Error as error:
        message = error.diag.message_primary or "refused"
        raise MigrationError(
            f"{file.name} cannot be installed: {message}.",
            "A view may gain columns at its end; for any other change a migration must drop it first.",
        ) from error


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_text("utf-8").encode()).hexdigest()
