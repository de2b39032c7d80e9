"""A model version: a folder that never changes after it is written, checked whenever it is loaded."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import tempfile
from collections.abc import Mapping
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from ecg_core import depot
from ecg_core.beats import CONTEXT_NAMES, Trees
from ecg_core.beats.fibrillation import TREES_FILE, read_trees
from ecg_core.errors import ModelIntegrityError, ModelOutdated, UnknownModelVersion
from ecg_core.files import file_sha256
from ecg_core.labels import CLASSES
from ecg_core.models.calibration import softmax
from ecg_core.models.conformal import prediction_sets
from ecg_core.models.deviation import Yardstick
from ecg_core.models.onnx_files import SplitClassifier, export_onnx, open_session, run_onnx
from ecg_core.recording import FloatArray
from ecg_core.result import LIKELY_AT_ALL, ModelFacts
from ecg_core.settings import Settings

if TYPE_CHECKING:
    import keras
    import onnxruntime

SHIPPED_DIR: Final = Path(__file__).parent / "shipped"
"""Versions inside the package."""
MANIFEST: Final = "manifest.json"
BEATS: Final = "beats"
"""The task of versions that name none: those from before there were others."""
_OF_ALL: Final = (
    "accuracy", "macro_f1", "macro_f1_nsv", "kappa", "ece", "coverage", "overall_f1", "af_ece", "macro_auc",
    "mean_set_size",
)  # fmt: skip
_VERSION_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]*\Z")


class Version:
    """One version of any task. Nothing is read from its files before it is needed.

    Parameters
    ----------
    folder : Path
    manifest : dict
        The parsed ``manifest.json``.
    threads : int
        Threads that ONNX Runtime uses.
    """

    def __init__(self, folder: Path, manifest: dict[str, Any], threads: int = 2) -> None:
        self.folder = folder
        self.manifest = manifest
        self.threads = threads

    @property
    def version(self) -> str:
        """The version's name."""
        return str(self.manifest["version"])

    @property
    def task(self) -> str:
        """What it is asked: a name of `ecg_core.models.tasks.TASKS`."""
        return task_of(self.manifest)

    @property
    def facts(self) -> ModelFacts:
        """What a reader must know of this version."""
        m = self.manifest
        return ModelFacts(
            version=self.version,
            family=m["family"],
            created_at=datetime.fromisoformat(m["created_at"]),
            training_data=tuple(m["training_data"]["sentences"]),
            figures={**_flat_figures(m["figures"]), **_flat_explanations(m.get("explanations"))},
            limits=tuple(m["limits"]),
            task=self.task,
        )


