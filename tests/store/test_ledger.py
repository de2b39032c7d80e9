"""The ledger: nothing lost, nothing done twice, whoever dies."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text

from ecg_core.errors import StoreError
from ecg_core.store import arrivals, counts, ledger
from ecg_core.store.arrivals import Arrival

LEASE_S = 600.0


def _state(conn, recording_id: str):
    found = text("SELECT state, owner, attempts, code, reason FROM ecg.ingest_ledger WHERE recording_id = :id")
    return conn.execute(found, {"id": recording_id}).one()


def _everything(conn) -> list:
    return [
        conn.execute(text("SELECT * FROM ecg.ingest_ledger ORDER BY recording_id")).all(),
        conn.execute(text("SELECT source, recording_id, first_seen_at FROM ecg.arrival ORDER BY source")).all(),
    ]


def _expire(conn) -> None:
    conn.execute(text("UPDATE ecg.ingest_ledger SET lease_until = now() - interval '1 s' WHERE state = 'claimed'"))


def _claim(conn, ids, owner="task-1"):
    return ledger.claim(conn, ids, owner, LEASE_S)


def test_registering_twice_changes_nothing(engine, arrive):
    with engine.begin() as conn:
        assert arrive(conn, 1) == "new"
    with engine.begin() as conn:
        before = _everything(conn)
        assert arrive(conn, 1) == "known"
        assert _everything(conn) == before


def test_the_same_content_elsewhere_is_known_by_what_became_of_it(engine, arrive, recording_id_of):
    with engine.begin() as conn:
        for seed in (1, 2):
            arrive(conn, seed)
        ledger.mark_scored(conn, recording_id_of(1))
        ledger.set_aside(conn, recording_id_of(2), "truncated signal", "Half of it is missing.")
        assert arrive(conn, 1, source="inbox/copy.hea") == "already scored"
        # Who sends a file again wants it to be tried.
        assert arrive(conn, 2, source="inbox/copy2.hea") == "sent again"
        assert ledger.waiting(conn, None) == [recording_id_of(2)]
        assert counts(conn)["ingest_ledger"] == 2
        assert counts(conn)["arrival"] == 4


def test_new_content_under_an_old_name_is_a_new_recording(engine, arrive, recording_id_of):
    with engine.begin() as conn:
        assert arrive(conn, 1, source="inbox/100.hea", changed_at=10.0) == "new"
        assert arrive(conn, 2, source="inbox/100.hea", changed_at=20.0) == "new"
        assert arrivals.seen_sources(conn) == {"inbox/100.hea": ("20.0", ())}
        # The first content comes back with its old time, as a restored backup does: it must not be read for ever.
        assert arrive(conn, 1, source="inbox/100.hea", changed_at=10.0) == "known"
        assert arrivals.seen_sources(conn) == {"inbox/100.hea": ("10.0", ())}


@pytest.mark.parametrize(
    "source",
    [
        "inbox/Müller 心電図 ❤.hea",
        "inbox/'; DROP TABLE ecg.arrival; --.hea",
        'inbox/"quoted" %s %(x)s :name \\ back.hea',
        "inbox/nul\0here.hea",
        b"inbox/latin-\xff\xe9.hea".decode("utf-8", "surrogateescape"),
        "inbox/" + "長" * 5000 + ".hea",
        "",
    ],
)
def test_hostile_names_are_kept_apart_and_found_again(engine, arrive, source):
    with engine.begin() as conn:
        assert arrive(conn, 1, source=source) == "new"
        assert arrive(conn, 1, source=source) == "known"
        assert arrive(conn, 2, source=source + "x") == "new"
        assert set(arrivals.seen_sources(conn)) == {arrivals.source_key(source), arrivals.source_key(source + "x")}
        assert counts(conn)["arrival"] == 2


def test_ordinary_names_are_stored_as_they_are():
    for source in ("inbox/100.hea", "s3://ward@bucket/ä b/100.hea", "inbox/\u202egnp.hea"):
        assert arrivals.source_key(source) == source


def test_an_id_that_is_no_hash_is_refused(engine):
    with engine.begin() as conn, pytest.raises(Exception, match="violates check constraint"):
        arrivals.register(
            conn,
            [Arrival(source="a", recording_id="100", size_bytes=1, changed_at=0.0, staged_path="100/recording.hea")],
        )


def test_claims_come_oldest_first_and_only_from_those_asked_for(engine, arrive, recording_id_of):
    with engine.begin() as conn:
        for seed in (3, 1, 2):
            arrive(conn, seed)
        assert ledger.waiting(conn, None) == [recording_id_of(seed) for seed in (3, 1, 2)]
        assert ledger.waiting(conn, 2) == [recording_id_of(3), recording_id_of(1)]
        claim = _claim(conn, [recording_id_of(1), recording_id_of(2), "f" * 64])
        assert claim == ledger.Claim(recording_id_of(1), "1/recording.hea", 1)
        assert _claim(conn, []) is None


def test_two_claimers_at_once_never_get_the_same(engine, arrive, recording_id_of):
    n_recordings, n_workers = 40, 4
    with engine.begin() as conn:
        for seed in range(n_recordings):
            arrive(conn, seed)
    ids = [recording_id_of(seed) for seed in range(n_recordings)]
    start = threading.Barrier(n_workers)

    def work(worker: int) -> list[str]:
        taken = []
        start.wait()
        while True:
            # Another owner each time: an owner would be given its own open claim again.
            with engine.begin() as conn:
                claim = _claim(conn, ids, f"worker-{worker}-{len(taken)}")
            if claim is None:
                return taken
            taken.append(claim.recording_id)

    with ThreadPoolExecutor(n_workers) as pool:
        taken = [recording_id for found in pool.map(work, range(n_workers)) for recording_id in found]
    assert sorted(taken) == sorted(ids)


def test_an_open_transaction_is_passed_over_not_waited_for(engine, arrive, recording_id_of):
    with engine.begin() as conn:
        for seed in (1, 2):
            arrive(conn, seed)
    ids = [recording_id_of(1), recording_id_of(2)]
    with engine.begin() as first, engine.begin() as second:
        second.execute(text("SET LOCAL lock_timeout = '2s'"))
        assert _claim(first, ids, "a").recording_id == ids[0]
        assert _claim(second, ids, "b").recording_id == ids[1]


def test_a_claim_that_was_rolled_back_was_never_taken(engine, arrive, recording_id_of):
    with engine.begin() as conn:
        arrive(conn, 1)
    with engine.connect() as conn:
        assert _claim(conn, [recording_id_of(1)]) is not None
        conn.rollback()
        assert _state(conn, recording_id_of(1)).attempts == 0


def test_a_lease_keeps_others_off_until_it_expires(engine, arrive, recording_id_of):
    ids = [recording_id_of(1)]
    with engine.begin() as conn:
        arrive(conn, 1)
        _claim(conn, ids, "first")
        assert _claim(conn, ids, "second") is None
        assert ledger.waiting(conn, None) == []
        _expire(conn)
        assert ledger.waiting(conn, None) == ids
        assert _claim(conn, ids, "second").attempts == 2
        assert _state(conn, ids[0]).owner == "second"


def test_the_same_owner_takes_its_own_claim_again_before_any_other(engine, arrive, recording_id_of):
    ids = [recording_id_of(seed) for seed in (1, 2)]
    with engine.begin() as conn:
        for seed in (1, 2):
            arrive(conn, seed)
        _claim(conn, [ids[1]], "task")
        again = _claim(conn, ids, "task")
        assert (again.recording_id, again.attempts) == (ids[1], 2)


@pytest.mark.parametrize("how", ["abandoned", "retried"])
def test_attempts_that_had_no_end_are_counted_and_those_given_back_are_not(engine, arrive, recording_id_of, how):
    ids = [recording_id_of(1)]
    with engine.begin() as conn:
        arrive(conn, 1)
        for attempt in range(3):
            owner = "task" if how == "retried" else f"task-{attempt}"
            assert _claim(conn, ids, owner).attempts == attempt + 1
            if how == "abandoned":
                _expire(conn)
        ledger.free_expired(conn)
        if how == "retried":
            ledger.give_back(conn, ids[0], "task")
        for _ in range(5):
            assert _claim(conn, ids, "task").attempts == (3 if how == "retried" else 4)
            ledger.give_back(conn, ids[0], "task")


def test_giving_back_gives_back_only_what_the_owner_holds(engine, arrive, recording_id_of):
    ids = [recording_id_of(1)]
    with engine.begin() as conn:
        arrive(conn, 1)
        _claim(conn, ids, "first")
        ledger.give_back(conn, ids[0], "second")
        assert _state(conn, ids[0]).owner == "first"
        ledger.give_back(conn, ids[0], "first")
        assert ledger.waiting(conn, None) == ids


def test_what_is_scored_stays_scored(engine, arrive, recording_id_of):
    ids = [recording_id_of(1)]
    with engine.begin() as conn:
        arrive(conn, 1)
        _claim(conn, ids)
        ledger.mark_scored(conn, ids[0])
        before = _everything(conn)
        ledger.mark_scored(conn, ids[0])
        ledger.set_aside(conn, ids[0], "gave up", "A second worker was slower.")
        ledger.give_back(conn, ids[0], "task-1")
        assert _claim(conn, ids) is None
        assert _everything(conn) == before


def test_a_late_score_takes_back_that_it_was_given_up(engine, arrive, recording_id_of):
    with engine.begin() as conn:
        arrive(conn, 1)
        ledger.set_aside(conn, recording_id_of(1), "gave up", "It never ended.")
        ledger.mark_scored(conn, recording_id_of(1))
        assert tuple(_state(conn, recording_id_of(1))) == ("scored", None, 0, None, None)


def test_an_unknown_recording_is_an_error(engine):
    with engine.begin() as conn:
        with pytest.raises(StoreError, match="does not know"):
            ledger.mark_scored(conn, "f" * 64)
        with pytest.raises(StoreError, match="does not know"):
            ledger.set_aside(conn, "f" * 64, "corrupt header", "No.")


def test_reasons_with_hostile_text_are_stored(engine, arrive, recording_id_of):
    reason = "The header holds 'nul\0', \"quotes\" and \udcff; it cannot be read."
    with engine.begin() as conn:
        arrive(conn, 1)
        ledger.set_aside(conn, recording_id_of(1), "corrupt header", reason)
        assert _state(conn, recording_id_of(1)).reason == reason.replace("\0", "\\x00").replace("\udcff", "\\udcff")
