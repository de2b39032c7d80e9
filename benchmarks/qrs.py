# ruff: noqa: T201 (its output is its purpose)
"""R-peak detection on MIT-BIH: sensitivity and precision at 150 ms, per record and gross, and seconds per lead-hour.

Run it: ``python benchmarks/qrs.py [--records 100 101 …]``; the data come from ``ECG_PHYSIONET_BASE``.

Matching follows EC57 (4.3.2): beats are matched one to one within 150 ms, the whole record counts, and stretches of
ventricular flutter (record 207) are left out on both sides. EC57 also
leaves out the first five minutes; here they count.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt
import wfdb

from ecg_core.labels import DS1, DS2, classes_of_symbols
from ecg_core.recording import Recording
from ecg_core.result import ANALYSIS_RATE_HZ
from ecg_core.signal import assess_quality, clean, detect_r_peaks

TOLERANCE_S = 0.150
PROJECT_DIR = Path(__file__).resolve().parents[1]
MIRROR = Path(os.environ.get("ECG_PHYSIONET_BASE", PROJECT_DIR.parent / "shared" / "physionet"))


def read(path: Path) -> tuple[Recording, npt.NDArray[np.float64], list[tuple[float, float]]]:
    """Give the recording, the times of its annotated beats, and its stretches of flutter, in seconds."""
    record = wfdb.rdrecord(str(path))
    annotation = wfdb.rdann(str(path), "atr")
    seconds = annotation.sample / record.fs
    beats = seconds[classes_of_symbols(annotation.symbol) >= 0]
    starts = [t for t, symbol in zip(seconds, annotation.symbol, strict=True) if symbol == "["]
    ends = [t for t, symbol in zip(seconds, annotation.symbol, strict=True) if symbol == "]"]
    recording = Recording(
        path.name, record.p_signal.astype(np.float32), float(record.fs), tuple(record.sig_name), "wfdb"
    )
    return recording, beats, list(zip(starts, ends, strict=True))


def match(reference: npt.NDArray[np.float64], detected: npt.NDArray[np.float64]) -> tuple[int, int, int]:
    """Count true positives, false negatives and false positives of a one-to-one matching in time order."""
    i = j = hits = 0
    while i < reference.size and j < detected.size:
        gap = detected[j] - reference[i]
        if abs(gap) <= TOLERANCE_S:
            # The next detection may be the nearer one.
            if j + 1 < detected.size and abs(detected[j + 1] - reference[i]) < abs(gap):
                j += 1
                continue
            hits, i, j = hits + 1, i + 1, j + 1
        elif gap < 0:
            j += 1
        else:
            i += 1
    return hits, reference.size - hits, detected.size - hits


def outside(times: npt.NDArray[np.float64], stretches: list[tuple[float, float]]) -> npt.NDArray[np.float64]:
    """Keep the times that lie in no stretch."""
    keep = np.ones(times.size, dtype=bool)
    for start, end in stretches:
        keep &= (times < start - TOLERANCE_S) | (times > end + TOLERANCE_S)
    return times[keep]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", nargs="*")
    arguments = parser.parse_args()
    folder = MIRROR / "mitdb" / "1.0.0"
    records = arguments.records or sorted(path.stem for path in folder.glob("*.dat"))
    totals = {"all": np.zeros(3, int), "DS1": np.zeros(3, int), "DS2": np.zeros(3, int)}
    spent = dict.fromkeys(("clean", "quality", "detect"), 0.0)
    lead_hours = 0.0
    print(f"{'record':>6} {'beats':>6} {'missed':>6} {'extra':>6} {'Se %':>7} {'+P %':>7} {'not analysable %':>17}")
    for name in records:
        recording, reference, flutter = read(folder / name)
        clock = [time.perf_counter()]
        cleaned = clean(recording)
        clock.append(time.perf_counter())
        quality = assess_quality(recording, cleaned)
        clock.append(time.perf_counter())
        detected = detect_r_peaks(cleaned, quality) / ANALYSIS_RATE_HZ
        clock.append(time.perf_counter())
        for stage, seconds in zip(spent, np.diff(clock), strict=True):
            spent[stage] += float(seconds)
        lead_hours += recording.duration_s / 3600 * recording.signal.shape[1]
        counts = np.array(match(outside(reference, flutter), outside(detected, flutter)))
        totals["all"] += counts
        for part, members in (("DS1", DS1), ("DS2", DS2)):
            if name in members:
                totals[part] += counts
        row(name, counts, " ".join(f"{100 * share:.1f}" for share in 1 - quality.analysable.mean(axis=0)))
    for part, counts in totals.items():
        if counts.sum():
            row(part, counts, "")
    print(", ".join(f"{stage} {seconds / lead_hours:.3f}" for stage, seconds in spent.items()), "s per lead-hour")


def row(name: str, counts: npt.NDArray[np.int64], note: str) -> None:
    """Print one line of the table."""
    hit, missed, extra = (int(n) for n in counts)
    sensitivity, precision = (100 * hit / max(1, hit + n) for n in (missed, extra))
    print(f"{name:>6} {hit + missed:>6} {missed:>6} {extra:>6} {sensitivity:7.2f} {precision:7.2f} {note:>17}")


if __name__ == "__main__":
    main()
