"""Drugs that a file says the person takes: which of its words are drugs, with dose, unit and code where it has them.

A drug's field is free text wherever a person can type it, and a name can stand in it. So a drug is kept only if every
word of its name is that of a drug, a class of drugs, a form or how often it is taken, and a code only in the shape of
a system that codes drugs, ICD-10 or SNOMED CT (with its check digit): an id of a patient in its place falls through.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from ecg_core.recording import Drug

_NAMES: Final = frozenset(
    """
    abciximab acebutolol acenocoumarol acetaminophen acetazolamide acetylsalicylic acid acidum adalat adenosine
    adrenaline ajmaline albuterol aldactone aldomet aldoril allopurinol alteplase amiloride aminophylline aminophyline
    amiodaron amiodarone amitriptyline amlodipin amlodipine amoxicillin apixaban apresoline aspirin atenolol
    atorvastatin atropine azithromycin benazepril bepridil betaxolol bezafibrate bisoprolol brilique bumetanide bumex
    candesartan capoten captopril cardizem carvedilol catapres celiprolol chloroquine chlorpromazine chlorthalidone
    cholestyramine cibenzoline ciprofloxacin citalopram clarithromycin clonidine clopidogrel colestid corgard cordarone
    corotrop coumadin coumarin cozaar dabigatran dalmane dalteparin dapagliflozin diapres diazepam digitalis
    digitoxin digoxin dilantin diltiazem dipyridamole disopyramid disopyramide diuril dobutamine dofetilide domperidone
    donepezil dopamine doxazosin dronedarone dyazide dysopyramide edoxaban elavil eliquis empagliflozin enalapril
    encainide enoxaparin entresto ephedrine epinephrine eplerenone eprosartan erythromycin escitalopram esmolol
    ezetimibe felodipine fenofibrate flecainid flecainide fluoxetine fluvastatin fosinopril furosemid furosemide
    gemfibrozil glibenclamide gliclazide glimepiride glipizide haloperidol heparin hydralazine hydrochlorothiazide
    hydrochlorthiazide hydrodiuril hydropres hydroxychloroquine hygroton ibuprofen ibutilide imipramine indapamide
    inderal insulin irbesartan isdn ismn isoprenaline isoproterenol isordil isosorbid isosorbide isosorbit isoptin
    isradipine isuprel ivabradine kcl labetalol lanoxin lasix levofloxacin levothyroxine lidocain lidocaine lipitor
    lisinopril lithium lopressor lorcainide losartan lovastatin marcumar methadone methyldopa metformin metolazone
    metoprolol mexiletine mexilitine mexitil milrinone minipress molsidomine moricizine moxifloxacin moxonidine nadolol
    naproxen nebivolol nicardipine nicorandil nifedipin nifedipine nimodipine nitrendipine nitroglycerin
    nitroglycerine nitropaste norepinephrine noradrenaline norpace norvasc olmesartan omeprazole ondansetron
    pantoprazole paracetamol penbutolol perindopril persantine phenothiazide phenothiazine phenprocoumon phenytoin
    pindolol plavix potassium chloride cloride prasugrel pravastatin prazosin prasozin prednisolone prednisone
    procainamid procainamide pronestyl propafenon propafenone propanolol propranolol quetiapine quinaglute quinapril
    quinidin quinidine ramipril ranolazine reserpine risperidone rivaroxaban rosuvastatin rytmonorm sacubitril
    salbutamol serapes sertraline sildenafil simvastatin sitagliptin sorbitrate sotalol spironolactone streptokinase
    synthroid tagamet tambocor telmisartan tenecteplase tenormin terazosin terbutaline theophylline thyroxine
    ticagrelor ticlopidine timolol tirofiban tocainide tolinase torasemide torsemide tpa trandolapril trazodone
    triamterene urapidil valium valsartan vasopressin venlafaxine verapamil vernakalant warfarin xarelto xipamide
    xyloprim zocor zyloprim
    """.split()
)
_CLASSES: Final = frozenset(
    """
    ace anaesthetic anesthetic antagonist antagonists antianginal antiarrhythmic antiarrhythmics antibiotic
    anticholesterol anticoagulant anticoagulants anticoagulation antidepressant antidepressants antidiabetic
    antihypertensive antihypertensives antihypotensive antiplatelet antipsychotic antithrombotic arb asa barbiturate
    betablocker betablockers blocker blockers digitalis diuretic diuretics doac fibrate fibrates glycoside
    glycosides inhibitor inhibitors medication nitrate nitrates noac opioid psychotropic sglt2 statin statins
    sulfonylurea thiazide thiazides tricyclic
    """.split()
)
_BESIDE: Final = frozenset(
    """
    agent agents alpha asthmatic beta calcium cardiac channel class dinitrate drug hydrochloride i ii iii iv loop
    mononitrate no oral other preparation sodium succinate sulfate tartrate type unknown
    """.split()
)
"""Words that stand in a drug's name or class, and are none by themselves."""
_HOW: Final = frozenset(
    """
    a bd bid cap capsule caps daily day depot er evening hs im inhaler injection iv mane morning night nocte od once po
    prn qd qid qhs release retard sc slow sr tab tablet tablets tabs td tds tid times twice weekly x xl zok
    """.split()
)
_NONE: Final = frozenset({"", "0", "none", "no", "n/a", "na", "nil", "unknown", "keine", "not taking drugs"})
_LONGEST: Final = 100
_MOST: Final = 50
_UNITS: Final = {
    **{unit: unit for unit in ("mg", "g", "ml", "mmol")},
    **dict.fromkeys(("mcg", "ug", "μg", "µg"), "µg"),
    **{"meq": "mEq", "iu": "IU", "ie": "IU", "units": "U", "u": "U"},
}
_DOSE: Final = re.compile(rf"(\d{{1,5}}(?:[.,]\d{{1,3}})?)\s*({'|'.join(_UNITS)})(?![^\W\d_])", re.IGNORECASE)
_WORD: Final = re.compile(r"[^\W_]+", re.UNICODE)
_SEPARATORS: Final = re.compile(r"(?<!\d),|,(?!\d)|[;&\n]|\s\+\s|\s/\s|\band\b", re.IGNORECASE)
_ATC: Final = re.compile(r"[A-NP-V]\d{2}[A-Z]{2}\d{2}")
_ICD: Final = re.compile(r"[A-Z]\d{2}(?:\.\d{1,2})?")
_SNOMED: Final = re.compile(r"[1-9]\d{3,13}[01]0\d")
_SCP: Final = re.compile(r"SCP \d{1,3}\.\d{1,3}")

