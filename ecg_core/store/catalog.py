"""What the database holds, object by object, to be compared with what the code expects and to be documented.

``sql/schema.json`` is this description of a freshly migrated database: a test keeps it so.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, text

from ecg_core.errors import MigrationError
from ecg_core.settings import PROJECT_DIR
from ecg_core.store.install import ROLES, missing_roles, role_gap

SCHEMA_FILE: Final = PROJECT_DIR / "sql" / "schema.json"
_OURS: Final = "('ecg', 'ecg_mart')"
_RELATIONS: Final = f"""
SELECT class.oid, namespace.nspname || '.' || class.relname AS name, class.relkind,
    obj_description(class.oid, 'pg_class') AS comment
FROM pg_class AS class JOIN pg_namespace AS namespace ON namespace.oid = class.relnamespace
WHERE namespace.nspname IN {_OURS} AND class.relkind IN ('r', 'p', 'v') AND NOT class.relispartition
"""
_OBJECTS: Final = {
    "schema": f"SELECT nspname, obj_description(oid, 'pg_namespace') FROM pg_namespace WHERE nspname IN {_OURS}",
    "table": f"SELECT name, comment FROM ({_RELATIONS}) AS r WHERE relkind <> 'v'",
    "view": f"SELECT name, comment || chr(10) || pg_get_viewdef(oid) FROM ({_RELATIONS}) AS r WHERE relkind = 'v'",
    "column": f"""
        SELECT r.name || '.' || attribute.attname,
            format_type(attribute.atttypid, attribute.atttypmod)
            || CASE WHEN attribute.attnotnull THEN ' NOT NULL' ELSE '' END
            || coalesce(' DEFAULT ' || pg_get_expr(initial.adbin, initial.adrelid), '')
            || CASE WHEN attribute.attidentity <> '' THEN ' IDENTITY' ELSE '' END
            || ' -- ' || coalesce(col_description(r.oid, attribute.attnum), '')
        FROM ({_RELATIONS}) AS r
        JOIN pg_attribute AS attribute
            ON attribute.attrelid = r.oid AND attribute.attnum > 0 AND NOT attribute.attisdropped
        LEFT JOIN pg_attrdef AS initial ON initial.adrelid = r.oid AND initial.adnum = attribute.attnum""",
    "constraint": f"""
        SELECT r.name || '.' || conname, pg_get_constraintdef(constraint_.oid)
        FROM ({_RELATIONS}) AS r JOIN pg_constraint AS constraint_ ON conrelid = r.oid
        WHERE contype IN ('c', 'p', 'u', 'f')""",
    "index": f"""
        SELECT r.name || '.' || index_class.relname, pg_get_indexdef(indexrelid)
        FROM ({_RELATIONS}) AS r JOIN pg_index ON indrelid = r.oid
        JOIN pg_class AS index_class ON index_class.oid = indexrelid""",
    "trigger": f"""
        SELECT r.name || '.' || tgname, pg_get_triggerdef(pg_trigger.oid)
        FROM ({_RELATIONS}) AS r JOIN pg_trigger ON tgrelid = r.oid WHERE NOT tgisinternal""",
    "function": f"SELECT oid::regprocedure::text, pg_get_functiondef(oid) FROM pg_proc "
    f"WHERE pronamespace::regnamespace::text IN {_OURS}",
}
_GRANTS: Final = f"""
SELECT role.rolname || ' on ' || r.name,
    string_agg(granted.privilege_type, ', ' ORDER BY granted.privilege_type)
