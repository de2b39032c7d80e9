"""What the measurements of resting ECGs are worth: ``python -m benchmarks.resting_measurements [--json]``.

- On PTB-XL (what the base has): the axis, QRS, PR, voltage and infarction criteria against the cardiologists'
  statements. Those who made the statements saw machine measurements and often took them over; most records without a
  statement about the axis have a normal one. Limits that are ours (`ecg_core.resting.reversal`) were chosen on folds 1
  to 8; folds 9 and 10 are given beside.
- Electrodes exchanged in normal records of PTB-XL: the signals are exchanged, then all is done as in scoring.
- PR, QRS and QT on the QT Database, as the median over a record's marked beats, ours less the cardiologist's: by both
  leads together and by each lead alone. ``chosen on`` are the records that the delineator's parameters were chosen on;
  ``measured`` are the others, without the stretches of MIT-BIH records, some of whose patients are test patients.
- Time: of measuring and criteria, and of all from the signal on.

Intervals of 95 %: Wilson for shares, bootstrap over patients (1,000) for AUC.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import structlog

from ecg_core.datasets import ptbxl, qtdb_marks
from ecg_core.datasets.databases import DATABASES
from ecg_core.datasets.ptbxl import PtbXlRecord
from ecg_core.datasets.qtdb import MITDB_RECORD_OF
from ecg_core.recording import Recording
from ecg_core.resting import RestingECG, Subject, read_resting
from ecg_core.resting.median_beat import median_beat, resampled
from ecg_core.resting.reversal import UNDO, exchanged
from ecg_core.result import ANALYSIS_RATE_HZ
from ecg_core.settings import load_settings
from ecg_core.signal import analyse

NORMAL_RECORDS: Final = 200
_SEED: Final = 0
_RESAMPLED: Final = 1000
_LEFT, _RIGHT = ("LAD", "ALAD"), ("RAD", "ARAD")
_BLOCKS: Final = ("CLBBB", "CRBBB", "IVCD")
_CHEST_ORDERS: Final = {
    "V1-V2": (1, 0, 2, 3, 4, 5),
    "V2-V3": (0, 2, 1, 3, 4, 5),
    "V3-V4": (0, 1, 3, 2, 4, 5),
    "V4-V5": (0, 1, 2, 4, 3, 5),
    "V5-V6": (0, 1, 2, 3, 5, 4),
    "V1-V3": (2, 1, 0, 3, 4, 5),
    "V6 to V1": (5, 4, 3, 2, 1, 0),
}

Row = dict[str, Any]
Predicate = Callable[["Case"], bool]
Change = Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]]


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """A record of PTB-XL, measured."""

    record: PtbXlRecord
    recording: Recording
    ecg: RestingECG

    def says(self, *codes: str) -> bool:
        """Whether one of these statements was made."""
        return any(code in self.record.statements for code in codes)

    def found(self, *kinds: str) -> bool:
        """Whether one of these criteria is met."""
        return any(finding.kind in kinds for finding in self.ecg.findings)

    def value(self, name: str) -> float:
        """One global value."""
        return self.ecg.measured.overall[name]


def main() -> None:
    """Print the tables, or with ``--json`` their rows."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    base = Path(load_settings().physionet_base)
    # What readers of files warn of must not stand between the figures.
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    figures = measure(base)
    if arguments.json:
        sys.stdout.write(json.dumps(figures, indent=1) + "\n")
        return
    for title, rows in figures.items():
        sys.stdout.write(f"\n{title}\n")
        for row in rows if isinstance(rows, list) else [rows]:
            sys.stdout.write("  " + ", ".join(f"{key} {_shown(value)}" for key, value in row.items()) + "\n")


def measure(base: Path) -> dict[str, Any]:
    """Measure all of it; `base` is a folder laid out as PhysioNet's file tree."""
    folder = base / ptbxl.DATABASE / DATABASES[ptbxl.DATABASE].version
    every = cases(folder, ptbxl.records(folder))
    normal = [case for case in every if case.says("NORM")]
    return {
        "ptb_xl": {"records": len(every), "patients": len({case.record.patient for case in every})},
        "axis": axis_rows(every),
        "criteria": criteria_rows(every),
        "exchanged electrodes": exchange_rows(normal, every),
        "qtdb": qtdb_rows(base / qtdb_marks.DATABASE / DATABASES[qtdb_marks.DATABASE].version),
        "time": timing([case.recording for case in every[:100]]),
    }


def cases(folder: Path, records: Sequence[PtbXlRecord]) -> list[Case]:
    """Measure PTB-XL's records; those that cannot be are left out."""
    found: list[Case] = []
    for record, recording in zip(records, ptbxl.recordings(folder, records), strict=True):
        ecg = _read(recording, _subject(record))
        if isinstance(ecg, RestingECG):
            found.append(Case(record, recording, ecg))
    return found


