"""The task ``resting``: how its versions are trained, written and judged.

PTB-XL's folds 1 to 8, and the Challenge's recordings of other databases, are learned from; fold 9 calibrates, and
decides about a promotion; fold 10 is only measured.
"""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np

import ecg_core
from ecg_core.datasets import ptbxl
from ecg_core.datasets.databases import DATABASES
from ecg_core.models.resting import NORMAL_BEAT, TASK, TREES
from ecg_core.models.resting_trees import RestingTrees, load_trees
from ecg_core.models.version import MANIFEST, find_version, seal, with_version
from ecg_core.recording import FloatArray
from ecg_core.result.resting import SUPERCLASSES
from ecg_core.training.gate import Limits, Verdict
from ecg_core.training.prepare import write_cache
from ecg_core.training.resting import COVERAGE, ENOUGH, fit_resting_trees
from ecg_core.training.resting_figures import auc, auc_figures, expected_calibration_error, share
from ecg_core.training.resting_set import BY_RECORDING, RestingSet, check_apart, read_resting_set
from ecg_core.training.work import FIRST, TrainedTask, Work

LIMITS: Final = (
    "For research use, not for diagnosis; no regulator has cleared it.",
    "Learned from adults' resting ECGs of ten seconds, most of them from one hospital.",
    "It sees the median beat, rate and rhythm's regularity: what happens in single beats it does not see.",
    "An old and a fresh infarction are one class to it.",
)
_SET: Final = "resting_set.npz"
_NORMAL: Final = SUPERCLASSES.index("NORM")
_FEWEST_IN_GROUP: Final = 20
_OLD_YEARS: Final = 65.0


def split(recordings: RestingSet) -> tuple[RestingSet, RestingSet, RestingSet]:
    """Divide into what is learned from, what calibrates and decides, and what is only measured.

    A patient of whom something lies in fold 9 or 10 is not learned from, and one of fold 10 calibrates nothing.
    """
    test = recordings.fold == ptbxl.TEST_FOLD
    held_back = (recordings.fold == ptbxl.CALIBRATION_FOLD) & ~_of_patients(recordings, test)
    learned = ~_of_patients(recordings, test | (recordings.fold == ptbxl.CALIBRATION_FOLD))
    parts = recordings.select(learned), recordings.select(held_back), recordings.select(test)
    check_apart(parts[0], parts[1])
    check_apart(parts[0], parts[2])
    return parts


def write_version(recordings: RestingSet, normal_beat_mv: FloatArray, content: str, models_dir: Path) -> str:
    """Learn, measure and write a version; its name.

    Parameters
    ----------
    recordings : RestingSet
    normal_beat_mv : ndarray of float32, shape (12, n_columns)
        From `normal_beat`.
    content : str
        SHA-256 over PTB-XL's recordings.
    models_dir : Path
    """
    learned, held_back, test = split(recordings)
    trees = fit_resting_trees(learned, held_back)
    models_dir.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=".writing-", dir=models_dir))
    try:
        trees.save(folder / TREES)
        np.save(folder / NORMAL_BEAT, normal_beat_mv.astype(np.float32), allow_pickle=False)
        manifest = _manifest(learned, held_back, content)
        manifest["figures"] = {"fold_9": figures_of(trees, held_back), "fold_10": figures_of(trees, test)}
        manifest["figures"] |= {f"folds_9_10_{name}": of for name, of in _by_group(trees, recordings).items()}
        return seal(folder, manifest, models_dir)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def normal_beat(recordings: RestingSet) -> FloatArray:
    """Average the median beats that are normal and nothing else, of what is learned from; shape (12, n_columns)."""
    learned = split(recordings)[0]
    normal = learned.labels[:, _NORMAL] & (learned.labels.sum(axis=1) == 1)
    mean: FloatArray = np.nanmean(learned.beats_mv[normal], axis=0).astype(np.float32)
    return mean


