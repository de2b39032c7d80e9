"""Bad leads are told on recordings that were not learned from."""

import numpy as np
import pytest

from ecg_core.errors import DatasetUnavailable
from ecg_core.training.lead_quality import DATABASE, LABELS, LabelledLeads, area, read_leads, said_on_folds


@pytest.fixture(scope="module")
def few(physionet_base, tmp_path_factory) -> LabelledLeads:
    """Twenty recordings in which some leads are bad and others are not."""
    folder = physionet_base / DATABASE
    if not (folder / LABELS).is_file():
        pytest.skip("the Challenge of 2011 is not at hand")
    head, *rows = (folder / LABELS).read_text().splitlines()
    mixed = [row for row in rows if 2 <= row.split(",")[2:].count("1") <= 10][:20]
    there = tmp_path_factory.mktemp("set-a")
    (there / LABELS).write_text("\n".join([head, *mixed]) + "\n")
    for row in mixed:
        for path in folder.glob(f"{row.split(',')[0]}.*"):
            (there / path.name).symlink_to(path)
    return read_leads(there)


def test_leads_of_recordings_never_seen_are_told(few):
    assert few.bad.size == 12 * 20
    assert not few.bad_in_all().any()
    assert np.isfinite(few.features).all()
    auc, (low, high) = area(few, said_on_folds(few), np.ones(few.bad.size, bool))
    assert auc > 0.85
    assert low < auc < high


def test_labels_that_say_nothing_are_not_told(few):
    shuffled = LabelledLeads(few.features, np.random.default_rng(0).permutation(few.bad), few.record, few.index)
    auc, _ = area(shuffled, said_on_folds(shuffled), np.ones(few.bad.size, bool))
    assert 0.3 < auc < 0.7


def test_recordings_that_are_bad_throughout_are_named():
    bad = np.array([True] * 3 + [True, False, False])
    leads = LabelledLeads(np.zeros((6, 1)), bad, np.array(["a"] * 3 + ["b"] * 3), np.zeros(6))
    assert leads.bad_in_all().tolist() == [True] * 3 + [False] * 3


def test_where_the_labels_are_missing_it_is_said(tmp_path):
    with pytest.raises(DatasetUnavailable, match=r"LEADS\.csv"):
        read_leads(tmp_path)
