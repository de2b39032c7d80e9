"""The template's paragraph of resting ECGs, read by a parser of its own: every statement stands in the facts.

The parser knows the sentences and the published limits, and nothing of how they are made. Each number must be that of a
measurement, probability or beat count of the result, each claim must follow from it, and nothing found may be missing.
"""

import re
from itertools import islice

import numpy as np
import pytest

from ecg_core.datasets import ptbxl
from ecg_core.labels import CLASSES
from ecg_core.models import SHIPPED, load_model, load_version
from ecg_core.pipeline.score import read_beats
from ecg_core.report.resting_paragraph import facts_of, paragraph
from ecg_core.report.text_check import reason_to_refuse

SUPERCLASS = {
    "Normal ECG": "NORM",
    "Myocardial infarction, old or new": "MI",
    "ST or T wave change": "STTC",
    "Conduction disturbance": "CD",
    "Hypertrophy": "HYP",
}
URGENCY = {"Urgent": "urgent", "Notable": "notable", "Inconclusive": "doubt", "Noted": "info"}
WALLS = {
    "inferior": {"II", "III", "aVF"}, "lateral": {"I", "aVL", "V5", "V6"}, "septal": {"V1", "V2"},
    "anterior": {"V3", "V4"},
}  # fmt: skip
NUMBER = r"(−?[\d,]+(?:\.\d+)?)"
LIMITS = {
    "pr_long": {200}, "pr_short": {120}, "qrs_wide": {120}, "rbbb": {120}, "rbbb_incomplete": {110}, "lbbb": {120},
    "lafb": {-45}, "lpfb": {90}, "qtc_long": {450, 460}, "qtc_short": {340}, "axis_left": {-30}, "axis_right": {90},
    "lvh_sokolow_lyon": {3.5}, "lvh_cornell": {2.0, 2.8},
}  # fmt: skip
BELOW = {"pr_short", "lafb", "qtc_short", "axis_left"}
OF_ONE_VALUE = {
    "pr_long": (rf"PR interval {NUMBER} ms, above {NUMBER} ms: first-degree AV block\.", "pr_ms"),
    "pr_short": (rf"PR interval {NUMBER} ms, below {NUMBER} ms: short\.", "pr_ms"),
    "qrs_wide": (rf"QRS {NUMBER} ms, from {NUMBER} ms on: wide without .*\.", "qrs_duration_ms"),
    "rbbb": (rf"Right bundle branch block: QRS {NUMBER} ms, from {NUMBER} ms on, .*\.", "qrs_duration_ms"),
    "rbbb_incomplete": (
        rf"Incomplete right bundle branch block: QRS {NUMBER} ms, from {NUMBER} ms.*",
        "qrs_duration_ms",
    ),
    "lbbb": (rf"Left bundle branch block: QRS {NUMBER} ms, from {NUMBER} ms on, .*\.", "qrs_duration_ms"),
    "lafb": (rf"Left anterior fascicular block: axis {NUMBER}°, at {NUMBER}° or beyond, qR in aVL\.", "qrs_axis_deg"),
    "lpfb": (rf"Left posterior fascicular block: axis {NUMBER}°, at {NUMBER}° or beyond, .*\.", "qrs_axis_deg"),
    "qtc_long": (rf"QTc {NUMBER} ms by Fridericia, from {NUMBER} ms on: prolonged\.", "qtc_fridericia_ms"),
    "qtc_short": (rf"QTc {NUMBER} ms by Fridericia, up to {NUMBER} ms: short\.", "qtc_fridericia_ms"),
    "axis_left": (rf"Left axis deviation: {NUMBER}°, beyond {NUMBER}°\.", "qrs_axis_deg"),
    "axis_right": (rf"Right axis deviation: {NUMBER}°, beyond {NUMBER}°\.", "qrs_axis_deg"),
    "axis_extreme": (rf"Extreme axis: {NUMBER}°\.()", "qrs_axis_deg"),
    "lvh_sokolow_lyon": (rf"Voltage .* by Sokolow and Lyon: {NUMBER} mV, from {NUMBER} mV on\.", "sokolow_lyon_mv"),
    "lvh_cornell": (rf"Voltage .* by Cornell: {NUMBER} mV, above {NUMBER} mV\.", "cornell_mv"),
}
OF_LEADS = {
    "q_pathological": (r"Pathological Q waves, ([a-z, ]+): (.*)\.", "q_mv", lambda mv: mv < 0),
    "st_elevation": (r"ST elevation, ([a-z, ]+): J point (.*)\.", "j_mv", lambda mv: mv >= 0.1),
    "st_depression": (r"ST depression, ([a-z, ]+): J point (.*)\.", "j_mv", lambda mv: mv <= -0.05),
    "t_inversion": (r"T wave inversion, ([a-z, ]+): (.*)\.", "t_mv", lambda mv: mv < -0.1),
}
MEASURED = {
    rf"a rate of {NUMBER}/min": "heart_rate_bpm", rf"a PR interval of {NUMBER} ms": "pr_ms",
    rf"a QRS complex of {NUMBER} ms": "qrs_duration_ms", rf"a QTc of {NUMBER} ms": "qtc_fridericia_ms",
    rf"a QRS axis of {NUMBER}°": "qrs_axis_deg",
}  # fmt: skip
OF_BEATS = {"v_beats": ("V", "ventricular ectopic"), "s_beats": ("S", "supraventricular ectopic")}
WITHOUT_PARSER = {
    "tachycardia": rf"Fast heart rate in one stretch of {NUMBER} s: {NUMBER}/min, at 0:00:0\d\.",
    "bradycardia": rf"Slow heart rate in one stretch of {NUMBER} s: {NUMBER}/min, at 0:00:0\d\.",
}
"""Told of the rhythm: the rate must be near the recording's own."""


