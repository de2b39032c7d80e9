"""The worklist and the outcomes of arrivals."""

from dataclasses import replace

import pytest

from ecg_core.result import Finding, Review
from ecg_core.store import ledger, reports, reviews, write_result
from ecg_core.store.readings import reading_of


@pytest.fixture
def three_reports(engine, build_result):
    with engine.begin() as conn:
        for seed in range(3):
            run_id = write_result.write_result(conn, build_result(20, seed=seed), "task-1")
            write_result.write_report(
                conn,
                reading_of(conn, run_id),
                path=f"{seed}.html",
                sha256="a" * 64,
                size_bytes=10,
                stages={"report": 0.125},
            )
    return engine


def test_newest_first_with_what_was_found(three_reports, build_result, recording_id_of):
    with three_reports.connect() as conn:
        found = reports.list_reports(conn, 10)
    assert [row.recording_id for row in found] == [recording_id_of(seed) for seed in (2, 1, 0)]
    beats = build_result(20, seed=2).beats
    assert sum(found[0].beats.values()) == int(beats.analysable.sum())
    assert found[0].episodes == {"v_run": 1}
    assert (found[0].patient_pseudonym, found[0].mean_heart_rate_bpm, found[0].synthetic) == ("pseudonym-2", 72.5, True)


def test_a_recording_without_beats_or_episodes_is_listed(engine, build_result):
    with engine.begin() as conn:
        run_id = write_result.write_result(conn, build_result(0), "task-1")
        write_result.write_report(
            conn, reading_of(conn, run_id), path="r.html", sha256="a" * 64, size_bytes=10, stages={}
        )
        [row] = reports.list_reports(conn, 10)
    assert (row.episodes, sum(row.beats.values()), row.mean_heart_rate_bpm) == ({}, 0, None)


def test_pages_go_on_after_the_last_one(three_reports):
    with three_reports.connect() as conn:
        whole = reports.list_reports(conn, 10)
        assert len(whole) == 3
        assert reports.list_reports(conn, 2) == whole[:2]
        assert reports.list_reports(conn, 2, after=(0, whole[0].report_id)) == whole[1:]
        assert reports.list_reports(conn, 2, after=(0, whole[2].report_id)) == []
        assert reports.count_reports(conn) == 3


def test_search_is_by_the_start_of_the_id(three_reports, recording_id_of):
    wanted = recording_id_of(1)
    with three_reports.connect() as conn:
        assert [row.recording_id for row in reports.list_reports(conn, 10, reports.Filters(search=wanted[:8]))] == [
            wanted
        ]
        assert reports.count_reports(conn, reports.Filters(search=wanted[:8])) == 1


@pytest.mark.parametrize("search", ["%", "_", "\\", "'; DROP TABLE ecg.report; --", "nul\0", "\udcff", "x" * 10_000])
def test_hostile_searches_find_nothing_and_break_nothing(three_reports, search):
    with three_reports.connect() as conn:
        assert reports.list_reports(conn, 10, reports.Filters(search=search)) == []
        assert reports.count_reports(conn) == 3


@pytest.fixture
def mixed_reports(engine, build_result):
    """Five reports: their findings differ, the second is signed, the third is noted upon but not signed."""
    stated = [
        (Finding("v_run", "urgent"),),
        (),
        (Finding("v_run", "urgent"), Finding("pause", "urgent"), Finding("v_beats", "notable")),
        (Finding("s_beats", "info"), Finding("poor_signal", "doubt")),
        (Finding("v_beats", "notable"),),
    ]
    with engine.begin() as conn:
        for seed, findings in enumerate(stated):
            result = replace(build_result(20, seed=seed, version=f"cnn-test-{seed % 2}"), findings=findings)
            run_id = write_result.write_result(conn, result, "task-1")
            facts = {"path": f"{seed}.html", "sha256": "a" * 64, "size_bytes": 10}
            write_result.write_report(conn, reading_of(conn, run_id), **facts, stages={})
            if seed in (1, 2):
                reviews.write_review(conn, reading_of(conn, run_id), Review("ada", None, "seen", seed == 1, {}, ()))
    return engine


