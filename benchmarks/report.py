"""`ecg benchmark report`: how large and how quick reports are, and what a browser makes of them.

The recordings are generated, and their results drawn by a formula rather than scored: what is measured is the report.
The browser is Chromium through Playwright; axe-core checks accessibility where npm can bring it.
"""

from __future__ import annotations

import itertools
import re
import shutil
import subprocess
import tempfile
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks.made_up import make_result, sure
from ecg_core.beats import CONTEXT_NAMES, summarise_rhythm
from ecg_core.datasets.synth import synthesise
from ecg_core.labels import CLASSES
from ecg_core.recording import FloatArray
from ecg_core.report import write_report
from ecg_core.report.methods import MEASURES
from ecg_core.report.printing import BROWSERS, print_pdf
from ecg_core.result import ANALYSIS_RATE_HZ, ModelFacts, RawExcerpt, Result, snap_to_steps
from ecg_core.result.methods import MAPS

AXE_VERSION: Final = "4.11.0"
PIECE_S: Final = 1800.0
"""A long recording is such a piece over and over: generating a day by the formula takes longer than all the rest."""
CHOSEN: Final = 12
_FIRST_PAINT: Final = """() => new Promise(done => {
  const seen = () => performance.getEntriesByName('first-contentful-paint')[0];
  const look = () => seen() ? done(seen().startTime) : setTimeout(look, 20);
  look();
})"""


def measure(keep: Path | None = None) -> dict[str, Any]:
    """Measure everything; what needs Chromium is None where there is none.

    Parameters
    ----------
    keep : Path, optional
        Folder in which the reports stay.
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder = keep or Path(scratch)
        half_hour = long_result(PIECE_S)
        short, seconds_30 = _timed_report(half_hour, folder / "minutes_30.html")
        long, seconds_24 = _timed_report(long_result(24 * 3600.0), folder / "hours_24.html")
        seen = _in_browser(short, long)
        return {
            "minutes_30": {"seconds": seconds_30, "bytes": short.stat().st_size},
            "hours_24": {
                "seconds": seconds_24,
                "bytes": long.stat().st_size,
                "first_paint_ms": seen.pop("first_paint_ms"),
            },
            "paper": paper_scale(short),
            **seen,
        }


def long_result(duration_s: float, seed: int = 11) -> Result:
    """Make a result of two leads at 360 Hz with one beat in nine abnormal, without a model."""
    piece = synthesise(min(duration_s, PIECE_S), pvc_per_minute=6, sveb_per_minute=2, noise_mv=0.03, seed=seed)
    repeats = max(1, round(duration_s / PIECE_S))
    n_piece = round(piece.recording.duration_s * ANALYSIS_RATE_HZ)
    at = np.arange(n_piece) / ANALYSIS_RATE_HZ * 360
    lead = [np.interp(at, np.arange(piece.recording.n_samples), piece.recording.signal[:, i]) for i in range(2)]
    signal = snap_to_steps(np.tile(np.column_stack(lead).astype(np.float32), (repeats, 1)))
    letters = np.array([CLASSES.index({"V": "V", "A": "S"}.get(symbol, "N")) for symbol in piece.symbols], np.int8)
    times = np.concatenate([piece.r_sample / 360 + i * PIECE_S for i in range(repeats)])
    return _result(signal, times, np.tile(letters, repeats), piece.recording.signal[:2520, 0])


def _result(signal: FloatArray, times: np.ndarray, classes: np.ndarray, raw: FloatArray) -> Result:
    """Make a result whose maps are noise: as large in the page as real ones."""
    random = np.random.default_rng(5)
    rr = np.concatenate((np.full(1, np.nan, np.float32), (np.diff(times) * 1000).astype(np.float32)))
    result = make_result(
        times,
        sure(classes, 0.96),
        signal.shape[0] / ANALYSIS_RATE_HZ,
        random=random,
        rhythm=summarise_rhythm(times, rr, classes, np.ones(times.size, np.bool_)),
        chosen=np.flatnonzero(classes > 0)[2 : 2 + CHOSEN].tolist(),
        maps=tuple(MAPS),
        model=ModelFacts("benchmark", "none", datetime(2026, 1, 1, tzinfo=UTC), ("nothing",), _tests(), ()),
        signal_mv=signal,
        source_format="synthetic",
        lead_names=("II", "V1"),
        start_time=datetime(2026, 3, 4, 8, 0),
    )
    context = dict(zip(CONTEXT_NAMES, random.normal(0, 1, len(CONTEXT_NAMES)).tolist(), strict=True))
    chosen = tuple(replace(beat, context_shap=context) for beat in result.chosen)
    return replace(result, raw=RawExcerpt(0.0, 360.0, raw), chosen=chosen)


def _tests() -> dict[str, float]:
    """Make up how the methods did, so that the table of their tests is in the page."""
    measures = {f"{measure}{end}": 0.3 for measure in MEASURES for end in ("", "_low", "_high")}
    return {f"explanations.{method}.{name}": value for method in MAPS for name, value in measures.items()}


def _timed_report(result: Result, path: Path) -> tuple[Path, float]:
    started = time.perf_counter()
    write_report(result, path)
    return path, round(time.perf_counter() - started, 3)


def find_browser() -> str | None:
    """Return the path of a Chromium; None where none is installed."""
    return next((found for name in BROWSERS if (found := shutil.which(name))), None)


def _in_browser(short: Path, long: Path) -> dict[str, Any]:
    """Open both reports: errors in the console, requests to outside, first paint, and what axe-core finds."""
    browser_path = find_browser()
    if browser_path is None:
        nothing = dict.fromkeys(("first_paint_ms", "console_errors", "outside_requests"))
        return {**nothing, "accessibility": {"serious": None, "critical": None}}
    from playwright.sync_api import sync_playwright

    errors: list[str] = []
    outside: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=["--no-sandbox"])
        page = browser.new_page()
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("request", lambda asked: None if asked.url.startswith("file:") else outside.append(asked.url))
        page.goto(short.resolve().as_uri())
        # axe-core is put in by the test itself, past the page's policy.
        found = accessibility(browser.new_context(bypass_csp=True).new_page(), short)
        # A browser that has just started paints its first page late, whatever it is: the second one counts.
        page.goto(long.resolve().as_uri())
        first_paint = page.evaluate(_FIRST_PAINT)
        browser.close()
    return {
        "accessibility": found,
        "console_errors": len(errors),
        "outside_requests": len(outside),
        "first_paint_ms": round(float(first_paint)),
    }


def accessibility(page: Any, report: Path) -> dict[str, int | None]:  # noqa: ANN401 (Playwright has its own types)
    """Count what axe-core calls serious and critical, all parts unfolded; None where axe-core cannot be had."""
    script = axe_script(Path(tempfile.gettempdir()) / "ecg-axe")
    if script is None:
        return {"serious": None, "critical": None}
    page.goto(report.resolve().as_uri())
    page.evaluate("document.querySelectorAll('details').forEach(part => part.open = true)")
    page.add_script_tag(path=str(script))
    violations = page.evaluate("async () => (await axe.run()).violations.map(v => v.impact)")
    return {impact: violations.count(impact) for impact in ("serious", "critical")}


def axe_script(cache: Path) -> Path | None:
    """Return axe-core's script, brought by npm once; None where npm is missing or cannot bring it."""
    script = cache / "package" / "axe.min.js"
    if script.is_file():
        return script
    npm = shutil.which("npm")
    if npm is None:
        return None
    cache.mkdir(parents=True, exist_ok=True)
    brought = subprocess.run(
        [npm, "pack", f"axe-core@{AXE_VERSION}", "--silent"],
        cwd=cache, capture_output=True, timeout=120, check=False,
    )  # fmt: skip
    if brought.returncode:
        return None
    shutil.unpack_archive(cache / f"axe-core-{AXE_VERSION}.tgz", cache, filter="data")
    return script if script.is_file() else None


