"""All settings, from the environment or `.env`: ``ECG_…``, one class, unknown names refused.

>>> Settings(chunk_size=8).chunk_size
8
"""

from __future__ import annotations

import contextlib
import difflib
import json
import os
import secrets
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Literal, get_args

from dotenv import dotenv_values
from pydantic import Field, PostgresDsn, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from ecg_core.errors import SettingsError
from ecg_core.sites import QuietHours, Site, known_entries, quiet_hours_of, read_sites

PREFIX = "ECG_"
ROLE_NAMES = ("ecg viewer", "ecg clinician", "ecg operator", "ecg analyst", "ecg admin")
"""Roles of people in the UI; `plugins/ecg_airflow/rights.py` says what each may do."""
PROJECT_DIR = Path(__file__).resolve().parents[1]
"""The checkout: holds dags, plugins, templates and sql beside the package."""


READ_FIRST: Final = (
    *("vf", "vt", "wide_complex_tachycardia!urgent", "escape", "pause", "v_run", "st_elevation!urgent"),
    *("svt!urgent", "bradycardia!urgent", "tachycardia!urgent", "v_beats!urgent", "qtc_long!urgent"),
    *("possible_vf", "possible_vt", "atrial_fibrillation!new", "possible_v_run", "standstill_unclear"),
    *("wide_complex_tachycardia", "svt", "idioventricular", "st_elevation", "superclass_mi", "atrial_fibrillation"),
    *("bradycardia", "tachycardia", "v_couplet", "bigeminy", "trigeminy", "v_beats"),
)
"""Kinds of finding in the order in which the worklist shows them, where a site has set none."""


