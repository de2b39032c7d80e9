"""The worklist's order is the site's, and its line says why a report stands where it does."""

from dataclasses import replace
from datetime import datetime

import pytest

from ecg_core.result import Finding
from ecg_core.result.reviewed import Reviewed, Signature
from ecg_core.settings import Settings
from ecg_core.store import finals, reports, reviews, sites, worklist, write_result
from ecg_core.store.patients import last_before
from ecg_core.store.readings import reading_of

FIBRILLATION = Finding("atrial_fibrillation", "notable", n_episodes=1, total_s=60.0)
ONE_V = Finding("v_beats", "notable", n_beats=1)
RUN = Finding("v_run", "urgent", n_episodes=1, n_beats=4)
FAST = Finding("tachycardia", "notable", n_episodes=1)
SITES = """
[ward3]
urgency_order = ["v_beats", "atrial_fibrillation!new"]
roles = ["third"]
[ward4]
roles = ["fourth"]
[archive]
roles = ["third", "fourth"]
"""


@pytest.fixture
def told_apart(tmp_path):
    (tmp_path / "sites.toml").write_text(SITES)
    return Settings(_env_file=None, sites=tmp_path / "sites.toml")


@pytest.fixture
def listed(engine, build_result, told_apart):
    """Store recordings, each with its findings; their lines in the worklist, as (seed, headline, whether it is new)."""

    def lines(*stored, then=lambda conn, readings, results: None):
        readings, results = {}, {}
        with engine.begin() as conn:
            for seed, patient, day, site, findings in stored:
                result = build_result(20, seed=seed, patient_pseudonym=patient, start_time=datetime(2026, 3, day))
                results[seed] = replace(result, findings=findings)
                sentences = [finding.kind for finding in findings]
                readings[seed] = reading_of(conn, write_result.write_result(conn, results[seed], "task", sentences))
                sites.write_site(conn, result.recording.recording_id, site)
                facts = {"path": f"{seed}.html", "sha256": "a" * 64, "size_bytes": 10, "stages": {}}
                write_result.write_report(conn, readings[seed], **facts)
                worklist.place(conn, told_apart, [readings[seed]])
            then(conn, readings, results)
            rows = reports.list_reports(conn, 10, urgent_first=True)
            cursor = (rows[0].priority, rows[0].report_id)
            assert reports.list_reports(conn, 10, urgent_first=True, after=cursor) == rows[1:]
        seeds = {result.recording.recording_id: seed for seed, result in results.items()}
        return [(seeds[row.recording_id], row.headline, row.headline_new) for row in rows]

    return lines


def test_fibrillation_that_is_new_comes_before_one_v_beat_and_known_fibrillation_behind(listed):
    assert listed(
        (1, "one", 1, None, (FIBRILLATION,)),
        (2, "one", 2, None, (FIBRILLATION,)),
        (3, "two", 3, None, (ONE_V,)),
        (4, "two", 4, None, (ONE_V, FIBRILLATION)),
        (5, "three", 5, None, (RUN, FIBRILLATION)),
        (6, None, 6, None, (FAST,)),
    ) == [
        (5, "v_run", None),
        (4, "atrial_fibrillation", True),
        (1, "atrial_fibrillation", None),
        (2, "atrial_fibrillation", False),
        (6, "tachycardia", None),
        (3, "v_beats", None),
    ]


OF_SITES = ((1, "one", 1, "ward3", (RUN, ONE_V)), (2, "two", 2, None, (RUN,)), (3, "three", 3, "ward3", (FAST,)))


def test_a_site_has_an_order_of_its_own(listed):
    assert listed(*OF_SITES) == [(1, "v_beats", None), (2, "v_run", None), (3, "tachycardia", None)]


def test_another_order_later_holds_for_what_is_there(listed):
    def reordered(conn, readings, results):
        other = Settings(_env_file=None, urgency_order=("tachycardia", "v_run"))
        assert worklist.place(conn, other) == 3
        assert worklist.place(conn, other) == 0

    lines = listed(*OF_SITES, then=reordered)
    assert lines == [(3, "tachycardia", None), (1, "v_run", None), (2, "v_run", None)]


@pytest.mark.parametrize(
    ("earlier", "later", "is_new"),
    [("ward3", "ward3", False), ("ward4", "ward3", None), ("archive", "ward3", False), (None, "ward3", None)],
)
def test_a_report_is_compared_with_what_its_readers_see_alone(listed, told_apart, earlier, later, is_new):
    """Whether a finding is new would tell of another site's recording, and so would the report's comparison."""
    compared = []

    def last(conn, readings, results):
        found = last_before(conn, results[2].recording.recording_id, told_apart.site_profiles)
        compared.append(found and found.recording_id == results[1].recording.recording_id)

    lines = listed((1, "one", 1, earlier, (FIBRILLATION,)), (2, "one", 2, later, (RUN, FIBRILLATION)), then=last)
    (line,) = [line for line in lines if line[0] == 2]
    assert compared == [None if is_new is None else True]
    told = "atrial_fibrillation" if is_new is None else "v_run"
    assert line == (2, told, is_new) if is_new is None else line[0] == 2


def test_what_a_reader_signed_is_what_counts(listed, told_apart):
    def struck(conn, readings, results):
        beats, signature = results[2].beats, Signature("ada", None, None, holds=True)
        reviewed = Reviewed(replace(results[2], findings=()), beats.class_index.astype("int64"), "amended", signature)
        reviews.reviewer_id(conn, "ada")
        finals.write_final(conn, readings[2], beats, reviewed)
        worklist.place(conn, told_apart, list(readings.values()))

    assert listed((1, "one", 1, None, (ONE_V,)), (2, "one", 2, None, (RUN,)), then=struck) == [
        (1, "v_beats", None),
        (2, None, None),
    ]


def test_an_entry_that_is_none_is_refused():
    with pytest.raises(ValueError, match="perhaps with !new"):
        Settings(_env_file=None, urgency_order=("V run",))
    with pytest.raises(ValueError, match="the file that ECG_SITES names"):
        Settings(_env_file=None, urgency_order={"*": ("v_run",)})