def paper_scale(report: Path) -> dict[str, float | None]:
    """Measure a second and a millivolt in the printed PDF, in millimetres.

    A second is the distance of neighbouring seconds' labels under the strips, a millivolt the height of the pulses.
    """
    if find_browser() is None or shutil.which("pdftocairo") is None:
        return {"mm_per_s": None, "mm_per_mv": None}
    pdf = print_pdf(report)
    heights = [found for page in range(1, 12) if (found := _pulse_height_mm(_page_as_svg(pdf, page)))]
    seconds = _seconds_mm(pdf)
    return {
        "mm_per_s": round(float(np.mean(seconds)), 3) if seconds else None,
        "mm_per_mv": round(float(np.mean(heights)), 3) if heights else None,
    }


def _seconds_mm(pdf: Path) -> list[float]:
    """Distances of labels ``0:00:08`` and ``0:00:09`` that stand on one line, from pdftotext's boxes."""
    command = ["pdftotext", "-bbox", str(pdf), "-"]
    text = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    box = r'<word xMin="([\d.]+)" yMin="([\d.]+)" xMax="([\d.]+)" yMax="[\d.]+">(\d+):(\d\d):(\d\d)</word>'
    found = [
        ((float(x0) + float(x1)) / 2, float(y), int(h) * 3600 + int(m) * 60 + int(s))
        for x0, y, x1, h, m, s in re.findall(box, text)
    ]
    # On one line and a second apart; other figures have labels that are further apart.
    found.sort(key=lambda label: (round(label[1], 1), label[0]))
    return [
        (b[0] - a[0]) / 72 * 25.4
        for a, b in itertools.pairwise(found)
        if b[2] - a[2] == 1 and abs(b[1] - a[1]) < 0.1 and b[0] > a[0]
    ]


def _page_as_svg(pdf: Path, page: int) -> str:
    command = ["pdftocairo", "-svg", "-f", str(page), "-l", str(page), str(pdf), "-"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def _pulse_height_mm(svg: str) -> float | None:
    """Height of the first calibration pulse on a page: a path of five right-angled steps."""
    number = r"(-?[\d.]+)"
    pattern = rf'd="M {number} {number}' + rf" L {number} {number}" * 5 + r'\s*"[^>]*?transform="matrix\(([^)]*)\)"'
    for match in re.finditer(pattern, svg):
        *coordinates, matrix = match.groups()
        xy = [float(c) for c in coordinates]
        _, b, c, d, _, _ = (float(m) for m in matrix.split(","))
        x, y = xy[::2], xy[1::2]
        right_angled = x[1] == x[2] and x[3] == x[4] and y[2] == y[3] and y[0] == y[5]
        if right_angled and x[3] != x[2] and not (b or c):
            return abs(y[2] - y[1]) * abs(d) / 72 * 25.4
    return None
