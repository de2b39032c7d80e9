"""What analysts rely on is kept: a renamed column breaks the data contract, and is named."""

import pytest
from sqlalchemy import text

from ecg_core.errors import StoreError
from ecg_core.store import contract


def test_the_contract_is_the_marts(conn):
    promised = contract.read_contract()
    assert contract.contract(conn, promised["version"]) == promised, "run `ecg db contract`"
    assert contract.CONTRACT_FILE.read_text("utf-8") == contract.as_yaml(promised)
    assert all(p["description"] for view in promised["schema"] for p in view["properties"])


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("ALTER VIEW ecg_mart.score RENAME COLUMN n_class_v TO n_ventricular", "Column score.n_class_v is gone."),
        ("DROP VIEW ecg_mart.daily", "View daily is gone."),
        (
            "DROP VIEW ecg_mart.drift; CREATE VIEW ecg_mart.drift AS SELECT scored_on::text FROM ecg.drift",
            "Column drift.scored_on was date and is text.",
        ),
    ],
)
def test_what_breaks_it_is_named_and_not_written(conn, change, told):
    promised = contract.read_contract()
    conn.execute(text(change))
    conn.exec_driver_sql("COMMENT ON VIEW ecg_mart.score IS 'x'")
    with pytest.raises(StoreError) as refused:
        contract.renewed(conn, promised)
    assert told in str(refused.value)
    major = int(promised["version"].split(".")[0])
    assert contract.renewed(conn, promised, breaking=True)["version"] == f"{major + 1}.0.0"
    conn.rollback()


def test_a_column_more_breaks_nothing(conn):
    promised = contract.read_contract()
    conn.execute(text("CREATE VIEW ecg_mart.more AS SELECT recording_id FROM ecg.recording"))
    conn.execute(text("COMMENT ON VIEW ecg_mart.more IS 'Grain: x.'"))
    major, minor, _ = promised["version"].split(".")
    assert contract.renewed(conn, promised)["version"] == f"{major}.{int(minor) + 1}.0"
    conn.rollback()