def axis_rows(every: list[Case]) -> list[Row]:
    """Left and right axis deviation and LAFB against a normal axis, by the angle of the QRS axis."""
    known = [case for case in every if np.isfinite(case.value("qrs_axis_deg"))]
    groups: dict[str, tuple[Predicate, int]] = {
        "left axis deviation": (lambda case: case.record.heart_axis in _LEFT, -1),
        "right axis deviation": (lambda case: case.record.heart_axis in _RIGHT, 1),
        "LAFB": (lambda case: case.says("LAFB"), -1),
    }
    others: dict[str, Predicate] = {
        "stated normal": lambda case: case.record.heart_axis == "MID" and not case.says("LAFB"),
        "NORM, no axis stated": lambda case: case.says("NORM") and not case.record.heart_axis and not case.says("LAFB"),
    }
    rows: list[Row] = []
    for name, (is_case, sign) in groups.items():
        for against, is_other in others.items():
            yes, no = [c for c in known if is_case(c)], [c for c in known if is_other(c) and not is_case(c)]
            rows.append({"of": name, "against": against, **_auc_row(yes, no, _signed_axis(sign))})
    return rows


def criteria_rows(every: list[Case]) -> list[Row]:
    """Sensitivity and specificity of each criterion for the statement that it stands for."""
    blocks = (*_BLOCKS, "IRBBB", "ILBBB", "WPW", "PACE")
    wide: Predicate = lambda case: case.value("qrs_duration_ms") >= 120  # noqa: E731
    voltage = ("lvh_sokolow_lyon", "lvh_cornell")
    infarction: Predicate = lambda case: "MI" in case.record.superclasses  # noqa: E731
    normal: Predicate = lambda case: case.says("NORM")  # noqa: E731
    table: list[tuple[str, str, Predicate, Predicate, Predicate]] = [
        ("QRS from 120 ms", "CLBBB, CRBBB", wide, lambda c: c.says("CLBBB", "CRBBB"), lambda c: not c.says(*blocks)),
        ("QRS from 120 ms", "CLBBB, CRBBB, IVCD", wide, lambda c: c.says(*_BLOCKS), lambda c: not c.says(*blocks)),
        ("QRS from 120 ms", "superclass CD", wide, lambda c: "CD" in c.record.superclasses, normal),
        ("lbbb", "CLBBB", _meets("lbbb"), lambda c: c.says("CLBBB"), lambda c: not c.says("CLBBB")),
        ("rbbb", "CRBBB", _meets("rbbb"), lambda c: c.says("CRBBB"), lambda c: not c.says("CRBBB")),
        ("lafb", "LAFB", _meets("lafb"), lambda c: c.says("LAFB"), lambda c: not c.says("LAFB")),
        ("axis beyond -30", "LAD, ALAD", _meets("axis_left"), lambda c: c.record.heart_axis in _LEFT, normal),
        ("axis beyond 90", "RAD, ARAD", _meets("axis_right"), lambda c: c.record.heart_axis in _RIGHT, normal),
        ("PR above 200 ms", "1AVB", _meets("pr_long"), lambda c: c.says("1AVB"), lambda c: not c.says("1AVB", "LPR")),
        ("QTc by sex", "LNGQT", _meets("qtc_long"), lambda c: c.says("LNGQT"), normal),
        ("Sokolow-Lyon", "LVH", _meets(voltage[0]), lambda c: c.says("LVH"), lambda c: not c.says("LVH", "VCLVH")),
        ("Cornell", "LVH", _meets(voltage[1]), lambda c: c.says("LVH"), lambda c: not c.says("LVH", "VCLVH")),
        ("either voltage", "LVH", _meets(*voltage), lambda c: c.says("LVH"), lambda c: not c.says("LVH", "VCLVH")),
        ("either voltage", "LVH", _meets(*voltage), lambda c: c.says("LVH"), normal),
        ("pathological Q", "superclass MI", _meets("q_pathological"), infarction, lambda c: not infarction(c)),
        ("ST elevation", "superclass MI", _meets("st_elevation"), infarction, normal),
        ("ST depression", "STD_", _meets("st_depression"), lambda c: c.says("STD_"), normal),
        ("T inversion", "INVT", _meets("t_inversion"), lambda c: c.says("INVT"), normal),
    ]
    folds = {"all": range(1, 11), "9 and 10": (9, 10)}
    rows: list[Row] = []
    for name, of, meets, is_case, is_other in table:
        for part, chosen in folds.items():
            among = [case for case in every if case.record.fold in chosen]
            yes = [meets(case) for case in among if is_case(case)]
            no = [not meets(case) for case in among if is_other(case) and not is_case(case)]
            rows.append(
                {"criterion": name, "for": of, "folds": part, "sensitivity": _share(yes), "specificity": _share(no)}
            )
    return rows


