"""A resting ECG through scoring: what is said of it, kept of it and shown of it; and of what is none, why."""

import re
from dataclasses import replace

import numpy as np
import pytest

from ecg_core.datasets.synth import synthesise
from ecg_core.explain.resting import coalition_beats, explain_resting
from ecg_core.formats import read_recording
from ecg_core.models import SHIPPED, load_model, load_version
from ecg_core.pipeline.score import read_beats
from ecg_core.readers.model_card import as_markdown, model_card
from ecg_core.recording import Stated
from ecg_core.report import render, sentences
from ecg_core.result.resting import GAMES, SUPERCLASSES
from ecg_core.store import read_result, readings, write_result
from ecg_core.store.database import store_engine
from ecg_core.store.reports import list_reports

TACHYCARDIC = 17
"""PTB-XL's record of that number: fast, with ST depression and inverted T waves."""


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    nowhere = tmp_path_factory.mktemp("models")
    return load_model(SHIPPED["beats"], nowhere), load_version(SHIPPED["resting"], nowhere)


@pytest.fixture(scope="module")
def recording(physionet_base):
    header = physionet_base / f"ptb-xl/1.0.3/records100/00000/{TACHYCARDIC:05}_lr.hea"
    if not header.is_file():
        pytest.skip("no PTB-XL here: set ECG_PHYSIONET_BASE to a folder that holds it")
    return read_recording(header, b"")


@pytest.fixture(scope="module")
def score(models):
    def scored(recording):
        model, resting = models
        result = read_beats(recording, model, others=[resting])[0]
        called = [label.label for label in result.labels if label.called]
        explained = explain_resting(resting, result.resting, called)
        return replace(result, resting=replace(result.resting, attributions=explained))

    return scored


@pytest.fixture(scope="module")
def result(score, recording):
    return score(recording)


def kinds(result):
    return [finding.kind for finding in result.findings]


def test_the_first_lines_are_about_the_ecg_not_about_single_beats(result):
    assert {label.label for label in result.labels} == set(SUPERCLASSES)
    found = kinds(result)
    assert found.index("superclass_sttc") < found.index("v_beats")
    assert {"st_depression", "t_inversion"} <= set(found)
    [depression] = [finding for finding in result.findings if finding.kind == "st_depression"]
    assert depression.leads == ("II", "III", "aVF")
    assert "filter_not_stated" in depression.doubts
    assert any("ST depression, inferior: J point II −0.28 mV" in sentence for sentence in sentences(result))


def test_what_is_stored_comes_back_and_draws_the_same_report(result, settings):
    with store_engine(settings).begin() as conn:
        run = write_result.write_result(conn, result, "test", sentences(result))
        back = read_result.read_result(conn, run)
    for name in ("measurements", "subject", "derived", "turned", "n_beats", "n_left_out", "rr_ms", "points"):
        assert repr(getattr(back.resting, name)) == repr(getattr(result.resting, name)), name
    np.testing.assert_array_equal(back.resting.beat_mv, result.resting.beat_mv)
    assert set(back.resting.attributions) == set(result.resting.attributions)
    assert back.findings == result.findings
    assert set(back.labels) == set(result.labels)
    assert render(replace(back, stages={})) == render(replace(result, stages={}))


def test_its_report_is_one_of_a_resting_ecg(result):
    html = render(result)
    sections = [
        name for name in ("resting", "resting_why", "resting_method", "rhythm", "why") if f'id="{name}"' in html
    ]
    assert sections == ["resting", "resting_why", "resting_method"]
    assert html.index("What was found") < html.index("Twelve leads in three rows") < html.index("Median beat")
    assert "QTc (Fridericia)" in html


def test_below_18_years_neither_superclass_nor_criterion_of_adults(score, recording):
    child = score(replace(recording, stated=Stated(age_years=12, sex="female")))
    assert child.labels == ()
    assert not {"st_depression", "t_inversion", "axis_left", "superclass_inconclusive"} & set(kinds(child))
    assert child.resting.measurements, "it is measured all the same"
    html = render(child)
    assert "Below 18 years" in html
    assert "12 years" in html


