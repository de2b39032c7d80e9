"""Which texts of a file may be kept: those that hold nothing but the words of electrocardiography.

Statements, symptoms and notes are free text wherever a person can type them, and a name can stand in each of them. So
a text is kept only if every word of it is one of these, and no number in it could be a date or an identifier.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_WORDS = frozenset(
    """
    a aberrant aberration abnormal abnormality accelerated activation activity acute af afib age all an and angina
    anterior anterolateral anteroseptal anxiety apical arm arrhythmia artefact artifact asystole at atrial atrium
    av avb avblock average avf avl avnrt avr avrt axis bad baseline bbb be beat beats bifascicular bigeminy
    biventricular block borderline bpm bradyarrhythmia bradycardia branch breath brugada bundle button by cannot
    capture cardiac change changes chest classification clockwise complete complex complexes concave conduction
    consider consistent counterclockwise couplet couplets criteria degree delay delayed depression detected
    detection determination deviation diagnosis diffuse dizziness dizzy dominant drop dual due duration early ecg
    ectopic ectopics electrode elevated elevation enlargement episode equipment escape event evidence exercise
    extrasystole extrasystoles extreme faint fainting fascicular fast fatigue fibrillation first flat flutter
    fluttering fluttery for frequent frontal fusion global good graft heart heartbeat heartbeats heartrate
    hemiblock high high-rate hypertrophy hz i idioventricular if ii iii in inadequate incomplete inconclusive
    indeterminate infarct infarction inferior inferolateral inferoposterior injury interpretation interval
    intervals intraatrial intraventricular inversion inverted irregular is ischaemia ischemia isolated iv
    junctional lateral laterallead lbbb lead lead-off leads left leg less lightheaded limb long loss low lvh
    mahaim marked may mean mi mild minimal minor misplaced missed missing mobitz moderate monitoring more
    morphology ms msec multifocal multiform multiple muscle mv myocardial narrow no nodal noise non nonconducted
    none nonspecific normal not note null occasional of old on one or other otherwise over overload p pac paced
    pacemaker pacing pacs pain pairs palpitation palpitations parkinson patient pattern pause pauses peaked
    pericarditis poor position possible posterior pounding pr precordial preexcitation prior probable probably
    progression prolongation prolonged pulmonary pulse pvc pvcs q qrs qrsd qs qt qtc quality r racing range rapid
    rate rbbb reading record recorded recording regular repolarisation repolarization rest resting result reversal
    reversed rhythm right rs rsr run running runs rv rvh s sa sec second secondary seconds segment sensing septal
    severe short shortness signal sinoatrial sinus skipped sleep slow specific spike st stairs standard start stop
    strain stress supraventricular suspect sv svt symptom symptoms syncope t tachyarrhythmia tachycardia tall
    technically the third three tightness tired to tracing transition trifascicular trigeminy triplet two u unable
    unclassified unconfirmed undetermined uninterpretable unknown unreadable unspecific unsuitable unusual upright
    v v1 v2 v3 v4 v5 v6 ventricular very vf voltage vt walk walking wandering wave waves wenckebach white wide
    with without wolff wpw
    """.split()
    + """
    alta atrial atriale atrieflimmer atriumfibrilleren aucun aucune auriculaire auricular baja bassa basse
    boezemfibrilleren cardiaca cardiaque cardíaca concluant concluyente eindeutig elevata fibrilación fibrilação
    fibrillation fibrillazione forkammerflimren frecuencia frequenza fréquence förmaksflimmer geen herzfrequenz
    hohe inconcludente inconclusief inconclusivo inga ingen kein keine nenhum nessuno nicht niedrige ninguna
    ninguno no non normaler ritmo rythme sinusal sinusale sinusrhythmus sinusritme sinusrytm sinusrytme unklar
    vorhofflimmern élevée
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