def value(text):
    return float(text.replace("−", "-").replace(",", ""))


def statements(text):
    """Split the paragraph: what was measured, the rhythm, then each finding under its tag, then the notice."""
    first, rhythm, *rest = re.split(rf"(?<=\.) (?=(?:{'|'.join(URGENCY)}|Rhythm): |Computed, )", text)
    assert rest[-1] == "Computed, not read by a physician; for research use, not for diagnosis."
    return first, rhythm, [sentence.split(": ", 1) for sentence in rest[:-1]]


def check(result, text=None):
    """Read the paragraph back; how many statements it makes."""
    resting = result.resting
    first, rhythm, told = statements(text or paragraph(result))
    _check_rhythm(rhythm, result)
    finite = {name for name in MEASURED.values() if np.isfinite(resting.value(name))}
    assert _measured(first, resting) == finite
    if not result.findings:
        assert told == [], told
        return len(finite)
    kinds = [_kind(result, tag, sentence) for tag, sentence in told]
    assert kinds == [finding.kind for finding in result.findings], "each finding once, in its order"
    assert [URGENCY[tag] for tag, _ in told] == [finding.urgency for finding in result.findings]
    urgent = [finding.kind for finding in result.findings if finding.urgency == "urgent"]
    assert reason_to_refuse(paragraph(result), facts_of(result), urgent) == "", "the checker lets the template stand"
    return len(finite) + len(kinds)


def _check_rhythm(sentence, result):
    """Sinus and P waves are told by the P waves of this ECG, all else by an episode of the name."""
    told = re.fullmatch(r"Rhythm: ([\w (),-]+?)(?: \(([^()]*)\))?\.", sentence)
    name, note = told.groups()
    if not name.startswith(("Sinus", "P waves lead", "Not determined")):
        kind = next(kind for kind, words in RHYTHM_NAMES.items() if name.startswith(words))
        assert any(episode.kind == kind for episode in result.rhythm.episodes)
        return
    normal = result.beats.class_index == CLASSES.index("N")
    with_p = np.isfinite(result.beats.intervals_ms[normal, 0]).mean() if normal.any() else np.nan
    if note:
        assert float(re.search(NUMBER, note).group(1)) == pytest.approx(100 * with_p, abs=20)
    axis = result.resting.value("p_axis_deg")
    rate = result.resting.value("heart_rate_bpm")
    sinus = "Sinus bradycardia" if rate < 50 else "Sinus tachycardia" if rate > 100 else "Sinus rhythm"
    assert name == (sinus if 0 <= axis <= 75 and with_p > 0.6 else "P waves lead") or name == "Not determined"


RHYTHM_NAMES = {
    "atrial_fibrillation": "Atrial fibrillation",
    "escape": "Slow wide complexes",
    "idioventricular": "Wide complexes without P waves",
    "svt": "Narrow-complex tachycardia",
}


def _measured(sentence, resting):
    rest, found = sentence.removeprefix("The ECG shows ").removesuffix("."), set()
    for piece in rest.split(", "):
        name, number = next((n, m.group(1)) for p, n in MEASURED.items() if (m := re.fullmatch(p, piece)))
        assert value(number) == pytest.approx(resting.value(name), abs=0.501), piece
        found.add(name)
    return found


def _kind(result, tag, sentence):
    """Name the finding that a sentence states, once all of it is borne out."""
    for kind, (pattern, name) in OF_ONE_VALUE.items():
        if match := re.fullmatch(pattern, sentence):
            _check_value(result.resting.value(name), *match.groups(), kind)
            return kind
    for kind, (pattern, name, meets) in OF_LEADS.items():
        if match := re.fullmatch(pattern, sentence):
            _check_leads(result.resting, *match.groups(), name, meets)
            return kind
    if match := re.fullmatch(rf"(.+): called, probability {NUMBER}\.", sentence):
        return _called(result, SUPERCLASS[match.group(1)], value(match.group(2)))
    if match := re.fullmatch(r"(?:Not ruled out, not affirmed: (.+)|No superclass can be affirmed)\.", sentence):
        _check_possible(result, match.group(1) or "")
        return "superclass_inconclusive"
    return _rhythm(result, sentence)


