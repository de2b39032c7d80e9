"""Make the sample report again: a generated recording, scored by the shipped model.

``make sample`` writes ``templates/sample/report.html`` and ``report.png``, the picture in the README.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from benchmarks.report import find_browser
from ecg_core.datasets.synth import synthesise, write_wfdb
from ecg_core.formats import read_recording
from ecg_core.models import SHIPPED_VERSION, load_model
from ecg_core.pipeline.score import score_recording
from ecg_core.report import write_report

FOLDER = Path(__file__).resolve().parents[1] / "templates" / "sample"


def main() -> None:
    """Write the sample and say what was written."""
    made = synthesise(600.0, pvc_per_minute=3.0, sveb_per_minute=1.5, noise_mv=0.03, seed=20)
    with tempfile.TemporaryDirectory() as scratch:
        recording = read_recording(write_wfdb(made, Path(scratch), "sample"), b"sample")
        model = load_model(SHIPPED_VERSION, Path(scratch))
        written = write_report(score_recording(recording, model, explained_beats=6), FOLDER / "report.html")
    sys.stdout.write(f"{written.path}: {written.size_bytes:,} bytes\n")
    browser_path = find_browser()
    if browser_path is None:
        sys.stdout.write("No Chromium is installed here, so the picture stays as it was.\n")
        return
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 900, "height": 1500})
        page.goto(written.path.as_uri())
        page.screenshot(path=FOLDER / "report.png")
        browser.close()
    sys.stdout.write(f"{FOLDER / 'report.png'}\n")


if __name__ == "__main__":
    main()
