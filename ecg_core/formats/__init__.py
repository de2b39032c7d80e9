"""From bytes to `Recording`: what lies in an inbox, its canonical copy, and reading it.

>>> from ecg_core.formats import read_recording
>>> read_recording(Path("100.hea"), key).lead_names  # doctest: +SKIP
('MLII', 'V5')
"""

from ecg_core.formats.fingerprint import fingerprint
from ecg_core.formats.inbox import Candidate, Look, Told, find_candidates, look_at
from ecg_core.formats.inspecting import Inspection, inspect_file
from ecg_core.formats.profile import in_folder, profiles_of, with_site_profile
from ecg_core.formats.reading import FORMATS, Format, read_recording
from ecg_core.formats.reading_process import ReadingLimits, ReadingProcess
from ecg_core.formats.staging import (
    Prepared,
    Staged,
    begins_with,
    clear_left_overs,
    is_whole,
    prepare,
    publish,
    stage,
)
from ecg_core.formats.wfdb_record import SYNTHETIC_COMMENT

__all__ = [
    "FORMATS",
    "SYNTHETIC_COMMENT",
    "Candidate",
    "Format",
    "Inspection",
    "Look",
    "Prepared",
    "ReadingLimits",
    "ReadingProcess",
    "Staged",
    "Told",
    "begins_with",
    "clear_left_overs",
    "find_candidates",
    "fingerprint",
    "in_folder",
    "inspect_file",
    "is_whole",
    "look_at",
    "prepare",
    "profiles_of",
    "publish",
    "read_recording",
    "stage",
    "with_site_profile",
]
