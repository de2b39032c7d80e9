"""What the report says of explanations: which methods and in which order, what moved a beat, when not to rely on it."""

import re
from dataclasses import replace

import numpy as np
import pytest

from ecg_core.report import render
from ecg_core.report.methods import MethodTests, agreement
from ecg_core.report.shapley import blend_sentence, called_sentence, class_sentences, share_here, share_table
from ecg_core.report.trust import trust_view
from ecg_core.report.why import explain
from ecg_core.result import PLAYERS, Blend, ShapleyValues
from ecg_core.result.methods import MAPS

GOOD = {
    "randomisation_correlation": 0.2,
    "deletion_gain": 0.1,
    "deletion_gain_low": 0.05,
    "deletion_gain_high": 0.2,
    "stability": 0.7,
}


def figures_of(**methods):
    return {f"explanations.{name}.{measure}": v for name, row in methods.items() for measure, v in row.items()}


def with_figures(result, **methods):
    return replace(result, model=replace(result.model, figures={**result.model.figures, **figures_of(**methods)}))


# which methods, in which order


@pytest.mark.parametrize(
    ("row", "verdict"),
    [
        (GOOD, "passed"),
        (GOOD | {"randomisation_correlation": 0.51}, "insensitive"),
        (GOOD | {"randomisation_correlation": 0.5}, "passed"),
        (GOOD | {"deletion_gain_low": 0.0}, "failed"),
        (GOOD | {"stability": 0.65}, "failed"),
        (GOOD | {"stability": float("nan")}, "untested"),
        ({"stability": 0.9}, "untested"),
        ({"passed": 1.0}, "passed"),
        (GOOD | {"passed": 0.0}, "failed"),
        # Whatever a flag says: what does not change with the weights shows nothing of the model.
        (GOOD | {"passed": 1.0, "randomisation_correlation": 0.8}, "insensitive"),
        ({}, "untested"),
    ],
)
def test_a_method_passes_all_tests_or_none(row, verdict):
    assert MethodTests(figures_of(shap=row)).verdict("shap") == verdict


def test_what_passed_comes_first_and_what_is_insensitive_last():
    tests = MethodTests(
        figures_of(
            gradcam=GOOD,
            saliency=GOOD | {"randomisation_correlation": 0.9, "deletion_gain": 0.9},
            shap=GOOD | {"deletion_gain_low": -0.1, "deletion_gain": 0.5},
            smoothgrad=GOOD | {"deletion_gain": 0.3},
        )
    )
    order = ["smoothgrad", "gradcam", "guided_gradcam", "shap", "saliency"]
    assert tests.in_order(reversed(order)) == order
    first = MethodTests(figures_of(gradcam=GOOD | {"offered_first": 1.0}, smoothgrad=GOOD | {"deletion_gain": 0.3}))
    assert first.in_order(["smoothgrad", "gradcam"])[0] == "gradcam"
    assert MethodTests({}).in_order(MAPS[::-1]) == list(MAPS)


def test_insensitive_methods_are_marked_and_not_first(usual):
    view = explain(with_figures(usual, shap=GOOD | {"randomisation_correlation": 0.7}, gradcam=GOOD))
    assert view.methods[0] == ("gradcam", "Grad-CAM")
    assert view.methods[-1] == ("shap", "SHAP (insensitive)")
    html = render(with_figures(usual, shap=GOOD | {"randomisation_correlation": 0.7}, gradcam=GOOD))
    assert re.search(r'id="over-gradcam" checked', html)


@pytest.mark.parametrize(
    ("methods", "told"),
    [
        ({}, "were not tested; do not rely on them"),
        ({"shap": GOOD | {"stability": 0.1}, "gradcam": GOOD | {"deletion_gain_low": -1}}, "failed their test"),
        ({"shap": GOOD | {"randomisation_correlation": 1.0}}, "failed their test; do not rely on them"),
        ({"shap": GOOD, "gradcam": GOOD | {"stability": 0.1}}, None),
    ],
)
def test_a_banner_says_when_not_to_rely_on_them(usual, methods, told):
    view = explain(with_figures(usual, **methods))
    assert (view.banner is None) == (told is None)
    html = render(with_figures(usual, **methods))
    if told:
        assert told in view.banner.text
        assert told.split(";")[0] in html
    assert (trust_view(with_figures(usual, **methods)).explanations_failed is not None) == (
        told is not None and "failed" in told
    )


def test_nothing_explained_needs_no_warning(build):
    assert explain(build("NNN", n_chosen=0)).banner is None


