"""One look at an inbox: what has settled is copied and entered in the ledger, all else is told with its reason.

Each file is its own: whatever is wrong with one is told of that one, and the rest goes on. What is wrong with our own
disk stops the look, and is told as what it is.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import structlog
from sqlalchemy import Connection, Engine
from upath import UPath

from ecg_core import depot
from ecg_core.errors import (
    CopyDamaged,
    EcgError,
    IncompleteRecording,
    MachineError,
    ReadingLimit,
    RecordingError,
    SettingsError,
    StillChanging,
)
from ecg_core.files import as_machine_error, sync_disk
from ecg_core.formats import (
    Candidate,
    Look,
    Prepared,
    begins_with,
    clear_left_overs,
    look_at,
    prepare,
    profiles_of,
    publish,
)
from ecg_core.formats.copies import copy_of, reader
from ecg_core.messages import lineage
from ecg_core.settings import Settings
from ecg_core.store import arrivals, ledger, outbox, sites
from ecg_core.store.arrivals import Arrival, Entry
from ecg_core.store.database import store_engine

log = structlog.get_logger(__name__)

BATCH: Final = 200
"""Files that are copied, brought to the disk and entered at once."""
LOOK_S: Final = 60.0
"""A look takes in new files for so long; the next look goes on, so that scoring waits for nobody."""
LOOK_WITH_FRESH_S: Final = 5.0
"""A look that brought fresh ones takes in an archive's for so long: the fresh ones are not to wait for it."""
AGAIN_AFTER_S: Final = 3600.0
"""What reading choked on is tried again after so long, and when it changes."""


@dataclass(frozen=True, slots=True)
class _Place:
    """What a look needs to know: where, with which settings, and what was there before."""

    settings: Settings
    engine: Engine
    prefix: str
    seen: dict[str, tuple[str, tuple[str, ...]]]
    entries: dict[str, Entry]
    server_time_s: float
    full: frozenset[str]

    def known(self, name: str) -> tuple[str, tuple[str, ...]] | None:
        return self.seen.get(arrivals.source_key(self.prefix + name))

    def entry(self, candidate: Candidate) -> Entry | None:
        """Return what was told of a candidate that has not changed since."""
        entry = self.entries.get(arrivals.source_key(self.prefix + candidate.name))
        return entry if entry is not None and entry.stamp == candidate.stamp else None

    def waits(self, candidate: Candidate, code: str, reason: str) -> Entry:
        return Entry(self.prefix + candidate.name, "waiting", code, reason, candidate.stamp)

    def not_taken(self, candidate: Candidate, code: str, reason: str) -> Entry:
        return Entry(self.prefix + candidate.name, "set aside", code, reason, candidate.stamp)


Lane = Literal["fresh", "archive"]


def register_arrivals(settings: Settings, inbox: UPath | None = None, lane: Lane | None = None) -> dict[str, int]:
    """Enter every settled file of the inbox in the ledger, by the hash of its content.

    Parameters
    ----------
    settings : Settings
    inbox : UPath, optional
        A folder or an object-store address; the setting where it is left out. It is only read, never changed.
    lane : {'fresh', 'archive'}, optional
        Which files are taken in: those that come as they are made, or those of an archive, of which the copying takes
        long; both where it is left out, the fresh ones first.

    Returns
    -------
    dict of str to int
        How many candidates were ``new``, ``known`` (their content is in the ledger already), ``sent again`` (it was
        set aside, and waits now), ``replaced a part`` (of these, what begins with what came at its address before),
        ``unchanged`` (seen before, not read again), ``unsettled`` (still being written),
        ``waiting for parts``, ``quota`` (its site's is used up), ``set aside``, ``not taken`` (unreadable, a link, too
        large: see `ecg inbox`), and ``left for the next look``.

    Raises
    ------
    SettingsError
        The folder does not exist: a wrong name must not look like an empty inbox.
    MachineError
        No copy can be written (a full disk).
    """
    folder = inbox if inbox is not None else UPath(settings.inbox_address)
    if settings.store and not folder.is_dir() and str(folder).startswith(f"{settings.uploads_dir}/"):
        return {}  # the machine that took this upload in has entered it
    folder = existing(folder, settings)
    prefix = f"{str(folder).rstrip('/')}/"
    engine = store_engine(settings)
    with engine.connect() as connection:
        place = _Place(
            settings,
            engine,
            prefix,
            arrivals.seen_sources(connection, prefix),
            arrivals.entries(connection, prefix),
            arrivals.server_time(connection),
            frozenset(name for name, share in sites.quota_used(connection, settings).items() if share >= 1.0),
        )
    _refuse_unmounted(place, folder)
    look = look_at(folder, profiles_of(settings), place.known)
    counts, ready = _sort(place, look)
    depot.prepare_cache(settings)
    clear_left_overs(settings.recordings_dir)
    counts.update(_take_in(place, ready, lane))
    with engine.begin() as connection:
        outbox.give_sign(connection, "inbox", dict(counts))
    log.info("inbox looked at", **counts)
    if taken := counts["new"] + counts["sent again"]:
        into = [*lineage.stored(settings, "recordings"), *lineage.tables(settings, "ingest_ledger", "arrival")]
        lineage.tell(settings, "register_arrivals", [lineage.folder(str(folder))], into, {"recordings": taken})
    return dict(counts)


