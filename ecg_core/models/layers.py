"""Names of the layers that explanations and export look for."""

from __future__ import annotations

from typing import Final

CAM_LAYER: Final = "shape_features"
"""The last convolution of the shape branch, which Grad-CAM looks at."""
MEMBERS: Final = 5
"""Readers of the features that learn side by side from other first weights; their mean logits are the answer. One alone
swings from seed to seed (V F1 on MIT-BIH's folds between .87 and .92, S between .67 and .69); of five V is .93."""
MEMBERS_LAYER: Final = "members"
EARLY_LAYER: Final = "early"
"""Each member's answer to the second question."""
LOGITS_LAYER: Final = "logits"
"""The last layer, whose biases are set and not learned."""
BOTTLENECKS: Final = (2, 4, 8)
"""Numbers that the autoencoder may pass a beat's difference from the dominant beat through; validation chooses."""
