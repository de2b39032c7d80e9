"""The task ``rhythm``: how its versions are trained, written and judged."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

import ecg_core
from ecg_core.beats.fibrillation import FEATURE_NAMES, RHYTHMS, TREES_FILE
from ecg_core.datasets import challenge2017
from ecg_core.models.version import MANIFEST, find_version, seal, with_version
from ecg_core.recording import FloatArray
from ecg_core.training.gate import Limits, Verdict
from ecg_core.training.prepare import write_cache
from ecg_core.training.rhythm import DEALS, RhythmWindows, challenge_windows, figures_of, learn, mean_figures
from ecg_core.training.work import FIRST, TrainedTask, Work

TASK: Final = "rhythm"
OUT_OF_FOLD: Final = "out_of_fold.npz"
"""In a version: what trees that had not seen a recording said of it."""
LIMITS: Final = (
    "For research use, not for diagnosis; no regulator has cleared it.",
    "Learned from single-lead recordings of 9 to 61 s; longer ones are told by windows of 30 s.",
    "Atrial flutter was learned as another rhythm; with a steady block it looks like sinus rhythm, with a changing one "
    "it is often taken for fibrillation.",
)
_WINDOWS: Final = "windows.npz"
_DRAWS: Final = 1000
_INTERVAL_PERCENT: Final = (2.5, 97.5)


def write_version(windows: RhythmWindows, database_sha256: str, seed: int, models_dir: Path) -> str:
    """Learn from recordings of the Challenge, and write the version; its name.

    Parameters
    ----------
    windows : RhythmWindows
    database_sha256 : str
        Over the content of these recordings.
    seed : int
    models_dir : Path

    Raises
    ------
    DatasetError
        A rhythm has fewer recordings than there are folds.
    """
    learned = learn(windows, seed)
    models_dir.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=".writing-", dir=models_dir))
    try:
        (folder / TREES_FILE).write_bytes(learned.trees.to_bytes())
        said = {"names": np.array(windows.names), "rhythm": windows.rhythm, "probabilities": learned.said}
        np.savez_compressed(folder / OUT_OF_FOLD, **said)  # type: ignore[arg-type]
        manifest = _manifest(windows, database_sha256, seed)
        manifest["figures"] = {"folds": _figures(windows.rhythm, learned.said)}
        return seal(folder, manifest, models_dir)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def judge(champion: Path, challenger: Path, limits: Limits) -> Verdict:
    """Compare two versions by what each said, out of fold, of the recordings that both learned from.

    A challenger is promoted where its F1 of atrial fibrillation and its mean F1 of N, A and O are no lower than the
    champion's by more than the margin, and its calibration error no higher, unless it is the same on all of them.

    Parameters
    ----------
    champion, challenger : Path
        Folders of versions.
    limits : Limits
        `macro_f1_margin` and `ece_margin`.
    """
    compared = _on_common(_read(champion), _read(challenger))
    if compared is None:
        return Verdict(False, "Kept the champion: there are no recordings, alike labelled, that both learned from.")
    was, now, n_recordings = compared
    margin = limits.macro_f1_margin
    checks = {
        "F1 of AF": (was["A"]["f1"], now["A"]["f1"], was["A"]["f1"] - margin),
        "mean F1 of N, A and O": (was["overall"], now["overall"], was["overall"] - margin),
        "calibration error of AF": (-was["af_ece"], -now["af_ece"], -was["af_ece"] - limits.ece_margin),
    }
    told = [f"{name} from {abs(old):.3f} to {abs(new):.3f}" for name, (old, new, _) in checks.items()]
    figures = {
        name.replace(" ", "_"): dict(zip(("champion", "challenger", "limit"), map(abs, each), strict=True))
        for name, each in checks.items()
    }
    figures["n_recordings"] = n_recordings  # type: ignore[assignment]
    note = f"{'; '.join(told)}, of {n_recordings} recordings out of fold."
    if any(new < worst - 1e-9 for _, new, worst in checks.values()):
        return Verdict(False, f"Kept the champion: worse by more than the margin: {note}", figures)
    if all(old == new for old, new, _ in checks.values()):
        return Verdict(False, f"Kept the champion: the challenger is the same on every figure: {note}", figures)
    return Verdict(True, f"Promoted: {note}", figures)


@dataclass(frozen=True, slots=True, eq=False)
class _Kept:
    """What a version says of itself: figures on its own folds, and where it kept them, the answers they are of."""

    figures: dict[str, Any]
    answers: dict[str, npt.NDArray[Any]] | None


def _read(folder: Path) -> _Kept:
    of_folds = json.loads((folder / MANIFEST).read_text())["figures"]["folds"]
    figures = {**of_folds["classes"], "overall": of_folds["overall_f1"], "af_ece": of_folds["af_ece"]}
    figures["recordings"] = of_folds["recordings"]
    if not (folder / OUT_OF_FOLD).is_file():
        return _Kept(figures, None)
    with np.load(folder / OUT_OF_FOLD, allow_pickle=False) as stored:
        return _Kept(figures, {name: stored[name] for name in ("names", "rhythm", "probabilities")})


def _on_common(before: _Kept, after: _Kept) -> tuple[dict[str, Any], dict[str, Any], int] | None:
    """Figures of both on the recordings that both learned from, and how many; None where there are none.

    The first version that shipped kept its figures alone: against it each stands with those of its own folds.
    """
    if before.answers is None or after.answers is None:
        return before.figures, after.figures, int(after.figures["recordings"])
    common, *rows = np.intersect1d(before.answers["names"], after.answers["names"], return_indices=True)
    truth = [one.answers["rhythm"][own] for one, own in zip((before, after), rows, strict=True) if one.answers]
    if not common.size or not np.array_equal(truth[0], truth[1]):
        return None
    was, now = (
        mean_figures([figures_of(truth[0], deal[own]) for deal in one.answers["probabilities"]])
        for one, own in zip((before, after), rows, strict=True)
        if one.answers
    )
    return was, now, int(common.size)


def _manifest(windows: RhythmWindows, database_sha256: str, seed: int) -> dict[str, Any]:
    counts = np.bincount(windows.rhythm, minlength=len(RHYTHMS)).tolist()
    in_words = ", ".join(f"{name} {n}" for name, n in zip(RHYTHMS, counts, strict=True))
    return {
        "task": TASK,
        "family": "trees",
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "code_version": ecg_core.__version__,
        "seed": seed,
        "classes": list(RHYTHMS),
        "feature_names": list(FEATURE_NAMES),
        "training_data": {
            "sentences": [f"Challenge 2017, training part: {in_words}"],
            "databases": {challenge2017.DATABASE: database_sha256},
            "records": list(windows.names),
            "patients": list(windows.names),
        },
        "limits": list(LIMITS),
    }


def _figures(rhythm: npt.NDArray[np.int8], said: FloatArray) -> dict[str, Any]:
    """Means over the deals; the confusion matrix is of the first deal, rows true, columns said."""
    figures = mean_figures([figures_of(rhythm, deal) for deal in said])
    confusion = np.zeros((len(RHYTHMS), len(RHYTHMS)), np.int64)
    np.add.at(confusion, (rhythm, said[0].argmax(axis=1)), 1)
    return {
        "recordings": figures["recordings"],
        "deals": DEALS,
        "overall_f1": figures["overall"],
        "af_ece": figures["af_ece"],
        "classes": {name: figures[name] for name in RHYTHMS},
        "confusion": confusion.tolist(),
        "intervals": {"classes": {name: {"f1": _interval(rhythm, said, code)} for code, name in enumerate(RHYTHMS)}},
    }


def _interval(rhythm: npt.NDArray[np.int8], said: FloatArray, code: int) -> list[float]:
    """95 % interval of a rhythm's F1, mean over the deals: recordings are drawn again, with replacement."""
    draws = np.random.default_rng(0).multinomial(rhythm.size, np.full(rhythm.size, 1 / rhythm.size), _DRAWS)
    called, true = said.argmax(axis=2) == code, rhythm == code
    hits = draws @ (called & true).T
    f1 = 2 * hits / np.maximum(draws @ true[:, None] + draws @ called.T, 1)
    return [round(float(limit), 3) for limit in np.percentile(f1.mean(axis=1), _INTERVAL_PERCENT)]