def _check_value(measured, told, limit, kind):
    assert value(told) == pytest.approx(measured, abs=0.501 if abs(measured) > 10 else 0.00501)
    if kind == "axis_extreme":
        assert measured < -90
        return
    assert value(limit) in LIMITS[kind]
    assert measured <= value(limit) if kind in BELOW else measured >= value(limit)


def _check_leads(resting, walls, each, name, meets):
    by_lead = dict(re.fullmatch(rf"(\S+) {NUMBER} mV", one).groups() for one in each.removesuffix("…").split(", "))
    for lead, number in by_lead.items():
        measured = resting.value(name, lead)
        assert value(number) == pytest.approx(measured, abs=0.00501), lead
        assert meets(measured), lead
    named = {wall for wall, leads in WALLS.items() if leads & set(by_lead)}
    assert named <= set(walls.split(", ")) <= set(WALLS)
    assert each.endswith("…") or named == set(walls.split(", "))


def _labels(result):
    return {label.label: label for label in result.labels if label.task == "resting"}


def _called(result, name, probability):
    label = _labels(result)[name]
    assert probability == pytest.approx(label.probability, abs=0.00501)
    assert label.called
    assert probability >= 0.5
    return f"superclass_{name.lower()}"


def _check_possible(result, names):
    labels = _labels(result)
    told = {SUPERCLASS[n]: value(p) for n, p in re.findall(r"([A-Z][\w ,]*?) \((\d\.\d+)\)", names)}
    others = any(label.in_set for name, label in labels.items() if name != "NORM")
    called = {name for name, label in labels.items() if label.called and not (name == "NORM" and others)}
    assert set(told) == {name for name, label in labels.items() if label.in_set} - called
    for name, probability in told.items():
        assert probability == pytest.approx(labels[name].probability, abs=0.00501)


def _rhythm(result, sentence):
    for kind, (letter, name) in OF_BEATS.items():
        if match := re.fullmatch(rf"(One|\d+) {name} beats?: {NUMBER} % of all analysed beats\.", sentence):
            of_class = result.beats.class_index == CLASSES.index(letter)
            n = int((of_class & result.beats.analysable).sum())
            assert (1 if match.group(1) == "One" else int(match.group(1))) == n
            assert value(match.group(2)) == pytest.approx(100 * n / result.beats.analysable.sum(), abs=0.0501)
            return kind
    for kind, pattern in WITHOUT_PARSER.items():
        if match := re.fullmatch(pattern, sentence):
            assert value(match.group(1)) <= result.recording.duration_s
            assert value(match.group(2)) == pytest.approx(result.resting.value("heart_rate_bpm"), rel=0.25)
            return kind
    [finding] = [one for one in result.findings if sentence.startswith(RHYTHM.get(one.kind, "\0"))]
    for number in re.findall(r"probability (\d\.\d+)", sentence):
        assert value(number) == pytest.approx(finding.mean_probability, abs=0.00501)
    return finding.kind


RHYTHM = {
    "atrial_fibrillation": "Possible atrial fibrillation from ",
    "idioventricular": "Wide complexes without P waves for ",
}
"""How a sentence of these kinds begins; what else they say is tested with the beats' findings."""


@pytest.fixture(scope="module")
def results(physionet_base, tmp_path_factory):
    folder = physionet_base / "ptb-xl/1.0.3"
    if not folder.is_dir():
        pytest.skip("no PTB-XL here: set ECG_PHYSIONET_BASE to a folder that holds it")
    nowhere = tmp_path_factory.mktemp("models")
    model, *others = (
        load_model(SHIPPED["beats"], nowhere),
        *(load_version(SHIPPED[task], nowhere) for task in ("rhythm", "resting")),
    )
    recordings = ptbxl.recordings(folder, ptbxl.records(folder))
    return (read_beats(recording, model, others=others)[0] for recording in recordings)


def test_every_statement_of_some_paragraphs_stands_in_the_facts(results):
    assert sum(check(result) for result in islice(results, 20)) > 120


@pytest.mark.long
def test_every_statement_of_two_hundred_paragraphs_stands_in_the_facts(results):
    assert sum(check(result) for result in islice(results, 200)) > 1200


def test_the_parser_sees_a_wrong_number_an_invented_finding_and_a_missing_one(results):
    result = next(one for one in results if len(one.findings) > 1)
    text = paragraph(result)
    check(result, text)
    first = statements(text)[2][0]
    for spoiled in (
        re.sub(r"\d(?=/min)", lambda digit: str((int(digit.group()) + 3) % 10), text),
        text.replace("Computed,", "Noted: Extreme axis: 13°. Computed,"),
        text.replace(f"{first[0]}: {first[1]} ", ""),
        re.sub(r"Rhythm: [^(]*\(.*?\)", "Rhythm: Slow wide complexes (90 % of the time)", text),
        text.replace(f"{first[0]}: {first[1]}", f"Urgent: {first[1]}"),
    ):
        assert spoiled != text
        with pytest.raises((AssertionError, ValueError, StopIteration)):
            check(result, spoiled)
