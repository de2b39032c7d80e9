"""Every error the platform raises on purpose.

::

    EcgError
    ├── SettingsError              a setting is unknown or has a wrong value
    ├── RecordingError             the file cannot be used; it is set aside
    │   ├── UnsupportedFormat        not an ECG file that we read
    │   ├── CorruptHeader            the header contradicts itself or cannot be parsed
    │   ├── IncompleteRecording      a part of the recording has not arrived
    │   ├── StillChanging            it changed while it was copied
    │   ├── TruncatedSignal          less signal than the header promises
    │   ├── UnusableSignal           nothing in it that could be an ECG (no lead, too short, bad rate)
    │   ├── CopyDamaged              our own copy of it is gone or not whole
    │   ├── ReadingLimit             reading it takes more memory, time or size than is given
    │   ├── ReadingDied              reading it ended the process that read it
    │   ├── ReadingFailed            our own reader failed on it
    │   ├── DuplicateSignal          the same signal has scores under another recording
    │   ├── ScoringFailed            our own code failed on it
    │   └── ScoringGaveUp            it ends even a process of its own
    ├── PlatformFault              our own code fails on what is known to be good
    ├── MachineError               what the machine lacks: a disk, a mount, memory   (try again)
    ├── DatasetError               a training or test database cannot be used
    │   ├── DatasetUnavailable       neither network nor folder answers            (try again)
    │   ├── ChecksumMismatch         a fetched file is not the published one       (try again)
    │   └── PatientLeak              a patient stands on both sides of a split
    ├── ModelError                 a model version cannot be used
    │   ├── UnknownModelVersion      no such folder
    │   ├── ModelIntegrityError      a file differs from its manifest
    │   └── ModelOutdated            it was trained on other features than this release computes
    ├── ExplanationError           an attribution cannot be computed for this model or these beats
    ├── StoreError                 Postgres cannot be used as asked
    │   ├── DatabaseUnavailable      no connection                                 (try again)
    │   ├── RowRefused               a row breaks a rule of its table
    │   ├── MigrationError           the schema is not what the code expects
    │   └── DataQualityError         stored scores break a severe rule
    ├── BackupError                a backup cannot be made or brought back
    ├── DeliveryFailed             a channel did not take a message                  (try again)
    └── StackError                 the embedded Postgres or Airflow does not run   (try again)
        └── StackBusy              it runs, and took too long to answer            (try again)

``retryable`` says whether the same call can succeed later without anyone changing anything.
Schedulers retry on it; all else fails at once.
"""

from __future__ import annotations

from typing import ClassVar


class EcgError(Exception):
    """Base of all errors: what was wrong, where, and what would mend it.

    Parameters
    ----------
    what : str
        One sentence: what was wrong, and where.
    mend : str
        One sentence: what to do about it.
    """

    code: ClassVar[str] = "error"
    retryable: ClassVar[bool] = False

    def __init__(self, what: str, mend: str) -> None:
        super().__init__(what, mend)
        self.what = what
        self.mend = mend

    def __str__(self) -> str:
        return f"{self.what} {self.mend}"


class SettingsError(EcgError):
    """A setting is unknown or has a wrong value."""

    code = "settings"


class RecordingError(EcgError):
    """The file cannot be used; it is set aside with ``code`` and this sentence."""

    code = "unusable recording"


class UnsupportedFormat(RecordingError):
    """Not an ECG file that we read."""

    code = "unsupported format"


class CorruptHeader(RecordingError):
    """The header contradicts itself or cannot be parsed."""

    code = "corrupt header"


class IncompleteRecording(RecordingError):
    """A part of the recording has not arrived."""

    code = "incomplete recording"


class StillChanging(RecordingError):
    """A file changed while it was copied: whoever writes it is not done."""

    code = "still changing"


class TruncatedSignal(RecordingError):
    """Less signal than the header promises."""

    code = "truncated signal"


class UnusableSignal(RecordingError):
    """Nothing in it that could be an ECG."""

    code = "unusable signal"


class CopyDamaged(RecordingError):
    """Our own copy of the recording is gone or not whole; nothing is wrong with what was sent."""

    code = "copy damaged"


class ReadingLimit(RecordingError):
    """Reading it takes more memory, computing time or size than the settings give a file."""

    code = "reading limit"


class ReadingDied(RecordingError):
    """Reading it ended the process that read it."""

    code = "reading died"


class ReadingFailed(RecordingError):
    """Our own reader failed on this file in a way that nobody foresaw."""

    code = "reading failed"


class DuplicateSignal(RecordingError):
    """The same signal has scores under another recording: another format, name or header."""

    code = "duplicate signal"


class ScoringFailed(RecordingError):
    """Our own code failed on this recording in a way that nobody foresaw."""

    code = "scoring failed"


class ScoringGaveUp(RecordingError):
    """Scoring this recording ends even a process that scores nothing else."""

    code = "gave up"


class PlatformFault(EcgError):
    """Our own code fails on what is known to be good, so that no recording is to blame."""

    code = "platform"


class MachineError(EcgError):
    """What the machine lacks, and no recording is to blame for: a disk, a mount, memory."""

    code = "machine"
    retryable = True


class DatasetError(EcgError):
    """A training or test database cannot be used."""

    code = "dataset"


class DatasetUnavailable(DatasetError):
    """Neither network nor folder answers."""

    code = "dataset unavailable"
    retryable = True


class ChecksumMismatch(DatasetError):
    """A fetched file is not the published one."""

    code = "checksum mismatch"
    retryable = True


class PatientLeak(DatasetError):
    """A patient stands on both sides of a split."""

    code = "patient leak"


class ModelError(EcgError):
    """A model version cannot be used."""

    code = "model"


class UnknownModelVersion(ModelError):
    """No model version of that name."""

    code = "unknown model version"


class ModelIntegrityError(ModelError):
    """A file of a model version differs from its manifest."""

    code = "model integrity"


class ModelOutdated(ModelError):
    """A model version was trained on other features than this release computes."""

    code = "model outdated"


class ExplanationError(EcgError):
    """An attribution cannot be computed for this model or these beats."""

    code = "explanation"


class StoreError(EcgError):
    """Postgres cannot be used as asked."""

    code = "store"


class DatabaseUnavailable(StoreError):
    """No connection to Postgres."""

    code = "database unavailable"
    retryable = True


class RowRefused(StoreError):
    """A row breaks a rule of its table, so nothing of its recording was stored."""

    code = "row refused"


class MigrationError(StoreError):
    """The schema is not what the code expects."""

    code = "migration"


class DataQualityError(StoreError):
    """Stored scores break a severe rule."""

    code = "data quality"


class BackupError(EcgError):
    """A backup cannot be made or brought back."""

    code = "backup"


class DeliveryFailed(EcgError):
    """A channel did not take a message; the sentence does not hold the channel's address."""

    code = "delivery failed"
    retryable = True


class StackError(EcgError):
    """The embedded Postgres or Airflow does not run."""

    code = "stack"
    retryable = True


class StackBusy(StackError):
    """Airflow took too long to answer."""

    code = "stack busy"