def register_all(settings: Settings, inboxes: Sequence[UPath], lane: Lane | None = None) -> dict[str, int]:
    """Look at several inboxes; one that is out of reach keeps none of the others waiting, and is told at the end.

    Raises
    ------
    EcgError
        As `register_arrivals`: the first that one of the looks raised.
    """
    counts, faults = Counter[str](), []
    for inbox in inboxes:
        try:
            counts.update(register_arrivals(settings, inbox, lane))
        except EcgError as fault:
            faults.append(fault)
    if faults:
        raise faults[0]
    return dict(counts)


def _take_in(place: _Place, ready: Sequence[Candidate], only: Lane | None) -> Counter[str]:
    """Take in fresh ones first, batch by batch; what there was no time for is left, and what is another run's."""
    fresh = [candidate for candidate in ready if not _of_archive(place, candidate)]
    fresh.sort(key=lambda candidate: -_priority(place, candidate))
    archived = [candidate for candidate in ready if _of_archive(place, candidate)]
    started, counts = time.monotonic(), Counter[str]()
    lanes = {"fresh": (fresh, LOOK_S), "archive": (archived, LOOK_WITH_FRESH_S if fresh and not only else LOOK_S)}
    counts["left for the next look"] = sum(len(files) for name, (files, _) in lanes.items() if only not in (None, name))
    for lane, look_s in (lanes[name] for name in lanes if only in (None, name)):
        for done in range(0, len(lane), BATCH):
            if time.monotonic() > started + look_s:
                counts["left for the next look"] += len(lane) - done
                break
            counts.update(_take(place, lane[done : done + BATCH]))
    return +counts


def _priority(place: _Place, candidate: Candidate) -> int:
    source, before = f"{place.prefix}{candidate.name}", place.settings.before_others
    return max((before[folder] for folder in before if source.startswith(f"{folder}/")), default=0)


def _of_archive(place: _Place, candidate: Candidate) -> bool:
    old = time.time() - candidate.changed_at >= place.settings.archive_after_s
    return old or any(f"{place.prefix}{candidate.name}".startswith(f"{folder}/") for folder in place.settings.archives)


def existing(folder: UPath, settings: Settings) -> UPath:
    """Return a folder that is there. An object store has no folders: an empty prefix is an inbox without files.

    Raises
    ------
    SettingsError
        There is none.
    """
    if folder.protocol not in ("", "file"):
        return _in_existing_bucket(folder)
    if folder.is_dir():
        return folder
    if str(folder) == str(settings.home / "inbox"):
        folder.mkdir(parents=True)
        return folder
    raise SettingsError(
        f"The inbox {folder} does not exist or is no folder.", "Create it, mount it, or set ECG_INBOX to another."
    )


