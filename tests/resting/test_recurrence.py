import numpy as np
import pytest

from ecg_core.resting.recurrence import SIZE, recurrence_plots


def test_a_periodic_lead_recurs_at_its_period_and_a_ramp_does_not():
    t = np.arange(1000)
    leads = np.stack([np.sin(2 * np.pi * t / 100), t / 1000]).astype(np.float32)
    plot = recurrence_plots(leads[None])[0].astype(float)
    assert plot.shape == (SIZE, SIZE, 2)
    np.testing.assert_array_equal(plot, plot.transpose(1, 0, 2))
    np.testing.assert_array_equal(np.diagonal(plot[..., 0], 10), np.diagonal(plot[..., 0])[:-10])
    assert plot[0, -1, 1] == 0
    assert plot.max() <= 100


def test_a_flat_lead_recurs_throughout_and_units_do_not_matter():
    assert (recurrence_plots(np.zeros((1, 1, 1000), dtype=np.float32)) == 100).all()
    noise = np.random.default_rng(0).normal(size=(1, 1, 1000)).astype(np.float32)
    np.testing.assert_array_equal(recurrence_plots(noise), recurrence_plots(noise * 4))


@pytest.mark.parametrize("shape", [(1, 12, 999), (12, 1000)])
def test_another_length_is_refused(shape):
    with pytest.raises(ValueError, match="1000"):
        recurrence_plots(np.zeros(shape, dtype=np.float32))
