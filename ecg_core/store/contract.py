"""What analysts may rely on, as a data contract (Open Data Contract Standard 3): each view of the mart by its columns.

The contract is kept in the repository. A view may gain columns at its end; one that goes, or changes its name or type,
breaks the contract, which `ecg db contract` refuses to write unless it is told to.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import yaml
from sqlalchemy import Connection

from ecg_core.errors import StoreError
from ecg_core.settings import PROJECT_DIR
from ecg_core.store.dictionary import relations

CONTRACT_FILE: Final = PROJECT_DIR / "sql" / "contract.odcs.yaml"
FIRST_VERSION: Final = "1.0.0"
_LOGICAL: Final = {
    "text": "string",
    "boolean": "boolean",
    "integer": "integer",
    "bigint": "integer",
    "smallint": "integer",
    "real": "number",
    "double precision": "number",
    "numeric": "number",
    "date": "date",
    "timestamp with time zone": "timestamp",
    "timestamp without time zone": "timestamp",
    "jsonb": "object",
}
_ABOUT: Final[dict[str, Any]] = {
    "apiVersion": "v3.0.2",
    "kind": "DataContract",
    "id": "ecg-mart",
    "name": "ECG mart",
    "status": "active",
    "dataProduct": "ecg_mart",
    "description": {
        "purpose": "Scores, findings, explanations and reviews of ECG recordings, for analysis.",
        "usage": "Read the schema ecg_mart as the role ecg_analyst. Questions with answers are in sql/examples.",
        "limitations": "For research use, not for diagnosis. No view holds a name, a file's address or free text.",
    },
    "servers": [{"server": "results", "type": "postgres", "schema": "ecg_mart"}],
}


def contract(conn: Connection, version: str) -> dict[str, Any]:
    """Describe the mart of a migrated database as a data contract."""
    views = [relation for relation in relations(conn) if relation.schema == "ecg_mart"]
    schema = [
        {
            "name": view.name,
            "physicalType": "view",
            "description": view.comment,
            "properties": [
                {
                    "name": name,
                    "logicalType": "array" if type_.endswith("[]") else _LOGICAL[type_],
                    "physicalType": type_,
                    "description": comment,
                }
                for name, type_, comment in view.columns
            ],
        }
        for view in views
    ]
    return {**_ABOUT, "version": version, "schema": schema}


def read_contract(path: Path = CONTRACT_FILE) -> dict[str, Any]:
    """Read the contract that is promised."""
    promised: dict[str, Any] = yaml.safe_load(path.read_text("utf-8"))
    return promised


def breaks(promised: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Name what was promised and is no more: views, columns and types, a sentence each."""
    views, found = _columns(now), []
    for view, columns in _columns(promised).items():
        if view not in views:
            found.append(f"View {view} is gone.")
            continue
        for name, type_ in columns.items():
            if name not in views[view]:
                found.append(f"Column {view}.{name} is gone.")
            elif views[view][name] != type_:
                found.append(f"Column {view}.{name} was {type_} and is {views[view][name]}.")
    return found


def renewed(conn: Connection, promised: dict[str, Any] | None, *, breaking: bool = False) -> dict[str, Any]:
    """Return the contract as the mart is now: a minor version more where it grew, a major one where it broke.

    Raises
    ------
    StoreError
        It would break what is promised, and `breaking` does not say that this is meant.
    """
    if promised is None:
        return contract(conn, FIRST_VERSION)
    now = contract(conn, promised["version"])
    broken = breaks(promised, now)
    if broken and not breaking:
        raise StoreError(" ".join(broken), "Bring it back, or say that it is meant: `ecg db contract --breaking`.")
    if now == promised:
        return promised
    major, minor, _ = map(int, str(promised["version"]).split("."))
    return contract(conn, f"{major + 1}.0.0" if broken else f"{major}.{minor + 1}.0")


def as_yaml(document: dict[str, Any]) -> str:
    """Spell a contract, in the order of its keys."""
    text: str = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=120)
    return text


def _columns(document: dict[str, Any]) -> dict[str, dict[str, str]]:
    return {view["name"]: {p["name"]: p["physicalType"] for p in view["properties"]} for view in document["schema"]}
