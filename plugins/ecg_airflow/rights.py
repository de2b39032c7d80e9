"""Who may what in the report browser, and the roles that the platform makes where Airflow's FAB auth manager signs in.

A right is an action on one of our own things, so that who may sign a report may not pause a DAG, nor the other way
round. Airflow's simple auth manager, which the demo signs in with, knows no such rights: there who may read the DAG
`ecg_score_inbox` may read its reports, and who may change it may do the rest.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.api_fastapi.auth.managers.models.resource_details import DagDetails
from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager
from airflow.api_fastapi.core_api.security import GetUserDep
from starlette.exceptions import HTTPException

from ecg_core.readers import reports
from ecg_core.settings import load_settings
from ecg_core.sites import seen_by

DAG_ID: Final = "ecg_score_inbox"
Right = Literal["read", "sign", "upload"]
_RIGHTS: Final[dict[Right, tuple[Literal["GET", "PUT", "POST"], str]]] = {
    "read": ("GET", "ECG reports"),
    "sign": ("PUT", "ECG reports"),
    "upload": ("POST", "ECG recordings"),
}
"""Of each right the method and the thing; FAB calls the methods can_read, can_edit and can_create."""
_READ: Final = ("can_read", "ECG reports")
_SIGN: Final = ("can_edit", "ECG reports")
_UPLOAD: Final = ("can_create", "ECG recordings")
_EVERYBODY: Final = [
    ("can_read", "Website"),
    ("can_read", "Plugins"),
    ("can_read", "My Password"),
    ("can_edit", "My Password"),
    ("can_read", "My Profile"),
    ("can_edit", "My Profile"),
]
_DAGS_SEEN: Final = [
    *((action, thing) for action in ("can_read", "menu_access") for thing in ("DAGs", "DAG Runs", "Task Instances")),
    *(("can_read", thing) for thing in ("DAG Code", "DAG Versions", "DAG Warnings", "DAG Dependencies", "Task Logs")),
    *(
        ("can_read", thing)
        for thing in ("Assets", "Asset Aliases", "Backfills", "Pools", "Jobs", "ImportError", "XComs")
    ),
    *(("can_read", thing) for thing in ("HITL Detail", "Cluster Activity")),
    ("menu_access", "Browse"),
]
_DAGS_RUN: Final = [
    ("can_edit", "DAGs"),
    *(
        (action, thing)
        for action in ("can_create", "can_edit")
        for thing in ("DAG Runs", "Task Instances", "Backfills")
    ),
    ("can_edit", "HITL Detail"),
    ("can_edit", "Pools"),
    ("menu_access", "Pools"),
    ("menu_access", "Admin"),
]
ROLES: Final[dict[str, list[tuple[str, str]]]] = {
    "ecg viewer": [*_EVERYBODY, _READ],
    "ecg clinician": [*_EVERYBODY, _READ, _SIGN, _UPLOAD],
    "ecg operator": [*_EVERYBODY, *_DAGS_SEEN, *_DAGS_RUN, _UPLOAD],
    "ecg analyst": [*_EVERYBODY, *_DAGS_SEEN, _READ],
    "ecg admin": [
        *_EVERYBODY, *_DAGS_SEEN, *_DAGS_RUN, _READ, _SIGN, _UPLOAD,
        *((action, thing) for action in ("can_read", "can_edit", "can_create", "can_delete", "menu_access")
          for thing in ("Users", "Roles", "Connections", "Variables")),
        *((action, "Audit Logs") for action in ("can_read", "menu_access")),
        ("can_read", "Configurations"),
    ],
}  # fmt: skip
"""By name, what a role may do: actions on Airflow's things and on ours."""


def roles() -> dict[str, list[tuple[str, str]]]:
    """Return `ROLES`, and those by which sites know their readers: these alone let nobody do anything."""
    of_sites = {role for site in load_settings().site_profiles.values() for role in site.roles}
    return {**dict.fromkeys(sorted(of_sites), _EVERYBODY), **ROLES}


def sites_of(user: BaseUser) -> frozenset[str] | None:
    """Tell the sites whose recordings a user sees; None for all of them, and those of no site.

    Airflow's simple auth manager gives each user one role, and Airflow's FAB auth manager any number.
    """
    own = getattr(user, "roles", None)
    names = [role.name for role in own] if own is not None else [str(getattr(user, "role", "") or "").lower()]
    return seen_by(load_settings().site_profiles, names)


def may_see(report_id: str, user: GetUserDep) -> None:
    """Ask before a page of a report: not found where the user's sites are others, as where there is no such report."""
    sites = sites_of(user)
    if sites is not None and not (report_id.isdecimal() and reports.is_seen(load_settings(), int(report_id), sites)):
        raise HTTPException(404)


def may(user: BaseUser, right: Right) -> bool:
    """Tell whether a user has a right."""
    manager = get_auth_manager()
    method, thing = _RIGHTS[right]
    if isinstance(manager, SimpleAuthManager):
        on_dag: Literal["GET", "PUT"] = "GET" if right == "read" else "PUT"
        return manager.is_authorized_dag(method=on_dag, details=DagDetails(id=DAG_ID), user=user)  # type: ignore[arg-type]
    return bool(manager.is_authorized_custom_view(method=method, resource_name=thing, user=user))


def needs(right: Right) -> Callable[[GetUserDep], None]:
    """Return what FastAPI asks before a page: refused with 403 where the user has not the right."""

    def ask(user: GetUserDep) -> None:
        if not may(user, right):
            raise HTTPException(403)

    return ask
