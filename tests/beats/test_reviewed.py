"""What stands after readers' answers: counted from the beats as they are corrected, and from nothing else."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.made_up import drawn
from ecg_core.beats import summarise_rhythm
from ecg_core.beats.reviewed import as_reviewed, place, with_answers
from ecg_core.labels import CLASSES
from ecg_core.result import Correction, Review, beat_counts
from ecg_core.result.findings import with_findings
from ecg_core.result.reviewed import digest

RUN = 40
"""The first of three V beats in a row; beats are 0.8 s apart."""


@pytest.fixture(scope="module")
def model():
    result = drawn("N" * 40 + "VVV" + "N" * 80)
    table = result.beats
    rhythm = summarise_rhythm(table.r_time_s, table.rr_prev_ms, table.class_index, table.analysable)
    return with_findings(replace(result, rhythm=rhythm))


def said(*corrections, agrees=None, signed=True, reviewer="ada", sha256=None):
    return Review(reviewer, None, "", signed, agrees or {}, corrections, sha256)


def kinds(reviewed):
    return {finding.kind: finding for finding in reviewed.result.findings}


def at(model, row):
    return float(model.beats.r_time_s[row])


def beat(model, row, letter):
    return Correction(at(model, row), at(model, row), letter, row)


def test_without_an_answer_all_stands_as_the_model_left_it(model):
    reviewed = as_reviewed(model, ())
    assert reviewed.result is model
    assert (reviewed.state, reviewed.signature, reviewed.changes) == ("preliminary", None, ())


def test_a_run_that_is_none_is_no_longer_urgent(model):
    assert model.findings[0].kind == "v_run"
    reviewed = as_reviewed(model, (said(*(beat(model, row, "N") for row in range(RUN, RUN + 3))),))
    assert reviewed.state == "amended"
    assert not {"v_run", "v_beats"} & set(kinds(reviewed))
    assert beat_counts(reviewed.result)["V"] == 0
    assert [(c.was, c.now, c.reviewer) for c in reviewed.changes] == [("V", "N", "ada")] * 3
    # The model's own stays beside it.
    assert beat_counts(model)["V"] == 3


def test_a_run_that_the_model_missed_is_urgent(model):
    reviewed = as_reviewed(model, (said(Correction(at(model, 80), at(model, 84), "V")),))
    run = kinds(reviewed)["v_run"]
    assert (run.urgency, run.n_episodes, run.evidence[0].n_beats) == ("urgent", 2, 5)
    assert not reviewed.result.beats.inconclusive[80:85].any()
    assert run.mean_probability is not None  # of the beats that the model called


def test_a_missed_beat_splits_its_interval_and_a_false_one_joins_two(model):
    middle_s = (at(model, 10) + at(model, 11)) / 2
    added = as_reviewed(model, (said(Correction(middle_s, middle_s, "S", None, "added")),)).result.beats
    assert len(added) == len(model.beats) + 1
    assert added.rr_prev_ms[11] == pytest.approx(400, abs=3)
    assert added.rr_prev_ms[12] == pytest.approx(400, abs=3)
    assert CLASSES[added.class_index[11]] == "S"
    assert added.r_sample[11] == round(middle_s * model.recording.sampling_rate_hz)
    gone = replace(beat(model, 20, ""), action="no_beat")
    fewer = as_reviewed(model, (said(gone),))
    assert fewer.result.beats.rr_prev_ms[20] == pytest.approx(1600, abs=3)
    assert 20 not in fewer.row_of
    assert np.array_equal(fewer.result.beats.rr_prev_ms[1:20], model.beats.rr_prev_ms[1:20])


def test_false_beats_taken_out_leave_a_pause_and_a_missed_one_ends_it(model):
    gone = [replace(beat(model, row, ""), action="no_beat") for row in range(60, 64)]
    paused = as_reviewed(model, (said(*gone),))
    pause = kinds(paused)["pause"]
    assert (pause.urgency, pause.n_episodes) == ("urgent", 1)
    assert pause.longest_s == pytest.approx(5 * 0.8, abs=0.01)
    back = place(Correction(at(model, 62), at(model, 62), "V", None, "added"), model, (said(*gone),))
    assert (back.action, back.beat_index) == ("class", 62)
    again = as_reviewed(model, (said(*gone), said(back)))
    assert "pause" not in kinds(again)
    assert 62 in again.row_of


def test_a_pause_with_a_beat_in_it_is_none(model):
    from ecg_core.result import RhythmEpisode

    pause = RhythmEpisode("pause", 60.0, 63.0, 74, 75, None)
    paused = with_findings(replace(model, rhythm=replace(model.rhythm, episodes=(*model.rhythm.episodes, pause))))
    # Between two of its beats; the pause was found in the signal, not from these.
    found = as_reviewed(paused, (said(Correction(61.9, 61.9, "N", None, "added")),))
    assert "pause" in kinds(as_reviewed(paused, (said(beat(model, 5, "S")),)))
    assert "pause" not in kinds(found)


def test_a_stretch_takes_the_name_that_a_reader_gives_it(model):
    named = said(Correction(20.0, 60.0, action="rhythm", rhythm="atrial_fibrillation"))
    reviewed = as_reviewed(model, (named,))
    fibrillation = kinds(reviewed)["atrial_fibrillation"]
    assert (fibrillation.urgency, fibrillation.total_s) == ("notable", pytest.approx(40.0))
    tachycardia = as_reviewed(model, (said(Correction(20.0, 24.0, action="rhythm", rhythm="vt")),))
    assert kinds(tachycardia)["vt"].urgency == "urgent"
    inside = (model.beats.r_time_s >= 20) & (model.beats.r_time_s <= 24)
    assert {CLASSES[i] for i in tachycardia.result.beats.class_index[inside]} == {"V"}
    # Another name for it takes the first one's place.
    twice = as_reviewed(model, (named, said(Correction(19.0, 61.0, action="rhythm", rhythm="sinus"))))
    assert "atrial_fibrillation" not in kinds(twice)
    assert [stretch.kind for stretch in twice.named] == ["sinus"]


def test_in_noise_nothing_is_said(model):
    start_s, end_s = at(model, RUN) - 0.1, at(model, RUN + 2) + 0.1
    reviewed = as_reviewed(model, (said(Correction(start_s, end_s, action="rhythm", rhythm="noise")),))
    assert not {"v_run", "v_beats"} & set(kinds(reviewed))
    assert int(reviewed.result.beats.analysable.sum()) == int(model.beats.analysable.sum()) - 3


def test_a_signed_disagreement_strikes_the_finding_as_it_was_said(model):
    reviewed = as_reviewed(model, (said(agrees={"v_run": False}),))
    assert "v_run" not in kinds(reviewed)
    assert [(s.finding.kind, s.reviewer) for s in reviewed.struck] == [("v_run", "ada")]
    assert reviewed.state == "amended"
    # What corrections newly say was not disagreed with; and the newest word on a finding counts.
    other = said(Correction(at(model, 80), at(model, 84), "V"), agrees={"v_run": False})
    assert kinds(as_reviewed(model, (other,)))["v_run"].n_episodes == 2
    assert "v_run" in kinds(as_reviewed(model, (said(agrees={"v_run": False}), said(agrees={"v_run": True}))))


def test_drafts_change_nothing_until_somebody_signs(model):
    draft = said(beat(model, RUN + 1, "N"), signed=False)
    assert as_reviewed(model, (draft,)).result is model
    signed = as_reviewed(model, (draft, said(reviewer="bob")))
    assert (signed.state, signed.signature.reviewer) == ("amended", "bob")
    assert [c.reviewer for c in signed.changes] == ["ada"]


def test_an_answer_after_the_signature_voids_it_and_a_remark_does_not(model):
    first = said(beat(model, RUN, "N"))
    assert as_reviewed(model, (first,)).signature.holds
    later = said(beat(model, 3, "V"), signed=False, reviewer="bob")
    void = as_reviewed(model, (first, later))
    assert (void.state, void.signature.holds, void.signature.changed_by) == ("preliminary", False, "bob")
    assert beat_counts(void.result)["V"] == 2  # as it was signed
    assert as_reviewed(model, (first, said(signed=False))).signature.holds


def test_what_is_stored_must_be_what_was_signed(model):
    answer = said(beat(model, RUN, "N"))
    signed = replace(answer, sha256=digest(with_answers(model, (answer,)).result))
    assert as_reviewed(model, (signed,)).signature.holds
    beats = model.beats
    tampered = replace(beats, class_index=np.where(np.arange(len(beats)) == 7, CLASSES.index("V"), beats.class_index))
    found = as_reviewed(replace(model, beats=tampered), (signed,))
    assert (found.state, found.signature.holds) == ("preliminary", False)


def test_a_time_means_the_nearest_beat_that_stands(model):
    moment = at(model, 9) + 0.1
    assert place(Correction(moment, moment, "V"), model, ()).beat_index == 9
    nowhere = at(model, 9) + 0.4
    assert place(Correction(nowhere, nowhere, "V"), model, ()) is None
    assert place(Correction(moment, moment, "V", None, "added"), model, ()) is None
    added = said(Correction(nowhere, nowhere, "V", None, "added"), signed=False)
    again = place(Correction(nowhere + 0.05, nowhere + 0.05, "S"), model, (added,))
    assert (again.action, again.beat_index, again.start_s) == ("added", None, nowhere)
    assert as_reviewed(model, (added, said(again))).changes[0].now == "S"
    none = place(Correction(nowhere, nowhere, "", None, "no_beat"), model, (added,))
    assert as_reviewed(model, (added, said(none))).changes == ()
