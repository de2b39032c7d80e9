"""The nightly upkeep, and made-up data, on a real database."""

from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import make_url, text

from benchmarks import fill, mart
from benchmarks.made_up import varied
from ecg_core.errors import StoreError
from ecg_core.labels import CLASSES
from ecg_core.operations import maintenance
from ecg_core.settings import Settings
from ecg_core.store import arrivals, ledger, partitions, write_result
from ecg_core.store import drift as drift_rows
from ecg_core.store.arrivals import Arrival
from ecg_core.store.database import owner_engine, store_engine


def test_partitions_of_the_coming_months_are_made(settings: Settings):
    this = partitions.month_of(datetime.now(UTC))
    expected = [str(partitions.next_month(this, ahead)) for ahead in range(3)]
    assert maintenance.make_partitions(settings) == maintenance.make_partitions(settings) == expected
    with store_engine(settings).connect() as conn:
        for month in expected:
            name = f"ecg.beat_{month[:7].replace('-', '_')}"
            assert conn.execute(text("SELECT to_regclass(:name)"), {"name": name}).scalar_one()


def test_nothing_is_dropped_unless_a_setting_says_so(settings: Settings):
    with store_engine(settings).begin() as conn:
        partitions.ensure_partitions(conn, date(2001, 1, 1))
    assert settings.retention_months == 0
    assert maintenance.drop_old_partitions(settings) == []
    keeps_a_year = settings.model_copy(update={"retention_months": 12})
    assert "beat_2001_01" in maintenance.drop_old_partitions(keeps_a_year)
    assert maintenance.drop_old_partitions(keeps_a_year) == []


def test_expired_claims_wait_again_and_others_stay(settings: Settings):
    with store_engine(settings).begin() as conn:
        for name in "ab":
            arrivals.register(
                conn, [Arrival(source=name, recording_id=name * 64, size_bytes=1, changed_at=0.0, staged_path=name)]
            )
        ledger.claim(conn, ["a" * 64], "dead", -5.0)
        ledger.claim(conn, ["b" * 64], "alive", 600.0)
    assert maintenance.free_abandoned_claims(settings) == 1
    with store_engine(settings).connect() as conn:
        states = conn.execute(text("SELECT state, attempts FROM ecg.ingest_ledger ORDER BY recording_id")).tuples()
        assert list(states) == [("waiting", 1), ("claimed", 1)]


def test_drift_is_measured_against_the_champions_training_data(settings: Settings):
    from ecg_core.models import SHIPPED_VERSION

    with store_engine(settings).begin() as conn:
        write_result.write_result(conn, varied(2_000, version=SHIPPED_VERSION), "test")
    ((key, indices),) = maintenance.measure_drift(settings).items()
    assert key.startswith(SHIPPED_VERSION)
    assert {"class", "deviation_z"} <= set(indices)
    # The maker's z-scores and classes are drawn much as the training data's are.
    assert 0 < indices["deviation_z"] < 0.1
    assert 0 < indices["class"] < 0.1
    assert maintenance.measure_drift(settings) == {key: indices}
    with store_engine(settings).connect() as conn:
        row = conn.execute(text("SELECT * FROM ecg_mart.drift WHERE quantity = 'class'")).one()
        assert row.bins == list(CLASSES)
        assert sum(row.shares) == pytest.approx(1)
        assert row.n_beats == conn.execute(text("SELECT n_beats_analysable FROM ecg_mart.score")).scalar_one()


def test_drift_reads_the_training_beats_where_they_are(settings: Settings, small_base: Path):
    """The first minutes of a few training records stand for all of them."""
    from ecg_core.datasets.databases import DATABASES
    from ecg_core.models import SHIPPED_VERSION

    folder = settings.datasets_dir / "mitdb" / DATABASES["mitdb"].version
    folder.parent.mkdir(parents=True)
    folder.symlink_to(small_base / "mitdb" / "1.0.0")
    assert set(maintenance.remember_references(settings, SHIPPED_VERSION)) == set(drift_rows.BINS)
    assert maintenance.remember_references(settings, SHIPPED_VERSION) == []
    with store_engine(settings).connect() as conn:
        for row in conn.execute(text("SELECT * FROM ecg.drift_reference")):
            assert sum(row.shares) == pytest.approx(1, abs=1e-6)
            assert len(row.bins) == len(row.shares)


