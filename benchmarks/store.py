"""How fast results go into Postgres: ``python benchmarks/store.py [--json]``, with ECG_DATABASE_URL set.

Each round writes one recording of 100,000 beats (about 24 hours) with two attributions per abnormal beat, signal
quality and three chosen beats, through `write_result`, in one transaction that is rolled back.
"""

import argparse
import json
import statistics
import time

from benchmarks.made_up import varied
from ecg_core.settings import load_settings
from ecg_core.store import migrate, open_engine
from ecg_core.store.write_result import write_result

N_BEATS = 100_000


def measure(rounds: int) -> dict[str, float]:
    """Write `rounds` times and give the median."""
    url = load_settings().database_url
    if url is None:
        raise SystemExit("Set ECG_DATABASE_URL to a Postgres to measure on, for instance the one of `ecg up`.")
    engine = open_engine(url.unicode_string())
    migrate(engine)
    result = varied(N_BEATS)
    seconds = []
    for _ in range(rounds):
        with engine.connect() as connection, connection.begin() as transaction:
            started = time.perf_counter()
            write_result(connection, result, "benchmark")
            seconds.append(time.perf_counter() - started)
            transaction.rollback()
    median_s = statistics.median(seconds)
    abnormal = int((result.beats.analysable & (result.beats.class_index != 0)).sum())
    n_rows = N_BEATS + abnormal * len(result.attributions) + result.quality.index.size
    return {
        "beats": N_BEATS,
        "rows": n_rows,
        "seconds": round(median_s, 3),
        "beats_per_second": round(N_BEATS / median_s),
        "rows_per_second": round(n_rows / median_s),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    figures = measure(arguments.rounds)
    print(json.dumps(figures) if arguments.json else "\n".join(f"{k:18}{v:>12,}" for k, v in figures.items()))  # noqa: T201
