"""The two Keras graphs: a classifier that asks two questions, and an autoencoder of normal beats.

One softmax over all classes learns S badly (S F1 .375 on MIT-BIH across patients): it is few, and its QRS looks
normal. So the classifier asks what a reader asks. By shape: is this a V or F beat, or neither? And of those that
are neither, by rhythm and P wave alone: is it early (S) or not (N)? Both answers become one row of
logits, so that it is one graph:

    N = rest - softplus(early)      S = N + early      V, F, Q and rest from the shape head

which is ``P(S) = P(neither V nor F nor Q) · sigmoid(early)``. Of those who read the features there are `MEMBERS`,
and the answer is their mean.

The loss of the one question does not depend on the answer to the other, so each is learned by itself: the second from
the features of every beat there is, which costs little, the first from fewer beats, each with its waveform.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecg_core.beats import RHYTHM_FEATURES
from ecg_core.models.layers import CAM_LAYER, EARLY_LAYER, LOGITS_LAYER, MEMBERS, MEMBERS_LAYER
from ecg_core.result import WINDOW_SAMPLES

if TYPE_CHECKING:
    import keras


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
    from keras import layers

    waveform = keras.Input((WINDOW_SAMPLES, 2), name="waveform")
    context = keras.Input((n_context,), name="context")
    by_waveform = _by_waveform(waveform)
    # Neither the QRS nor the waveform: both made S worse on patients held out.
    rhythm = context[:, :RHYTHM_FEATURES]
    early_logits = [layers.Dense(1)(_perceptron(rhythm, (32, 16), 0.05, 0.1)) for _ in range(MEMBERS)]
    early = layers.Concatenate(name=EARLY_LAYER)(early_logits)
    by_features = [layers.Dense(4)(_perceptron(context, (32, 16), 0.1, 0.2)) for _ in range(MEMBERS)]
    answers = layers.Concatenate(axis=1)([layers.Reshape((1, 4))(answer) for answer in by_features])
    # One sum for all members: TensorFlow adds up the gradients of several in whatever order they are ready, its
    # deterministic operations notwithstanding, and a few hundred batches later the weights are others.
    answers = answers + layers.Reshape((1, 4))(by_waveform)
    members = _both_answers(answers, layers.Reshape((MEMBERS, 1))(early))
    # Not trained: `calibration.fit_biases` sets its biases on patients held out.
    logits = layers.Dense(5, kernel_initializer="identity", trainable=False, name=LOGITS_LAYER)
    return keras.Model([waveform, context], logits(layers.GlobalAveragePooling1D()(members)), name="cnn")


def cnn_learner(classifier: keras.Model) -> keras.Model:
    """Return the part of a classifier that learns from waveforms: each member for itself, shape (n, `MEMBERS`, 5).

    Trained on their mean, members would lean on each other.
    """
    import keras

    return keras.Model(classifier.inputs, classifier.get_layer(MEMBERS_LAYER).output, name="members")


def early_learner(classifier: keras.Model) -> keras.Model:
    """Return the part of a classifier that tells S from N by the features alone: logits, shape (n, `MEMBERS`)."""
    import keras

    return keras.Model(classifier.inputs[1], classifier.get_layer(EARLY_LAYER).output, name="early")


def build_autoencoder(bottleneck: int) -> keras.Model:
    """Build the autoencoder: input ``waveform`` (256, 2), output the beat's normal counterpart (256, 1).

    What goes through the bottleneck is how the beat differs from its recording's dominant beat: one that
    codes beats themselves draws one patient's ectopic beats as well as another's bundle branch block (area under the
    ROC curve .51 on the deciding patients, .97 for this one).

    Parameters
    ----------
    bottleneck : int
        How many numbers.

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
    code = layers.Dense(bottleneck, name="code")(layers.Flatten()(code))
    back = layers.Reshape((16, 24))(layers.Dense(16 * 24, activation="relu")(code))
    for filters, kernel in ((24, 3), (16, 5), (12, 5)):
        back = _conv(layers.UpSampling1D(2)(back), filters, kernel, 1)
    back = layers.Conv1D(1, 7, padding="same")(layers.UpSampling1D(2)(back))
    return keras.Model(waveform, dominant + back, name="autoencoder")


def _by_waveform(waveform: keras.KerasTensor) -> keras.KerasTensor:
    """Answer the first question by shape alone; the members share this."""
    from keras import layers

    x = _conv(waveform, 16, 7, 2)
    x = _conv(x, 24, 5, 2)
    x = _conv(x, 32, 5, 1)
    x = layers.Conv1D(32, 3, padding="same", activation="relu", name=CAM_LAYER)(x)
    x = layers.Flatten()(layers.AveragePooling1D(8)(x))
    x = layers.Dropout(0.4)(layers.Dense(32, activation="relu")(x))
    # Half of the time the features must do without the waveform, so that neither learns to lean on the other.
    return layers.Dropout(0.5, noise_shape=(None, 1))(layers.Dense(4)(x))


def _both_answers(answers: keras.KerasTensor, early: keras.KerasTensor) -> keras.KerasTensor:
    """Put the answers to both questions, shapes (n, `MEMBERS`, 4) and (n, `MEMBERS`, 1), into rows of logits."""
    from keras import layers, ops

    rest, ectopic = answers[:, :, :1], answers[:, :, 1:]
    normal = rest - ops.softplus(early)
    return layers.Concatenate(name=MEMBERS_LAYER)([normal, normal + early, ectopic])


def _perceptron(x: keras.KerasTensor, units: tuple[int, ...], noise: float, dropout: float) -> keras.KerasTensor:
    from keras import layers

    x = layers.GaussianNoise(noise)(x)
    for n in units:
        x = layers.Dropout(dropout)(layers.Dense(n, activation="relu")(x))
    return x


def _conv(x: keras.KerasTensor, filters: int, kernel: int, strides: int) -> keras.KerasTensor:
    from keras import layers

    # No batch normalisation: with it V F1 on the deciding patients swung between .69 and .89 from seed to seed,
    # without it between .86 and .90, and a pass takes half the time.
    return layers.Conv1D(filters, kernel, strides, padding="same", activation="relu")(x)