def test_the_tests_stand_in_the_trust_section(usual):
    figures = GOOD | {"beats_per_second": 1234.0, "randomisation_correlation_absolute": 0.61}
    table = trust_view(with_figures(usual, shap=figures, lime={})).explanations
    wanted = ("Method", "Test", "Randomisation", "Without signs", "Deletion gain", "Stability", "Beats a second")
    assert table.columns == wanted
    assert table.rows == (("SHAP", "passed", "0.20", "0.61", "0.10 (0.05 to 0.20)", "0.70", "1,234"),)


# how far they agree


def test_agreement_of_known_maps(usual):
    x = np.arange(256, dtype=np.float32)
    maps = {"saliency": x, "smoothgrad": x**2, "gradcam": x[::-1].copy(), "guided_gradcam": np.zeros(256, np.float32)}
    found = agreement(replace(usual.chosen[0], attributions=maps))
    assert found["saliency", "smoothgrad"] == pytest.approx(1)
    assert found["gradcam", "saliency"] == pytest.approx(-1, abs=0.02)
    assert not any("guided_gradcam" in pair for pair in found), "a level map agrees with nothing"


def test_a_sign_does_not_make_maps_differ_on_where(usual):
    x = np.zeros(256, np.float32)
    x[100:140] = np.linspace(1, 2, 40)
    maps = {"shap": x, "integrated_gradients": -x}
    assert agreement(replace(usual.chosen[0], attributions=maps))["integrated_gradients", "shap"] == pytest.approx(1)


def test_ranks_are_those_of_scipy(usual):
    from scipy.stats import spearmanr

    random = np.random.default_rng(3)
    one, other = (np.abs(random.normal(0, 1, 256)).round(1).astype(np.float32) for _ in range(2))
    found = agreement(replace(usual.chosen[0], attributions={"saliency": one, "gradcam": other}))
    bins = [np.maximum.reduceat(v.astype(float), np.arange(0, 256, 5)) for v in (other, one)]
    assert found["gradcam", "saliency"] == pytest.approx(spearmanr(*bins).statistic)


def test_the_agreement_is_told_of_each_beat_and_of_all(usual):
    view = explain(usual)
    assert "the methods" in " ".join(view.cards[0].sentences)
    table = next(t for t in view.tables if "agree" in t.caption)
    assert len(table.rows) == len(table.columns) - 1 == 3
    assert all(cell for i, row in enumerate(table.rows) for cell in row[1 : i + 2])
    alone = replace(
        usual, chosen=tuple(replace(c, attributions={"shap": c.attributions["shap"]}) for c in usual.chosen)
    )
    assert not any("agree" in t.caption for t in explain(alone).tables)


# what moved a beat


def test_the_sentence_names_what_moved_most_first(usual):
    chosen = replace(usual.chosen[1], beat_index=41)
    assert (
        called_sentence(usual, chosen, "V", "0.97")
        == "Called V (0.97): QRS shape +3.1, interval before +1.2, T wave −0.4, against this patient’s normal beat."
    )
    others = replace(chosen, own_reference=False)
    assert "the normal beat of other people" in called_sentence(usual, others, "V", "0.97")
    nothing = replace(chosen, shapley=dict.fromkeys(PLAYERS, 0.01))
    assert "nothing in it moved the answer" in called_sentence(usual, nothing, "V", "0.97")
    unknown = replace(chosen, shapley={"qrs": float("nan"), "someone": 5.0})
    assert "nothing in it moved the answer" in called_sentence(usual, unknown, "V", "0.97")


def test_intervals_and_absent_waves_are_named_as_what_they_are(usual):
    row = 41
    prev, following = usual.beats.rr_prev_ms.copy(), usual.beats.rr_next_ms.copy()
    prev[row], following[row] = 500, 1100
    result = replace(usual, beats=replace(usual.beats, rr_prev_ms=prev, rr_next_ms=following))
    waves = usual.chosen[0].waves_ms.copy()
    waves[:3] = np.nan
    values = dict(zip(PLAYERS, (1.2, 2.0, 0, 0, 0, 0, 0.5), strict=True))
    chosen = replace(usual.chosen[0], beat_index=row, shapley=values, waves_ms=waves)
    told = called_sentence(result, chosen, "S", "0.80")
    assert "no P wave +2.0, early beat +1.2, pause after +0.5" in told
    unknown = replace(chosen, waves_ms=np.full(8, np.nan, np.float32))
    assert "P wave +2.0, early beat" in called_sentence(result, unknown, "S", "0.80")
    assert "no P wave" not in called_sentence(result, unknown, "S", "0.80")


@pytest.mark.parametrize(
    ("blend", "told"),
    [
        (None, ""),
        (Blend(float("nan"), "", {}), "However far it is blended toward this patient’s normal beat, it stays V."),
        (
            Blend(0.25, "N", dict.fromkeys(PLAYERS, float("nan"))),
            "it would be called N. No part alone turns the answer.",
        ),
        (Blend(0.25, "N", {"qrs": 0.5, "t_wave": 0.4}), "the first to turn the answer is T wave, at 40 %."),
    ],
)
def test_how_far_from_another_answer(blend, told):
    assert told in blend_sentence(blend, "V", own=True)
    assert blend is not None or blend_sentence(blend, "V", own=True) == ""