def test_no_st_finding_where_the_device_has_bent_it(score, recording):
    bent = score(replace(recording, stated=Stated(filters=("high pass 0.5 Hz",))))
    assert "st_depression" not in kinds(bent)
    plain = score(replace(recording, stated=Stated(filters=("high pass 0.05 Hz", "low pass 150 Hz"))))
    [depression] = [finding for finding in plain.findings if finding.kind == "st_depression"]
    assert "filter_not_stated" not in depression.doubts


def test_leads_in_any_order_and_eight_are_enough(score, recording, result):
    order = ["V6", "V2", "II", "V1", "I", "V5", "V4", "V3"]
    columns = [[name.upper() for name in recording.lead_names].index(name.upper()) for name in order]
    fewer = score(replace(recording, signal=recording.signal[:, columns], lead_names=tuple(order)))
    assert fewer.resting.derived == ("III", "aVR", "aVL", "aVF")
    probability = {label.label: label.probability for label in result.labels}
    for label in fewer.labels:
        assert label.probability == pytest.approx(probability[label.label], abs=0.1)
    html = render(fewer)
    assert "Computed from other limb leads: III, aVR, aVL, aVF." in html
    assert 'id="twelve"' in html


@pytest.mark.parametrize("leads", [["II"], ["I", "II", "V1"]])
def test_one_to_three_leads_get_no_superclass_and_the_report_says_why(score, recording, leads):
    columns = [recording.lead_names.index(name) for name in leads]
    few = score(replace(recording, signal=recording.signal[:, columns], lead_names=tuple(leads)))
    assert few.labels == ()
    assert few.resting.measurements == ()
    html = render(few)
    assert "No superclasses of a resting ECG: Not the twelve standard leads" in html
    assert 'id="rhythm"' in html


def test_each_game_adds_up_to_the_probability(models, result):
    _, model = models
    probability = {label.label: label.probability for label in result.labels}
    with_normal = model.probabilities(
        result.resting, coalition_beats(result.resting, model.normal_beat_mv, "leads")[:1]
    )
    called = {one.label for one in result.resting.attributions}
    assert called == {"MI", "STTC", "CD"}
    for label in called:
        without = float(with_normal[0, SUPERCLASSES.index(label)])
        for game in GAMES:
            moved = sum(one.value for one in result.resting.attributions if (one.label, one.game) == (label, game))
            assert moved == pytest.approx(probability[label] - without, abs=1e-5)


def test_a_t_wave_right_behind_the_qrs_complex_leaves_no_st_segment_but_an_explanation(models, result):
    off = result.resting.points["qrs_off"]
    close = replace(result.resting, points=result.resting.points | {"t_on": off + 0.5})
    assert np.isfinite([one.value for one in explain_resting(models[1], close, ["STTC"])]).all()


@pytest.mark.parametrize("kind", ["normal", "mi", "sttc", "cd", "hyp"])
def test_a_generated_heart_is_called_what_it_was_made_as(score, kind):
    made = synthesise(10, 500, 12, pvc_per_minute=0, sveb_per_minute=0, kind=kind, seed=3)
    called = [label.label for label in score(made.recording).labels if label.called]
    assert {"normal": "NORM"}.get(kind, kind.upper()) in called


def test_a_line_of_the_worklist_names_what_was_found(result, settings):
    with store_engine(settings).begin() as conn:
        run = write_result.write_result(conn, result, "test", sentences(result))
        reading = readings.reading_of(conn, run)
        write_result.write_report(conn, reading, path="a.html", sha256="0" * 64, size_bytes=1, stages={})
        [row] = list_reports(conn, 10)
    assert {"superclass_sttc", "st_depression"} <= set(row.episodes)
    assert row.episodes["superclass_sttc"] == 0


def test_its_card_tells_what_it_learned_from_and_its_figures(settings):
    card = as_markdown(model_card(settings, SHIPPED["resting"]))
    assert re.search(r"- ptb-xl: SHA-256 [0-9a-f]{64}\n", card)
    assert "On fold_10" in card
    assert "auc" in card