class LoadedModel(Version):
    """A version of the task ``beats``, ready to score."""

    @property
    def temperature(self) -> float:
        """What logits are divided by to calibrate them."""
        return float(self.manifest["calibration"]["temperature"])

    @cached_property
    def trees(self) -> Trees:
        """The trees that it learned with: another rhythm version's would change its features."""
        return read_trees(self.folder)

    def logits(self, waveform: FloatArray, context: FloatArray) -> FloatArray:
        """Return the classifier's uncalibrated logits, float32, shape (n, 5)."""
        return run_onnx(self._classifier, {"waveform": waveform, "context": context}, self.threads)

    def classify(self, waveform: FloatArray, context: FloatArray) -> FloatArray:
        """Say how probable each class is for each beat.

        Parameters
        ----------
        waveform : ndarray of float32, shape (n, 256, 2)
        context : ndarray of float32, shape (n, K)
            Both from `ecg_core.beats.model_inputs`.

        Returns
        -------
        ndarray of float32, shape (n, 5)
            Calibrated; rows sum to 1; columns as `ecg_core.labels.CLASSES`.
        """
        return softmax(self.logits(waveform, context), self.temperature)

    def prediction_sets(self, probabilities: FloatArray) -> npt.NDArray[np.bool_]:
        """Tell which classes remain possible for each beat, bool, shape (n, 5).

        A version from before there were such sets has those that are likely at all (`LIKELY_AT_ALL`).
        """
        conformal = self.manifest.get("conformal", {"threshold": LIKELY_AT_ALL})
        by_class = conformal.get("thresholds")
        return prediction_sets(probabilities, [by_class[c] for c in CLASSES] if by_class else conformal["threshold"])

    def reconstruct(self, waveform: FloatArray, context: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Draw each beat's normal counterpart, and say how far the beat is from it.

        Parameters
        ----------
        waveform : ndarray of float32, shape (n, 256, 2)
        context : ndarray of float32, shape (n, K)

        Returns
        -------
        reconstruction : ndarray of float32, shape (n, 256)
            In units of the recording's scale.
        deviation : ndarray of float32, shape (n,)
            z-score against normal beats of held-out training patients (`ecg_core.models.deviation`).
        """
        reconstruction = run_onnx(self._autoencoder, {"waveform": waveform}, self.threads)[:, :, 0]
        return reconstruction, self.yardstick.deviation(waveform[:, :, 0] - reconstruction, context)

    @cached_property
    def yardstick(self) -> Yardstick:
        """What normal beats of held-out training patients show of the deviation."""
        return Yardstick.of(self.manifest)

    def keras_classifier(self) -> keras.Model:
        """Return the classifier as a Keras model (imports TensorFlow; only explanations need it)."""
        return self._keras_classifier

    def background(self) -> tuple[FloatArray, FloatArray]:
        """Return the beats that SHAP compares with: waveform (n, 256, 2) and context (n, K), float32."""
        with np.load(self.folder / "background.npz", allow_pickle=False) as arrays:
            return arrays["waveform"].astype(np.float32), arrays["context"].astype(np.float32)

    @property
    def classifier_file(self) -> Path:
        """The classifier as ONNX, for those who write graphs of their own behind it."""
        return self.folder / "cnn.onnx"

    @cached_property
    def split_classifier(self) -> SplitClassifier:
        """The classifier cut where the context enters, for many contexts with one waveform."""
        return SplitClassifier(self.classifier_file, self.threads)

    @cached_property
    def _keras_classifier(self) -> keras.Model:
        import keras

        return keras.models.load_model(self.folder / "cnn.keras", compile=False, safe_mode=True)

    @cached_property
    def _classifier(self) -> onnxruntime.InferenceSession:
        return open_session(self.classifier_file)

    @cached_property
    def _autoencoder(self) -> onnxruntime.InferenceSession:
        return open_session(self.folder / "autoencoder.onnx")


def task_of(manifest: Mapping[str, Any]) -> str:
    """Name the task of a version by its manifest."""
    return str(manifest.get("task", BEATS))


def load_model(version: str, models_dir: Path, threads: int = 2) -> LoadedModel:
    """Load a version of the task ``beats`` after checking every file of it against its manifest.

    Parameters
    ----------
    version : str
    models_dir : Path
        Looked into first; then the shipped versions.
    threads : int
        Threads that ONNX Runtime uses.

    Raises
    ------
    UnknownModelVersion
        No such version of this task in either place.
    ModelIntegrityError
        A file, or the manifest itself, is not what was written.
    ModelOutdated
        It was trained on other features than this release computes.
    """
    folder, manifest = find_version(version, models_dir)
    if task_of(manifest) != BEATS:
        raise UnknownModelVersion(
            f"{version} is a version of the task {task_of(manifest)}, and classifies no beats.",
            "Choose a version of the task beats: ecg models list.",
        )
    check_features(folder, manifest)
    return LoadedModel(folder, manifest, threads)


def check_features(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Refuse a version of the task ``beats`` whose features this release does not compute.

    Raises
    ------
    ModelOutdated
        It was trained on other features, or does not carry the trees that one of them rests on.
    """
    if manifest.get("context_names") != list(CONTEXT_NAMES) or TREES_FILE not in manifest["files"]:
        raise ModelOutdated(
            f"Model version {folder.name} was trained on other features than this release computes.",
            "Choose a version of this release (ecg models list), or retrain: DAG ecg_retrain_nightly.",
        )


def find_version(version: str, models_dir: Path) -> tuple[Path, dict[str, Any]]:
    """Find a version of any task: its folder and its manifest, every file checked against it.

    Raises
    ------
    UnknownModelVersion, ModelIntegrityError
        As `load_model` says.
    """
    for parent in (models_dir, SHIPPED_DIR):
        folder = parent / version
        if _VERSION_NAME.match(version) and (folder / MANIFEST).is_file():
            return folder, _checked_manifest(folder)
    there = ", ".join(list_versions(models_dir)) or "none"
    raise UnknownModelVersion(f"There is no model version {version!r}.", f"Choose one of these: {there}.")


def with_version(settings: Settings, version: str) -> Path:
    """Return the folder of versions, after bringing this one from the store where this machine lacks it.

    Raises
    ------
    MachineError
        The store is out of reach.
    """
    models_dir = settings.models_dir
    known = any((parent / version / MANIFEST).is_file() for parent in (models_dir, SHIPPED_DIR))
    if settings.store and not known and _VERSION_NAME.match(version):
        models_dir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".writing-", dir=models_dir) as scratch:
            brought = Path(scratch) / version
            brought.mkdir()
            # Another task of this machine may have been faster.
            if depot.bring_folder(settings, models_dir / version, brought) and not (models_dir / version).exists():
                brought.rename(models_dir / version)
    return models_dir


def list_versions(models_dir: Path) -> list[str]:
    """Name the versions in a models folder and the shipped ones, sorted."""
    found = [p.parent.name for d in (models_dir, SHIPPED_DIR) for p in d.glob(f"*/{MANIFEST}")]
    return sorted({name for name in found if _VERSION_NAME.match(name)})


def content_id(manifest: Mapping[str, Any]) -> str:
    """Return the 8 hex digits that end a version's name: SHA-256 of its manifest without the name."""
    content = {key: value for key, value in manifest.items() if key != "version"}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:8]


