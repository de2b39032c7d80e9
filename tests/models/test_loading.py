import json
import shutil

import numpy as np
import pytest

from ecg_core.errors import ModelIntegrityError, ModelOutdated, UnknownModelVersion
from ecg_core.models import SHIPPED_VERSION, list_versions, load_model
from ecg_core.models.version import MANIFEST, content_id

FILES = ("cnn.keras", "cnn.onnx", "autoencoder.keras", "autoencoder.onnx", "background.npz", "out_of_fold.npz")


@pytest.fixture
def copy(tiny_version, tmp_path):
    return shutil.copytree(tiny_version, tmp_path / tiny_version.name)


def test_a_version_says_what_it_is(tiny_version, tiny_model):
    facts = tiny_model.facts
    assert facts.version == tiny_version.name
    assert facts.family == "cnn"
    assert "2 patients" in facts.training_data[0]
    assert "in noise" in facts.training_data[1]
    assert 0 <= facts.figures["deciding.V.sensitivity"] <= 1
    assert any("not for diagnosis" in sentence for sentence in facts.limits)


def test_probabilities_sum_to_one_and_do_not_depend_on_the_batch(tiny_model, deciding):
    probabilities = tiny_model.classify(deciding.waveform, deciding.context)
    assert probabilities.shape == (len(deciding), 5)
    assert probabilities.dtype == np.float32
    assert probabilities.sum(axis=1) == pytest.approx(1, abs=1e-5)
    alone = tiny_model.classify(deciding.waveform[7:8], deciding.context[7:8])
    assert alone[0] == pytest.approx(probabilities[7], abs=1e-5)


def test_no_beats_give_no_rows(tiny_model):
    n_context = tiny_model.background()[1].shape[1]
    assert tiny_model.classify(np.zeros((0, 256, 2), np.float32), np.zeros((0, n_context), np.float32)).shape == (0, 5)
    nothing = np.zeros((0, 256, 2), np.float32), np.zeros((0, n_context), np.float32)
    reconstruction, deviation = tiny_model.reconstruct(*nothing)
    assert reconstruction.shape == (0, 256)
    assert deviation.shape == (0,)


def test_onnx_says_what_keras_says(tiny_model, deciding):
    inputs = (deciding.waveform[:300], deciding.context[:300])
    by_keras = np.asarray(tiny_model.keras_classifier()(list(inputs), training=False))
    assert np.abs(tiny_model.logits(*inputs) - by_keras).max() < 1e-4


@pytest.mark.parametrize("name", FILES)
def test_one_changed_byte_in_any_file_is_noticed(copy, name):
    content = bytearray((copy / name).read_bytes())
    content[len(content) // 2] ^= 1
    (copy / name).write_bytes(content)
    with pytest.raises(ModelIntegrityError, match=name):
        load_model(copy.name, copy.parent)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_noticed(copy, name):
    (copy / name).unlink()
    with pytest.raises(ModelIntegrityError, match=name):
        load_model(copy.name, copy.parent)


def test_a_changed_manifest_is_noticed_even_where_its_hashes_fit(copy):
    manifest = json.loads((copy / MANIFEST).read_text())
    manifest["calibration"]["temperature"] = 9.0
    (copy / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(ModelIntegrityError, match="was changed"):
        load_model(copy.name, copy.parent)


@pytest.mark.parametrize("names", [["rr_prev_to_local_median"], None])
def test_a_version_of_other_features_is_refused_and_the_mend_said(copy, names):
    manifest = json.loads((copy / MANIFEST).read_text())
    manifest["context_names"] = names
    manifest["version"] = f"cnn-20000101-{content_id(manifest)}"
    (copy / MANIFEST).write_text(json.dumps(manifest))
    renamed = copy.rename(copy.parent / manifest["version"])
    with pytest.raises(ModelOutdated, match="ecg_retrain_nightly"):
        load_model(renamed.name, renamed.parent)


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"version": 3, "files": {}}'])
def test_a_manifest_that_is_none_is_noticed(copy, content):
    (copy / MANIFEST).write_text(content)
    with pytest.raises(ModelIntegrityError, match=MANIFEST):
        load_model(copy.name, copy.parent)


def test_a_version_under_another_name_is_refused(copy):
    renamed = copy.rename(copy.parent / f"cnn-20000101-{copy.name[-8:]}")
    with pytest.raises(ModelIntegrityError):
        load_model(renamed.name, renamed.parent)


@pytest.mark.parametrize("name", ["cnn-20000101-00000000", "", ".", "..", "../secret", "CNN", "cnn-1\n"])
def test_an_unknown_version_lists_those_that_exist(tiny_version, name):
    with pytest.raises(UnknownModelVersion, match=tiny_version.name):
        load_model(name, tiny_version.parent)


def test_a_half_written_version_is_not_listed(copy):
    shutil.copytree(copy, copy.parent / ".writing-abc")
    assert ".writing-abc" not in list_versions(copy.parent)
    assert copy.name in list_versions(copy.parent)


def test_the_shipped_version_loads_where_there_is_no_models_folder(tmp_path):
    assert load_model(SHIPPED_VERSION, tmp_path / "no such folder").version == SHIPPED_VERSION


def sealed_again(folder, manifest):
    """Write a manifest whose name fits, as whoever may write the folder can."""
    version = f"{folder.name[:-8]}{content_id(manifest)}"
    (folder / MANIFEST).write_text(json.dumps({**manifest, "version": version}))
    return folder.rename(folder.parent / version)


@pytest.mark.parametrize("how", ["no files", "a file without hash", "a name that leads out", "a linked file", "a link"])
def test_whatever_no_hash_covers_is_refused(copy, tmp_path, how):
    manifest = json.loads((copy / MANIFEST).read_text())
    if how == "no files":
        manifest["files"] = {}
    elif how == "a file without hash":
        # ONNX keeps large weights in a file beside the graph.
        (copy / "weights.bin").write_bytes(b"\0" * 100)
    elif how == "a name that leads out":
        shutil.copy(copy / "cnn.onnx", tmp_path / "cnn.onnx")
        manifest["files"]["../cnn.onnx"] = manifest["files"].pop("cnn.onnx")
        (copy / "cnn.onnx").unlink()
    elif how == "a linked file":
        (copy / "cnn.onnx").rename(tmp_path / "cnn.onnx")
        (copy / "cnn.onnx").symlink_to(tmp_path / "cnn.onnx")
    else:
        copy.rename(tmp_path / "elsewhere")
        copy.symlink_to(tmp_path / "elsewhere")
    folder = sealed_again(copy, manifest) if how in ("no files", "a name that leads out") else copy
    with pytest.raises(ModelIntegrityError):
        load_model(folder.name, folder.parent)
