"""Settings: from the environment or `.env`, typed, unknown names refused."""

import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from ecg_core import settings as settings_module
from ecg_core.errors import SettingsError
from ecg_core.files import make_private
from ecg_core.settings import Settings, refuse_unknown_names


def load_in(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Load the settings as a process of its own would, standing in `folder`."""
    code = "from ecg_core.settings import load_settings; s = load_settings(); print(s.chunk_size, s.home, s.inbox)"
    return subprocess.run([sys.executable, "-c", code], cwd=folder, env=environment, capture_output=True, text=True)


def test_an_unknown_name_is_refused_with_the_nearest_valid_one(monkeypatch):
    monkeypatch.setenv("ECG_CHUNKSIZE", "4")
    with pytest.raises(SettingsError, match=r"ECG_CHUNKSIZE is no setting\. Did you mean ECG_CHUNK_SIZE\?"):
        refuse_unknown_names()


def test_an_unknown_name_in_dotenv_is_refused_too(tmp_path):
    (tmp_path / ".env").write_text("ECG_INBOXX=/data\n")
    done = load_in(tmp_path)
    assert done.returncode != 0
    assert "ECG_INBOXX is no setting. Did you mean ECG_INBOX?" in done.stderr


def test_dotenv_is_read_and_the_environment_wins(tmp_path):
    (tmp_path / ".env").write_text("ECG_CHUNK_SIZE=4\nECG_INBOX=in\n")
    assert load_in(tmp_path).stdout.split() == ["4", str(tmp_path / ".ecg"), str(tmp_path / "in")]
    assert load_in(tmp_path, ECG_CHUNK_SIZE="9").stdout.split()[0] == "9"


def test_a_value_that_does_not_fit_is_named(tmp_path):
    done = load_in(tmp_path, ECG_CHUNK_SIZE="many")
    assert "ECG_CHUNK_SIZE='many' does not fit" in done.stderr


def test_a_secret_may_lie_in_a_file(tmp_path):
    key = "0123456789abcdef" * 2
    (tmp_path / "key").write_text(f"{key}\n")
    code = "from ecg_core.settings import load_settings; print(load_settings().pseudonym_secret().decode())"

    def asked(**environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True
        )

    assert asked(ECG_PSEUDONYM_KEY_FILE=str(tmp_path / "key")).stdout.strip() == key
    assert "Both ECG_PSEUDONYM_KEY and" in asked(ECG_PSEUDONYM_KEY_FILE="key", ECG_PSEUDONYM_KEY=key).stderr
    assert "cannot be read (FileNotFoundError)" in asked(ECG_PSEUDONYM_KEY_FILE="nowhere").stderr
    assert "ECG_CHUNK_SIZE_FILE is no setting" in asked(ECG_CHUNK_SIZE_FILE="key").stderr


def test_addresses_are_left_as_they_are():
    assert Settings(inbox="s3://hospital/ecg").inbox_address == "s3://hospital/ecg"
    assert Settings(physionet_base="https://example.org/files").physionet_base == "https://example.org/files"


def test_the_pseudonym_key_is_made_once_and_closed_to_others(tmp_path):
    first = Settings(home=tmp_path).pseudonym_secret()
    assert Settings(home=tmp_path).pseudonym_secret() == first
    assert len(first) == 64
    assert (tmp_path / "pseudonym.key").stat().st_mode & 0o777 == 0o600
    assert [p.name for p in tmp_path.iterdir()] == ["pseudonym.key"]


def test_every_setting_says_what_it_is_for():
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


@pytest.mark.parametrize("key", ["", "k", "k" * 64, "0123456789abcdef"])
def test_a_key_that_can_be_guessed_is_refused_and_not_shown(tmp_path, key):
    with pytest.raises(ValidationError, match="32 random characters"):
        Settings(home=tmp_path, pseudonym_key=key)
    (tmp_path / "pseudonym.key").write_text(key)
    with pytest.raises(SettingsError, match="Restore it from a backup"):
        Settings(home=tmp_path).pseudonym_secret()


@pytest.mark.parametrize("name", ["ECG_DATABASE_URL", "ECG_PSEUDONYM_KEY"])
def test_a_secret_that_does_not_fit_is_not_printed(monkeypatch, name):
    monkeypatch.setenv(name, "mysql://ecg:open-sesame@db/ecg")
    settings_module._load.cache_clear()
    with pytest.raises(SettingsError, match=name) as caught:
        settings_module.load_settings()
    settings_module._load.cache_clear()
    assert "sesame" not in str(caught.value)


def test_a_run_may_look_at_the_inboxes_of_the_settings_alone(tmp_path):
    made = Settings(home=tmp_path, inbox="/data/inbox", further_inboxes=("s3://ward@bucket/in",))
    for allowed in ("/data/inbox", "/data/inbox/ward 3", "file:///data/inbox", "s3://ward@bucket/in/a"):
        assert made.allows_inbox(allowed)
    for refused in ("/etc", "/data/inbox/../../etc", "/data/inbox2", "s3://ward@bucket/in2", "http://169.254.169.254/"):
        assert not made.allows_inbox(refused)


def test_folders_of_patients_are_their_owners_alone(tmp_path):
    home = tmp_path / "home"
    home.mkdir(mode=0o755)
    make_private(home, (home / "reports",))
    assert home.stat().st_mode & 0o777 in (0o700, 0o711)
    assert (home / "reports").stat().st_mode & 0o777 == 0o700
