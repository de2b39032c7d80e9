"""What the lines above a table of numbers say: ``name,value`` each, as watches, patches and loggers write them."""

from __future__ import annotations

import re
from datetime import date, datetime

from ecg_core.formats import drugs, leads
from ecg_core.formats.assembling import Header, age_years, believable_age, sex
from ecg_core.formats.profile import seconds_per
from ecg_core.recording import Stated

_SAMPLING = (
    r"sampl\w*|abtast\w*|échantillon\w*|echantillon\w*|muestreo|amostragem|campionament\w*|bemonster\w*|próbkowan\w*|"
    r"vzorkov\w*|mintavétel\w*|näytteenotto\w*|örnekleme|дискретизаци\w*|采样|採樣|取样|取樣|サンプリング|샘플링"
)
_RATE_NAME = re.compile(
    rf"(?:{_SAMPLING})[ _-]*(?:rate|freq\w*|hz)?|^(?:fs|sampling|frequency|messrate)\b|sampl\w*.*\(hz\)", re.I
)
_HERTZ = re.compile(
    r"(\d{1,5}(?:[.,]\d{1,6})?)\s*(?:hz|hertz|гц|герц|赫兹|赫茲|ヘルツ|헤르츠|sps|samples?/s\w*|1/s)?\.?", re.IGNORECASE
)
_INTERVAL_NAME = re.compile(
    rf"(?:{_SAMPLING})[ _-]*(?:interval\w*|period\w*|time|step|zeit)|interval\w* .{{0,20}}(?:{_SAMPLING})|"
    r"^(?:interval|dt|delta t)$",
    re.IGNORECASE,
)
_UNIT_NAME = re.compile(
    r"^(?:units?|einheit|unité|unidad(?:es)?|unità|unidade|eenheid|enhet|enhed|yksikkö|jednostka|jednotka|birim|"
    r"единиц\w*(?: измерения)?|单位|單位|単位|단위|amplitude unit\w*|voltage unit\w*)$",
    re.IGNORECASE,
)
_START_NAME = re.compile(
    r"record\w* ?(?:date|time|at|on)|^(?:recorded|measured)$|start\w*|^(?:date|datetime|timestamp|datum|fecha|time)$|"
    r"acqui\w*|^aufnahme\w*|^enregistr\w*",
    re.IGNORECASE,
)
_PATIENT_NAME = re.compile(r"^(?:patient|subject|person)[ _-]*(?:id|no|number|code)?$", re.IGNORECASE)
_BIRTH_NAME = re.compile(r"birth|\bdob\b|geburt|naissance|nascita|nacimiento", re.IGNORECASE)
_HEART_RATE_NAME = re.compile(r"^(?:average |mean |avg\.? )?(?:heart ?rate|hr|bpm)(?: ?\(?bpm\)?)?$", re.IGNORECASE)
_DEVICE_NAME = re.compile(r"^(?:device|device (?:model|name|type)|model|recorder|watch)$", re.IGNORECASE)
_RESULT_NAME = re.compile(
    r"^(?:classification|result|ecg result|interpretation|determination|diagnosis|rhythm)$", re.IGNORECASE
)
_SYMPTOM_NAME = re.compile(r"^symptoms?(?: reported)?$", re.IGNORECASE)
_DRUG_NAME = re.compile(r"^(?:drugs?|medications?|current medications?|medicines?|medikation)$", re.IGNORECASE)
_INDICATION_NAME = re.compile(r"^(?:indication|indikation|reason(?: for (?:test|recording|ecg))?)$", re.IGNORECASE)
_IDENTIFYING = re.compile(
    r"patient|subject|name|birth|\bdob\b|\bid\b|address|phone|mail|doctor|physician", re.IGNORECASE
)


def rate_in(name: str, value: str) -> float | None:
    """Return the sampling rate in hertz that a line states, as such or as an interval; None for another line."""
    name, value = name.strip().strip('#"% ')[:100], value.strip().strip('"').strip()[:100]
    if _INTERVAL_NAME.search(name):
        return _rate_of_interval(name, value)
    if not _RATE_NAME.search(name):
        return None
    match = _HERTZ.fullmatch(value)
    return float(match[1].replace(",", ".")) if match else None