FROM ({_RELATIONS}) AS r
JOIN pg_class AS class ON class.oid = r.oid
CROSS JOIN LATERAL aclexplode(class.relacl) AS granted
JOIN pg_roles AS role ON role.oid = granted.grantee
WHERE role.rolname = ANY (:roles) AND role.rolname <> 'ecg_owner'
GROUP BY 1
"""
_PARTITIONS: Final = """
SELECT parent.relname, right(child.relname, 7) AS month
FROM pg_inherits JOIN pg_class AS child ON child.oid = inhrelid JOIN pg_class AS parent ON parent.oid = inhparent
WHERE parent.relkind = 'p' AND parent.relnamespace::regnamespace::text = 'ecg'
"""
_PARTITIONED: Final = {
    f"table ecg.{name}" for name in ("beat", "attribution", "chosen_beat", "attribution_sample", "shapley")
}


@dataclass(frozen=True, slots=True)
class Catalog:
    """Objects by ``kind name`` with their definitions, and the major version of Postgres that wrote these."""

    postgres: int
    objects: Mapping[str, str]

    def as_json(self) -> str:
        """Return the text of ``sql/schema.json``."""
        return json.dumps({"postgres": self.postgres, "objects": dict(sorted(self.objects.items()))}, indent=1) + "\n"


def describe(conn: Connection) -> Catalog:
    """Describe tables, views, columns, constraints, indexes, triggers, functions and grants; partitions left out."""
    with _full_names(conn):
        objects = {
            f"{kind} {name}": definition or ""
            for kind, query in _OBJECTS.items()
            for name, definition in conn.execute(text(query)).tuples()
        }
        grants = conn.execute(text(_GRANTS), {"roles": list(ROLES)}).tuples()
        objects |= {f"grant {name}": privileges for name, privileges in grants}
        version = int(conn.execute(text("SHOW server_version_num")).scalar_one()) // 10_000
    return Catalog(version, objects)


def expected(path: Path = SCHEMA_FILE) -> Catalog:
    """Read what a freshly migrated database holds.

    Raises
    ------
    MigrationError
        The file is not there.
    """
    try:
        document: dict[str, Any] = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise MigrationError(f"{path} is not there.", "Run from a complete checkout.") from None
    return Catalog(document["postgres"], document["objects"])


def differences(conn: Connection) -> list[str]:
    """Name each difference between the database and what the code expects, a sentence each.

    Where another major version of Postgres runs than wrote ``sql/schema.json``, only the presence of views, indexes,
    checks and functions is compared, because each version prints their text in its own way.
    """
    wanted, found = expected(), describe(conn)
    gap = role_gap(conn)
    named = [gap] if gap else []
    no_roles = bool(missing_roles(conn))
    whole = _relations_on_one_side(wanted, found)
    for name in sorted({*wanted.objects, *found.objects}):
        if (no_roles and name.startswith("grant ")) or _part_of(name, whole):
            continue
        if name not in found.objects:
            named.append(f"Missing: {name}.")
        elif name not in wanted.objects:
            named.append(f"Not known to the code: {name}.")
        elif _comparable(name, wanted, found) and _plain(name, wanted) != _plain(name, found):
            named.append(
                f"Different: {name} should be {_short(wanted.objects[name], found.objects[name])} "
                f"and is {_short(found.objects[name], wanted.objects[name])}."
            )
    return [*named, *_partition_gaps(conn)]


def _relations_on_one_side(wanted: Catalog, found: Catalog) -> set[str]:
    names = {*wanted.objects} ^ {*found.objects}
    return {name.split(" ")[1] for name in names if name.startswith(("table ", "view "))}


def _part_of(name: str, relations: set[str]) -> bool:
    """Tell whether an object belongs to a relation that is told as a whole."""
    kind, rest = name.split(" ", 1)
    owner = rest.rsplit(" on ", 1)[-1] if kind == "grant" else rest.rsplit(".", 1)[0]
    return kind not in ("table", "view", "schema", "function") and owner in relations


def _comparable(name: str, wanted: Catalog, found: Catalog) -> bool:
    return wanted.postgres == found.postgres or not name.startswith(("view ", "constraint ", "function ", "index "))


def _plain(name: str, catalog: Catalog) -> str:
    """Return a definition to compare: of a view without parentheses, which Postgres sets otherwise after a restore."""
    definition = catalog.objects[name]
    return re.sub(r"[()\s]+", " ", definition) if name.startswith("view ") else definition


def _short(definition: str, other: str) -> str:
    """Return the first line in which a definition differs from another."""
    lines, others = definition.splitlines() or [""], other.splitlines()
    for i, line in enumerate(lines):
        if i >= len(others) or line != others[i]:
            return f"`{line.strip()}`"
    return f"`{lines[-1].strip()}`"


def _partition_gaps(conn: Connection) -> list[str]:
    months: dict[str, set[str]] = {}
    for parent, month in conn.execute(text(_PARTITIONS)).tuples():
        months.setdefault(month, set()).add(parent)
    parents = {name.removeprefix("table ecg.") for name in expected().objects if name in _PARTITIONED}
    return [
        f"Missing: the partition {parent}_{month} of table ecg.{parent}."
        for month, there in sorted(months.items())
        for parent in sorted(parents - there)
    ]


class _full_names:  # noqa: N801 (reads as a statement)
    """With an empty search path Postgres prints every name with its schema, whoever is connected."""

    def __init__(self, conn: Connection) -> None:
        self.conn = conn

    def __enter__(self) -> None:
        self.before = self.conn.execute(text("SHOW search_path")).scalar_one()
        self.conn.execute(text("SELECT set_config('search_path', '', true)"))

    def __exit__(self, *_: object) -> None:
        self.conn.execute(text("SELECT set_config('search_path', :before, true)"), {"before": self.before})
