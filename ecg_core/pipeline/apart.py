"""Scoring one recording in a process of its own: whether it is the recording that ends it is seen from outside.

A recording over which scoring ended several times may have been in the wrong place each time: a machine was switched
off, a worker was killed. Only one that ends a process which does nothing else, while somebody watches, is to blame.
"""

from __future__ import annotations

import pickle
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from ecg_core.errors import EcgError, MachineError, PlatformFault, ScoringGaveUp
from ecg_core.settings import Settings

Outcome = dict[str, object]


@dataclass(frozen=True, slots=True)
class Task:
    """What the process is told."""

    settings: Settings
    version: str
    recording_id: str
    staged_path: str
    owner: str


def score_apart(task: Task) -> Outcome:
    """Score one recording in a process of its own.

    Returns
    -------
    dict
        As `ecg_core.pipeline.group.score_one` gives it.

    Raises
    ------
    ScoringGaveUp
        It ended that process too.
    EcgError
        What concerns all recordings.
    """
    code = "from ecg_core.pipeline.apart_process import main; main()"
    try:
        done = subprocess.run(
            [sys.executable, "-c", code],
            input=pickle.dumps(task),
            stdout=subprocess.PIPE,
            cwd=Path(__file__).resolve().parents[2],
            check=False,
        )
    except OSError as error:
        raise MachineError(f"No process can be started: {error.strerror}.", "Free memory or processes.") from None
    if done.returncode < 0:
        name = signal.Signals(-done.returncode).name
        more = ": most often too little memory" if name == "SIGKILL" else ""
        raise ScoringGaveUp(
            f"Scoring it ended the process each time, the last one a process of its own ({name}{more}).",
            "Give the workers more memory where that is why, else report it; then: `ecg retry`.",
        )
    if done.returncode:
        raise PlatformFault("A process that scores one recording did not run.", "The task's log says why.")
    answer = pickle.loads(done.stdout)  # from our own process
    if isinstance(answer, EcgError):
        raise answer
    outcome: Outcome = answer
    return outcome
