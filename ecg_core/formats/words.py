"""Which texts of a file may be kept: those that hold nothing but the words of electrocardiography.

Statements, symptoms and notes are free text wherever a person can type them, and a name can stand in each of them. So
a text is kept only if every word of it is one of these, and no number in it could be a date or an identifier.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_WORDS = frozenset(
    """
    a aberrant aberrantly aberration abnormal abnormalities abnormality accelerated activation activity acute
    admission af afib afl age all alternating amplitude an analysis and aneurysm angina anterior anteroapical
    anterolateral anteroseptal anxiety apical apparently arm arrhythmia artefact artifact artificial assessment
    assumes asystole at atrial atrioventricular atrium atypical auriculoventricular automatic av avb avblock average
    avf avl avnrt avr avrt axis bad baseline bbb be beat beats biatrial bifascicular bigeminal bigeminy
    biventricular block borderline bpm bradyarrhythmia bradycardia branch breath brugada bundle button by cannot
    capture cardiac cardiomyopathy change changes check checkup chest classification clockwise collapse compared
    compatible complete complex complexes concave conducted conduction congenital consecutive consider consistent
    control counterclockwise couplet couplets criteria data defect defects degree delay delayed demand dependent
    depression detected detection determination deviation diagnosis diffuse digitalis disease dissociation
    disturbance disturbances dizziness dizzy dominant drop drug dual due duration dysfunction early ecg ectopic
    ectopics effect effusion ekg electrocardiogram electrode electrodes electrolyte electrolytic electronic elevated
    elevation embolism enlargement episode equipment escape evaluation event evidence exercise extrasystole
    extrasystoles extreme failure faint fainting fascicular fast fatigue fibrillation first flat flutter fluttering
    follow followup for formation frequent frontal functioning fusion global good graft healthy heart heartbeat
    heartbeats heartrate hemiblock high high-rate horizontal hypercalcemia hyperkalemia hypertension hypertrophy
    hypocalcemia hypokalemia hypothermia hz i idiojunctional idioventricular if ii iii implanted impulse in
    inadequate incomplete inconclusive indeterminate infarct infarction inferior inferolateral inferoposterior
    inferoposterolateral injury insignificant intermittent interpretation interval intervals intra intraatrial
    intraventricular inversion inverted irbbb irregular is ischaemia ischaemic ischemia ischemic isolated iv ivcd
    junctional lad lae lafb lateral lbbb lead lead-off leads left leftward leg less lgl lightheaded limb long loss
    low lpfb lvh mahaim marked mat may mean mi mild minimal minor misplaced missed missing mitral mitrale mobitz
    moderate monitoring monomorphic more morphology ms msec multifocal multiform multiple muscle mv myocardial
    narrow no nodal node noise non nonconducted none nonspecific nonsustained normal not note nsr nstemi null
    occasional of old on one operative or origin other otherwise out over overload p pac paced pacemaker pacing pacs
    pain pairs palpitation palpitations parkinson paroxysmal patient pattern pause pauses peaked pericarditis
    persistent polymorphic poor position possible post posterior posterolateral postoperative pounding pr pre
    precordial precordium preexcitation premature preoperative present prior probable probably progression prohibits
    prolongation prolonged psvt pulmonale pulmonary pulse pvc pvcs q qrs qrsd qs qt qtc quality r racing rad rae
    range rapid rate ratio rbbb reading recent record recorded recording regular related repolarisation
    repolarization rest resting result reversal reversed rhythm right rightward rotation routine rs rsr rule run
    running runs rv rvh s sa screening sec second secondary seconds segment sensed sensing septal septum severe
    short shortness sided signal significant sinoatrial sinus skipped sleep slow specific spike st stairs standard
    start stemi stop strain stress stroke subendocardial subepicardial suggestive suggests supraventricular surgery
    suspect suspected sustained sv svt symptom symptoms syncope syndrome t tachyarrhythmia tachycardia tall
    technically the therapy third three tightness tired to too torsades tracing transition transmural tricuspid
    trifascicular trigeminal trigeminy triplet two u unable unchanged unclassified unconfirmed undetermined
    uninterpretable unknown unreadable unspecific unsuitable unusual up upright v v1 v2 v3 v4 v5 v6 valvular
    variable variant ventricle ventricles ventricular vertical very vf vfib voltage voltages vt walk walking
    wandering wave waves wenckebach white wide with without wolff wpw
    """.split()
    + """
    alta atrial atriale atrieflimmer atriumfibrilleren aucun aucune auriculaire auricular baja bassa basse bloc
    blocco bloqueo boezemfibrilleren bradicardia bradykardie branca branche cardiaca cardiaque cardíaca concluant
    concluyente de derecha destra droit eindeutig elevata extrasystolen fibrilación fibrilação fibrillation
    fibrillazione forkammerflimren frecuencia frequenza fréquence förmaksflimmer gauche geen herzfrequenz hohe
    inconcludente inconclusief inconclusivo inga ingen izquierda kein keine linksschenkelblock nenhum nessuno
    nicht niedrige ninguna ninguno no non normal normale normaler normales rama rechtsschenkelblock ritmo rythme
    schenkelblock sinistra sinusal sinusale sinusrhythmus sinusritme sinusrytm sinusrytme tachykardie taquicardia
    unklar vorhofflimmern élevée
    """.split()
)
_LONGEST = 200
_DATE = re.compile(r"\d\s*[./-]\s*\d+\s*[./-]\s*\d")
_NUMBER = re.compile(r"\d{1,3}(?:[.,]\d{1,2})?(?:ms|mv|bpm|hz|sec|s|st|nd|rd|th|mm)?", re.IGNORECASE)
_TOKEN = re.compile(r"\d+[.,]\d+\w*|[^\W_]+", re.UNICODE)


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
