"""The file of sites: what it may say, whose an address is, and who sees whose recordings."""

import subprocess
import sys
from datetime import datetime, timedelta

import pytest
from pydantic import ValidationError

from ecg_core.errors import SettingsError
from ecg_core.settings import Settings
from ecg_core.sites import compared_with, read_sites, seen_by, with_time_zone

SITES = """
[north]
inboxes = ["Ward 3", "s3://north/ecg"]
roles = ["north", "both"]
[south]
roles = ["south", "both"]
[south-holter]
inboxes = ["south/holter", "/mnt/holter"]
roles = ["south", "both"]
"""


@pytest.fixture
def settings(tmp_path):
    (tmp_path / "sites.toml").write_text(SITES)
    return Settings(_env_file=None, home=tmp_path, inbox="/inbox", sites=tmp_path / "sites.toml")


@pytest.mark.parametrize(
    ("source", "site"),
    [
        ("/inbox/Ward 3/a.hea", "north"),
        ("/inbox/Ward 33/a.hea", None),
        ("/inbox/Ward 3", None),
        ("/inbox/north/a.hea", None),
        ("s3://north/ecg/2026/a.dcm", "north"),
        ("s3://north/ecg2/a.dcm", None),
        ("/inbox/south/a.hea", "south"),
        ("/inbox/south/holter/a.hea", "south-holter"),
        ("/mnt/holter/deep/a.hea", "south-holter"),
        ("/inbox/a.hea", None),
        ("/elsewhere/south/a.hea", None),
    ],
)
def test_a_file_is_the_sites_whose_inbox_it_came_to(settings, source, site):
    assert settings.site_of(source) == site


def test_an_upload_is_the_sites_in_whose_folder_it_lies(settings):
    assert settings.site_of(f"{settings.uploads_dir}/south/{'0' * 32}/0/recording.hea") == "south"
    assert settings.site_of(f"{settings.uploads_dir}/{'0' * 32}/0/recording.hea") is None


def test_inboxes_that_lie_elsewhere_are_looked_at_too(settings):
    assert settings.inbox_addresses == ("/inbox", "s3://north/ecg", "/mnt/holter")
    assert settings.allows_inbox("/mnt/holter/deep")
    assert not settings.allows_inbox("/mnt")


@pytest.mark.parametrize(
    ("roles", "seen"),
    [
        (["ecg clinician", "north"], {"north"}),
        (["both"], {"north", "south", "south-holter"}),
        (["ecg clinician"], set()),
        ([], set()),
        (["ecg operator"], set()),
        (["ecg admin"], None),
        (["ecg analyst"], None),
        (["ecg analyst", "south"], {"south", "south-holter"}),
    ],
)
def test_who_sees_whose_recordings(settings, roles, seen):
    assert seen_by(settings.site_profiles, roles) == seen
    assert seen_by({}, roles) is None


def test_recordings_are_compared_where_whoever_sees_the_one_sees_the_other(settings):
    sites = settings.site_profiles
    assert set(compared_with(sites, "south")) == {"south", "south-holter"}
    assert set(compared_with(sites, "north")) == {"north"}
    assert set(compared_with(sites, "closed-since")) == {"closed-since"}
    assert compared_with(sites, None) is None
    assert compared_with({}, "south") is None


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("[north]\ninbox = 'a'", "north.inbox"),
        ("[north]\ninboxes = ['../south']", "north.inboxes"),
        ("[north]\ninboxes = ['']", "north.inboxes"),
        ("[north]\nurgency_order = ['V run']", "perhaps with !new"),
        ("['North side']", "No site can be called"),
        (f"[{'a' * 32}]", "No site can be called"),
        ("[north]\ninboxes = ['south']\n[south]", "have the inbox south"),
        ("north", "cannot be read"),
        ("[north]\ntime_zone = 'Mars/Olympus'", "a time zone as"),
        ("[north]\npseudonym_key_file = '/nowhere'", "north.pseudonym_key_file"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_with_its_reason(tmp_path, said, why):
    (tmp_path / "sites.toml").write_text(said)
    with pytest.raises(SettingsError, match=why):
        read_sites(tmp_path / "sites.toml")


@pytest.mark.parametrize(
    ("clock", "offset_h"),
    [("2026-01-15T12:00", 1), ("2026-07-15T12:00", 2), ("2026-10-25T02:30", None), ("2026-03-29T02:30", None)],
)
def test_a_clock_is_given_its_sites_time_zone_where_it_has_one(clock, offset_h):
    start = with_time_zone(datetime.fromisoformat(clock), "Europe/Berlin")
    assert start.utcoffset() == (None if offset_h is None else timedelta(hours=offset_h))
    assert start.replace(tzinfo=None) == datetime.fromisoformat(clock)
    stated = datetime.fromisoformat(f"{clock}+05:00")
    assert with_time_zone(stated, "Europe/Berlin") is stated
    assert with_time_zone(None, "Europe/Berlin") is None


def test_a_file_that_is_not_there_is_told_at_the_start(tmp_path):
    code = "from ecg_core.settings import load_settings; load_settings()"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env={"ECG_SITES": "nowhere"}, capture_output=True, text=True
    )
    assert "SettingsError: ECG_SITES=" in done.stderr


def test_a_provider_may_give_the_roles_of_sites(settings, tmp_path):
    given = {"oidc_roles": {"Kardiologie": "ecg clinician", "Nord": "north"}}
    assert Settings(_env_file=None, sites=tmp_path / "sites.toml", **given).oidc_roles["Nord"] == "north"
    with pytest.raises(ValidationError, match="no role is called 'north'"):
        Settings(_env_file=None, **given)


def test_what_is_a_sites_stands_in_one_place():
    with pytest.raises(ValidationError, match="the file that ECG_SITES names"):
        Settings(_env_file=None, message_rules={"urgent_finding@north": ("mail",)})
