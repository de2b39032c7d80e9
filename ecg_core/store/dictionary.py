"""The data dictionary, ``sql/README.md``: written from the database's own comments, so that both say the same."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, text

from ecg_core.settings import PROJECT_DIR
from ecg_core.store.checks import read_rules

DICTIONARY_FILE: Final = PROJECT_DIR / "sql" / "README.md"
EXAMPLES_DIR: Final = PROJECT_DIR / "sql" / "examples"
_INTRODUCTION: Final = """# The results database

<!-- Written by `ecg db docs` from the comments in the database. A test fails when it is stale. -->

| folder | what is in it |
|---|---|
| `migrations/` | the tables, by numbered files that are applied once, in order, each in one transaction |
| `views/` | the mart, one file a view with its grain, sources and caveats |
| `roles/` | who may do what |
| `checks/` | data quality: queries for the rows that break a rule |
| `examples/` | questions and their answers in SQL |
| `contract.odcs.yaml` | what analysts may rely on, as a data contract (ODCS 3); `ecg db contract` renews it |
| `schema.json` | what a freshly migrated database holds; `ecg db check` compares a database with it |

Analysts sign in as `ecg_analyst` and read the schema `ecg_mart` alone: a statement may take a minute, and no view holds
a name, a file's address or free text. Names and meanings there are kept: a view may gain columns at its end. Unknown is
NULL; numbers have their unit in their name; times are UTC, but for the recorder's own wall clock (`start_time`).
An administrator gives the role its password: `ALTER ROLE ecg_analyst PASSWORD '…'`. The other roles are `ecg_owner`
(migrations act as it), `ecg_writer` (the DAGs) and `ecg_reviewer` (adds reviews).
Sessions of the DAGs act as `ecg_writer` and those of the review form as `ecg_reviewer`, whoever signs in (`SET ROLE`).
Where the user who migrates may not create roles or act as them, `ecg db migrate` says so and what an administrator
should run.
"""
_UNDECLARED_KEYS: Final = (
    ("beat", "scoring_run"),
    ("attribution", "beat"),
    ("shapley", "beat"),
    ("chosen_beat", "beat"),
    ("attribution_sample", "chosen_beat"),
    ("recording", "ingest_ledger"),
)
"""Child and parent where no foreign key says so: the partitioned tables, and recordings that came through an inbox."""


@dataclass(frozen=True, slots=True)
class Relation:
    """A table or view: its columns with name, type and comment."""

    schema: str
    name: str
    comment: str
    columns: tuple[tuple[str, str, str], ...]


def dictionary(conn: Connection) -> str:
    """Return the text of ``sql/README.md`` for a migrated database."""
    found = list(relations(conn))
    mart = [relation for relation in found if relation.schema == "ecg_mart"]
    own = [relation for relation in found if relation.schema == "ecg"]
    parts = [
        _INTRODUCTION,
        "## Questions\n",
        *(f"- [{path.name}](examples/{path.name}): {question}" for path, question in _questions()),
        "\n## Rules that stored scores keep\n",
        *(f"- `{rule.name}` ({rule.severity}): {rule.sentence}" for rule in read_rules()),
        "\n## How the tables belong together\n",
        _diagram(conn, own),
        "\n## The mart: `ecg_mart`\n",
        *(_table(relation) for relation in mart),
        "## The platform's own tables: `ecg`\n",
        "Not for analysts: these may change with any release.\n",
        *(_table(relation) for relation in own),
    ]
    return "\n".join(parts).rstrip() + "\n"


def _questions() -> Iterator[tuple[Path, str]]:
    for path in sorted(EXAMPLES_DIR.glob("*.sql")):
        yield path, path.read_text("utf-8").splitlines()[0].removeprefix("-- ")


def relations(conn: Connection) -> Iterator[Relation]:
    """Describe every table and view with its columns, by schema and name."""
    rows = conn.execute(
        text("""
        SELECT namespace.nspname, class.relname, obj_description(class.oid, 'pg_class'), attribute.attname,
            format_type(attribute.atttypid, attribute.atttypmod), col_description(class.oid, attribute.attnum)
        FROM pg_class AS class
        JOIN pg_namespace AS namespace ON namespace.oid = class.relnamespace
        JOIN pg_attribute AS attribute
            ON attribute.attrelid = class.oid AND attribute.attnum > 0 AND NOT attribute.attisdropped
        WHERE namespace.nspname IN ('ecg', 'ecg_mart') AND class.relkind IN ('r', 'p', 'v') AND NOT class.relispartition
        ORDER BY namespace.nspname, class.relname, attribute.attnum
        """)
    ).tuples()
    found: dict[tuple[str, str, str], list[tuple[str, str, str]]] = {}
    for schema, name, comment, *column in rows:
        column_name, type_, column_comment = column
        found.setdefault((schema, name, comment), []).append((column_name, type_, column_comment))
    for (schema, name, comment), columns in found.items():
        yield Relation(schema, name, comment, tuple(columns))


def _table(relation: Relation) -> str:
    rows = [f"| `{name}` | {_type(type_)} | {_cell(comment)} |" for name, type_, comment in relation.columns]
    head = (
        f"### `{relation.schema}.{relation.name}`\n\n{relation.comment}\n\n| column | type | meaning |\n|---|---|---|"
    )
    return "\n".join([head, *rows, ""])


def _diagram(conn: Connection, own: list[Relation]) -> str:
    """Draw the tables and their keys; partitioned tables have none declared, so theirs are named here."""
    keys = conn.execute(
        text("""
        SELECT DISTINCT child.relname, parent.relname
        FROM pg_constraint
        JOIN pg_class AS child ON child.oid = conrelid JOIN pg_class AS parent ON parent.oid = confrelid
        WHERE contype = 'f' AND child.relnamespace::regnamespace::text = 'ecg'
        ORDER BY 1, 2
        """)
    ).tuples()
    all_keys = sorted({*keys, *_UNDECLARED_KEYS})
    lines = [f'    {parent} ||--o{{ {child} : ""' for child, parent in all_keys]
    connected = {name for key in all_keys for name in key}
    alone = [f"    {relation.name}" for relation in own if relation.name not in connected]
    return "\n".join(["```mermaid", "erDiagram", *lines, *alone, "```"])


def _type(name: str) -> str:
    return name.replace("timestamp with time zone", "timestamptz").replace("timestamp without time zone", "timestamp")


def _cell(comment: str) -> str:
    return comment.replace("|", "\\|").replace("\n", " ")
