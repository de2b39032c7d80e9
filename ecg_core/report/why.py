"""Why the model said what it said: attributions of the chosen beats as figures and as sentences."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from ecg_core.labels import CLASSES
from ecg_core.recording import FloatArray
from ecg_core.report import paper, shapley
from ecg_core.report.methods import MethodTests, agreement, method_name
from ecg_core.report.view import Banner, Table, WhyCard, WhyView
from ecg_core.report.waves import measured_in
from ecg_core.report.why_figures import TIMES_MS, Scale, context_figure, counterpart_figure, shape_figure
from ecg_core.report.wording import Clock, number, percent, shown, signed
from ecg_core.result import SEGMENTS_MS, WAVE_PLAYERS, ChosenBeat, Result
from ecg_core.result.methods import FEATURE_METHOD, MAPS, is_signed
from ecg_core.texts import say, say_or

MOST_FEATURES: Final = 4
PARTS_IN_SENTENCE: Final = 3
ODD_DEVIATION: Final = 3.0
AGREE_WELL: Final = 0.6
AGREE_PARTLY: Final = 0.3
"""Below it the methods do not agree: their maps say little of where."""


def explain(result: Result) -> WhyView:
    """Cards of the chosen beats, what moved each class, how far the methods agree, and a warning where they failed."""
    tests = MethodTests(result.model.figures)
    present = {method for chosen in result.chosen for method in chosen.attributions}
    methods = tests.in_order(present)
    return WhyView(
        banner=_banner(result, tests),
        # Only what can be drawn over a beat by the page's style can be switched to.
        methods=tuple((method, _marked(tests, method)) for method in methods if method in MAPS),
        signed=any(map(is_signed, present)),
        unsigned=not all(map(is_signed, present)),
        lime=any(chosen.lime for chosen in result.chosen),
        classes=shapley.class_sentences(result),
        cards=tuple(_card(result, chosen, methods, n) for n, chosen in enumerate(result.chosen, start=1)),
        tables=tuple(
            t for t in (shapley.share_table(result), _agreement_table(result, methods), _segment_table(result)) if t
        ),
    )


def _banner(result: Result, tests: MethodTests) -> Banner | None:
    if not result.chosen:
        return None
    if tests.none_passed():
        return Banner("warning", say("why_failed"))
    return None if tests.by_method else Banner("notice", say("why_untested"))


def _marked(tests: MethodTests, method: str) -> str:
    verdict = tests.verdict(method)
    name = method_name(method)
    if verdict in ("failed", "insensitive"):
        return say("method_marked", method=name, verdict=say(f"verdict_{verdict}"))
    return name


def _card(result: Result, chosen: ChosenBeat, methods: list[str], n: int) -> WhyCard:
    table = result.beats
    row = chosen.beat_index
    letter = CLASSES[int(table.class_index[row])]
    time = Clock(result.recording.start_time).at(float(table.r_time_s[row]))
    reason = say_or(f"reason_{chosen.reason.replace(' ', '_')}", shown(chosen.reason).short)
    scale = Scale(chosen)
    bars, rest = _context_parts(chosen)
    values = shapley.shapley_figure(chosen, table, say("shapley_figure_name", letter=letter, time=time))
    return WhyCard(
        anchor=f"beat-{n}",
        title=say("why_title", letter=letter, time=time),
        place=say("why_reason", reason=reason, letter=letter),
        letter=letter,
        shape=paper.MARK_SHAPES[letter],
        lead=_lead(result, chosen, letter),
        sentences=tuple(_sentences(result, chosen, letter)),
        shape_figure=shape_figure(chosen, scale, methods, say("shape_figure_name", letter=letter, time=time)),
        shapley_figure=values,
        shapley_text=shapley.shapley_text(chosen, table) if values else "",
        counterpart_figure=counterpart_figure(chosen, scale, say("counterpart_figure_name", letter=letter, time=time)),
        context_figure=context_figure([*bars, *rest], say("context_figure_name", letter=letter)) if bars else None,
        context_text="; ".join(f"{name} {signed(value, 2)}" for name, value in [*bars, *rest]),
    )


def _lead(result: Result, chosen: ChosenBeat, letter: str) -> str:
    """Say in one sentence what was called and what moved it."""
    row = chosen.beat_index
    called = _probability(float(result.beats.probabilities[row, result.beats.class_index[row]]))
    if chosen.shapley:
        return shapley.called_sentence(result, chosen, letter, called)
    return say("why_called", letter=letter, name=say(f"class_{letter}"), p=called)


def _sentences(result: Result, chosen: ChosenBeat, letter: str) -> list[str]:
    table = result.beats
    row = chosen.beat_index
    probabilities = np.nan_to_num(table.probabilities[row].astype(np.float64), nan=-1.0)
    probabilities[table.class_index[row]] = -2.0
    other = int(probabilities.argmax())
    sentences = [say("why_next", other=CLASSES[other], q=_probability(float(table.probabilities[row, other])))]
    if table.inconclusive[row]:
        sentences.append(say("why_uncertain"))
    if not table.analysable[row]:
        sentences.append(say("why_not_analysable"))
    sentences.append(measured_in(result, chosen))
    if not chosen.shapley:
        sentences += _moved(chosen, letter)
    sentences.append(shapley.blend_sentence(chosen.blend, letter, own=chosen.own_reference))
    sentences.append(_deviation(float(table.deviation[row]), chosen))
    sentences.append(_agreement(chosen))
    return [sentence for sentence in sentences if sentence]


def _moved(chosen: ChosenBeat, letter: str) -> list[str]:
    """Say by SHAP what raised and what lowered the log-odds, largest first: shape by segment, rhythm by feature."""
    if FEATURE_METHOD not in chosen.attributions:
        return [say("why_no_shap")]
    parts = [(say(f"part_{name}"), value) for name, value in _segment_sums(chosen.attributions[FEATURE_METHOD]).items()]
    parts += [(_feature_name(name), float(value)) for name, value in chosen.context_shap.items()]
    parts = [part for part in parts if np.isfinite(part[1]) and abs(part[1]) >= shapley.SMALLEST_PART]
    parts.sort(key=lambda part: (-abs(part[1]), part[0]))
    sentences: list[str] = []
    for key, wanted in (("why_towards", 1.0), ("why_against", -1.0)):
        strongest = [part for part in parts if part[1] * wanted > 0][:PARTS_IN_SENTENCE]
        if strongest:
            listed = "; ".join(say("why_part", name=name, value=signed(value)) for name, value in strongest)
            sentences.append(say(key, letter=letter, parts=listed))
    return sentences


def _deviation(z: float, chosen: ChosenBeat) -> str:
    if not np.isfinite(z):
        return ""
    odd = say("why_odd") if z >= ODD_DEVIATION else say("why_within") if z < 2 else ""
    sentence = say("why_deviation", z=number(z, 1), odd=odd)
    waves = {name: value for name in WAVE_PLAYERS if np.isfinite(value := chosen.deviation_by_wave.get(name, np.nan))}
    if not waves or z < 2:
        return sentence
    most = max(waves, key=lambda name: waves[name])
    return f"{sentence} {say('why_deviation_most', wave=say(f'player_{most}'), z=number(waves[most], 1))}"


def _agreement(chosen: ChosenBeat) -> str:
    pairs = agreement(chosen)
    if not pairs:
        return ""
    mean = float(np.mean(list(pairs.values())))
    (one, other), least = min(pairs.items(), key=lambda pair: pair[1])
    how = "agree_well" if mean >= AGREE_WELL else "agree_partly" if mean >= AGREE_PARTLY else "agree_not"
    facts = {"mean": number(mean, 2), "least": number(least, 2), "one": method_name(one), "other": method_name(other)}
    return say("agree_beat", how=say(how), **facts)


def _agreement_table(result: Result, methods: list[str]) -> Table | None:
    """Mean agreement of each two methods over the chosen beats, every pair once."""
    pairs: dict[frozenset[str], list[float]] = {}
    for chosen in result.chosen:
        for pair, value in agreement(chosen).items():
            pairs.setdefault(frozenset(pair), []).append(value)
    if not pairs:
        return None
    rows = [
        (
            method_name(one),
            *(
                number(float(np.mean(found)), 2) if (found := pairs.get(frozenset((one, other)))) and j <= i else ""
                for j, other in enumerate(methods[:-1])
            ),
        )
        for i, one in enumerate(methods[1:])
    ]
    columns = (say("column_method"), *(method_name(method) for method in methods[:-1]))
    return Table(say("agree_caption"), columns, tuple(rows))


def _context_parts(chosen: ChosenBeat) -> tuple[list[tuple[str, float]], list[tuple[str, float]]]:
    """Give the features that moved most, and the others as one sum: the bars still add up."""
    known = [(_feature_name(name), float(value)) for name, value in chosen.context_shap.items() if np.isfinite(value)]
    known.sort(key=lambda part: (-abs(part[1]), part[0]))
    rest = known[MOST_FEATURES:]
    other = [(say("context_other", n=len(rest)), sum(value for _, value in rest))] if rest else []
    return known[:MOST_FEATURES], other


def _segment_table(result: Result) -> Table | None:
    """Mean share of each method's attribution in each stretch, for each class that occurs."""
    if not result.attributions or not result.beats.analysable.any():
        return None
    attributions = sorted(result.attributions, key=lambda attribution: attribution.method)
    columns = [
        say("segments_column", method=method_name(attribution.method), segment=say(f"segment_{segment}"))
        for attribution in attributions
        for segment in SEGMENTS_MS
    ]
    rows: list[tuple[str, ...]] = []
    for index, letter in enumerate(CLASSES):
        mask = result.beats.analysable & (result.beats.class_index == index)
        # Those of normal beats are not kept, and what is not kept could not be printed again.
        if letter != "N" and mask.any():
            shares = np.concatenate([_mean_shares(a.segment_shares[mask]) for a in attributions])
            rows.append((letter, *(percent(float(share), 0) for share in shares)))
    if not rows:
        return None
    return Table(say("segments_caption"), (say("column_class"), *columns), tuple(rows))


def _mean_shares(shares: FloatArray) -> npt.NDArray[np.float64]:
    known = shares[np.isfinite(shares).all(axis=1)].astype(np.float64)
    return known.mean(axis=0) if known.size else np.full(len(SEGMENTS_MS), np.nan)


def _segment_sums(values: FloatArray) -> dict[str, float]:
    return {
        name: float(np.nansum(values[(start <= TIMES_MS) & (end > TIMES_MS)].astype(np.float64)))
        for name, (start, end) in SEGMENTS_MS.items()
    }


def _feature_name(name: str) -> str:
    return say_or(f"feature_{name}", shown(name.replace("_", " ")).short)


def _probability(value: float) -> str:
    """Two decimals, but never 1.00 or 0.00 for what is not certain."""
    if 0.995 <= value < 1:
        return ">0.99"
    if 0 < value < 0.005:
        return "<0.01"
    return number(value, 2)
