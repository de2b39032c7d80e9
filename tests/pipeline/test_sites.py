"""Files of two sites, from inbox to scores: whose they are, with which key, clock and profile, in which order."""

from pathlib import Path

import pytest
from sqlalchemy import text
from upath import UPath

from ecg_core.arrivals.watching import InboxWatch
from ecg_core.datasets import synth
from ecg_core.formats.leads import key_id
from ecg_core.pipeline import inbox
from ecg_core.readers import pseudonyms, sites
from ecg_core.settings import Settings
from ecg_core.store.database import store_engine

NORTH, SOUTH = "0123456789abcdef" * 2, "fedcba9876543210" * 2


@pytest.fixture
def two_sites(settings: Settings, tmp_path: Path) -> Settings:
    """The north has a folder of the inbox and a key, the south a folder elsewhere; the attic is an archive."""
    (tmp_path / "north.key").write_text(NORTH)
    (tmp_path / "profile.toml").write_text('rate_hz = 250\nunit = "mV"\nleads = ["II"]\n')
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "sites.toml").write_text(f"""
[north]
time_zone = "Europe/Berlin"
pseudonym_key_file = "{tmp_path}/north.key"
roles = ["north"]
[south]
roles = ["south"]
inboxes = ["{tmp_path}/elsewhere"]
priority = 1
csv_profile = "{tmp_path}/profile.toml"
[attic]
priority = -1
""")
    return settings.model_copy(update={"sites": tmp_path / "sites.toml", "pseudonym_key": None})


def put(folder: Path, name: str, seed: int, patient: str = "4711", start: str = "") -> None:
    folder.mkdir(exist_ok=True)
    header = synth.write_wfdb(synth.synthesise(10.0, n_leads=1, seed=seed), folder, name)
    first, *rest = header.read_text().splitlines()
    header.write_text("\n".join([f"{first} {start}".strip(), *rest, f"# patient id: {patient}", ""]))


def look(settings: Settings) -> dict[str, int]:
    return inbox.register_all(settings, [UPath(one) for one in settings.inbox_addresses])


def rows(settings: Settings, query: str) -> list[tuple[object, ...]]:
    with store_engine(settings).connect() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


def test_each_file_is_its_sites_with_its_key_and_its_clock(two_sites, tmp_path):
    put(Path(two_sites.inbox_address) / "north", "a", 1, start="12:30:00 01/07/2026")
    put(tmp_path / "elsewhere", "b", 2, start="12:30:00 01/07/2026")
    put(Path(two_sites.inbox_address) / "ward 3", "c", 3)
    assert look(two_sites)["new"] == 3
    for chunk in inbox.plan_chunks(two_sites):
        assert {one["outcome"] for one in inbox.score_chunk(two_sites, chunk, "test")} == {"scored"}
    query = "SELECT site, start_utc_offset_s, patient_pseudonym FROM ecg.recording ORDER BY site NULLS LAST"
    (north, south, none) = rows(two_sites, query)
    assert [north[:2], south[:2], none[:2]] == [("north", 7200), ("south", None), (None, None)]
    assert north[2] != south[2] == none[2]
    assert pseudonyms.keys(two_sites)[1:] == [pseudonyms.Key(key_id(NORTH.encode()), 1, "north")]
    assert pseudonyms.keys(two_sites)[0].n_patients == 1


def test_recordings_from_before_there_were_sites_are_given_theirs(two_sites, tmp_path):
    before = two_sites.model_copy(update={"sites": None, "further_inboxes": (str(tmp_path / "elsewhere"),)})
    put(Path(two_sites.inbox_address) / "north", "a", 1, start="12:30:00 01/07/2026")
    put(tmp_path / "elsewhere", "b", 2, start="12:30:00 02/07/2026")
    for folder in (None, UPath(tmp_path / "elsewhere")):
        inbox.register_arrivals(before, folder)
    for chunk in [*inbox.plan_chunks(before), *inbox.plan_chunks(before, inbox=UPath(tmp_path / "elsewhere"))]:
        inbox.score_chunk(before, chunk, "test")
    drawn = dict(
        rows(
            two_sites,
            "SELECT source, path FROM ecg.report JOIN ecg.reading USING (reading_id)"
            " JOIN ecg.arrival USING (recording_id)",
        )
    )
    compared = 'id="compared"'
    assert [compared in (two_sites.reports_dir / path).read_text() for path in drawn.values()].count(True) == 1
    assert sites.enter_sites(two_sites) == {"north": 1, "south": 1}
    assert sites.enter_sites(two_sites) == {}
    now = dict(rows(two_sites, "SELECT path, sha256 FROM ecg.report"))
    assert [compared in (two_sites.reports_dir / path).read_text() for path in now] == [False, False]
    listed = {one.name: (one.roles, one.n_recordings) for one in sites.list_sites(two_sites)}
    assert listed == {"north": (("north",), 1), "south": (("south",), 1), "attic": ((), 0), "": ((), 0)}