# EN 1064, the drugs of section 1: what all codes of a class are, and single ones.
_SCP_CLASSES: Final = {
    1: "digitalis preparation",
    2: "antiarrhythmic",
    3: "diuretic",
    4: "antihypertensive",
    5: "antianginal",
    6: "antithrombotic agent",
    7: "beta blocker",
    8: "psychotropic",
    9: "calcium blocker",
    10: "antihypotensive",
    11: "anticholesterol",
    12: "ACE inhibitor",
    101: "unknown medication",
    102: "other medication",
}
_SCP_DRUGS: Final = {
    (1, 1): "digoxin",
    (1, 2): "digitoxin",
    (2, 1): "disopyramide",
    (2, 2): "quinidine",
    (2, 3): "procainamide",
    (2, 4): "lidocaine",
    (2, 5): "phenytoin",
    (2, 6): "dilantin",
    (2, 7): "amiodarone",
    (2, 8): "tocainide",
    (2, 10): "encainide",
    (2, 11): "mexiletine",
    (2, 12): "flecainide",
    (2, 13): "lorcainide",
    (3, 1): "thiazide",
    (3, 2): "furosemide",
    (3, 3): "potassium chloride",
    (4, 1): "clonidine",
    (4, 2): "prazosin",
    (4, 3): "hydralazine",
    (5, 1): "isosorbide",
    (5, 2): "calcium blocker",
    (5, 3): "diuretic",
    (5, 4): "nitrate",
    (6, 1): "aspirin",
    (6, 2): "coumarin",
    (6, 3): "heparin",
    (6, 4): "warfarin",
    (6, 5): "streptokinase",
    (6, 6): "tPA",
    (7, 1): "propranolol",
    (7, 2): "nadolol",
    (7, 3): "atenolol",
    (7, 4): "metoprolol",
    (7, 5): "pindolol",
    (7, 6): "acebutolol",
    (8, 1): "tricyclic antidepressant",
    (8, 2): "phenothiazine",
    (8, 3): "barbiturate",
    (9, 1): "nifedipine",
    (9, 2): "verapamil",
    (10, 1): "asthmatic drug",
    (10, 2): "aminophylline",
    (10, 3): "isoprenaline",
    (11, 1): "colestid",
    (11, 2): "lovastatin",
    (11, 3): "simvastatin",
    (11, 4): "fibrate",
}