def _refuse_unmounted(place: _Place, folder: UPath) -> None:
    """Raise where the inbox is a place at which its disk is not mounted: an empty one must not look like no files."""
    if folder.protocol not in ("", "file"):
        return
    is_mount = os.path.ismount(folder.path)
    with place.engine.begin() as connection:
        gone = not is_mount and arrivals.was_mount(connection, place.prefix)
        if not gone:
            arrivals.note_inbox(connection, place.prefix, is_mount)
    if gone or (not is_mount and str(folder.path) in _places_to_mount()):
        raise MachineError(
            f"The disk of the inbox {folder} is not mounted: what arrives is not seen.",
            "Mount it. Where the inbox is an ordinary folder from now on, give it another name or take its line out of "
            "/etc/fstab, and delete its row in ecg.inbox_seen.",
        )


def _places_to_mount() -> set[str]:
    try:
        lines = Path("/etc/fstab").read_text().splitlines()
    except (OSError, UnicodeDecodeError):
        return set()
    words = [line.split() for line in lines if not line.lstrip().startswith("#")]
    return {fields[1].replace("\\040", " ") for fields in words if len(fields) > 2}


def _in_existing_bucket(folder: UPath) -> UPath:
    bucket = folder.path.lstrip("/").split("/", 1)[0]
    try:
        there = folder.exists() or folder.fs.exists(bucket)
    except PermissionError as error:
        raise SettingsError(
            f"The object store refuses to list {folder}: {error}.",
            "Let the key of these processes, or of the address's connection, list and read it.",
        ) from None
    if not there:
        raise SettingsError(
            f"The inbox {folder} does not exist: the object store has no bucket {bucket}.",
            "Make the bucket, or correct ECG_INBOX or the run's folder.",
        )
    return folder


def _sort(place: _Place, look: Look) -> tuple[Counter[str], list[Candidate]]:
    """Tell what is not taken now, and return what is."""
    counts: Counter[str] = Counter()
    told = [
        Entry(place.prefix + entry.name, "set aside", entry.code, entry.reason)
        for entry in look.told
        if entry.code != "went away"
    ]
    ready: list[Candidate] = []
    if look.unchanged:
        counts["unchanged"] = len(look.unchanged)
    if told:
        counts["not taken"] = len(told)
    for candidate in look.candidates:
        if (place.known(candidate.name) or ("",))[0] == candidate.stamp:
            counts["unchanged"] += 1
            continue
        reason = _why_not_now(place, candidate)
        if reason is None:
            ready.append(candidate)
            continue
        counts[reason.code if reason.state == "waiting" else "not taken"] += 1
        told.append(reason)
    with place.engine.begin() as connection:
        arrivals.write_entries(connection, told)
        there = {arrivals.source_key(entry.source) for entry in told}
        arrivals.forget_entries(connection, [source for source in place.entries if source not in there])
    return counts, ready


def _why_not_now(place: _Place, candidate: Candidate) -> Entry | None:
    settings, before = place.settings, place.entry(candidate)
    watched_s = before.age_s if before is not None else 0.0
    # Three clocks can differ: the sender's, ours and the server's. What a look has seen stand still counts as well.
    age_s = min(time.time(), place.server_time_s) - candidate.changed_at
    if not (age_s >= settings.settle_s or watched_s >= settings.settle_s):
        return place.waits(candidate, "unsettled", "It is taken when it does not change any more.")
    if candidate.missing and watched_s < settings.incomplete_after_s:
        reason = f"It waits for {', '.join(candidate.missing)}."
        return place.waits(candidate, "waiting for parts", reason)
    if place.full and settings.site_of(place.prefix + candidate.name) in place.full:
        return place.waits(
            candidate, "quota", "The quota of its site is used up: it is taken when there is room again."
        )
    if before is not None and before.code in _COSTLY and before.age_s < AGAIN_AFTER_S:
        return before
    return None


_COSTLY: Final = ("reading limit", "reading died", "machine")
"""What is not tried at each look."""