def exchange_rows(normal: list[Case], every: list[Case]) -> list[Row]:
    """Exchange electrodes in normal records, and count what is said; without exchange, in all records."""
    groups = {
        f"{NORMAL_RECORDS} normal": range(min(NORMAL_RECORDS, len(normal))),
        "normal, folds 1 to 8": [k for k, case in enumerate(normal) if case.record.fold <= 8],
        "normal, folds 9 and 10": [k for k, case in enumerate(normal) if case.record.fold > 8],
    }
    cases_of = {name: [normal[k] for k in chosen] for name, chosen in groups.items()}
    cases_of["not normal"] = [case for case in every if not case.says("NORM")]
    other_limbs = ("reversal_right_arm_left_leg", "reversal_right_leg", "limb_leads_inconsistent")
    rows: list[Row] = [
        {
            "exchanged": "nothing",
            "in": name,
            "arms": _share(case.found("reversal_arms") for case in group),
            "other limbs": _share(case.found(*other_limbs) for case in group),
            "chest": _share(case.found("reversal_chest") for case in group),
        }
        for name, group in cases_of.items()
    ]
    changes: dict[str, tuple[Change, str]] = {kind: (_electrodes_exchanged(kind), kind) for kind in UNDO}
    changes |= {name: (_reorder(order), "reversal_chest") for name, order in _CHEST_ORDERS.items()}
    for exchange, (change, kind) in changes.items():
        found = [_finds(case, change, kind) for case in normal]
        rows += [
            {"exchanged": exchange, "in": name, "found": _share(found[k] for k in chosen)}
            for name, chosen in groups.items()
        ]
    return rows


def qtdb_rows(folder: Path) -> list[Row]:
    """PR, QRS and QT of QTDB's records: mean and standard deviation of ours less the marks', in ms."""
    measured = [record for record in qtdb_marks.MEASURED if record not in MITDB_RECORD_OF]
    rows: list[Row] = []
    for part, records in {"chosen on": qtdb_marks.CHOOSING, "measured": measured}.items():
        errors: dict[str, list[npt.NDArray[np.float64]]] = {"both leads": [], "one lead": []}
        for record in records:
            together, alone = _qtdb_errors(folder, record)
            errors["both leads"].append(together)
            errors["one lead"].extend(alone)
        for leads, found in errors.items():
            for name, column in zip(("pr_ms", "qrs_duration_ms", "qt_ms"), np.array(found).T, strict=True):
                known = column[np.isfinite(column)]
                rows.append(
                    {
                        "part": part,
                        "leads": leads,
                        "interval": name,
                        "n": int(known.size),
                        "mean_ms": float(known.mean()),
                        "sd_ms": float(known.std()),
                        "median_absolute_ms": float(np.median(np.abs(known))),
                    }
                )
    return rows


def timing(recordings: list[Recording]) -> Row:
    """Milliseconds of processor time per recording, the best of three rounds."""
    whole, resting = [], []
    for _ in range(3):
        started = time.process_time()
        analysed = [(recording, analyse(recording)) for recording in recordings]
        bounded = [(recording, analysis, analysis.waves_ms()) for recording, analysis in analysed]
        between = time.process_time()
        for recording, analysis, waves_ms in bounded:
            read_resting(recording, analysis, waves_ms, Subject(), None)
        ended = time.process_time()
        whole.append((ended - started) * 1000 / len(recordings))
        resting.append((ended - between) * 1000 / len(recordings))
    return {"recordings": len(recordings), "resting_ms": min(resting), "with_signal_and_waves_ms": min(whole)}


def _read(recording: Recording, subject: Subject) -> object:
    analysis = analyse(recording)
    return read_resting(recording, analysis, analysis.waves_ms(), subject, None)


def _subject(record: PtbXlRecord) -> Subject:
    return Subject(record.age_years, "female" if record.sex == "female" else "male" if record.sex == "male" else None)


def _meets(*kinds: str) -> Predicate:
    return lambda case: case.found(*kinds)


def _signed_axis(sign: float) -> Callable[[Case], float]:
    return lambda case: sign * case.value("qrs_axis_deg")


def _electrodes_exchanged(kind: str) -> Change:
    return lambda signal: exchanged(signal.T.astype(np.float64), kind).T.astype(np.float32)


def _reorder(order: tuple[int, ...]) -> Change:
    return lambda signal: signal[:, [*range(6), *(6 + k for k in order)]]


