"""Exchanged electrodes are found, and none where none are; the median beat is that of the exchanged signal."""

from dataclasses import replace

import numpy as np
import pytest

from ecg_core.datasets import ptbxl
from ecg_core.resting.reversal import UNDO, exchanged


def kinds(ecg):
    return {finding.kind: finding for finding in ecg.findings}


def reversals(ecg):
    return {kind for kind in kinds(ecg) if kind.startswith(("reversal", "limb"))}


def changed(recording, change):
    return replace(recording, signal=np.ascontiguousarray(change(recording.signal)))


def test_a_right_recording_has_none(made, read):
    assert reversals(read(made())) == set()


@pytest.mark.parametrize("kind", list(UNDO))
def test_exchanged_limbs_are_named_and_cast_doubt_on_all_else(made, read, kind):
    ecg = read(changed(made(rr_s=0.5), lambda signal: exchanged(signal.T, kind).T))
    assert reversals(ecg) == {kind}
    others = [finding for finding in ecg.findings if finding.kind != kind]
    assert others
    assert all("leads_reversed" in finding.doubts for finding in others)


@pytest.mark.parametrize("kind", list(UNDO))
def test_exchanging_twice_changes_nothing(kind):
    rows = np.random.default_rng(0).normal(size=(12, 50))
    assert exchanged(exchanged(rows, kind), kind) == pytest.approx(rows)
    # Einthoven and Goldberger hold after it as before.
    leads = np.concatenate([rows[:2], [rows[1] - rows[0], -(rows[0] + rows[1]) / 2]])
    leads = np.concatenate([leads, [rows[0] - rows[1] / 2, rows[1] - rows[0] / 2], rows[6:]])
    out = exchanged(leads, kind)
    assert out[2] == pytest.approx(out[1] - out[0])
    assert out[3:6].sum(axis=0) == pytest.approx(np.zeros(50), abs=1e-9)


@pytest.mark.parametrize(
    ("order", "leads"),
    [((1, 0, 2, 3, 4, 5), {"V1", "V2"}), ((0, 1, 3, 2, 4, 5), {"V3", "V4"}), ((5, 4, 3, 2, 1, 0), {"V1", "V6"})],
)
def test_a_wrong_order_of_chest_leads_is_found(made, read, order, leads):
    ecg = read(changed(made(), lambda signal: signal[:, [*range(6), *(6 + k for k in order)]]))
    assert leads <= set(kinds(ecg)["reversal_chest"].leads)


def test_a_right_leg_electrode_on_an_arm_leaves_a_flat_lead(made, read):
    def right_arm_on_right_leg(signal):
        one = signal[:, 1:2] - signal[:, :1]
        noise = np.random.default_rng(2).normal(0, 0.004, (signal.shape[0], 1)).astype(np.float32)
        two = noise
        limbs = [-one, two, two + one, -(two - one) / 2, -one - two / 2, two + one / 2]
        return np.concatenate([*limbs, signal[:, 6:]], axis=1)

    finding = kinds(read(changed(made(), right_arm_on_right_leg))).get("reversal_right_leg")
    assert finding is not None
    assert finding.leads == ("II",)


@pytest.mark.parametrize("limbs", [(1, 0, 2, 3, 4, 5), (0, 1, 2, 3, 5, 4)])
def test_leads_that_break_einthovens_law_are_said(made, read, limbs):
    order = [*limbs, *range(6, 12)]
    assert "limb_leads_inconsistent" in reversals(read(changed(made(), lambda signal: signal[:, order])))


def test_arms_exchanged_in_real_normal_records(ptb_xl, read):
    normal = [record for record in ptbxl.records(ptb_xl) if "NORM" in record.superclasses][:40]
    right, wrong = 0, 0
    for recording in ptbxl.recordings(ptb_xl, normal):
        wrong += "reversal_arms" in reversals(read(recording))
        right += "reversal_arms" in reversals(read(changed(recording, lambda s: exchanged(s.T, "reversal_arms").T)))
    assert right >= 0.95 * len(normal)
    assert wrong <= 0.02 * len(normal)


def test_a_paced_beat_points_anywhere_and_is_no_exchange(ptb_xl, read):
    """Record 144: paced, QRS 208 ms, lead I against V5 and V6, no P wave."""
    (record,) = [record for record in ptbxl.records(ptb_xl) if record.ecg_id == 144]
    (recording,) = ptbxl.recordings(ptb_xl, [record])
    assert reversals(read(recording)) == set()