def of_scp(drug_class: int, code: int, text: str = "") -> Drug | None:
    """Return a drug as SCP-ECG codes it, by class and code of its own table; None where none is taken."""
    if drug_class == 100 or (drug_class == 0 and not text.strip()):
        return None
    name = _SCP_DRUGS.get((drug_class, code)) or (text.strip() or _SCP_CLASSES.get(drug_class, ""))
    dose, unit = _dose(text)
    return Drug(name, f"SCP {drug_class}.{code}" if drug_class else "", dose, unit)


def of_text(text: str) -> list[Drug]:
    """Return the drugs of a field in which they follow each other, as the file spells them: not yet sifted."""
    parts = _SEPARATORS.split(text[: _LONGEST * _MOST])
    return [
        Drug(" ".join(_DOSE.sub(" ", part).split()), "", *_dose(part))
        for part in parts
        if " ".join(part.split()).casefold().strip(". ") not in _NONE
    ]


def are_drugs(text: str) -> bool:
    """Whether a line that says nothing of what it is holds drugs and nothing else."""
    found = of_text(text)
    return bool(found) and all(_is_drug(drug.name) for drug in found)


def keep(drugs: Iterable[Drug]) -> tuple[tuple[Drug, ...], int]:
    """Return the drugs that may be kept, each once and in order, and how many were left out.

    Parameters
    ----------
    drugs : iterable of Drug
        As the file has them: names, codes and units are sifted here.
    """
    kept: dict[Drug, None] = {}
    left_out = 0
    for drug in drugs:
        code = drug.code if is_code(drug.code) else ""
        name = drug.name if _is_drug(drug.name) else ""
        unit = _UNITS.get(drug.unit.casefold(), "")
        dose = drug.dose if unit and drug.dose is not None and 0 < drug.dose < 100_000 else None
        if (name or code) and len(kept) < _MOST:
            kept[Drug(name, code, dose, unit if dose is not None else "")] = None
        if not name and not (code and not drug.name):
            left_out += 1
    return tuple(kept), left_out


def is_code(code: str) -> bool:
    """Whether a code has its system before it and the shape of one: ``ATC C01AA05``, ``SCT 387461009``, ``SCP 1.1``."""
    system, _, value = code.partition(" ")
    if system == "SCT":
        return bool(_SNOMED.fullmatch(value)) and _verhoeff(value) == 0
    shapes = {"ATC": _ATC, "ICD10": _ICD}
    return bool(_SCP.fullmatch(code)) or (system in shapes and shapes[system].fullmatch(value) is not None)


def _is_drug(name: str) -> bool:
    words = [word.casefold() for word in _WORD.findall(name)]
    if not words or len(name) > _LONGEST or not any(word in _NAMES or word in _CLASSES for word in words):
        return False
    known = _NAMES | _CLASSES | _BESIDE | _HOW
    return all(word in known or re.fullmatch(r"\d", word) for word in words)


def _dose(text: str) -> tuple[float | None, str]:
    match = _DOSE.search(text)
    return (float(match[1].replace(",", ".")), _UNITS[match[2].casefold()]) if match else (None, "")


_ROUND: Final = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)


def _times(a: int, b: int) -> int:
    """Multiply in the dihedral group of ten: five turns, and five after the mirror."""
    turned = (a - b if a >= 5 else a + b) % 5
    return turned + (5 if (a >= 5) != (b >= 5) else 0)


def _verhoeff(digits: str) -> int:
    """Return 0 where the last digit checks the others (Verhoeff 1969), as in every concept of SNOMED CT."""
    check, moved = 0, list(range(10))
    for digit in reversed(digits):
        check = _times(check, moved[int(digit)])
        moved = [_ROUND[place] for place in moved]
    return check
