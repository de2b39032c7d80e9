"""Which texts of a file may be kept: those that hold nothing but the words of electrocardiography.

Statements, symptoms and notes are free text wherever a person can type them, and a name can stand in each of them. So
a text is kept only if every word of it is one of these, and no number in it could be a date or an identifier.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_WORDS = frozenset(
    """
    a abnormal abnormality aberrant aberration accelerated activation activity acute af afib age all an and angina
    anterior anterolateral anteroseptal apical arm arrhythmia artefact artifact asystole at atrial atrium av avb avblock
    average avf avl avr avnrt avrt axis baseline bbb be beat beats bigeminy bifascicular biventricular block borderline
    bpm bradycardia bradyarrhythmia branch brugada bundle button by cannot capture cardiac change changes chest
    clockwise complete complex complexes concave conduction consider consistent couplet couplets counterclockwise criteria
    degree delay delayed depression detected detection deviation diffuse diagnosis dizziness dominant drop due dual
    duration early ecg ectopic ectopics elevated elevation enlargement episode escape evidence event extreme extrasystole
    extrasystoles fainting fascicular fast fatigue fibrillation first flat flutter fluttering for frequent frontal
    fusion global graft hemiblock heart heartbeat heartbeats heartrate high hypertrophy hz idioventricular if in
    inadequate inconclusive incomplete indeterminate infarct infarction inferior inferolateral inferoposterior injury
    interpretation interval intervals intraatrial intraventricular inversion inverted irregular ischemia ischaemia is
    isolated junctional laterallead lateral lbbb lead leads left leg less limb long loss low lvh mahaim marked may mi
    mild minimal minor misplaced missed missing mobitz moderate monitoring morphology more ms msec multifocal multiform
    multiple muscle mv myocardial narrow nonspecific nonconducted non no nodal noise none normal not note null occasional of old on or
    other otherwise over overload p pac pacs paced pacemaker pacing pain pairs palpitation palpitations pattern pause pauses
    patient pericarditis peaked poor position possible posterior pounding pr precordial preexcitation prior probable probably
    progression prolongation prolonged pulmonary pulse pvc pvcs q qrs qrsd qs qt qtc r racing range rapid rate rbbb reading
    record recorded recording regular repolarization repolarisation resting result reversal reversed rhythm right rs rsr run runs rv rvh s
    sa second secondary sec seconds segment sensing septal severe short shortness signal sinoatrial sinus skipped sleep
    slow specific spike st standard start stop strain stress supraventricular suspect sv svt symptom symptoms syncope t
    tachycardia tachyarrhythmia tall technically the third tightness to tracing transition trigeminy trifascicular triplet u
    unable unclassified unconfirmed undetermined uninterpretable unknown unreadable unspecific unsuitable unusual upright
    v v1 v2 v3 v4 v5 v6 ventricular very vf voltage vt wandering wave waves wenckebach wide with without wolff parkinson
    white wpw breath exercise fluttery tired faint dizzy lightheaded anxiety classification high-rate lead-off electrode
    i ii iii iv one two three determination equipment quality good bad mean reversal rest walk walking stairs run running
    """.split()
    + """
    sinusrhythmus vorhofflimmern nicht eindeutig hohe niedrige herzfrequenz normaler unklar keine kein
    rythme sinusal fibrillation auriculaire non concluant fréquence cardiaque élevée basse aucun aucune
    ritmo fibrilación auricular no concluyente frecuencia cardíaca cardiaca alta baja ninguno ninguna
    fibrillazione atriale inconcludente frequenza elevata bassa nessuno sinusale
    sinusritme boezemfibrilleren atriumfibrilleren geen inconclusief fibrilação atrial inconclusivo nenhum sinusrytm
    förmaksflimmer inga ingen sinusrytme atrieflimmer forkammerflimren
    """.split()
)
_LONGEST = 200
_DATE = re.compile(r"\d\s*[./-]\s*\d+\s*[./-]\s*\d")
_NUMBER = re.compile(r"\d{1,3}(?:[.,]\d{1,2})?(?:ms|mv|bpm|hz|sec|s|st|nd|rd|th|mm)?", re.IGNORECASE)
_TOKEN = re.compile(r"\d+[.,]\d+\w*|[\w]+", re.UNICODE)


def is_free_of_names(text: str) -> bool:
    """Whether all words of `text` are those of electrocardiography, and no number in it looks like a date or an id."""
    if not text.strip() or len(text) > _LONGEST or _DATE.search(text):
        return False
    numbers = 0
    for token in _TOKEN.findall(text):
        if token.casefold() in _WORDS:
            continue
        if _NUMBER.fullmatch(token) is None:
            return False
        numbers += 1
    # Three numbers in a row of short ones can still be a date, six a telephone's.
    return numbers <= 2


def keep(texts: Iterable[str]) -> tuple[tuple[str, ...], int]:
    """Return the texts that may be kept, each once and in order, and how many were left out."""
    kept: dict[str, None] = {}
    left_out = 0
    for raw in texts:
        text = " ".join(raw.split())
        if not text.strip("- .*"):
            continue
        if is_free_of_names(text):
            kept[text] = None
        else:
            left_out += 1
    return tuple(kept), left_out