def test_who_is_first_and_who_waits_behind(two_sites, tmp_path):
    put(Path(two_sites.inbox_address) / "north", "a", 1)
    put(Path(two_sites.inbox_address) / "attic", "b", 2)
    look(two_sites)
    put(tmp_path / "elsewhere", "c", 3)
    look(two_sites)
    names = dict(rows(two_sites, "SELECT recording_id, source FROM ecg.arrival"))

    def planned(lane):
        return [Path(names[one]).stem for chunk in inbox.plan_chunks(two_sites, lane=lane) for one in chunk]

    assert (planned("fresh"), planned("archive"), planned(None)) == (["c", "a"], ["b"], ["c", "a", "b"])


def test_a_sites_tables_are_read_by_its_profile(two_sites, tmp_path):
    signal = "ecg\n" + "".join(
        f"{value:.4f}\n" for value in synth.synthesise(10.0, n_leads=1, seed=4).recording.signal[:, 0]
    )
    (Path(two_sites.inbox_address) / "north").mkdir()
    (Path(two_sites.inbox_address) / "north" / "bare.csv").write_text(signal)
    (tmp_path / "elsewhere" / "bare.csv").write_text(signal)
    look(two_sites)
    parts = dict(rows(two_sites, "SELECT source, parts FROM ecg.arrival"))
    own = f"{tmp_path}/elsewhere/bare.csv"
    assert parts == {own: ["../profile.toml"], f"{two_sites.inbox_address}/north/bare.csv": []}
    assert InboxWatch(two_sites, UPath(tmp_path / "elsewhere")).newly_settled() == 1


def test_a_site_that_has_used_its_quota_up_waits_and_no_other(two_sites, tmp_path):
    put(Path(two_sites.inbox_address) / "north", "a", 1)
    look(two_sites)
    (tmp_path / "bound.toml").write_text((two_sites.sites).read_text().replace("[north]", "[north]\nquota_gb = 1e-6"))
    bound = two_sites.model_copy(update={"sites": tmp_path / "bound.toml"})
    put(Path(two_sites.inbox_address) / "north", "b", 2)
    put(tmp_path / "elsewhere", "c", 3)
    counts = look(bound)
    assert (counts["quota"], counts["new"], counts["unchanged"]) == (1, 1, 1)
    assert (
        "quota"
        in dict(rows(bound, "SELECT source, reason FROM ecg.inbox_entry"))[f"{two_sites.inbox_address}/north/b.hea"]
    )
    assert look(two_sites)["new"] == 1


def test_an_inbox_out_of_reach_keeps_no_other_waiting(two_sites, tmp_path):
    put(Path(two_sites.inbox_address) / "north", "a", 1)
    (tmp_path / "elsewhere").rmdir()
    with pytest.raises(Exception, match="elsewhere does not exist"):
        look(two_sites)
    assert rows(two_sites, "SELECT count(*) FROM ecg.ingest_ledger") == [(1,)]


def test_the_same_signal_of_another_site_is_scored_as_that_sites_own(two_sites, tmp_path):
    put(Path(two_sites.inbox_address) / "north", "a", 1, patient="1")
    put(tmp_path / "elsewhere", "b", 1, patient="2")
    put(tmp_path / "elsewhere", "c", 1, patient="3")
    look(two_sites)
    outcomes = [one for chunk in inbox.plan_chunks(two_sites) for one in inbox.score_chunk(two_sites, chunk, "test")]
    assert sorted(one["outcome"] for one in outcomes) == ["scored", "scored", "set aside"]
    assert rows(two_sites, "SELECT site FROM ecg.recording ORDER BY 1") == [("north",), ("south",)]
