"""A new key of the pseudonyms: who is known keeps the name, whoever comes now is called by the new one."""

import stat
from pathlib import Path

import pytest
from sqlalchemy import text

from ecg_core.errors import SettingsError
from ecg_core.formats.leads import key_id
from ecg_core.pipeline import inbox
from ecg_core.readers import pseudonyms
from ecg_core.settings import Settings
from ecg_core.store.database import store_engine


def score(settings: Settings) -> dict[str, str]:
    """Score what waits; pseudonym of each recording by its file's name."""
    inbox.register_arrivals(settings)
    for chunk in inbox.plan_chunks(settings):
        assert {one["outcome"] for one in inbox.score_chunk(settings, chunk, "test")} == {"scored"}
    query = "SELECT source, patient_pseudonym FROM ecg.recording JOIN ecg.arrival USING (recording_id)"
    with store_engine(settings).connect() as connection:
        return {Path(source).stem: name for source, name in connection.execute(text(query)).tuples()}


def test_who_is_known_keeps_the_pseudonym_and_old_ones_stay_joined(settings, arrive):
    def arrive_of(name: str, patient: str) -> None:
        header = arrive(name)
        header.write_text(f"{header.read_text()}# patient id: {patient}\n")

    arrive_of("a", "4711")
    before = score(settings)
    first = key_id(settings.pseudonym_secret())
    second = pseudonyms.rotate(settings)
    assert second != first
    assert stat.S_IMODE(settings.pseudonym_file.stat().st_mode) == 0o600
    arrive_of("b", "4711")
    arrive_of("c", "4712")
    after = score(settings)
    assert after["a"] == after["b"] == before["a"]
    assert after["c"] != after["a"]
    with store_engine(settings).connect() as connection:
        made_with = dict(connection.execute(text("SELECT patient_pseudonym, key_id FROM ecg.patient")).tuples().all())
    assert made_with == {after["a"]: first, after["c"]: second}
    assert pseudonyms.keys(settings) == [pseudonyms.Key(second, 1), pseudonyms.Key(first, 1)]
    # Once more: who came by the second key keeps that name too, and the first key still joins its own.
    pseudonyms.rotate(settings)
    assert len(settings.pseudonym_secret().split(b"\n")) == 3


def test_keys_of_the_setting_are_told_apart_and_not_ours_to_change(tmp_path):
    new, old = "0123456789abcdef" * 2, "fedcba9876543210" * 2
    settings = Settings(_env_file=None, home=tmp_path, pseudonym_key=f"{new},{old}")
    assert settings.pseudonym_secret() == f"{new}\n{old}".encode()
    with pytest.raises(SettingsError, match="stand in ECG_PSEUDONYM_KEY"):
        pseudonyms.rotate(settings)
    with pytest.raises(ValueError, match="32 random characters"):
        Settings(_env_file=None, home=tmp_path, pseudonym_key=f"{new},short")
