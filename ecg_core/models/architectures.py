"""The two Keras graphs: a classifier that asks two questions, and an autoencoder of normal beats.

One softmax over all classes learns S badly (S F1 .375 on MIT-BIH across patients): it is few, and its QRS looks
normal. So the classifier asks what a reader asks. By shape: is this a V or F beat, or neither? And of those that
are neither, by rhythm and P wave alone: is it early (S) or not (N)? Both answers become one row of
logits, so that it is one graph with one loss:

    N = rest - softplus(early)      S = N + early      V, F, Q and rest from the shape head

which is ``P(S) = P(neither V nor F nor Q) · sigmoid(early)``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ecg_core.beats import RHYTHM_FEATURES
from ecg_core.result import WINDOW_SAMPLES

if TYPE_CHECKING:
    import keras

CAM_LAYER: Final = "shape_features"
"""The last convolution of the shape branch, which Grad-CAM looks at."""
BOTTLENECK: Final = 16
"""Numbers that the autoencoder passes a beat's difference from the dominant beat through."""


def build_cnn(n_context: int) -> keras.Model:
    """Build the classifier: inputs ``waveform`` (256, 2) and ``context`` (n_context,), output 5 logits.

    Parameters
    ----------
    n_context : int
        Features of a beat; the first `ecg_core.beats.RHYTHM_FEATURES` are all that the second question sees.

    Returns
    -------
    keras.Model
        Not compiled.
    """
    import keras
    from keras import layers, ops

    waveform = keras.Input((WINDOW_SAMPLES, 2), name="waveform")
    context = keras.Input((n_context,), name="context")

    shape = _conv(waveform, 24, 7, 2)
    shape = _conv(shape, 32, 5, 2)
    shape = _conv(shape, 48, 5, 1)
    shape = layers.Conv1D(48, 3, padding="same", activation="relu", name=CAM_LAYER)(shape)
    shape = layers.Flatten()(layers.AveragePooling1D(8)(shape))
    shape = layers.Dropout(0.4)(layers.Dense(32, activation="relu")(shape))
    around = layers.Dense(16, activation="relu")(layers.GaussianNoise(0.05)(context))
    answers = layers.Dense(4, name="shape_head")(layers.Concatenate()([shape, around]))

    # Neither the QRS nor the waveform: both made S worse on patients held out.
    rhythm = layers.GaussianNoise(0.05)(context[:, :RHYTHM_FEATURES])
    rhythm = layers.Dropout(0.1)(layers.Dense(48, activation="relu")(rhythm))
    rhythm = layers.Dropout(0.1)(layers.Dense(24, activation="relu")(rhythm))
    early = layers.Dense(1, name="rhythm_head")(rhythm)

    rest, ectopic = answers[:, :1], answers[:, 1:]
    normal = rest - ops.softplus(early)
    logits = layers.Concatenate(name="logits")([normal, normal + early, ectopic])
    return keras.Model([waveform, context], logits, name="cnn")


def build_autoencoder() -> keras.Model:
    """Build the autoencoder: input ``waveform`` (256, 2), output the beat's normal counterpart (256, 1).

    What goes through the `BOTTLENECK` numbers is how the beat differs from its recording's dominant beat: one that
    codes beats themselves draws one patient's ectopic beats as well as another's bundle branch block (area under the
    ROC curve .51 on the deciding patients, .97 for this one).

    Returns
    -------
    keras.Model
        Not compiled.
    """
    import keras
    from keras import layers

    waveform = keras.Input((WINDOW_SAMPLES, 2), name="waveform")
    beat, dominant = waveform[:, :, :1], waveform[:, :, 1:]
    code = beat - dominant
    for filters, kernel in ((12, 7), (16, 5), (24, 5), (24, 3)):
        code = _conv(code, filters, kernel, 2)
    code = layers.Dense(BOTTLENECK, name="code")(layers.Flatten()(code))
    back = layers.Reshape((16, 24))(layers.Dense(16 * 24, activation="relu")(code))
    for filters, kernel in ((24, 3), (16, 5), (12, 5)):
        back = _conv(layers.UpSampling1D(2)(back), filters, kernel, 1)
    back = layers.Conv1D(1, 7, padding="same")(layers.UpSampling1D(2)(back))
    return keras.Model(waveform, dominant + back, name="autoencoder")


def _conv(x: keras.KerasTensor, filters: int, kernel: int, strides: int) -> keras.KerasTensor:
    from keras import layers

    # No batch normalisation: with it V F1 on the deciding patients swung between .69 and .89 from seed to seed,
    # without it between .86 and .90, and a pass takes half the time.
    return layers.Conv1D(filters, kernel, strides, padding="same", activation="relu")(x)
