"""`ecg benchmark throughput`: a recording of the test patients' real ones through the corridor, beside today's way."""

import json
from pathlib import Path

import pytest
import wfdb
from pydantic import PostgresDsn
from typer.testing import CliRunner

from benchmarks.throughput import day_of_test_patients, figures, home_of_its_own, measure
from ecg_core.cli.app import app
from ecg_core.errors import DatasetUnavailable, EcgError

STAGES = ("start", "arrive", "read", "clean", "quality", "detect", "beats", "classify", "explain", "store", "report")


@pytest.fixture(scope="module")
def printed(mitdb, tmp_path_factory):
    """What the command prints for 90 seconds of real recording."""
    environment = {"ECG_PHYSIONET_BASE": str(mitdb.parents[1]), "ECG_HOME": str(tmp_path_factory.mktemp("home"))}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        from ecg_core import settings

        settings._load.cache_clear()
        done = CliRunner().invoke(app, ["benchmark", "throughput", "--json", "--quick", "--hours", "0.025"])
        settings._load.cache_clear()
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout[done.stdout.index("{") :])


def test_the_names_that_other_programs_read_are_there(printed):
    assert {"seconds", "stages", "beats", "peak_rss_mb", "speedup"} <= set(printed)
    assert set(STAGES) <= set(printed["stages"])
    assert printed["hours"] == 0.025
    assert 80 < printed["beats"] < 180, "a minute and a half of a heart"
    assert 100 < printed["peak_rss_mb"] < 2000
    assert {"speedup_maps_in_batches", "speedup_without_maps", "beats_with_shapley"} <= set(printed)
    assert sum(printed["stages"].values()) <= printed["seconds"] + 0.5
    assert all(seconds > 0 for seconds in printed["today"]["seconds_per_beat"].values())


def test_the_ratio_is_that_of_the_steps():
    scored = {"seconds": 10.0, "beats": 1000, "beats_with_shapley": 50, "beats_in_full": 12}
    steps = {"read": 0.001, "clean": 0.002, "peaks": 0.003, "predict_1": 9.0, "predict_32": 0.004}
    steps |= {"maps_1": 0.05, "maps_32": 0.002, "shap": 0.3, "figure": 0.5}
    found = figures(scored, {"seconds_per_beat": steps})
    without = 1000 * 0.010 + 50 * 0.3 + 12 * 0.5
    assert found["today_seconds"] == pytest.approx(without + 1000 * 0.05)
    assert found["speedup"] == pytest.approx((without + 50) / 10)
    assert found["speedup_maps_in_batches"] == pytest.approx((without + 2) / 10)
    assert found["speedup_without_maps"] == pytest.approx(without / 10)
    assert found["speedup_all_beats_by_shap"] == pytest.approx(31.6)


def test_a_day_is_the_patients_one_after_the_other(mitdb, tmp_path):
    header = day_of_test_patients(mitdb, tmp_path, hours=0.6)
    made = wfdb.rdrecord(str(header.with_suffix("")))
    assert made.p_signal.shape == (777_600, 2)
    first, second = (wfdb.rdrecord(str(mitdb / name)).p_signal for name in ("100", "103"))
    assert (made.p_signal[:650_000] == first).all()
    assert (made.p_signal[650_000:] == second[:127_600]).all()


def test_more_than_all_of_them_begins_again(mitdb, tmp_path):
    only = tmp_path / "one"
    only.mkdir()
    (only / "100.dat").write_bytes((mitdb / "100.dat").read_bytes())
    made = wfdb.rdrecord(str(day_of_test_patients(only, tmp_path, hours=0.55).with_suffix("")))
    assert (made.p_signal[650_000:] == made.p_signal[: made.sig_len - 650_000]).all()


def test_a_folder_without_test_patients_is_named(tmp_path):
    with pytest.raises(DatasetUnavailable, match="ecg fetch mitdb"):
        day_of_test_patients(tmp_path, tmp_path / "inbox", 1.0)


def test_a_process_that_fails_is_told_with_its_own_words(mitdb, stack_settings, empty_database, tmp_path):
    own = stack_settings.model_copy(update={"home": tmp_path, "database_url": PostgresDsn(empty_database), "inbox": ""})
    with pytest.raises(EcgError, match=r"ended with code 1(.|\n)*set aside(.|\n)*at least"):
        measure(own, mitdb, hours=0.0005)


def test_hours_that_make_no_sense_are_refused():
    for hours in ("0", "-3", "1000", "day"):
        assert CliRunner().invoke(app, ["benchmark", "throughput", "--hours", hours]).exit_code == 2


def test_its_home_is_gone_afterwards(stack_settings):
    with pytest.raises(RuntimeError, match="halfway"), home_of_its_own(stack_settings) as own:  # noqa: PT012
        home = Path(own.home)
        assert home != stack_settings.home
        assert str(own.database_url) != str(stack_settings.database_url)
        raise RuntimeError("halfway")
    assert not home.exists()
