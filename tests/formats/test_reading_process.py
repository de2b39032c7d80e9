"""Whatever a file does to the process that reads it costs that file alone."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil
import pytest

from ecg_core.errors import (
    IncompleteRecording,
    MachineError,
    ReadingDied,
    ReadingLimit,
    RecordingError,
    UnsupportedFormat,
)
from ecg_core.formats import ReadingLimits, ReadingProcess, read_recording, reading_process

KEY = b"test key"
SECONDS = 10


@pytest.fixture(scope="module")
def reader():
    process = ReadingProcess(ReadingLimits(memory_mb=500, time_s=2.0, size_mb=2000))
    yield process
    process.close()


@pytest.fixture
def sine(tmp_path) -> Path:
    """A record of 10 s."""
    (tmp_path / "a.hea").write_text("a 1 360 3600\na.dat 16 200(0)/mV 12 0 0 0 0 II\n")
    np.round(400 * np.sin(np.arange(360 * SECONDS) / 9)).astype("<i2").tofile(tmp_path / "a.dat")
    return tmp_path / "a.hea"


def process_id(reader: ReadingProcess) -> int:
    assert reader._process is not None
    return reader._process.pid


def test_it_reads_what_reading_here_reads_and_stays(reader, sine):
    there, here = reader.read(sine, KEY), read_recording(sine, KEY)
    np.testing.assert_array_equal(there.signal, here.signal)
    assert there.signal.flags.writeable
    for name in ("recording_id", "lead_names", "doubts", "stated", "start_time"):
        assert getattr(there, name) == getattr(here, name)
    before = process_id(reader)
    assert reader.read(sine, KEY).recording_id == here.recording_id
    assert process_id(reader) == before


def test_what_is_wrong_with_a_file_is_raised_as_reading_here_raises_it(reader, tmp_path):
    (tmp_path / "letter.txt").write_text("Dear colleague")
    with pytest.raises(UnsupportedFormat, match="no ECG"):
        reader.read(tmp_path / "letter.txt", KEY)
    with pytest.raises(IncompleteRecording, match="not there"):
        reader.read(tmp_path / "nowhere.hea", KEY)


def test_what_takes_too_much_memory_is_refused_and_the_next_file_is_read(reader, sine, tmp_path):
    # A header without a length, and a file that takes no room: 2^28 samples, 1 GB as they are read.
    (tmp_path / "b.hea").write_text("b 1 360\nb.dat 16 200(0)/mV 12 0 0 0 0 II\n")
    with (tmp_path / "b.dat").open("wb") as stream:
        stream.truncate(2**29)
    with pytest.raises(ReadingLimit, match=r"500 MB of memory.*ECG_READ_MEMORY_MB"):
        reader.read(tmp_path / "b.hea", KEY)
    assert reader.read(sine, KEY).n_samples == 3600


def test_what_takes_too_long_is_refused(sine):
    # Four hours: a few milliseconds of computing.
    sine.write_text("a 1 360\na.dat 16 200(0)/mV 12 0 0 0 0 II\n")
    np.tile(np.fromfile(sine.with_suffix(".dat"), "<i2"), 1440).tofile(sine.with_suffix(".dat"))
    slow = ReadingProcess(ReadingLimits(time_s=0.01))
    with pytest.raises(ReadingLimit, match=r"0\.01 s of computing time.*ECG_READ_TIME_S"):
        slow.read(sine, KEY)
    slow.close()


def test_a_busy_or_sleeping_machine_is_not_a_files_fault(sine, monkeypatch):
    """What takes no computing time is waited for, and then the disk is told, not the file."""
    waiting = ReadingProcess(ReadingLimits(time_s=0.3))
    waiting.read(sine, KEY)
    stopped = psutil.Process(process_id(waiting))
    stopped.suspend()
    # For this read alone: the next one starts a new process, which takes longer on a machine that is busy indeed.
    with monkeypatch.context() as patch:
        patch.setattr(reading_process, "_LEAST_WAIT_S", 3.0)
        with pytest.raises(MachineError, match="has not answered for 3 s"):
            waiting.read(sine, KEY)
    assert waiting.read(sine, KEY).n_samples == 3600
    waiting.close()


def test_a_process_that_is_killed_is_replaced_and_the_file_is_read(reader, sine):
    reader.read(sine, KEY)
    os.kill(process_id(reader), signal.SIGKILL)
    assert reader.read(sine, KEY).n_samples == 3600


def test_a_file_that_ends_two_processes_is_refused(sine):
    process = ReadingProcess(ReadingLimits(time_s=5))
    done = threading.Event()

    def kill_each() -> None:
        while not done.is_set():
            if process._process is not None:
                process._process.kill()
            time.sleep(0.001)

    killer = threading.Thread(target=kill_each)
    killer.start()
    try:
        with pytest.raises(ReadingDied, match="SIGKILL, often too little memory"):
            process.read(sine, KEY)
    finally:
        done.set()
        killer.join()
        process.close()


def test_it_ends_with_the_process_that_asked(sine):
    code = textwrap.dedent(
        """
        import sys
        from pathlib import Path
        from ecg_core.formats import ReadingLimits, ReadingProcess
        process = ReadingProcess(ReadingLimits())
        process.read(Path(sys.argv[1]), b"key")
        print(process._process.pid, flush=True)
        sys.stdin.read()
        """
    )
    asking = subprocess.Popen(
        [sys.executable, "-c", code, str(sine)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert asking.stdout is not None
    pid = int(asking.stdout.readline())
    asking.kill()
    asking.wait()
    psutil.wait_procs([psutil.Process(pid)] if psutil.pid_exists(pid) else [], timeout=5)
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


@pytest.mark.parametrize("comment", ["patient id", "age", "age >", "sex", "<sex >", "69 ", "age 65 ", "<age>: 65"])
def test_blanks_without_end_take_no_time(sine, comment):
    sine.write_text(sine.read_text() + f"# {comment}{' ' * 900_000}x\n")
    started = time.process_time()
    read_recording(sine, KEY)
    assert time.process_time() - started < 1


@pytest.mark.parametrize("line", ["ECG mV{}x", "time [s{}x", "sampl" * 10_000 + "{}", "2026-01-01 10:00:00{}x"])
def test_lines_without_end_take_no_time(tmp_path, line):
    rows = "".join(f"{v:.3f}\n" for v in np.sin(np.arange(3600) / 9))
    blank = " " * 60_000
    (tmp_path / "a.csv").write_text(f"sample rate: 360 Hz\nunit: mV\n{line.format(blank)}\n{rows}")
    started = time.process_time()
    with suppress(RecordingError):
        read_recording(tmp_path / "a.csv", KEY)
    assert time.process_time() - started < 2