class Settings(BaseSettings):
    """Every setting of the platform; the field ``chunk_size`` is read from ``ECG_CHUNK_SIZE``."""

    model_config = SettingsConfigDict(
        # A variable that is there and empty is one that nobody set.
        env_prefix=PREFIX,
        env_file=".env",
        extra="ignore",
        frozen=True,
        env_ignore_empty=True,
    )

    home: Path = Field(Path(".ecg"), description="folder of everything the platform writes")
    database_url: PostgresDsn | None = Field(
        None, description="a Postgres of your own; unset: an embedded one is started under the home folder"
    )
    airflow_port: int = Field(
        8080, ge=1, le=65535, description="port of Airflow's UI on loopback; the next free one if it is taken"
    )

    inbox: str = Field(
        "", description="folder or object-store address where files arrive; unset: inbox in the home folder"
    )
    store: str = Field(
        "",
        description="folder or object-store address that all machines share: recordings, reports, versions; "
        "unset: the home folder",
    )
    sites: Path | None = Field(
        None, description="TOML file of the sites: inboxes, roles and what else is theirs; unset: none are told apart"
    )
    csv_profiles: Path | None = Field(
        None,
        description="folder of profiles of CSV and JSON files: ward3.toml for folders called ward3, else default.toml",
    )
    further_inboxes: tuple[str, ...] = Field(
        (), description="folders and addresses beside the inbox that a run may look at, as JSON"
    )
    settle_s: float = Field(10.0, ge=0, description="a file is taken when it has not changed for so many seconds")
    incomplete_after_s: float = Field(
        3600.0, ge=0, description="a header without its signal files is set aside after so many seconds"
    )
    read_memory_mb: int = Field(
        4000, ge=100, description="memory in MB that reading one file may take, beyond that of the empty process"
    )
    read_time_s: float = Field(
        120.0,
        gt=0,
        description="computing time in seconds that reading one file may take; ten times as long by the clock",
    )
    read_size_mb: int = Field(4000, ge=1, description="a recording whose files hold more MB is not opened")
    archive_after_s: float = Field(
        86400.0, gt=0, description="a file last changed so many seconds before it is seen waits behind fresh ones"
    )
    archive_folders: tuple[str, ...] = Field(
        ("archive",), description="folders of the inbox, as JSON, whose recordings wait behind fresh ones, however new"
    )
    chunk_size: int = Field(
        250, ge=1, le=1000, description="recordings per scoring task, at most; long ones fill it sooner"
    )
    claim_lease_s: float = Field(1800.0, gt=0, description="an abandoned claim comes free after so many seconds")
    max_attempts: int = Field(3, ge=1, description="a recording over which scoring ended so often is then scored apart")
    score_schedule: str = Field("*/5 * * * *", description="cron expression of ecg_score_inbox")
    look_every_s: float = Field(
        5.0,
        ge=0,
        description="the inbox is watched every so many seconds, and scored when something has settled; "
        "0: as ECG_SCORE_SCHEDULE says alone",
    )
    canary_schedule: str = Field("17 * * * *", description="cron expression of ecg_canary")
    explained_beats: int = Field(
        12, ge=0, le=200, description="beats per recording that are explained in full, at most; those alike once"
    )
    explained_abnormal_beats: int = Field(
        5000, ge=0, description="abnormal beats per recording that get exact Shapley values; evenly over time beyond it"
    )

    physionet_base: str = Field(
        "https://physionet.org/files", description="web address or folder laid out as PhysioNet's file tree"
    )
    retrain_schedule: str = Field("0 2 * * *", description="cron expression of ecg_retrain_nightly")
    further_training_data: tuple[Literal["qtdb", "svdb", "incartdb", "challenge-2017", "nstdb", "ptb-xl"], ...] = Field(
        ("qtdb", "svdb", "incartdb", "challenge-2017", "nstdb", "ptb-xl"),
        description="databases to learn from beside MIT-BIH, where they are at hand; of nstdb the noise",
    )
    retrain_epochs: int = Field(3, ge=1, description="passes over the training beats at most")
    learning_rate: float = Field(3e-3, gt=0, le=1, description="learning rate at which training begins")
    imbalance: Literal["simulation", "smote", "adasyn", "class_weights", "focal_loss", "none"] = Field(
        "simulation", description="how rare classes are made to count in training"
    )
    train_on_reviews: bool = Field(
        False, description="beats whose class readers corrected and signed are trained on as well"
    )
    gate_macro_f1_margin: float = Field(
        0.005, ge=0, le=1, description="a challenger may lose so much macro F1 and still be promoted"
    )
    gate_recall_margin: float = Field(
        0.02,
        ge=0,
        le=1,
        description="a challenger may lose so much recall of any class, or F1 of V in noise, and still be promoted",
    )
    gate_recall_floors: dict[str, float] = Field(
        {"N": 0.9, "S": 0.3, "V": 0.7},
        description="recall that no promotion may go below, by class, as JSON; a champion below it may stay there",
    )
    gate_ece_margin: float = Field(
        0.01, ge=0, le=1, description="a challenger's calibration error may be so much higher"
    )
    gate_ms_per_beat: float = Field(
        0.1, gt=0, description="classifying a beat may take so many milliseconds, or as many as the champion takes"
    )
    approve_promotion: bool = Field(
        False, description="a person must say yes in Airflow before a challenger is promoted; silence means no"
    )
    approval_hours: float = Field(12.0, gt=0, le=18, description="hours that a promotion waits for a person's yes")
    seed: int = Field(7, description="seed of training and of the choice of background beats")

    maintenance_schedule: str = Field("30 3 * * *", description="cron expression of ecg_maintenance")
    retention_months: int = Field(
        0, ge=0, description="beats and attributions are dropped so many months after arrival; 0 keeps them all"
    )

    channels: SecretStr = Field(
        SecretStr("{}"),
        description="where messages go, as JSON of name and address: smtp://, https:// or another that apprise knows; "
        "fhir+https://, mllp://, dicom:// for results",
    )
    message_rules: dict[str, tuple[str, ...]] = Field(
        {"*": ("*",)},
        description="which channels are told of what, as JSON: kind, kind!escalated, kind!quiet or * to their names",
    )
    quiet_hours: str = Field(
        "",
        description="what is not critical waits for their end, as 22:00-07:00 Europe/Berlin; a rule kind!quiet names "
        "who is told of a kind at once even then",
    )
    urgency_order: tuple[str, ...] = Field(
        READ_FIRST, description="kinds of finding that are read first, as a JSON list; kind!new, kind!urgent"
    )
    public_url: str = Field("", description="address at which readers reach the UI, for links in messages")
    repeat_after_s: float = Field(
        21600.0, gt=0, description="an alert whose cause holds is sent again after so many seconds, not before"
    )
    escalate_after_s: float = Field(
        900.0, gt=0, description="an urgent finding that nobody acknowledged is passed on after so many seconds"
    )
    delivery_attempts: int = Field(8, ge=1, description="a message that a channel refused so often is given up")
    dicom_address: str = Field(
        "127.0.0.1:11112",
        pattern=r"^[A-Za-z0-9.-]+:\d{1,5}$",
        description="where `ecg receive-dicom` listens; loopback alone unless it is set",
    )
    dicom_ae_title: str = Field(
        "ECGPLATFORM",
        pattern=r"^[!-\[\]-~]{1,16}$",
        description="AE title that senders must call `ecg receive-dicom` by",
    )
    dicom_callers: tuple[str, ...] = Field(
        (), description="AE titles that `ecg receive-dicom` takes recordings from, as JSON; empty: from all"
    )
    dicom_certificate: Path | None = Field(
        None, description="PEM file of certificate and key: `ecg receive-dicom` speaks TLS then"
    )
    watch_address: str = Field(
        "127.0.0.1:9464",
        pattern=r"^[A-Za-z0-9.-]+:\d{1,5}$",
        description="where metrics and health are told, over HTTP; the next free port if it is taken",
    )
    pod_templates: Path | None = Field(
        None, description="folder of the pod templates by lane, under Airflow's KubernetesExecutor"
    )
    otel_endpoint: str = Field(
        "", description="address of an OpenTelemetry collector (OTLP over HTTP, as http://host:4318); unset: none"
    )
    openlineage_url: str = Field(
        "",
        description="address that OpenLineage events are posted to (as http://host:5000/api/v1/lineage); unset: none",
    )
    alert_waiting_s: float = Field(3600.0, gt=0, description="alert where a recording waits for longer")
    alert_set_aside_share: float = Field(
        0.2, gt=0, le=1, description="alert where more of a day's recordings are set aside, of five or more"
    )
    alert_drift: float = Field(0.25, gt=0, description="alert from this population stability index on")
    alert_disk_free_gb: float = Field(5.0, ge=0, description="alert where less is free under the home folder")

    alert_backup_after_h: float = Field(
        0.0, ge=0, description="alert where the last backup is older than so many hours; 0: never"
    )

    log_retention_days: int = Field(
        30, ge=0, description="logs, Airflow's finished runs and messages that ended go after so many days; 0: never"
    )

    pseudonym_key: SecretStr | None = Field(
        None,
        description="key of the patients' pseudonyms, or several with commas, the newest first; unset: made once and "
        "kept in the home folder",
    )
    oidc_issuer: str = Field(
        "",
        description="address of the OpenID provider that users sign in at (FAB auth manager); unset: none",
    )
    oidc_client_id: str = Field("", description="what the provider of `ECG_OIDC_ISSUER` calls this platform")
    oidc_client_secret: SecretStr | None = Field(None, description="secret of the client at `ECG_OIDC_ISSUER`")
    oidc_scope: str = Field("openid email profile", description="what the provider is asked to tell of a user")
    oidc_groups_claim: str = Field("groups", description="claim in which the provider names a user's groups")
    oidc_roles: dict[str, str] = Field(
        {}, description="roles by the provider's groups, as JSON: group to ecg viewer, ecg clinician and their like"
    )
    text_url: str = Field(
        "", description="address of an OpenAI-compatible server that may rephrase a resting ECG's findings; unset: none"
    )
    text_model: str = Field("", description="model that the server of `ECG_TEXT_URL` is asked for")
    text_key: SecretStr | None = Field(None, description="key for the server of `ECG_TEXT_URL`")
    language: Literal["en", "de"] = Field("en", description="language of reports and pages")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] | None = Field(
        None, description="lowest level that is logged; unset: WARNING by the command, INFO by Airflow's tasks"
    )

    @field_validator("gate_recall_floors")
    @classmethod
    def _of_known_classes(cls, value: dict[str, float]) -> dict[str, float]:
        if not set(value) <= set("NSVF") or not all(0 <= floor <= 1 for floor in value.values()):
            raise ValueError("floors from 0 to 1 for N, S, V or F")
        return value

    @field_validator("oidc_roles")
    @classmethod
    def _of_known_roles(cls, value: dict[str, str], given: ValidationInfo) -> dict[str, str]:
        path = given.data.get("sites")
        sites = read_sites(path) if path else {}
        known = [*ROLE_NAMES, *(role for site in sites.values() for role in site.roles)]
        if unknown := sorted(set(value.values()) - set(known)):
            raise ValueError(f"no role is called {unknown[0]!r}; there are {', '.join(known)}")
        return value

    @field_validator("urgency_order", mode="before")
    @classmethod
    def _of_all_sites(cls, value: object) -> object:
        if isinstance(value, dict):
            raise ValueError("a list of kinds; a site's own order stands in the file that ECG_SITES names")
        return value

    @field_validator("urgency_order")
    @classmethod
    def _of_entries(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return known_entries(value)

    @field_validator("quiet_hours")
    @classmethod
    def _of_a_clock(cls, value: str) -> str:
        quiet_hours_of(value)
        return value

    @field_validator("message_rules")
    @classmethod
    def _of_no_site(cls, value: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        if of_site := [kind for kind in value if "@" in kind]:
            raise ValueError(f"{of_site[0]}: a site's own rules stand in the file that ECG_SITES names")
        return value

    @field_validator("channels")
    @classmethod
    def _of_addresses(cls, value: SecretStr) -> SecretStr:
        try:
            channels = json.loads(value.get_secret_value() or "{}")
        except ValueError:
            channels = None
        if not isinstance(channels, dict) or not all(
            isinstance(address, str) and "://" in address for address in channels.values()
        ):
            raise ValueError('JSON such as {"ops": "smtp://mail.example:25/?from=ecg@example.org&to=ops@example.org"}')
        return value

    @field_validator("pseudonym_key")
    @classmethod
    def _cannot_be_guessed(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            for key in value.get_secret_value().split(","):
                _check_key(key, ValueError)
        return value

    @field_validator("home", "sites")
    @classmethod
    def _absolute(cls, value: Path | None) -> Path | None:
        return value.expanduser().resolve() if value else None

    @field_validator("inbox", "store", "physionet_base")
    @classmethod
    def _absolute_unless_address(cls, value: str) -> str:
        # Tasks run in other folders than the one the user stood in.
        return value if not value or "://" in value else str(Path(value).expanduser().resolve())

    @property
    def inbox_address(self) -> str:
        """The inbox: as set, or ``inbox`` in the home folder."""
        return self.inbox or str(self.home / "inbox")

    @property
    def quiet(self) -> QuietHours | None:
        """Hours in which what is not critical waits; None where none are set."""
        return quiet_hours_of(self.quiet_hours)

    @property
    def site_profiles(self) -> Mapping[str, Site]:
        """The sites by their names; none where no file names any."""
        return read_sites(self.sites) if self.sites else {}

    @property
    def inbox_addresses(self) -> tuple[str, ...]:
        """All inboxes: the one of the settings, and those of sites that lie elsewhere."""
        own = (inbox for site in self.site_inboxes.values() for inbox in site)
        here = f"{self.inbox_address.rstrip('/')}/"
        return (self.inbox_address, *(inbox for inbox in own if not inbox.startswith(here)))

    @property
    def site_inboxes(self) -> dict[str, list[str]]:
        """By site the addresses of its inboxes."""
        inbox = self.inbox_address.rstrip("/")
        return {
            name: [one if "://" in one or one.startswith("/") else f"{inbox}/{one}" for one in site.inboxes or (name,)]
            for name, site in self.site_profiles.items()
        }

    @property
    def site_places(self) -> dict[str, list[str]]:
        """By site the addresses of its inboxes and of its uploads."""
        return {name: [*inboxes, str(self.uploads_dir / name)] for name, inboxes in self.site_inboxes.items()}

    @property
    def archives(self) -> tuple[str, ...]:
        """Addresses of folders whose recordings wait behind fresh ones, however new."""
        last = {name for name, site in self.site_profiles.items() if site.priority < 0}
        of_sites = (inbox for name, inboxes in self.site_inboxes.items() if name in last for inbox in inboxes)
        named = (f"{inbox.rstrip('/')}/{name}" for inbox in self.inbox_addresses for name in self.archive_folders)
        return (*named, *of_sites)

    @property
    def before_others(self) -> dict[str, int]:
        """Addresses of the inboxes whose recordings go before others', with their priority."""
        of_sites = self.site_inboxes.items()
        priority = {name: site.priority for name, site in self.site_profiles.items() if site.priority > 0}
        return {inbox: priority[name] for name, inboxes in of_sites if name in priority for inbox in inboxes}

    def site_of(self, source: str) -> str | None:
        """Return the site by the address that a file came to: in one of its inboxes, or among its uploads."""
        owners = {f"{place}/": name for name, places in self.site_places.items() for place in places}
        found = [place for place in owners if source.startswith(place)]
        return owners[max(found, key=len)] if found else None

    @property
    def watch_host_and_port(self) -> tuple[str, int]:
        """Host and port of metrics and health."""
        host, _, port = self.watch_address.rpartition(":")
        return host, int(port)

    @property
    def channel_addresses(self) -> dict[str, str]:
        """Addresses of the channels by their names; they may hold passwords."""
        addresses: dict[str, str] = json.loads(self.channels.get_secret_value() or "{}")
        return addresses

    def allows_inbox(self, address: str) -> bool:
        """Whether a run may look at a folder or address: the inbox, a further one, or what lies in one of them."""
        if ".." in address.split("/"):
            return False
        plain = address.removeprefix("file://")
        ours = (str(self.home / "demo" / "inbox"), str(self.uploads_dir))
        allowed = (*self.inbox_addresses, *self.further_inboxes, *ours)
        return any(plain == one.rstrip("/") or plain.startswith(one.rstrip("/") + "/") for one in allowed)

    @property
    def uploads_dir(self) -> Path:
        """What was uploaded, absolute, in a folder a site: each upload is an inbox of its own."""
        return self.home.resolve() / "uploads"

    @property
    def recordings_dir(self) -> Path:
        """Staged recordings, by content hash."""
        return self.home / "recordings"

    @property
    def reports_dir(self) -> Path:
        """HTML reports."""
        return self.home / "reports"

    @property
    def models_dir(self) -> Path:
        """Model versions trained here (the shipped one is inside the package)."""
        return self.home / "models"

    @property
    def private_dirs(self) -> tuple[Path, ...]:
        """Folders that are the platform's user's alone: patients' files and results, and logs."""
        return self.recordings_dir, self.reports_dir, self.models_dir, self.uploads_dir, self.home / "logs"

    @property
    def datasets_dir(self) -> Path:
        """Fetched PhysioNet databases."""
        return self.home / "physionet"

    @property
    def pseudonym_file(self) -> Path:
        """Where the keys of the pseudonyms are kept, the newest first, where no setting holds them."""
        return self.home / "pseudonym.key"

    def pseudonym_secret(self, site: str | None = None) -> bytes:
        """Keys of the patients' pseudonyms, a line each: the site's own, those of the setting, or `pseudonym_file`'s.

        New patients are called by the first. Losing a key means that its patients get another pseudonym from then on.
        """
        own = self.site_profiles.get(site or "")
        if own is not None and own.pseudonym_key_file is not None:
            return _keys_of(own.pseudonym_key_file)
        if self.pseudonym_key is not None:
            return self.pseudonym_key.get_secret_value().replace(",", "\n").encode()
        path = self.pseudonym_file
        if self.store and not path.exists():
            raise SettingsError(
                "ECG_STORE is set and ECG_PSEUDONYM_KEY is not: each machine would call a patient by another name.",
                "Give all machines the same ECG_PSEUDONYM_KEY (`openssl rand -hex 32` makes one).",
            )
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f".pseudonym.{secrets.token_hex(4)}")
        if not path.exists():
            fresh.touch(mode=0o600)
            fresh.write_text(secrets.token_hex(32))
            # A hard link fails where another process was faster: its key stands.
            with contextlib.suppress(FileExistsError):
                os.link(fresh, path)
            fresh.unlink()
        return _keys_of(path)


_FEWEST_CHARACTERS, _FEWEST_DIFFERENT = 32, 8
"""Of a key: 128 bits as hex digits; a word that is repeated has fewer different ones."""


def _keys_of(path: Path) -> bytes:
    keys = path.read_text().strip()
    for key in keys.split("\n"):
        _check_key(key, lambda what: SettingsError(f"{path} holds no key: {what}.", "Restore it from a backup."))
    return keys.encode()


def _check_key(key: str, error: Callable[[str], Exception]) -> None:
    if len(key) < _FEWEST_CHARACTERS or len(set(key)) < _FEWEST_DIFFERENT:
        raise error("32 random characters at least, for instance those of: openssl rand -hex 32")


def language() -> str:
    """Return ``ECG_LANGUAGE``; English where it is none that there is, of which reading the settings will complain.

    Texts are read before any setting is checked: a sentence about a wrong setting is one of them.
    """
    said = {**dotenv_values(".env"), **os.environ}.get(f"{PREFIX}LANGUAGE") or "en"
    known = get_args(Settings.model_fields["language"].annotation)
    return said if said in known else "en"


def load_settings() -> Settings:
    """Read the settings once per process.

    Raises
    ------
    SettingsError
        An ``ECG_…`` name is unknown, or a value does not fit.
    """
    return _load()


@lru_cache(maxsize=1)
def _load() -> Settings:
    refuse_unknown_names()
    try:
        settings = Settings(**_from_files())
    except ValidationError as error:
        first = error.errors()[0]
        name = f"{PREFIX}{first['loc'][0]}".upper()
        # An address may hold a password, and a key is one.
        shown = "" if name in _SECRET else f"={first['input']!r}"
        raise SettingsError(f"{name}{shown} does not fit: {first['msg']}.", f"Correct {name}.") from None
    _ = settings.site_profiles  # a file of sites that cannot be read is told at the start
    return settings


_SECRET = tuple(
    f"{PREFIX}{name}" for name in ("DATABASE_URL", "PSEUDONYM_KEY", "OIDC_CLIENT_SECRET", "TEXT_KEY", "CHANNELS")
)
"""Never shown in a message, and read from files too."""


def _from_files() -> dict[str, Any]:
    """Read the secrets that lie in files: ``ECG_PSEUDONYM_KEY_FILE=/run/secrets/key`` and its like.

    Raises
    ------
    SettingsError
        A file cannot be read, or the setting itself is given too.
    """
    present, found = _present(), {}
    for name in _SECRET:
        path = present.get(f"{name}{_FILE}")
        if not path:
            continue
        if present.get(name):
            raise SettingsError(f"Both {name} and {name}{_FILE} are set.", "Set one of them.")
        try:
            found[name.removeprefix(PREFIX).lower()] = Path(path).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(
                f"{name}{_FILE}={path} cannot be read ({type(error).__name__}).",
                "Let this user read it, or correct it.",
            ) from None
    return found


def _present() -> dict[str, str | None]:
    return {name.upper(): value for name, value in {**dotenv_values(".env"), **os.environ}.items()}


_FILE = "_FILE"
"""Ends the name of what says in which file a setting lies."""


def refuse_unknown_names() -> None:
    """Raise where the environment or `.env` holds an ``ECG_…`` name that is no setting."""
    valid = {f"{PREFIX}{field}".upper() for field in Settings.model_fields}
    for name in sorted(_present()):
        if name.startswith(PREFIX) and name not in valid | {f"{secret}{_FILE}" for secret in _SECRET}:
            nearest = difflib.get_close_matches(name.upper(), valid, n=1, cutoff=0.0)[0]
            raise SettingsError(f"{name} is no setting.", f"Did you mean {nearest}?")
