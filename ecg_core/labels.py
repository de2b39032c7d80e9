"""Beat classes of ANSI/AAMI EC57, and how MIT-BIH's annotation symbols map to them.

Mapping A counts the escape beats ``e`` and ``j`` as N (de Chazal 2004 and most of the literature);
mapping B is EC57's own table, which counts them as S.
"""

from __future__ import annotations

from typing import Final, Literal

import numpy as np
import numpy.typing as npt

CLASSES: Final = ("N", "S", "V", "F", "Q")
"""The order of the probability columns everywhere."""

CLASS_NAMES: Final = {
    "N": "normal or bundle branch block",
    "S": "supraventricular ectopic",
    "V": "ventricular ectopic",
    "F": "fusion of ventricular and normal",
    "Q": "paced, unclassifiable or noise",
}

ClassMapping = Literal["A", "B"]

_COMMON: Final = {
    **dict.fromkeys("NLRB", "N"),
    **dict.fromkeys("AaJSn", "S"),
    **dict.fromkeys("VEr", "V"),
    "F": "F",
    **dict.fromkeys("/fQ?", "Q"),
}
SYMBOL_TO_CLASS: Final[dict[ClassMapping, dict[str, str]]] = {
    "A": {**_COMMON, "e": "N", "j": "N"},
    "B": {**_COMMON, "e": "S", "j": "S"},
}


def classes_of_symbols(symbols: list[str], mapping: ClassMapping = "A") -> npt.NDArray[np.int8]:
    """Map MIT-BIH annotation symbols to class indices.

    Parameters
    ----------
    symbols : list of str
        One symbol per annotation, as ``wfdb.rdann`` gives them.
    mapping : {"A", "B"}
        See the module's docstring.

    Returns
    -------
    ndarray of int8, shape (n_symbols,)
        Index into `CLASSES`; -1 where the symbol marks no beat (rhythm change, noise, …).
    """
    table = {s: CLASSES.index(c) for s, c in SYMBOL_TO_CLASS[mapping].items()}
    return np.array([table.get(s, -1) for s in symbols], dtype=np.int8)
