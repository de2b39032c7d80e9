"""The last page of a resting ECG's report: how it was done, and how far the models are to be trusted."""

from __future__ import annotations

from ecg_core.report.resting_view import RestingMethodView
from ecg_core.report.view import Fact, Table
from ecg_core.report.wording import Shown, number, shown
from ecg_core.result import ANALYSIS_RATE_HZ, ModelFacts, Result
from ecg_core.result.resting import SUPERCLASSES
from ecg_core.result.resting_findings import TASK
from ecg_core.texts import say, say_or

SETS = ("fold_9", "fold_10")


def resting_method_view(result: Result) -> RestingMethodView:
    """Say how it was done, and what the model version of the superclasses is known by."""
    model = next((one for one in result.other_models if one.task == TASK), None)
    filters = shown("; ".join(result.quality.filters) or say("filters_none"), 400)
    steps = [
        Shown(say("method_signal", rate=f"{ANALYSIS_RATE_HZ:g}", filters=filters.short), filters.full),
        *(
            Shown(say(f"method_resting_{name}"), "")
            for name in ("median", "criteria", "superclasses", "reasons", "limits")
        ),
        Shown(say("method_id", id=shown(result.recording.recording_id, 100).short), ""),
    ]
    versions = (result.model, *result.other_models)
    return RestingMethodView(
        steps=tuple(steps),
        models=tuple(Fact(say_or(f"task_{one.task}", one.task), shown(one.version)) for one in versions),
        figures=_figures(model) if model else None,
        training_data=tuple(shown(sentence, 400) for sentence in (model.training_data if model else ())),
        limits=tuple(shown(sentence, 600) for sentence in (model.limits if model else ())),
    )


def _figures(model: ModelFacts) -> Table | None:
    """Tell, of each superclass, how the version did on patients it had not learned from."""

    def cell(of_set: str, name: str, measure: str) -> str:
        value = model.figures.get(f"{of_set}.{name}.{measure}")
        low, high = (model.figures.get(f"{of_set}.{name}.{measure}_{end}") for end in ("low", "high"))
        told = number(value, 0 if measure == "n" else 2)
        return (
            told
            if low is None or high is None
            else say("figure_interval", value=told, low=number(low, 2), high=number(high, 2))
        )

    measures = [(of_set, measure) for of_set in SETS for measure in ("n", "auc", "ece")]
    rows = tuple(
        (say(f"superclass_{name}"), *(cell(of_set, name, measure) for of_set, measure in measures))
        for name in SUPERCLASSES
    )
    columns = tuple(say(f"resting_{measure}", set=say(f"set_{of_set}")) for of_set, measure in measures)
    known = any(name.startswith(f"{SETS[0]}.") for name in model.figures)
    return Table(say("resting_figures"), (say("answers_label"), *columns), rows) if known else None