def _checked_manifest(folder: Path) -> dict[str, Any]:
    mend = "Restore the folder from where it came, or choose another version."
    try:
        manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text())
        files, named = manifest["files"], manifest["version"]
    except (ValueError, KeyError, TypeError, OSError):
        raise ModelIntegrityError(f"{MANIFEST} of model version {folder.name} cannot be read.", mend) from None
    if named != folder.name or not named.endswith(content_id(manifest)):
        raise ModelIntegrityError(f"{MANIFEST} of model version {folder.name} was changed.", mend)
    if folder.is_symlink():
        raise ModelIntegrityError(f"Model version {folder.name} is a link to another folder.", mend)
    # What no hash covers could still be read: weights that a graph keeps in a file beside it.
    uncovered = {path.name for path in folder.iterdir()} - set(files) - {MANIFEST}
    if uncovered or not files:
        of_them = f"{min(uncovered)} lies" if uncovered else "Its files lie"
        raise ModelIntegrityError(f"{of_them} in model version {folder.name} without a hash in its manifest.", mend)
    for name, sha256 in files.items():
        path = folder / name
        if name != Path(name).name or path.is_symlink():
            raise ModelIntegrityError(f"A file of model version {folder.name} lies outside of its folder.", mend)
        if not path.is_file():
            raise ModelIntegrityError(f"{name} is missing from model version {folder.name}.", mend)
        if file_sha256(path) != sha256:
            raise ModelIntegrityError(f"{name} of model version {folder.name} differs from its manifest.", mend)
    return manifest


def seal(folder: Path, manifest: dict[str, Any], models_dir: Path) -> str:
    """Turn a folder of written files into a version: named by its content, its manifest written last, then renamed.

    Parameters
    ----------
    folder : Path
        Holds the version's files; in `models_dir`, under a temporary name.
    manifest : dict
        With ``family``, ``created_at`` and ``task``; gets ``files`` where it has none, and ``version``.
    models_dir : Path

    Returns
    -------
    str
        Its name, for instance ``cnn-20261121-1a2b3c4d``.
    """
    manifest.setdefault("files", {path.name: file_sha256(path) for path in sorted(folder.iterdir())})
    kind = manifest["family"] if task_of(manifest) == BEATS else task_of(manifest)
    manifest["version"] = f"{kind}-{manifest['created_at'][:10].replace('-', '')}-{content_id(manifest)}"
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n")
    folder.chmod(0o755)
    folder.rename(models_dir / manifest["version"])
    return str(manifest["version"])


def _flat_figures(figures: Mapping[str, Any]) -> dict[str, float]:
    flat: dict[str, float] = {}
    for set_name, of_set in figures.items():
        for name in _OF_ALL:
            if of_set.get(name) is not None:
                flat[f"{set_name}.{name}"] = of_set[name]
        flat |= {f"{set_name}.deviation.{k}": v for k, v in of_set.get("deviation", {}).items() if v is not None}
        for bin_name, of_bin in of_set.get("calibration", {}).items():
            flat |= {f"{set_name}.calibration.{bin_name}.{k}": float(of_bin[k]) for k in ("confidence", "accuracy")}
        for class_name, of_class in of_set["classes"].items():
            flat |= {f"{set_name}.{class_name}.{k}": float(v) for k, v in of_class.items() if v is not None}
            means = of_set.get("patients", {}).get(class_name, {})
            flat |= {
                f"{set_name}.{class_name}.patient_{k}": float(means[k])
                for k in ("mean_sensitivity", "mean_f1")
                if means.get(k) is not None
            }
            for rate, limits in of_set.get("intervals", {}).get("classes", {}).get(class_name, {}).items():
                for side, limit in zip(("low", "high"), limits or (), strict=False):
                    flat[f"{set_name}.{class_name}.{rate}_{side}"] = limit
    return flat


def _flat_explanations(found: Mapping[str, Any] | None) -> dict[str, float]:
    """``explanations.<method>.<measure>``; what was not measured is left out.

    ``passed`` and ``offered_first`` are 1 or 0; an interval is ``…_low`` and ``…_high``; the exact Shapley values'
    own figures stand with that method.
    """
    if found is None:
        return {}
    flat: dict[str, float | None] = {}
    for method, measured in found["methods"].items():
        flat[f"{method}.offered_first"] = float(method == found["offered_first"])
        for name, value in measured.items():
            if name.endswith("_ci"):
                flat |= dict(zip((f"{method}.{name[:-3]}_low", f"{method}.{name[:-3]}_high"), value, strict=True))
            elif isinstance(value, int | float):
                flat[f"{method}.{name}"] = float(value)
    flat |= {f"shapley.{name}": value for name, value in found["shapley"].items()}
    return {f"explanations.{name}": float(value) for name, value in flat.items() if value is not None}


def with_classifier(model: LoadedModel, classifier: keras.Model, folder: Path) -> LoadedModel:
    """Make a version of `model` with another classifier, in a folder that must not exist yet."""
    folder.mkdir(parents=True)
    for name in ("background.npz", "autoencoder.onnx", TREES_FILE):
        shutil.copyfile(model.folder / name, folder / name)
    classifier.save(folder / "cnn.keras")
    export_onnx(classifier, folder / "cnn.onnx")
    return LoadedModel(folder, {**model.manifest, "version": f"{model.version}-{folder.name}"})