def _take(place: _Place, batch: Sequence[Candidate]) -> Counter[str]:
    """Copy candidates, bring the copies to the disk, and enter them: all of them, or none where the machine fails."""
    counts: Counter[str] = Counter()
    told: list[Entry] = []
    prepared: list[tuple[Candidate, Prepared]] = []
    recordings_dir = place.settings.recordings_dir
    try:
        for candidate in batch:
            outcome = _prepare(place, candidate)
            if isinstance(outcome, Prepared):
                prepared.append((candidate, outcome))
            elif outcome is not None:
                told.append(outcome)
                counts["unsettled" if outcome.state == "waiting" else "not taken"] += 1
            else:
                counts["went away"] += 1
        sync_disk(recordings_dir)
        found = [(c, _arrival(place, c, p)) for c, p in prepared]
        copies = [recordings_dir / arrival.staged_path for _, arrival in found]
        depot.put_folders(place.settings, [(copy.parent, copy.name) for copy in copies])
    except OSError as error:
        raise as_machine_error(error, f"the copies of recordings ({recordings_dir})") from None
    with place.engine.begin() as connection:
        registered = arrivals.register(connection, [arrival for _, arrival in found])
        for (candidate, arrival), registration in zip(found, registered, strict=True):
            if candidate.missing:
                fault = _never_came(candidate)
                ledger.set_aside(connection, arrival.recording_id, fault.code, str(fault))
            if registration == "already scored":
                sites.write_site(connection, arrival.recording_id, place.settings.site_of(arrival.source))
            counts["set aside" if candidate.missing else _COUNTED[registration]] += 1
            if place.known(candidate.name) is not None and _replaces_its_beginning(place, connection, arrival):
                counts["replaced a part"] += 1
        arrivals.write_entries(connection, told)
    return counts


def _replaces_its_beginning(place: _Place, connection: Connection, arrival: Arrival) -> bool:
    """Whether what came at this address before was the beginning of what has come now; if so, say so of it."""
    whole = place.settings.recordings_dir / arrival.staged_path
    parts = [
        recording_id
        for recording_id, path in arrivals.earlier(connection, arrival.source, arrival.recording_id)
        if (before := _copy_if_there(place.settings, path)) is not None and begins_with(whole, before)
    ]
    for part in parts:
        arrivals.supersede(connection, part, arrival.recording_id)
    return bool(parts)


def _copy_if_there(settings: Settings, staged_path: str) -> Path | None:
    try:
        return copy_of(settings, staged_path)
    except (CopyDamaged, MachineError):
        return None


_COUNTED: Final = {"new": "new", "known": "known", "already scored": "known", "sent again": "sent again"}


def _prepare(place: _Place, candidate: Candidate) -> Prepared | Entry | None:
    """Copy one candidate; or say what is wrong with it; None where it has gone away."""
    try:
        if candidate.on_disk:
            return reader(place.settings).prepare(candidate, place.settings.recordings_dir)
        return prepare(candidate, place.settings.recordings_dir)
    except StillChanging as error:
        return place.waits(candidate, "unsettled", str(error))
    except ReadingLimit as error:
        return place.not_taken(candidate, error.code, str(error))
    except (RecordingError, MachineError) as error:
        if isinstance(error, IncompleteRecording) and not all(file.exists() for file in candidate.files):
            return None
        code = "unreadable" if isinstance(error, IncompleteRecording) else error.code
        return place.not_taken(candidate, code, str(error))


def _arrival(place: _Place, candidate: Candidate, prepared: Prepared) -> Arrival:
    staged = publish(prepared, place.settings.recordings_dir)
    return Arrival(
        source=place.prefix + candidate.name,
        recording_id=staged.recording_id,
        size_bytes=candidate.size_bytes,
        changed_at=candidate.changed_at,
        staged_path=str(staged.path.relative_to(place.settings.recordings_dir)),
        stamp=candidate.stamp,
        parts=candidate.parts,
    )


def _never_came(candidate: Candidate) -> IncompleteRecording:
    return IncompleteRecording(
        f"Files that the header names did not arrive: {', '.join(candidate.missing)}.",
        "Send them together with the header, under the names that it gives.",
    )
