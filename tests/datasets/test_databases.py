"""The registry of databases says of each what its files say."""

import re

import pytest
import wfdb

from ecg_core.datasets.databases import DATABASES


@pytest.mark.parametrize("name", DATABASES)
def test_what_is_shared_is_shared_by_both(name):
    for other in DATABASES[name].same_people:
        assert name in DATABASES[other].same_people, other


@pytest.mark.parametrize("name", ["mitdb", "qtdb", "challenge-2017", "ptb-xl"])
def test_rate_and_leads_are_those_of_the_headers(mitdb, name):
    """Of the first and last few of the records that are here."""
    database = DATABASES[name]
    folder = mitdb.parents[1] / name / database.version
    headers = sorted(
        path for path in folder.rglob("*.hea") if re.fullmatch(database.wanted, str(path.relative_to(folder)))
    )
    if not headers:
        pytest.skip(f"{name} is not in this mirror")
    for path in [*headers[:10], *headers[-10:]]:
        header = wfdb.rdheader(str(path.with_suffix("")))
        assert header.fs == database.sampling_rate_hz
        assert set(header.sig_name) <= set(database.lead_names)


def test_the_noise_is_fetched_without_the_recordings_of_mitdb_patients():
    wanted = re.compile(DATABASES["nstdb"].wanted)
    assert wanted.fullmatch("bm.dat")
    assert not wanted.fullmatch("118e06.dat")
