"""What Airflow's FAB auth manager reads (``AIRFLOW__FAB__CONFIG_FILE``): roles of ours, and OpenID Connect by settings.

Without ``ECG_OIDC_ISSUER`` users are those of `airflow users create`; with it they sign in there, and the groups that
the provider names give them their roles, anew at each sign-in.
"""

from __future__ import annotations

from typing import Any

from airflow.providers.fab.auth_manager.security_manager.override import FabAirflowSecurityManagerOverride
from flask_appbuilder.const import AUTH_DB, AUTH_OAUTH

from ecg_airflow.rights import roles
from ecg_core.settings import load_settings

_settings = load_settings()


class EcgSecurityManager(FabAirflowSecurityManagerOverride):
    """Airflow's own, with the roles of the platform, and with what an OpenID provider says of a user."""

    ROLE_CONFIGS = [  # noqa: RUF012 (as the base class has it)
        *FabAirflowSecurityManagerOverride.ROLE_CONFIGS,
        *({"role": name, "perms": perms} for name, perms in roles().items()),
    ]

    def get_oauth_user_info(self, provider: str, resp: dict[str, Any]) -> dict[str, Any]:
        """Return what the provider says of who signed in; the subject is the name, since it alone never changes."""
        said = {**resp.get("userinfo", {})} or self.oauth_remotes[provider].userinfo(token=resp)
        groups = said.get(_settings.oidc_groups_claim, [])
        return {
            "username": said.get("preferred_username") or said["sub"],
            "email": said.get("email") or f"{said['sub']}@oidc",
            "first_name": said.get("given_name", ""),
            "last_name": said.get("family_name", ""),
            "role_keys": [groups] if isinstance(groups, str) else list(groups),
        }


SECURITY_MANAGER_CLASS = EcgSecurityManager
AUTH_TYPE = AUTH_OAUTH if _settings.oidc_issuer else AUTH_DB
AUTH_USER_REGISTRATION = bool(_settings.oidc_issuer)
# Who is in none of the groups may sign in, and see nothing.
AUTH_USER_REGISTRATION_ROLE = "Public"
AUTH_ROLES_SYNC_AT_LOGIN = bool(_settings.oidc_issuer)
AUTH_ROLES_MAPPING = {group: [role] for group, role in _settings.oidc_roles.items()}
WTF_CSRF_ENABLED = True
OAUTH_PROVIDERS = [
    {
        "name": "oidc",
        "token_key": "access_token",
        "icon": "fa-sign-in",
        "remote_app": {
            "client_id": _settings.oidc_client_id,
            "client_secret": _settings.oidc_client_secret.get_secret_value() if _settings.oidc_client_secret else "",
            "server_metadata_url": f"{_settings.oidc_issuer.rstrip('/')}/.well-known/openid-configuration",
            "client_kwargs": {"scope": _settings.oidc_scope},
        },
    }
]