def _finds(case: Case, change: Change, kind: str) -> bool:
    """Change the signal and tell whether that is found; PTB-XL's leads stand in the standard order."""
    ecg = _read(
        replace(case.recording, signal=np.ascontiguousarray(change(case.recording.signal))), _subject(case.record)
    )
    return isinstance(ecg, RestingECG) and any(finding.kind == kind for finding in ecg.findings)


def _qtdb_errors(folder: Path, record: str) -> tuple[npt.NDArray[np.float64], list[npt.NDArray[np.float64]]]:
    """Errors of PR, QRS and QT of one record's marked stretch (at most a minute), by both leads and by each alone."""
    bounded = qtdb_marks.load_record(folder, record)
    rate = bounded.recording.sampling_rate_hz
    begin = max(0, int(bounded.qrs_sample[0] - 2 * rate))
    end = int(min(bounded.qrs_sample[-1] + 2 * rate, begin + 60 * rate))
    marks = bounded.marks[(bounded.qrs_sample >= begin) & (bounded.qrs_sample < end)] * 1000 / rate
    with np.errstate(all="ignore"):
        true = np.array(
            [_median(marks[:, 3] - marks[:, 0]), _median(marks[:, 4] - marks[:, 3]), _median(marks[:, 7] - marks[:, 3])]
        )
    stretch = replace(bounded.recording, signal=bounded.recording.signal[begin:end])
    alone = [
        _intervals(replace(stretch, signal=stretch.signal[:, [k]], lead_names=(name,))) - true
        for k, name in enumerate(stretch.lead_names)
    ]
    return _intervals(stretch) - true, alone


def _intervals(recording: Recording) -> npt.NDArray[np.float64]:
    """PR, QRS and QT of the median beat of any leads; NaN where there is none."""
    analysis = analyse(recording)
    usable = analysis.quality.analysable.mean(axis=0) >= 0.5
    raw = resampled(recording.signal, recording.sampling_rate_hz)
    beat = median_beat(raw, analysis.cleaned.signal_mv.T, usable, analysis.r_index, analysis.waves_ms())
    if beat is None:
        return np.full(3, np.nan)
    p_on, qrs_on, qrs_off, t_off = (beat.points[name] for name in ("p_on", "qrs_on", "qrs_off", "t_off"))
    return np.array([qrs_on - p_on, qrs_off - qrs_on, t_off - qrs_on]) * 1000 / ANALYSIS_RATE_HZ


def _median(values: npt.NDArray[np.float64]) -> float:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if known.size else float("nan")


def _share(true: Iterable[bool]) -> Row:
    """Share of True with Wilson's interval."""
    values = list(true)
    n, right = len(values), sum(values)
    if not n:
        return {"share": None, "ci": None, "n": 0}
    z, share = 1.96, right / n
    middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    return {"share": share, "ci": [max(0.0, float(middle - half)), min(1.0, float(middle + half))], "n": n}


def _auc_row(yes: list[Case], no: list[Case], score: Callable[[Case], float]) -> Row:
    """Area under the ROC curve, with an interval from records drawn by patient; None where one side is empty."""
    if not yes or not no:
        return {"auc": None, "ci": None, "n": len(yes), "n_against": len(no)}
    values = np.array([score(case) for case in (*yes, *no)])
    true = np.arange(values.size) < len(yes)
    _, patient = np.unique([case.record.patient for case in (*yes, *no)], return_inverse=True)
    draw = np.random.default_rng(_SEED)
    drawn = []
    for _ in range(_RESAMPLED):
        weight = np.bincount(draw.integers(0, patient.max() + 1, patient.max() + 1), minlength=patient.max() + 1)[
            patient
        ]
        if weight[true].sum() and weight[~true].sum():
            drawn.append(_auc(values, true, weight))
    low, high = np.quantile(drawn, [0.025, 0.975])
    auc = _auc(values, true, np.ones(values.size))
    return {"auc": auc, "ci": [float(low), float(high)], "n": len(yes), "n_against": len(no)}


def _auc(values: npt.NDArray[np.float64], true: npt.NDArray[np.bool_], weight: npt.NDArray[Any]) -> float:
    """Share of weighted pairs in the right order, ties for half."""
    higher = (values[true][:, None] > values[~true]) + 0.5 * (values[true][:, None] == values[~true])
    pairs = weight[true][:, None] * weight[~true]
    return float((higher * pairs).sum() / pairs.sum())


def _shown(value: object) -> str:
    if isinstance(value, dict):
        if value["share"] is None:
            return "-"
        return f"{value['share']:.3f} ({value['ci'][0]:.3f} to {value['ci'][1]:.3f}, n {value['n']})"
    if isinstance(value, list):
        return f"({value[0]:.3f} to {value[1]:.3f})"
    return f"{value:.3f}" if isinstance(value, float) else "-" if value is None else str(value)


if __name__ == "__main__":
    main()
