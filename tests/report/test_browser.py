"""The report in a real Chromium: no error, nothing asked of the network, true to scale on paper."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from ecg_core.report import paper, write_report

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed here (Debian: chromium)")


def chromium(tmp_path: Path, *args: str) -> subprocess.CompletedProcess[str]:
    quiet = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        f"--user-data-dir={tmp_path / 'profile'}",
    ]
    return subprocess.run([CHROMIUM, *quiet, *args], capture_output=True, text=True, timeout=120, check=True)


def test_it_opens_without_console_errors_or_refused_content(usual, tmp_path):
    path = write_report(usual, tmp_path / "report.html").path
    done = chromium(tmp_path, "--enable-logging=stderr", "--dump-dom", path.as_uri())
    assert "One run of ventricular beats" in done.stdout
    assert "CONSOLE" not in done.stderr
    # The style was taken: without it the policy's refusal would stand in the console.
    assert not re.search(r"Refused|violates", done.stderr)


def test_a_broken_policy_would_be_noticed(usual_html, tmp_path):
    path = tmp_path / "broken.html"
    path.write_text(usual_html.replace("</style>", " </style>"), encoding="utf-8")
    done = chromium(tmp_path, "--enable-logging=stderr", "--dump-dom", path.as_uri())
    assert re.search(r"CONSOLE.*(Refused|violates)", done.stderr)


@pytest.mark.skipif(shutil.which("pdftocairo") is None, reason="pdftocairo is not installed here (poppler-utils)")
def test_it_prints_true_to_scale(usual, tmp_path):
    path = write_report(usual, tmp_path / "report.html").path
    pdf = tmp_path / "report.pdf"
    chromium(tmp_path, "--no-pdf-header-footer", f"--print-to-pdf={pdf}", path.as_uri())
    pulses = [pulse for page in range(1, 8) if (pulse := _calibration_mm(_page_as_svg(pdf, page)))]
    assert len(pulses) >= 2
    for width_mm, height_mm in pulses:
        assert width_mm == pytest.approx(paper.PULSE_MM, rel=0.01)
        assert height_mm == pytest.approx(paper.PULSE_MV * paper.MM_PER_MV, rel=0.01)


def _page_as_svg(pdf: Path, page: int) -> str:
    number = str(page)
    done = subprocess.run(
        ["pdftocairo", "-svg", "-f", number, "-l", number, str(pdf), "-"], capture_output=True, text=True, check=False
    )
    return done.stdout


def _calibration_mm(svg: str) -> tuple[float, float] | None:
    """Width and height of the first calibration pulse on the page: a path of five right-angled steps."""
    number = r"(-?[\d.]+)"
    pattern = rf'd="M {number} {number}' + rf" L {number} {number}" * 5 + r'\s*"[^>]*?(?:transform="matrix\(([^)]*)\)")'
    for match in re.finditer(pattern, svg):
        *coordinates, matrix = match.groups()
        xy = [float(c) for c in coordinates]
        a, b, c, d, _, _ = (float(m) for m in matrix.split(","))
        if b or c:
            continue
        x, y = xy[::2], xy[1::2]
        width, height = abs(x[3] - x[2]) * abs(a), abs(y[2] - y[1]) * abs(d)
        if x[1] == x[2] and x[3] == x[4] and y[2] == y[3] and y[0] == y[5] and width:
            return width / 72 * 25.4, height / 72 * 25.4
    return None