def figures_of(trees: RestingTrees, judged: RestingSet) -> dict[str, Any]:
    """Measure a model on patients it has not learned from."""
    probabilities = trees.probabilities(features_for(trees, judged))
    present, absent = trees.answers(probabilities)
    with np.errstate(invalid="ignore"):
        found = auc_figures(probabilities, judged.labels, judged.patient)
    classes, intervals = {}, {}
    for c, name in enumerate(SUPERCLASSES):
        label = judged.labels[:, c]
        classes[name] = {
            "n": int(label.sum()),
            "auc": _known(found["classes"][name]["auc"]),
            "ece": round(expected_calibration_error(probabilities[:, c], label), 4),
            "coverage_present": share(present[label, c])["share"],
            "coverage_absent": share(absent[~label, c])["share"],
        }
        intervals[name] = {"auc": [_known(end) for end in found["classes"][name]["ci"]]}
    return {
        "recordings": len(judged),
        "n_patients": int(np.unique(judged.patient).size),
        "macro_auc": _known(found["macro_auc"]),
        "coverage": COVERAGE,
        "mean_set_size": round(float(present.sum(axis=1).mean()), 3),
        "classes": classes,
        "intervals": {"classes": {name: of for name, of in intervals.items() if None not in of["auc"]}},
    }


def features_for(trees: RestingTrees, recordings: RestingSet) -> FloatArray:
    """Put the columns in a model's order; NaN where they are not computed any more."""
    column = {name: recordings.features[:, k] for k, name in enumerate(recordings.feature_names)}
    unknown = np.full(len(recordings), np.nan, np.float32)
    return np.stack([column.get(str(name), unknown) for name in trees.feature_names], axis=1)


def judge(champion: Path, challenger: Path, held_back: RestingSet, limits: Limits) -> Verdict:
    """Compare two versions on fold 9, which neither learned from.

    A challenger is promoted where its macro AUC is no lower than the champion's by more than the margin, no class's AUC
    by more than its own, the mean Brier score (which tells calibration, too, and of few recordings as well) no higher,
    and it is not the same on all of them.

    Parameters
    ----------
    champion, challenger : Path
        Folders of versions.
    held_back : RestingSet
    limits : Limits
        `macro_f1_margin` for the macro AUC, `recall_margin` for a class's, and `ece_margin`.
    """
    was, now = (_compared(load_trees(folder / TREES), held_back) for folder in (champion, challenger))
    judged = [name for name in was if np.isfinite([was[name], now[name]]).all()]
    if len(held_back) < _FEWEST_IN_GROUP or "macro AUC" not in judged:
        return Verdict(False, "Kept the champion: fold 9 has too few recordings at hand to compare on.")
    margin = {"macro AUC": limits.macro_f1_margin, "Brier score": limits.ece_margin}
    figures: dict[str, Any] = {"n_recordings": len(held_back)}
    worse, told = [], []
    for name in judged:
        sign = -1 if name == "Brier score" else 1
        limit = was[name] - sign * margin.get(name, limits.recall_margin)
        figures[name.replace(" ", "_")] = {"champion": was[name], "challenger": now[name], "limit": limit}
        told.append(f"{name} from {was[name]:.3f} to {now[name]:.3f}")
        if sign * (now[name] - limit) < -1e-9:
            worse.append(name)
    note = f"{'; '.join(told)}, of {len(held_back)} recordings of PTB-XL's fold 9."
    if worse:
        return Verdict(
            False, f"Kept the champion: worse by more than the margin in {', '.join(worse)}: {note}", figures
        )
    if all(was[name] == now[name] for name in judged):
        return Verdict(False, f"Kept the champion: the challenger is the same on every figure: {note}", figures)
    return Verdict(True, f"Promoted: {note}", figures)


def _compared(trees: RestingTrees, held_back: RestingSet) -> dict[str, float]:
    probabilities = trees.probabilities(features_for(trees, held_back))
    each = {f"AUC of {name}": auc(probabilities[:, c], held_back.labels[:, c]) for c, name in enumerate(SUPERCLASSES)}
    brier = float(np.square(probabilities - held_back.labels).mean())
    macro = {"macro AUC": float(np.mean(list(each.values())))}
    return macro | each | {"Brier score": brier}


def _of_patients(
    recordings: RestingSet, rows: np.ndarray[Any, np.dtype[np.bool_]]
) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """All recordings of the patients of these."""
    return np.isin(recordings.patient, np.unique(recordings.patient[rows]))


def _by_group(trees: RestingTrees, recordings: RestingSet) -> dict[str, dict[str, Any]]:
    """Figures of folds 9 and 10 by sex, age and device class, of groups that are large enough."""
    _, held_back, test = split(recordings)
    both = recordings.select(np.isin(recordings.record, np.r_[held_back.record, test.record]) & (recordings.fold > 0))
    female, age = (both.features[:, both.feature_names.index(name)] for name in ("female", "age_years"))
    kind = np.array([device.split()[0] if device else "" for device in both.device.tolist()])
    groups = {"female": female == 1, "male": female == 0, "below_65": age < _OLD_YEARS, "from_65": age >= _OLD_YEARS}
    groups |= {f"device_{name.lower()}": kind == name for name in np.unique(kind).tolist() if name}
    return {
        name: figures_of(trees, both.select(rows)) for name, rows in groups.items() if rows.sum() >= _FEWEST_IN_GROUP
    }


