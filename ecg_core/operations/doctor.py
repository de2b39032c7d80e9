"""What is wrong with a platform, and what mends it: each check is a question with a sentence for an answer."""

from __future__ import annotations

import difflib
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import text
from upath import UPath

from ecg_core import depot
from ecg_core.arrivals.registering import existing
from ecg_core.errors import EcgError, SettingsError
from ecg_core.messages.outbox import all_rules
from ecg_core.models import load_version, with_version
from ecg_core.operations import metrics
from ecg_core.pipeline.versions import scoring_versions
from ecg_core.settings import Settings
from ecg_core.store import catalog, outbox
from ecg_core.store.database import owner_engine, store_engine
from ecg_core.texts import UI_TEXTS

_SAMPLE: Final = 1000
"""Files that are looked for at most."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What a check found: nothing, or what is wrong and what mends it."""

    check: str
    wrong: str | None = None


def examine(settings: Settings) -> Iterator[Diagnosis]:
    """Ask every question, one after the other; one that cannot be answered is wrong with its reason."""
    for name, check in CHECKS.items():
        try:
            found = list(check(settings))
        except EcgError as error:
            found = [str(error)]
        except OSError as error:
            found = [f"{type(error).__name__}: {error.strerror}."]
        yield from [Diagnosis(name, wrong) for wrong in found] or [Diagnosis(name)]


def _disk(settings: Settings) -> Iterator[str]:
    settings.home.mkdir(parents=True, exist_ok=True)
    probe = settings.home / ".doctor"
    probe.write_bytes(b"x")
    probe.unlink()
    free_gb = shutil.disk_usage(settings.home).free / 1e9
    if free_gb < settings.alert_disk_free_gb:
        yield f"{free_gb:.1f} GB are free under {settings.home}. Make room: docs/runbooks/disk_low.md."


def _key(settings: Settings) -> Iterator[str]:
    path = settings.home / "pseudonym.key"
    if settings.pseudonym_key is None and path.exists() and path.stat().st_mode & 0o077:
        yield f"Others may read {path}. `chmod 600 {path}`."


def _schema(settings: Settings) -> Iterator[str]:
    with owner_engine(settings).connect() as connection:
        differences = catalog.differences(connection)
    if differences:
        yield f"{differences[0]} {len(differences)} differences: `ecg db check` lists them, `ecg db migrate` mends."


def _champions(settings: Settings) -> Iterator[str]:
    for task, version in scoring_versions(settings).items():
        try:
            load_version(version, with_version(settings, version))
        except EcgError as error:
            yield f"The champion of {task} cannot score: {error}"


def _inbox(settings: Settings) -> Iterator[str]:
    for address in settings.inbox_addresses:
        if "@" in address:
            continue  # through a connection of Airflow's, which is not known here
        try:
            existing(UPath(address), settings)
        except SettingsError as error:
            yield str(error)


def _copies(settings: Settings) -> Iterator[str]:
    query = f"SELECT staged_path FROM ecg.ingest_ledger WHERE state IN ('waiting', 'claimed') LIMIT {_SAMPLE}"
    yield from _missing(settings, query, "recordings_dir", "recordings that wait", "send them again")


def _reports(settings: Settings) -> Iterator[str]:
    query = f"SELECT path FROM ecg.report ORDER BY report_id DESC LIMIT {_SAMPLE}"
    yield from _missing(settings, query, "reports_dir", "reports", "`ecg report RECORDING` draws one again")


def _missing(settings: Settings, query: str, folder: str, what: str, mend: str) -> Iterator[str]:
    with store_engine(settings).connect() as connection:
        paths = list(connection.execute(text(query)).scalars())
    gone = [path for path in paths if not depot.exists(settings, getattr(settings, folder) / path)]
    if gone:
        yield f"{len(gone)} of {len(paths)} {what} have no file. Mount the folder, bring back a backup, or {mend}."


def _signs(settings: Settings) -> Iterator[str]:
    for problem in metrics.problems(settings):
        yield f"{problem} `ecg up`, or see docs/runbooks/inbox_silent.md."


def _messages(settings: Settings) -> Iterator[str]:
    with store_engine(settings).connect() as connection:
        dead = outbox.dead_deliveries(connection)
    if dead:
        yield f"{dead} messages were given up. `ecg outbox list --all`, then docs/runbooks/dead_letters.md."
    rules = {name for rules in all_rules(settings) for channels in rules.values() for name in channels} - {"*"}
    if unknown := sorted(rules - set(settings.channel_addresses)):
        yield f"ECG_MESSAGE_RULES or a site's name channels that ECG_CHANNELS lacks: {', '.join(unknown)}. Add them."


def _order(settings: Settings) -> Iterator[str]:
    kinds = {key.removeprefix("finding_") for key in UI_TEXTS if key.startswith("finding_")}
    orders = (settings.urgency_order, *(site.urgency_order for site in settings.site_profiles.values()))
    named = {entry.partition("!")[0] for entries in orders for entry in entries}
    for unknown in sorted(named - kinds):
        near = difflib.get_close_matches(unknown, kinds, 1)
        perhaps = f" Perhaps {near[0]} was meant." if near else ""
        yield f"ECG_URGENCY_ORDER or a site's names {unknown}, which is no kind of finding.{perhaps}"


CHECKS: Final[Mapping[str, Callable[[Settings], Iterator[str]]]] = {
    "the home folder can be written, and has room": _disk,
    "the pseudonyms' key is its owner's alone": _key,
    "the database is what the code expects": _schema,
    "each task's champion can score": _champions,
    "the inbox is there": _inbox,
    "what waits to be scored is there": _copies,
    "reports are there": _reports,
    "the inbox is looked at, and workers live": _signs,
    "messages get through": _messages,
    "the worklist's order names findings": _order,
}