def _rate_of_interval(name: str, value: str) -> float | None:
    match = re.fullmatch(r"(\d{1,9}(?:[.,]\d{1,9})?)\s*([mnuµμ]?s|sec|seconds?|milliseconds?)?", value, re.I)
    unit = (match[2] if match else None) or next(iter(re.findall(r"[\[(]\s*([mnuµμ]?s)\s*[\])]", name, re.I)), "")
    unit = re.sub("^sec.*", "s", re.sub("^milli.*", "ms", unit.casefold()))
    step_s = float(match[1].replace(",", ".")) * (seconds_per(unit) or 0.0) if match else 0.0
    return round(1.0 / step_s, 6) if step_s > 0 else None


def header_of(facts: list[tuple[str, str]], recording_id: str) -> Header:
    """Gather what lines of (name, value) state of patient, device and start."""
    header = Header("csv", recording_id)
    age = of = born = measured = None
    starts: list[str] = []
    for name, value in facts:
        if name.casefold() == "age" and value.isdigit():
            age = believable_age(float(value[:4]))
        elif name.casefold() in {"sex", "gender"}:
            of = sex(value)
        elif _BIRTH_NAME.search(name):
            born = _birth_date(value)
        elif _PATIENT_NAME.match(name) and value:
            header.patient = value
        elif _HEART_RATE_NAME.match(name) and (number := re.match(r"\d{2,3}(?:[.,]\d{1,9})?(?=\D*$)", value)):
            measured = float(number[0].replace(",", "."))
        elif _DEVICE_NAME.match(name):
            header.device = value
        elif _RESULT_NAME.match(name):
            header.texts.append(value)
        elif _SYMPTOM_NAME.match(name):
            header.symptoms.append(value)
        elif _DRUG_NAME.match(name):
            header.drugs += drugs.of_text(value)
        elif _INDICATION_NAME.match(name):
            header.indications.append((value, ""))
        elif _START_NAME.search(name):
            starts.append(value)
    header.start_time = start_among(starts)
    if header.start_time is None and any(re.search(r"\d[./-]\d|\d:\d\d", value) for value in starts):
        header.doubt("start_time", "The file states a start that cannot be read in one way only: it is left out.")
    on = header.start_time.date() if header.start_time else None
    measurements = (("heart_rate_per_min", measured),) if measured else ()
    header.stated = Stated(age_years=age if age is not None else age_years(born, on), sex=of, measurements=measurements)
    header.saw(**{name: value for name, value in facts if _IDENTIFYING.search(name)})
    return header


def _birth_date(value: str) -> date | None:
    """Return a date in ISO's order of its parts; None for another one."""
    try:
        return date.fromisoformat(value.strip())
    except ValueError:
        return None


def start_among(values: list[str]) -> datetime | None:
    """Return the first moment among them; a day and a time of day that stand in lines of their own are one."""
    whole = next((moment for value in values if (moment := start_time(value)) is not None), None)
    if whole is not None:
        return whole
    day = next(
        (value for value in values if re.fullmatch(r"\d{4}\D\d{1,2}\D\d{1,2}|\d{1,2}\.\d{1,2}\.\d{4}", value)), ""
    )
    clock = next((value for value in values if re.fullmatch(r"\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d{1,6})?)?", value)), "")
    return start_time(f"{day} {clock.rjust(5, '0')}") if day and clock else None


def start_time(value: str) -> datetime | None:
    """Return a moment whose parts can be read in one order only: the year first, or the day with full stops after it.

    None for ``3/4/2021``, in which day and month may change places, and for a day alone.
    """
    text = re.sub(r"\s*(?:UTC|GMT)$", "+00:00", value.strip()[:60]).replace(",", ".")
    text = re.sub(r"^(\d{1,2})\.(\d{1,2})\.(\d{4})(?=[ T])", _year_first, text)
    text = re.sub(r"^(\d{4})[/.](\d{1,2})[/.](\d{1,2})(?=[ T])", _year_first, text)
    text = re.sub(r"(?<=[ T])(\d):", r"0\1:", text)
    text = re.sub(r"([+-]\d{2})(\d{2})$", r"\1:\2", re.sub(r"\s+(?=[+-]\d{2}:?\d{2}$)", "", text))
    try:
        return datetime.fromisoformat(text) if len(text) > 10 else None
    except ValueError:
        return None


def _year_first(match: re.Match[str]) -> str:
    year, month, day = match.groups() if len(match[1]) == 4 else reversed(match.groups())
    return f"{year}-{int(month):02d}-{int(day):02d}"


def unit_in(facts: list[tuple[str, str]]) -> str:
    """Return the voltage that a line states as the unit of all columns; empty where none does."""
    return next((value for name, value in facts if _UNIT_NAME.match(name) and leads.millivolts_per(value)), "")