def _known(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _manifest(learned: RestingSet, held_back: RestingSet, content: str) -> dict[str, Any]:
    database = DATABASES[ptbxl.DATABASE]
    own = learned.select(learned.database == ptbxl.DATABASE)
    others = learned.select(learned.database != ptbxl.DATABASE)
    by_class = ", ".join(f"{name} {n}" for name, n in zip(SUPERCLASSES, own.labels.sum(axis=0).tolist(), strict=True))
    alone = held_back.labels.sum(axis=0).min(initial=ENOUGH) >= ENOUGH
    how = "alone" if alone else "and answers out of fold of the folds learned from"
    patients = np.unique(own.patient).size
    sentences = [
        f"{database.title} {database.version}, {len(own)} recordings of {patients} patients, folds 1 to 8 as far as at "
        f"hand ({by_class})",
        f"calibrated on fold 9 {how} ({len(held_back)} recordings)",
    ]
    if len(others):
        sentences.append(
            f"{len(others)} recordings of the Challenge of 2021 (other databases than PTB-XL), half weight"
        )
    return {
        "task": TASK,
        "family": "trees",
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "code_version": ecg_core.__version__,
        "training_data": {
            "sentences": sentences,
            "databases": {ptbxl.DATABASE: content},
            "records": [f"{d}/{r}" for d, r in zip(learned.database.tolist(), learned.record.tolist(), strict=True)],
            "patients": sorted(set(learned.patient.tolist())),
        },
        "limits": list(LIMITS),
    }


def _prepare(work: Work) -> None:
    """Measure all recordings, and keep numbers and classes for the steps after."""
    kept = work.run_dir / _SET
    if kept.exists():
        return
    folder = work.folders[ptbxl.DATABASE]
    recordings = read_resting_set(folder.parents[1], with_signals=False)
    beat = normal_beat(recordings)
    content = ptbxl.content_sha256(folder, ptbxl.records(folder))
    arrays = {name: getattr(recordings, name) for name in BY_RECORDING if name not in ("signals_mv", "beats_mv")}
    write_cache(kept, **arrays, names=np.array(recordings.feature_names), normal_beat=beat, content=np.array(content))


def _kept(work: Work) -> tuple[RestingSet, FloatArray, str]:
    with np.load(work.run_dir / _SET, allow_pickle=False) as stored:
        arrays = {name: stored[name] for name in stored.files}
    nothing = np.zeros((len(arrays["fold"]), len(arrays["normal_beat"]), 0), np.float32)
    names = tuple(map(str, arrays.pop("names")))
    beat, content = arrays.pop("normal_beat"), str(arrays.pop("content"))
    return RestingSet(names, **arrays, signals_mv=nothing, beats_mv=nothing, left_out=Counter()), beat, content


def _train(work: Work, family: str) -> Path:
    """Train the one family, ``trees``: its component is a whole version that waits to be taken to the others."""
    folder = work.run_dir / family
    done = list(folder.glob(f"*/{MANIFEST}"))
    return done[0].parent if done else folder / write_version(*_kept(work), folder)


def _assemble(work: Work, components: Sequence[Path]) -> str:
    [component] = components
    models_dir = work.settings.models_dir
    if not (models_dir / component.name / MANIFEST).is_file():
        partly = Path(tempfile.mkdtemp(prefix=".writing-", dir=models_dir))
        shutil.copytree(component, partly, dirs_exist_ok=True)
        partly.chmod(0o755)
        partly.rename(models_dir / component.name)
    return component.name


def _judge(work: Work, champion: str | None, challenger: str) -> Verdict:
    if champion is None:
        return FIRST
    was, now = (find_version(name, with_version(work.settings, name))[0] for name in (champion, challenger))
    return judge(was, now, split(_kept(work)[0])[1], work.limits)


TRAINED: Final = TrainedTask(
    families=("trees",),
    databases=(ptbxl.DATABASE,),
    writes=("recording_label", "resting", "measurement", "label_attribution"),
    prepare=_prepare,
    train=_train,
    assemble=_assemble,
    judge=_judge,
)
