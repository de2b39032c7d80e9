"""A report on paper, by a headless Chromium."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from ecg_core.errors import SettingsError

BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome", "chrome")
PRINT_TIMEOUT_S: Final = 180


def print_pdf(html: Path, *, everything: bool = False, timeout_s: float = PRINT_TIMEOUT_S) -> Path:
    """Print a report to PDF beside it with a headless Chromium, true to scale.

    Parameters
    ----------
    html : Path
    everything : bool
        All strips and explanations too, not only what a reader signs from.
    timeout_s : float

    Raises
    ------
    SettingsError
        None is installed, or it fails.
    """
    browser = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if browser is None:
        raise SettingsError(
            "A PDF is printed by Chromium, and none is installed here.",
            "Install it (Debian: apt-get install chromium), or print the HTML file from any browser at 100 %.",
        )
    pdf = html.with_suffix(".pdf")
    with tempfile.TemporaryDirectory() as profile:
        command = [browser, "--headless", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
        # Its sandbox does not start for root, nor in most containers; the page is ours and reaches no network.
        command += ["--no-sandbox", f"--user-data-dir={profile}", "--no-pdf-header-footer"]
        done = subprocess.run(
            [*command, f"--print-to-pdf={pdf}", html.resolve().as_uri() + ("#everything" if everything else "")],
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
    if done.returncode or not pdf.is_file():
        raise SettingsError(f"{Path(browser).name} printed nothing.", done.stderr.strip()[-300:] or "Try again.")
    return pdf