def _prepare(work: Work) -> None:
    """Read the Challenge's recordings, and keep their windows for the step that trains."""
    folder = work.folders[challenge2017.DATABASE]
    windows = challenge_windows(folder)
    write_cache(
        work.run_dir / _WINDOWS,
        features=windows.features,
        recording=windows.recording,
        rhythm=windows.rhythm,
        names=np.array(windows.names),
    )


def _train(work: Work, family: str) -> Path:
    """Train the one family, ``trees``: its component is a whole version that waits to be taken to the others."""
    folder = work.run_dir / family
    done = list(folder.glob(f"*/{MANIFEST}"))
    if done:
        return done[0].parent
    with np.load(work.run_dir / _WINDOWS, allow_pickle=False) as kept:
        names = tuple(map(str, kept["names"]))
        windows = RhythmWindows(kept["features"], kept["recording"], kept["rhythm"], names)
    content = challenge2017.content_sha256(work.folders[challenge2017.DATABASE], list(names))
    return folder / write_version(windows, content, work.settings.seed, folder)


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
    return judge(was, now, work.limits)


TRAINED: Final = TrainedTask(
    families=("trees",),
    databases=(challenge2017.DATABASE,),
    writes=("recording_stretch",),
    prepare=_prepare,
    train=_train,
    assemble=_assemble,
    judge=_judge,
)