@pytest.mark.parametrize(
    ("filters", "seeds"),
    [
        ({}, [4, 3, 2, 1, 0]),
        ({"finding": "v_run"}, [2, 0]),
        ({"finding": "v_beats", "state": "in work"}, [2]),
        ({"state": "signed"}, [1]),
        ({"state": "in work"}, [2]),
        ({"state": "unread"}, [4, 3, 0]),
        ({"search": "pseudonym-1"}, [1]),
        ({"site": "ward-3"}, []),
        ({"model_version": "cnn-test-1"}, [3, 1]),
        ({"model_version": "cnn-test-1", "finding": "poor_signal"}, [3]),
        ({"quality": "good"}, []),
        ({"quality": "fair"}, [4, 3, 2, 1, 0]),
        ({"quality": "poor"}, []),
        ({"finding": "' OR true --"}, []),
    ],
)
def test_filters_and_their_count(mixed_reports, recording_id_of, filters, seeds):
    with mixed_reports.connect() as conn:
        found = reports.list_reports(conn, 10, reports.Filters(**filters))
        assert [row.recording_id for row in found] == [recording_id_of(seed) for seed in seeds]
        assert reports.count_reports(conn, reports.Filters(**filters)) == len(seeds)
        assert [row.signed_by for row in found if row.recording_id == recording_id_of(1)] in ([], ["ada"])


def test_urgent_ones_first_and_page_by_page(mixed_reports, recording_id_of):
    with mixed_reports.connect() as conn:
        whole = reports.list_reports(conn, 10, urgent_first=True)
        assert [row.recording_id for row in whole] == [recording_id_of(seed) for seed in (2, 0, 4, 3, 1)]
        assert [row.urgency for row in whole] == [210, 100, 10, 1, 0]
        paged, after = [], None
        while page := reports.list_reports(conn, 2, urgent_first=True, after=after):
            paged += page
            after = (page[-1].urgency, page[-1].report_id)
        assert paged == whole


def test_model_versions_are_those_that_scored(mixed_reports):
    with mixed_reports.connect() as conn:
        assert sorted(reports.model_versions(conn)) == ["cnn-test-0", "cnn-test-1"]


def test_a_report_is_found_by_its_number(three_reports):
    with three_reports.connect() as conn:
        newest = reports.list_reports(conn, 1)[0]
        assert reports.report_file_facts(conn, newest.report_id).path == "2.html"
        for number in (0, -1, newest.report_id + 1, 2**62):
            assert reports.report_file_facts(conn, number) is None


def test_arrivals_tell_what_became_of_each(engine, arrive, build_result, recording_id_of):
    with engine.begin() as conn:
        arrive(conn, 1)
        arrive(conn, 1, source="inbox/copy of 1.hea")
        arrive(conn, 2)
        arrive(conn, 3, source="inbox_of_others/3.hea")
        run_id = write_result.write_result(conn, build_result(20, seed=1), "task-1")
        write_result.write_report(
            conn, reading_of(conn, run_id), path="1.html", sha256="a" * 64, size_bytes=10, stages={"read": 0.5}
        )
        ledger.mark_scored(conn, recording_id_of(1))
        ledger.set_aside(conn, recording_id_of(2), "truncated signal", "Half of it is missing.")
        first, broken, copy = reports.list_arrivals(conn, "inbox/")
        assert len(reports.list_arrivals(conn)) == 4
    assert (first.source, first.state, first.duplicate) == ("inbox/1.hea", "scored", False)
    assert (copy.source, copy.state, copy.duplicate) == ("inbox/copy of 1.hea", "scored", True)
    assert first.report_path == copy.report_path == "1.html"
    assert first.stage_seconds == {"read": 0.5}
    assert sum(first.beats.values()) == int(build_result(20, seed=1).beats.analysable.sum())
    assert (broken.code, broken.reason) == ("truncated signal", "Half of it is missing.")
    assert (broken.beats, broken.report_path, broken.model_version) == ({}, None, None)


def test_an_arrival_shows_its_newest_scores(engine, arrive, build_result):
    with engine.begin() as conn:
        arrive(conn, 1)
        for version in ("old", "new"):
            write_result.write_result(conn, build_result(20, seed=1, version=version), "task-1")
        [row] = reports.list_arrivals(conn)
    assert row.model_version == "new"