def test_stability_index_by_hand():
    assert drift_rows.stability_index([0.5, 0.5], [0.5, 0.5]) == 0
    by_hand = (0.6 - 0.5) * np.log(0.6 / 0.5) + (0.4 - 0.5) * np.log(0.4 / 0.5)
    assert drift_rows.stability_index([0.6, 0.4], [0.5, 0.5]) == pytest.approx(by_hand)
    assert np.isfinite(drift_rows.stability_index([1.0, 0.0], [0.0, 1.0]))


def test_a_days_histogram_is_that_of_its_beats(settings: Settings):
    result = varied(3_000)
    with store_engine(settings).begin() as conn:
        write_result.write_result(conn, result, "test")
        for quantity, bins in drift_rows.BINS.items():
            share = tuple([1 / len(bins)] * len(bins))
            drift_rows.write_references(
                conn, result.model.version, [drift_rows.Reference(quantity, share, None, None, "even")]
            )
        drift_rows.measure_day(conn, result.model.version, datetime.now(UTC).date())
        found = {row.quantity: row for row in conn.execute(text("SELECT * FROM ecg.drift"))}
    beats, good = result.beats, result.beats.analysable
    called = beats.probabilities[np.arange(len(beats)), beats.class_index][good]
    bounds = [float(bound) for bound in drift_rows.BINS["class_probability"]]
    expected = np.histogram(called.astype(float), [*bounds[:1], *bounds[1:], np.inf])[0] / called.size
    assert found["class_probability"].shares == pytest.approx(expected.tolist())
    assert found["class_probability"].mean == pytest.approx(float(called.mean()), rel=1e-5)
    of_n = beats.deviation[good & (beats.class_index == 0)]
    assert found["deviation_z"].n_beats == of_n.size
    ratio = 2 * np.log2(beats.rr_next_ms[good].astype(float) / beats.rr_prev_ms[good])
    assert found["rr_next_to_rr_prev"].mean == pytest.approx(float(np.nanmean(ratio)), rel=1e-4)


def test_made_up_data_keep_every_rule_and_are_refused_among_real_ones(settings: Settings):
    engine = owner_engine(settings)
    filled = fill.fill_database(engine, 120_000)
    assert filled.beats >= 120_000
    assert set(maintenance.run_checks(settings, everything=True).values()) == {0}
    with engine.begin() as conn:
        assert conn.execute(text("SELECT bool_and(synthetic) FROM ecg.recording")).scalar_one()
        write_result.write_result(conn, varied(10, seed=999_999, synthetic=False), "test")
    with pytest.raises(StoreError, match="holds real recordings"):
        fill.fill_database(engine, 10)


def test_the_benchmark_gives_its_figures_and_leaves_the_results_database_alone(settings: Settings):
    url = str(settings.database_url)
    name = f"{make_url(url).database}_made_up"
    address = mart.made_up_database(url, name)
    try:
        mart.fill_to(address, 30_000)
        figures = mart.measure_mart(address, n_copied=1).as_json()
    finally:
        mart.drop_made_up_database(url, name)
    assert figures["beats"] >= 30_000
    assert figures["copy_rows_per_second"] > 0
    examples = {path.stem for path in mart.EXAMPLES_DIR.glob("*.sql")}
    assert examples < set(figures["queries"])
    for timed in figures["queries"].values():
        assert timed["grain"] in ("hourly", "recording", "drift", "beat")
        assert timed["rows"] >= 0
        assert timed["seconds"] >= 0
    with store_engine(settings).connect() as conn:
        assert conn.execute(text("SELECT count(*) FROM ecg.recording")).scalar_one() == 0


def test_a_hostile_database_name_is_refused(settings: Settings):
    with pytest.raises(StoreError, match="is no name"):
        mart.made_up_database(str(settings.database_url), 'x"; DROP DATABASE ecg; --')
