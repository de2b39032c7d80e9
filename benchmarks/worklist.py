"""Fill a database with reports and time every kind of worklist page: python -m benchmarks.worklist [reports]."""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

from pydantic import PostgresDsn
from sqlalchemy import make_url, text

from ecg_core.readers.reports import list_reports
from ecg_core.settings import Settings
from ecg_core.stack.postgres import ensure_postgres, remove_postgres
from ecg_core.store import migrate, open_engine
from ecg_core.store.reports import Filters

# One report in 20 is urgent, in 50 poor, in 10 signed; one model version in 1,000 reports is rare.
FILL = """
INSERT INTO ecg.model_version (model_version, family, created_at, training_data, figures, limits)
SELECT name, 'cnn', now(), '{}', '{}', '{}' FROM unnest(ARRAY['usual', 'rare']) AS name;
INSERT INTO ecg.recording (recording_id, source_format, lead_names, sampling_rate_hz, n_samples, duration_s, synthetic,
    arrived_at)
SELECT encode(sha256(n::text::bytea), 'hex'), 'wfdb', '{II}', 360, 21600, 60, true, now()
FROM generate_series(1, %(n)s) AS n;
INSERT INTO ecg.scoring_run (recording_id, model_version, scored_by, n_beats, n_beats_analysable, n_class_n, n_class_s,
    n_class_v, n_class_f, n_class_q, analysable_share, primary_lead, filters, stage_seconds,
    arrived_month)
SELECT encode(sha256(n::text::bytea), 'hex'), CASE WHEN n %% 1000 = 7 THEN 'rare' ELSE 'usual' END, 'benchmark',
    80, 80, 75, 0, 5, 0, 0, CASE WHEN n %% 50 = 0 THEN 0.3 ELSE 0.97 END, 'II', '{}', '{}',
    date_trunc('month', now())
FROM generate_series(1, %(n)s) AS n ORDER BY n;
INSERT INTO ecg.reading (recording_id, versions)
SELECT recording_id, jsonb_build_object('beats', model_version) FROM ecg.scoring_run ORDER BY scoring_run_id;
INSERT INTO ecg.reading_run SELECT reading_id, 'beats', scoring_run_id
FROM ecg.reading JOIN ecg.scoring_run USING (recording_id);
INSERT INTO ecg.report (reading_id, path, sha256, size_bytes, urgency, priority)
SELECT reading_id, reading_id || '.html', repeat('a', 64), 1000, weight, weight
FROM ecg.reading, LATERAL (SELECT CASE WHEN reading_id %% 20 = 0 THEN 110 ELSE 10 END) AS its (weight)
ORDER BY reading_id;
INSERT INTO ecg.finding (reading_id, finding_index, kind, urgency, sentence, n_episodes)
SELECT reading_id, 0, 'v_beats', 'notable', '5 V', NULL FROM ecg.reading
UNION ALL SELECT reading_id, 1, 'v_run', 'urgent', 'a run', 1 FROM ecg.reading WHERE reading_id %% 20 = 0
UNION ALL SELECT reading_id, 2, 'pause', 'urgent', 'a pause', 1 FROM ecg.reading WHERE reading_id %% 5000 = 0;
INSERT INTO ecg.rhythm_episode SELECT scoring_run_id, 0, 'v_run', 1, 2, 1, 3, 120
FROM ecg.scoring_run WHERE scoring_run_id %% 20 = 0;
INSERT INTO ecg.reviewer (user_name) VALUES ('benchmark');
INSERT INTO ecg.review (reading_id, reviewer_id, subject, signed)
SELECT reading_id, 1, 'recording', true FROM ecg.reading WHERE reading_id %% 10 = 3;
"""
PAGES = {
    "newest": (Filters(), False, None),
    "far page": (Filters(), False, (0, 500)),
    "urgent first": (Filters(), True, None),
    "urgent, far page": (Filters(), True, (10, 500)),
    "one recording": (Filters(search="4a44dc15"), False, None),
    "usual finding": (Filters(finding="v_beats"), False, None),
    "rare finding": (Filters(finding="pause"), False, None),
    "poor": (Filters(quality="poor"), False, None),
    "rare model version": (Filters(model_version="rare"), False, None),
    "signed": (Filters(state="signed"), False, None),
    "not signed, urgent": (Filters(state="unread", finding="v_run"), True, None),
    "nothing fits": (Filters(finding="q_beats", quality="poor", state="signed"), False, None),
}


def main() -> None:
    """Print the median of five calls of each page, in milliseconds, with its count."""
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    home = Path(tempfile.mkdtemp(prefix="ecg-worklist-"))
    home.chmod(0o755)
    settings = Settings(_env_file=None, home=home, database_url=None)
    url = make_url(ensure_postgres(settings)).render_as_string(hide_password=False)
    engine = open_engine(url)
    try:
        migrate(engine)
        with engine.begin() as connection:
            connection.connection.cursor().execute(FILL, {"n": n})
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE"))
        settings = settings.model_copy(update={"database_url": PostgresDsn(url)})
        found = {name: _time(settings, *page) for name, page in PAGES.items()}
        sys.stdout.write(json.dumps(found, indent=1) + "\n")
    finally:
        engine.dispose()
        remove_postgres(settings)


def _time(settings: Settings, filters: Filters, urgent_first: bool, after: tuple[int, int] | None) -> dict[str, float]:
    seconds = []
    for _ in range(5):
        started = time.perf_counter()
        page = list_reports(settings, filters, urgent_first=urgent_first, after=after)
        seconds.append(time.perf_counter() - started)
    return {"ms": round(statistics.median(seconds) * 1000, 1), "shown": len(page.reports), "counted": page.total}


if __name__ == "__main__":
    main()
