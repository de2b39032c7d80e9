"""An inbox, a database of its own, and settings that join them."""

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from pydantic import PostgresDsn

from ecg_core.datasets import synth
from ecg_core.pipeline.versions import prepare_database
from ecg_core.settings import Settings
from ecg_core.store import migrate, open_engine


@pytest.fixture
def settings(database: str, tmp_path: Path, loaded_once: None) -> Settings:
    """Settings of a platform of its own: empty database with the shipped champion, empty inbox."""
    made = Settings(
        _env_file=None,
        home=tmp_path / "home",
        inbox=str(tmp_path / "inbox"),
        database_url=PostgresDsn(database),
        settle_s=0.0,
        chunk_size=2,
        explained_beats=2,
    )
    (tmp_path / "inbox").mkdir()
    prepare_database(made)
    return made


@pytest.fixture(scope="session")
def migrated(new_database: Callable[..., AbstractContextManager[str]]) -> Iterator[str]:
    """One migrated database without models, for all tests that need none: making one takes longer than most tests."""
    with new_database("looks") as url:
        migrate(open_engine(url))
        yield url


@pytest.fixture(scope="session")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three short generated recordings, WFDB with annotations."""
    folder = tmp_path_factory.mktemp("generated")
    for seed, name in enumerate(("a", "b", "c")):
        synth.write_wfdb(synth.synthesise(30.0, pvc_per_minute=8.0, seed=seed), folder, name)
    return folder


@pytest.fixture
def arrive(generated: Path, settings: Settings) -> Callable[..., Path]:
    """Put a generated recording into the inbox, under its own or another name."""

    def put(name: str, as_name: str | None = None) -> Path:
        target = Path(settings.inbox) / (as_name or name)
        header = (generated / f"{name}.hea").read_text()
        renamed = re.sub(rf"^{name}(?=[ .])", target.name, header, flags=re.MULTILINE)
        shutil.copyfile(generated / f"{name}.dat", target.with_suffix(".dat"))
        target.with_suffix(".hea").write_text(renamed)
        return target.with_suffix(".hea")

    return put


@pytest.fixture
def resting_result():
    """Return a made-up result that was measured as a resting ECG."""
    from dataclasses import replace

    from benchmarks.made_up import drawn
    from ecg_core.result import Evidence, Finding
    from ecg_core.result.resting import Resting

    urgent = Finding("st_elevation", "urgent", (Evidence(0.0, 10.0),), leads=("II", "III", "aVF"))
    return replace(drawn("N" * 12), resting=Resting(), findings=(urgent,))
