"""What every attribution method gives, whether it speaks of samples or of whole players."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ecg_core.explain.players import CONTEXT_PLAYER_INDEX, sample_player
from ecg_core.explain.reference import ExplainedBeats
from ecg_core.recording import FloatArray
from ecg_core.result import PLAYERS

Target = npt.NDArray[np.integer[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class Attribution:
    """What moved the log-odds of the target class, for n beats.

    Attributes
    ----------
    samples : ndarray of float32, shape (n, 256), or None
        By sample of the beat. None for methods that speak of whole players.
    context : ndarray of float32, shape (n, K), or None
        By rhythm feature. None for methods that say nothing of rhythm, or speak of whole players.
    players : ndarray of float64, shape (n, 7)
        By `ecg_core.result.PLAYERS`: what the samples and features of each sum to.
    absolute : ndarray of float64, shape (n, 7)
        The same of absolute values: signs within a wave do not cancel.
    """

    samples: FloatArray | None
    context: FloatArray | None
    players: npt.NDArray[np.float64]
    absolute: npt.NDArray[np.float64]

    @classmethod
    def of_samples(cls, beats: ExplainedBeats, samples: FloatArray, context: FloatArray | None = None) -> Attribution:
        """Sum a map, and the values of rhythm features where the method has them, by player."""
        owner = sample_player(beats)
        sums = []
        for values in (lambda x: x, np.abs):
            by_player = np.zeros((len(beats), len(PLAYERS)))
            for i in range(len(PLAYERS)):
                by_player[:, i] = np.where(owner == i, values(samples), 0).sum(axis=1, dtype=np.float64)
                if context is not None:
                    by_player[:, i] += values(context[:, i == CONTEXT_PLAYER_INDEX]).sum(axis=1, dtype=np.float64)
            sums.append(by_player)
        return cls(samples, context, *sums)

    @classmethod
    def of_players(cls, values: npt.NDArray[np.float64]) -> Attribution:
        """Take values by player, shape (n, 7)."""
        return cls(None, None, values, np.abs(values))

    def select(self, rows: slice) -> Attribution:
        """Return the values of some beats."""
        parts = (self.samples, self.context)
        samples, context = (None if part is None else part[rows] for part in parts)
        return Attribution(samples, context, self.players[rows], self.absolute[rows])

    def units(self) -> npt.NDArray[np.float64]:
        """Return the finest that the method tells apart, float64, shape (n, units): what maps are compared by."""
        if self.samples is None:
            return self.players
        parts = [self.samples] if self.context is None else [self.samples, self.context]
        return np.concatenate(parts, axis=1).astype(np.float64)
