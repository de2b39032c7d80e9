"""The figures of the measurements: shares with their intervals, areas that a made ranking gives, empty groups."""

from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks import resting_measurements as benchmark
from ecg_core.datasets import ptbxl


def case(patient, value):
    return SimpleNamespace(record=SimpleNamespace(patient=patient), value=value)


def test_an_area_is_the_share_of_pairs_in_order():
    yes = [case(f"y{k}", value) for k, value in enumerate((3.0, 5.0, 2.0))]
    no = [case(f"n{k}", value) for k, value in enumerate((1.0, 2.0, 4.0, 0.0))]
    row = benchmark._auc_row(yes, no, lambda one: one.value)
    assert row["auc"] == pytest.approx((3 + 4 + 2.5) / 12)
    assert row["ci"][0] <= row["auc"] <= row["ci"][1]
    assert benchmark._auc_row(yes, [], lambda one: one.value)["auc"] is None


def test_wilson_s_interval_holds_the_share():
    row = benchmark._share([True] * 9 + [False])
    assert row["share"] == 0.9
    assert row["ci"] == pytest.approx([0.596, 0.982], abs=0.002)
    assert benchmark._share([True] * 5)["ci"][1] == 1.0
    assert benchmark._share([])["share"] is None


def test_all_tables_of_a_few_real_records(ptb_xl):
    records = [record for record in ptbxl.records(ptb_xl) if record.fold == 3][:12]
    every = benchmark.cases(ptb_xl, records)
    assert len(every) == len(records)
    rows = [*benchmark.axis_rows(every), *benchmark.criteria_rows(every)]
    assert all(len(row) > 2 for row in rows)
    shares = [part["share"] for row in rows for part in row.values() if isinstance(part, dict) and part["n"]]
    assert shares
    assert all(0 <= share <= 1 for share in shares)
    timed = benchmark.timing([one.recording for one in every[:3]])
    assert 0 < timed["resting_ms"] < timed["with_signal_and_waves_ms"]
    assert np.isfinite(list(timed.values())).all()