def test_classes_are_summed_up_over_all_abnormal_beats(usual):
    rows = np.array([40, 41, 42])
    values = np.zeros((3, 7), np.float32)
    values[:, PLAYERS.index("qrs")] = (1, 2, 3)
    values[:, PLAYERS.index("t_wave")] = (1, -2, 0)
    result = replace(usual, shapley=ShapleyValues(rows, values))
    assert class_sentences(result) == ("The 3 beats called V, on average: QRS shape +2.0, T wave −0.3.",)
    [row] = share_table(result).rows
    assert dict(zip(share_table(result).columns, row, strict=True))["QRS shape"] == "67 %"
    assert share_here(result, "V") == (3, pytest.approx(1.0))
    assert share_here(result, "S") is None
    empty = replace(usual, shapley=ShapleyValues(rows[:0], values[:0]))
    assert (class_sentences(empty), share_table(empty)) == ((), None)
    level = replace(usual, shapley=ShapleyValues(rows, 0 * values))
    assert share_here(level, "V") is None
    unknown = replace(usual, shapley=ShapleyValues(rows, np.nan * values))
    assert share_table(unknown) is None
    render(level), render(unknown)


@pytest.mark.parametrize(("share", "less"), [(0.85, False), (0.78, True)])
def test_shares_stand_beside_what_is_expected_and_the_recall(usual, share, less):
    figures = {
        "explanations.shapley.v_share_qrs_t_rr": share,
        "ds2.V.sensitivity": 0.917,
        "deciding.V.sensitivity": 0.8,
    }
    [told] = trust_view(replace(usual, model=replace(usual.model, figures=figures))).shares
    assert f"they take {share:.0%}".replace("%", " %") in told
    assert "it finds 92 %" in told
    assert ("less than expected" in told) == less
    assert trust_view(usual).shares == ()


def test_a_finding_leads_to_the_explained_beats_that_it_rests_on(usual):
    from ecg_core.report.build import build_view

    # Beat 41 is in the run of V, 100 in the couplet, 122 the one S; no F was explained.
    chosen = tuple(replace(usual.chosen[0], beat_index=row) for row in (100, 41, 122))
    glance = build_view(replace(usual, chosen=chosen)).sections["glance"]
    findings = {f.sentence.split(":")[0]: f for f in glance.findings}
    why = {
        sentence: [link.href for link in finding.links if link.label == "why"] for sentence, finding in findings.items()
    }
    assert why["One run of ventricular beats"] == ["#beat-2"]
    assert why["One ventricular couplet, at 0"] == ["#beat-1"]
    assert why["One supraventricular ectopic beat"] == ["#beat-3"]
    assert why["One fusion beat"] == []
    html = render(replace(usual, chosen=chosen))
    assert all(f'id="{href[1:]}"' in html for hrefs in why.values() for href in hrefs)


# edges


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", "x" * 10_000, "a\u202eb", "shap over-all", "{{7*7}}"])
def test_hostile_names_of_methods_stay_text(usual, name):
    chosen = replace(usual.chosen[0], attributions={name: usual.chosen[0].attributions["shap"]})
    figures = {f"explanations.{name}.stability": 0.5, f"explanations.shap.{name}": 0.5}
    html = render(replace(usual, chosen=(chosen,), model=replace(usual.model, figures=figures)))
    assert "<script>alert" not in html
    assert "over-all" not in re.sub(r">[^<]*<", "", html)
    assert "\u202e" not in html
    assert len(html) < 1_000_000


def test_unknown_values_are_no_bars(usual):
    chosen = replace(
        usual.chosen[0],
        shapley=dict.fromkeys(PLAYERS, float("nan")),
        lime={"qrs": float("inf")},
        deviation_by_wave={"qrs": float("nan")},
        blend=Blend(0.5, "N", {"nobody": 0.1}),
    )
    view = explain(replace(usual, chosen=(chosen,)))
    assert view.cards[0].shapley_figure is None
    assert "No part alone" in " ".join(view.cards[0].sentences)
    render(replace(usual, chosen=(chosen,)))


def test_twelve_beats_in_all_methods_stay_small(build):
    random = np.random.default_rng(5)
    result = build("N" * 30 + "V" * 12, n_chosen=42)
    maps = {method: random.normal(0, 1, 256).astype(np.float32) for method in MAPS}
    twelve = tuple(replace(chosen, attributions=maps) for chosen in result.chosen[30:])
    grown = len(render(replace(result, chosen=twelve)).encode()) - len(render(replace(result, chosen=())).encode())
    assert grown < 450_000
