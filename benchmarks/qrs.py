"""R-peak detection on MIT-BIH beside what people use today: sensitivity, precision, and seconds per lead and hour.

The rules are those of ANSI/AAMI EC57 (as ``bxb`` has them): beats are matched one to one within 150 ms, all 48 records
count, and stretches of ventricular flutter (record 207) are left out on both sides. EC57 leaves out the first five
minutes of each record, for detectors that learn; most papers count them, and so do ``gross`` and ``records`` here.
``gross_after_5_minutes`` is EC57 to the letter.

Times are CPU seconds of one process, so that what else runs on the machine does not tell; a detector's are those of all
that it does to a signal in memory, and of one lead.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ecg_core.datasets import physionet
from ecg_core.datasets.annotated import LabelledRecording, load_record
from ecg_core.datasets.splits import DS1, DS2, PACED
from ecg_core.recording import Recording
from ecg_core.result import ANALYSIS_RATE_HZ
from ecg_core.settings import Settings
from ecg_core.signal import analyse
from ecg_core.signal.cleaning import bridge_gaps

TOLERANCE_S: Final = 0.150
LEARNING_S: Final = 300.0
RECORDS: Final = tuple(sorted((*DS1, *DS2, *PACED)))
STAGES: Final = ("clean", "quality", "detect")

Times = npt.NDArray[np.float64]
Peer = Callable[[npt.NDArray[np.float64], float], npt.NDArray[np.integer[Any]]]


@dataclass
class _Tally:
    """Beats found, missed and invented, and seconds spent, over records."""

    counts: npt.NDArray[np.int64]
    late: npt.NDArray[np.int64]
    seconds: npt.NDArray[np.float64]
    lead_hours: float = 0.0

    @classmethod
    def of_stages(cls, n_stages: int) -> _Tally:
        return cls(np.zeros(3, np.int64), np.zeros(3, np.int64), np.zeros(n_stages))

    def add(self, labelled: LabelledRecording, found_s: Times, seconds: Sequence[float], n_leads: int) -> None:
        self.counts += count(labelled, found_s, 0.0)
        self.late += count(labelled, found_s, LEARNING_S)
        self.seconds += seconds
        self.lead_hours += labelled.recording.duration_s / 3600 * n_leads


def measure_detection(
    settings: Settings, records: Sequence[str] = RECORDS, tell: Callable[[str], None] = lambda line: None
) -> dict[str, Any]:
    """Detect the beats of MIT-BIH records with our detector and with the peers that are installed.

    Parameters
    ----------
    settings : Settings
    records : sequence of str
    tell : callable
        Is given a line for each record that is done.

    Returns
    -------
    dict
        ``rule``; ``gross`` and ``gross_after_5_minutes`` (``sensitivity``, ``precision``, ``missed``, ``extra``,
        ``beats``) on all leads, as in scoring; ``seconds_per_lead_hour`` and its ``stages``; ``first_lead``, the same
        detector given the first lead alone, as the peers are; ``peers`` by name, with ``seconds_per_lead_hour``, or
        ``absent`` where one is not installed; ``records`` by name.

    Raises
    ------
    DatasetUnavailable
        A record cannot be had.
    """
    folder = Path(physionet.fetch("mitdb", settings.physionet_base, settings.datasets_dir).path)
    peers, absent = _installed_peers()
    # Filters are designed once for a rate; that is no cost of an hour of signal.
    _detect(Recording("", np.zeros((360 * 70, 1), np.float32), 360.0, ("I",), "none"))
    ours, single = (_Tally.of_stages(len(STAGES)) for _ in range(2))
    theirs = {name: _Tally.of_stages(1) for name in peers}
    by_record = {}
    for record in records:
        labelled = load_record(folder, record)
        recording = labelled.recording
        found, seconds = _detect(recording)
        ours.add(labelled, found, seconds, recording.signal.shape[1])
        by_record[record] = _shares(count(labelled, found, 0.0))
        first = recording.signal[:, :1]
        # The peers know no missing samples.
        signal = bridge_gaps(recording.signal[:, 0]).astype(np.float64)
        single.add(labelled, *_detect(_with_signal(recording, first)), 1)
        for name, peer in peers.items():
            started = time.process_time()
            samples = peer(signal, recording.sampling_rate_hz)
            theirs[name].add(
                labelled, np.sort(samples) / recording.sampling_rate_hz, [time.process_time() - started], 1
            )
        tell(f"{record}  {by_record[record]['missed']:4} missed, {by_record[record]['extra']:4} false")
    return {
        "rule": f"matched within {1000 * TOLERANCE_S:.0f} ms, whole records, without ventricular flutter (EC57)",
        "gross": _shares(ours.counts),
        "gross_after_5_minutes": _shares(ours.late),
        **_cost(ours),
        "first_lead": {**_shares(single.counts), **_cost(single)},
        "peers": {
            **{
                name: {**_shares(t.counts), "seconds_per_lead_hour": _cost(t)["seconds_per_lead_hour"]}
                for name, t in theirs.items()
            },
            **{name: {"absent": reason} for name, reason in absent.items()},
        },
        "records": by_record,
    }


def count(labelled: LabelledRecording, found_s: Times, from_s: float) -> npt.NDArray[np.int64]:
    """Count hits, missed beats and false beats after `from_s`, outside flutter: int64, shape (3,)."""
    annotated_s = labelled.r_sample / labelled.recording.sampling_rate_hz
    reference, found = (
        times[labelled.outside_flutter(times, TOLERANCE_S) & (times >= from_s)] for times in (annotated_s, found_s)
    )
    hits = _hits(reference, found)
    return np.array([hits, reference.size - hits, found.size - hits])


def _hits(reference_s: Times, found_s: Times) -> int:
    """Match one to one in time order, each annotated beat with the nearer of two candidates."""
    i = j = hits = 0
    while i < reference_s.size and j < found_s.size:
        gap = found_s[j] - reference_s[i]
        if abs(gap) <= TOLERANCE_S:
            if j + 1 < found_s.size and abs(found_s[j + 1] - reference_s[i]) < abs(gap):
                j += 1
                continue
            hits, i, j = hits + 1, i + 1, j + 1
        elif gap < 0:
            j += 1
        else:
            i += 1
    return hits


def _detect(recording: Recording) -> tuple[Times, list[float]]:
    analysis = analyse(recording, time.process_time)
    return analysis.r_index / ANALYSIS_RATE_HZ, list(analysis.seconds.values())


def _with_signal(recording: Recording, signal: npt.NDArray[np.float32]) -> Recording:
    names = recording.lead_names[: signal.shape[1]]
    return Recording(recording.recording_id, signal, recording.sampling_rate_hz, names, recording.source_format)


def _shares(counts: npt.NDArray[np.int64]) -> dict[str, Any]:
    hits, missed, extra = (int(n) for n in counts)
    return {
        "sensitivity": hits / (hits + missed) if hits + missed else None,
        "precision": hits / (hits + extra) if hits + extra else None,
        "beats": hits + missed,
        "missed": missed,
        "extra": extra,
    }


def _cost(tally: _Tally) -> dict[str, Any]:
    each = tally.seconds / max(tally.lead_hours, 1e-9)
    stages = dict(zip(STAGES, each.round(4).tolist(), strict=False)) if each.size > 1 else {}
    return {"seconds_per_lead_hour": round(float(each.sum()), 4), **({"stages": stages} if stages else {})}


def _installed_peers() -> tuple[dict[str, Peer], Mapping[str, str]]:
    """Load the peers; for those that are missing, why."""
    loaders = {"sleepecg": _sleepecg, "neurokit2": _neurokit2, "wfdb_xqrs": _xqrs}
    peers, absent = {}, {}
    for name, load in loaders.items():
        try:
            peers[name] = load()
            # What is compiled or imported at the first call is no cost of an hour of signal.
            peers[name](np.tile(np.concatenate([np.zeros(300), np.hanning(30)]), 12), 360.0)
        except ImportError as error:
            absent[name] = f"not installed ({error.name or error})"
    return peers, absent


def _sleepecg() -> Peer:
    import sleepecg

    return lambda signal, rate: np.asarray(sleepecg.detect_heartbeats(signal, rate))


def _neurokit2() -> Peer:
    """Its default: cleaning and detection named ``neurokit``."""
    import neurokit2

    def detect(signal: npt.NDArray[np.float64], rate: float) -> npt.NDArray[np.integer[Any]]:
        cleaned = neurokit2.ecg_clean(signal, sampling_rate=round(rate))
        _, found = neurokit2.ecg_peaks(cleaned, sampling_rate=round(rate))
        return np.asarray(found["ECG_R_Peaks"], dtype=np.int64)

    return detect


def _xqrs() -> Peer:
    from wfdb import processing

    return lambda signal, rate: np.asarray(processing.xqrs_detect(signal, rate, verbose=False), dtype=np.int64)
