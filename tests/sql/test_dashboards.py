"""The dashboards' files ask the mart for what is there, as the analyst's role; each chart's question is asked."""

from pathlib import Path

import pytest
import yaml
from sqlalchemy import text

FILES = Path(__file__).resolve().parents[2] / "dashboards" / "files"


def read(folder):
    return {doc["uuid"]: doc for doc in (yaml.safe_load(path.read_text()) for path in sorted(FILES.glob(folder)))}


DATASETS, CHARTS, DASHBOARDS = read("datasets/*/*.yaml"), read("charts/*.yaml"), read("dashboards/*.yaml")


@pytest.fixture
def analyst(conn):
    conn.execute(text("SET LOCAL ROLE ecg_analyst"))
    conn.execute(text("SET LOCAL search_path = ecg_mart"))
    return conn


@pytest.mark.parametrize("dataset", DATASETS.values(), ids=lambda dataset: dataset["table_name"])
def test_a_data_set_has_the_columns_that_it_names(analyst, dataset):
    found = analyst.exec_driver_sql(f"SELECT * FROM ({dataset['sql']}) AS asked LIMIT 0".replace("%", "%%"), ())
    assert list(found.keys()) == [column["column_name"] for column in dataset["columns"]]


@pytest.mark.parametrize("chart", CHARTS.values(), ids=lambda chart: chart["slice_name"])
def test_a_chart_asks_what_its_data_set_can_answer(analyst, chart):
    dataset, params = DATASETS[chart["dataset_uuid"]], chart["params"]
    kept = {metric["metric_name"]: metric["expression"] for metric in dataset["metrics"]}
    metrics = [kept[one] if isinstance(one, str) else one["sqlExpression"] for one in params["metrics"]]
    by = [*params["groupby"], *([params["x_axis"]] if "x_axis" in params else [])]
    assert set(by) <= {column["column_name"] for column in dataset["columns"]}
    names = ", ".join(by)
    question = f"SELECT {', '.join([*by, *metrics])} FROM ({dataset['sql']}) AS asked GROUP BY {names}"
    analyst.exec_driver_sql(question.replace("%", "%%"), ()).all()


def test_every_chart_is_on_a_dashboard():
    placed = [
        part["meta"]["uuid"]
        for dashboard in DASHBOARDS.values()
        for part in dashboard["position"].values()
        if isinstance(part, dict) and part["type"] == "CHART"
    ]
    assert sorted(placed) == sorted(CHARTS)


def test_no_file_holds_an_address_or_a_password():
    [database] = read("databases/*.yaml").values()
    assert database["sqlalchemy_uri"] == "postgresql+psycopg2://ecg_analyst@127.0.0.1/ecg"
    assert not any("password" in path.read_text() for path in FILES.rglob("*.yaml"))
