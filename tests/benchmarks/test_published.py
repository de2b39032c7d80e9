"""The published shapes: their windows, their balance, and that each learns what is easy."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.published import RUN_BEATS, SHAPES, Windows, answer, cut_windows, train_shape
from ecg_core.errors import DatasetUnavailable


@pytest.mark.parametrize(
    ("name", "of_window"),
    [("cnn", (200, 1)), ("lstm", (180, 2)), ("cnn_lstm", (180, 1)), ("cnn_lstm_runs", (RUN_BEATS, 180, 1))],
)
def test_windows_are_those_that_were_published(mitdb, name, of_window):
    windows = cut_windows(mitdb, ["114", "207"], SHAPES[name])
    assert windows.inputs.shape == (len(windows), *of_window)
    assert windows.inputs.dtype == np.float32
    assert np.isfinite(windows.inputs).all()
    assert set(windows.patient) == {"mitdb-114", "mitdb-207"}
    assert windows.class_index.max() == len(SHAPES[name].classes) - 1


def test_beats_are_grouped_as_that_system_does(mitdb):
    windows = cut_windows(mitdb, ["207", "208"], SHAPES["cnn_lstm"])
    counts = dict(zip("NVFE", np.bincount(windows.class_index), strict=True))
    assert counts["E"] == 105
    assert counts["F"] == 372, "of 373: one window reaches beyond the record"
    abnormal = cut_windows(mitdb, ["208"], SHAPES["cnn"]).class_index.mean()
    assert 0.4 < abnormal < 0.5, "V and F are abnormal"


def test_the_r_peak_is_in_the_middle_and_mlii_comes_first(mitdb):
    # 114 has V5 first, MLII second.
    windows = cut_windows(mitdb, ["114"], SHAPES["lstm"])
    one_lead = cut_windows(mitdb, ["114"], SHAPES["cnn_lstm"])
    assert np.allclose(windows.inputs[:, :, 0], one_lead.inputs[:, :, 0])
    usual = np.median(cut_windows(mitdb, ["100"], SHAPES["cnn"]).inputs[:, :, 0], axis=0)
    assert abs(int(usual.argmax()) - 100) <= 3


def test_a_run_is_told_by_the_beat_in_its_middle(mitdb):
    alone, runs = (cut_windows(mitdb, ["207"], SHAPES[name]) for name in ("cnn_lstm", "cnn_lstm_runs"))
    reach = RUN_BEATS // 2
    assert np.array_equal(runs.class_index, alone.class_index[reach:-reach])
    assert np.array_equal(runs.inputs[7, reach], alone.inputs[7 + reach])


def test_a_record_that_is_not_there_is_said(tmp_path):
    with pytest.raises(DatasetUnavailable):
        cut_windows(tmp_path, ["100"], SHAPES["cnn"])


def easy(shape, n=300):
    """Windows whose class can be seen with half an eye: the rare ones are a tenth each."""
    random = np.random.default_rng(0)
    rare = len(shape.classes) - 1
    class_index = random.choice(rare + 1, n, p=[1 - 0.1 * rare, *[0.1] * rare])
    size = (*((RUN_BEATS,) if shape.run else ()), shape.samples, shape.leads)
    inputs = 0.1 * random.normal(size=(n, *size)).astype(np.float32)
    inputs += class_index.reshape(-1, *(1 for _ in size)).astype(np.float32)
    return Windows(inputs, class_index.astype(np.int8), np.full(n, "p"))


@pytest.mark.parametrize("name", ["cnn", pytest.param("cnn_lstm", marks=pytest.mark.long)])
def test_each_shape_learns_what_is_easy_and_forgets_no_class(name, tmp_path):
    shape = replace(SHAPES[name], batch=16)
    windows = easy(shape)
    model, epochs = train_shape(shape, windows, 1, tmp_path / "checkpoint", epochs=12)
    said = answer(shape, model, windows)
    assert said.shape == (300, len(shape.classes))
    assert np.allclose(said.sum(axis=1), 1, atol=1e-5)
    assert 1 <= epochs <= 12
    for c in range(len(shape.classes)):
        assert (said.argmax(axis=1) == c)[windows.class_index == c].mean() > 0.5, shape.classes[c]


def test_training_that_was_stopped_goes_on_after_its_last_whole_pass(tmp_path):
    shape, checkpoint = SHAPES["cnn_lstm"], tmp_path / "checkpoint"
    windows = easy(shape)

    def stop_after_the_second(line: str) -> None:
        if "pass 2 " in line:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_shape(shape, windows, 1, checkpoint, 4, stop_after_the_second)
    lines: list[str] = []
    _, epochs = train_shape(shape, windows, 1, checkpoint, 4, lines.append)
    assert [line.split(":")[0].strip() for line in lines] == ["pass 3 of at most 4", "pass 4 of at most 4"]
    assert epochs == 4
    assert not any(checkpoint.glob("*"))


def test_training_that_was_stopped_remembers_its_best_pass(tmp_path):
    shape, checkpoint = replace(SHAPES["cnn"], learning_rate=0.003, batch=16, patience=4), tmp_path / "checkpoint"
    random = np.random.default_rng(5)
    # Noise with labels by lot can only be learned by heart, and what is kept back is soon told worse with every pass.
    inputs, class_index = random.normal(size=(300, 200, 1)), random.integers(2, size=300)
    noise = Windows(inputs.astype(np.float32), class_index.astype(np.int8), np.full(300, "p"))
    lines: list[str] = []

    def stop_after_the_eighth(line: str) -> None:
        lines.append(line)
        if "pass 8 " in line:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_shape(shape, noise, 1, checkpoint, 20, stop_after_the_eighth)
    model, epochs = train_shape(shape, noise, 1, checkpoint, 20, lines.append)
    losses = [float(line.split()[-1]) for line in lines]
    best = int(np.argmin(losses))
    assert best < 8, "else nothing had to be remembered"
    assert epochs == len(losses) == best + 1 + shape.patience
    kept_back = noise.select(np.random.default_rng(1).random(300) < 0.1)
    said = answer(shape, model, kept_back)[np.arange(len(kept_back)), kept_back.class_index]
    assert -np.log(said).mean() == pytest.approx(losses[best], abs=1e-3)


def test_balance_is_made_of_training_beats_alone():
    windows = easy(SHAPES["cnn"])
    random = np.random.default_rng(0)
    smote, _ = SHAPES["cnn"].balance(windows, random)
    assert len(set(np.bincount(smote.class_index))) == 1
    fewer, _ = SHAPES["lstm"].balance(windows, random)
    assert set(np.bincount(fewer.class_index)) == {np.bincount(windows.class_index).min()}
    _, weights = SHAPES["cnn_lstm"].balance(easy(SHAPES["cnn_lstm"]), random)
    assert weights[3] > weights[0] == 1


def test_the_lstm_is_the_published_one():
    model = SHAPES["lstm"].build()
    assert [type(layer).__name__ for layer in model.layers] == ["LSTM", "Dropout", "LSTM", "Dense", "Dropout", "Dense"]
    first, drop, _, dense, last_drop, _ = model.layers
    assert (first.units, drop.rate, dense.units, last_drop.rate) == (256, 0.4, 32, 0.2)
    assert (SHAPES["lstm"].learning_rate, SHAPES["lstm"].patience) == (1e-4, 5)
