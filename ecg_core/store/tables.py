"""The tables of schema `ecg` as SQLAlchemy sees them.

``sql/migrations`` makes them, with comments, checks and indexes; a test compares both.
"""

from __future__ import annotations

from datetime import date
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Connection,
    Date,
    DateTime,
    Dialect,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    false,
    func,
    literal,
    select,
    true,
    union_all,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, REAL, insert
from sqlalchemy.types import TypeDecorator, TypeEngine

from ecg_core.result import INTERVALS, PLAYERS
from ecg_core.result.intervals import MEASURES

CHOSEN_VALUES: Final = ("shapley_values", "lime_values", "wave_deviations", "blend")
"""Columns of `chosen_beat` that hold JSON objects."""


class StorableText(TypeDecorator[str]):
    r"""Text that may come from a file or a file's name, where anything can stand.

    Postgres holds neither NUL nor the halves of bytes that are no UTF-8; both are written as an escape (``\x00``,
    ``\udcff``), in values and in comparisons alike.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Escape what Postgres cannot hold."""
        return None if value is None else storable(value)


def storable(text: str) -> str:
    """Return `text` with NULs and lone surrogates escaped; all other text as it is."""
    return text.replace("\0", "\\x00").encode("utf-8", "backslashreplace").decode("utf-8")


_TIME: Final = DateTime(timezone=True)
now: Final = func.clock_timestamp()
"""The server's time, not the transaction's: a transaction may be long."""

metadata: Final = MetaData(schema="ecg")


def _finding_columns() -> list[Column[Any]]:
    return [
        Column("finding_index", SmallInteger, primary_key=True),
        _column("kind", StorableText),
        _column("urgency", StorableText),
        _column("sentence", StorableText, null=True),
        _column("mean_probability", Double, null=True),
        _column("n_uncertain", Integer, null=True),
        _column("n_episodes", Integer, null=True),
        _column("n_beats", Integer, null=True),
        _column("beat_share", Double, null=True),
        _column("total_s", Double, null=True),
        _column("longest_s", Double, null=True),
        _column("min_heart_rate_bpm", REAL, null=True),
        _column("max_heart_rate_bpm", REAL, null=True),
        _column("n_called", Integer, null=True),
        _column("n_in_fibrillation", Integer, null=True),
        _column("evidence", JSONB, server_default="[]"),
        _column("leads", JSONB, server_default="[]"),
        _column("measured", JSONB, server_default="[]"),
        _column("limit_value", Double, null=True),
        _column("doubts", JSONB, server_default="[]"),
    ]


def _column(
    name: str,
    type_: TypeEngine[Any] | type[TypeEngine[Any]],
    key: ForeignKey | None = None,
    *,
    null: bool = False,
    unique: bool = False,
    server_default: str | ColumnElement[Any] | None = None,
) -> Column[Any]:
    """Make a column that refuses NULL unless told: most of ours do."""
    keys = () if key is None else (key,)
    return Column(name, type_, *keys, nullable=null, unique=unique or None, server_default=server_default)


def _partitioned_key() -> tuple[Column[int], Column[int]]:
    """Return the key of a beat in a table partitioned by month; such tables have no foreign keys."""
    return Column("scoring_run_id", Integer, primary_key=True), Column("beat_index", Integer, primary_key=True)


def _arrived_month() -> Column[date]:
    return Column("arrived_month", Date, primary_key=True)


def _scoring_run_key() -> Column[int]:
    return Column("scoring_run_id", Integer, ForeignKey("ecg.scoring_run.scoring_run_id"), primary_key=True)


patient: Final = Table(
    "patient",
    metadata,
    Column("patient_pseudonym", StorableText, primary_key=True),
    _column("first_seen_at", _TIME, server_default=now),
    _column("key_id", StorableText, null=True),
)
recording: Final = Table(
    "recording",
    metadata,
    Column("recording_id", StorableText, primary_key=True),
    _column("patient_pseudonym", StorableText, ForeignKey("ecg.patient.patient_pseudonym"), null=True),
    _column("source_format", StorableText),
    _column("lead_names", ARRAY(StorableText)),
    _column("sampling_rate_hz", Double),
    _column("n_samples", BigInteger),
    _column("duration_s", Double),
    _column("start_time", DateTime(timezone=False), null=True),
    _column("start_utc_offset_s", Integer, null=True),
    _column("device", StorableText, null=True),
    _column("synthetic", Boolean),
    _column("stored_at", _TIME, server_default=now),
    _column("arrived_at", _TIME),
    _column("file_lead_names", ARRAY(StorableText), null=True),
    _column("age_years", SmallInteger, null=True),
    _column("sex", StorableText, null=True),
    _column("pacemaker", Boolean, null=True),
    _column("fingerprint", StorableText, null=True),
    _column("site", StorableText, null=True),
)
recording_doubt: Final = Table(
    "recording_doubt",
    metadata,
    Column("recording_id", StorableText, ForeignKey("ecg.recording.recording_id"), primary_key=True),
    Column("place", SmallInteger, primary_key=True),
    _column("code", StorableText),
    _column("text", StorableText),
)
device_statement: Final = Table(
    "device_statement",
    metadata,
    Column("recording_id", StorableText, ForeignKey("ecg.recording.recording_id"), primary_key=True),
    Column("place", Integer, primary_key=True),
    _column("kind", StorableText),
    _column("text", StorableText),
    _column("measured_value", Double, null=True),
    _column("at_s", Double, null=True),
    _column("code", StorableText, null=True),
    _column("unit", StorableText, null=True),
)
ingest_ledger: Final = Table(
    "ingest_ledger",
    metadata,
    Column("recording_id", StorableText, primary_key=True),
    _column("state", StorableText, server_default="waiting"),
    _column("staged_path", StorableText),
    _column("size_bytes", BigInteger),
    _column("first_seen_at", _TIME, server_default=now),
    _column("attempts", Integer, server_default="0"),
    _column("owner", StorableText, null=True),
    _column("lease_until", _TIME, null=True),
    _column("done_at", _TIME, null=True),
    _column("code", StorableText, null=True),
    _column("reason", StorableText, null=True),
    _column("although_duplicate", Boolean, server_default=false()),
    _column("superseded_by", StorableText, ForeignKey("ecg.ingest_ledger.recording_id"), null=True),
)
arrival: Final = Table(
    "arrival",
    metadata,
    Column("recording_id", StorableText, ForeignKey("ecg.ingest_ledger.recording_id"), primary_key=True),
    Column("source", StorableText, primary_key=True),
    _column("size_bytes", BigInteger),
    _column("file_changed_unix_s", Double),
    _column("first_seen_at", _TIME, server_default=now),
    _column("last_seen_at", _TIME, server_default=now),
    _column("stamp", StorableText, null=True),
    _column("parts", ARRAY(StorableText), server_default="{}"),
)
inbox_seen: Final = Table(
    "inbox_seen",
    metadata,
    Column("address", StorableText, primary_key=True),
    _column("is_mount", Boolean),
    _column("looked_at", _TIME, server_default=now),
)
inbox_entry: Final = Table(
    "inbox_entry",
    metadata,
    Column("source", StorableText, primary_key=True),
    _column("state", StorableText),
    _column("code", StorableText),
    _column("reason", StorableText),
    _column("stamp", StorableText),
    _column("since", _TIME, server_default=now),
)
model_version: Final = Table(
    "model_version",
    metadata,
    Column("model_version", StorableText, primary_key=True),
    _column("family", StorableText),
    _column("created_at", _TIME),
    _column("training_data", ARRAY(StorableText)),
    _column("figures", JSONB),
    _column("limits", ARRAY(StorableText)),
    _column("manifest", JSONB(none_as_null=True), null=True),
    _column("registered_at", _TIME, server_default=now),
    _column("task", StorableText, server_default="beats"),
)
training_run: Final = Table(
    "training_run",
    metadata,
    Column("training_run_id", Integer, Identity(always=True), primary_key=True),
    _column("run_id", StorableText, null=True),
    _column("model_version", StorableText, ForeignKey("ecg.model_version.model_version")),
    _column("judged_against", StorableText, ForeignKey("ecg.model_version.model_version"), null=True),
    _column("verdict", StorableText),
    _column("reason", StorableText),
    _column("figures", JSONB(none_as_null=True), null=True),
    _column("decided_at", _TIME, server_default=now),
    _column("task", StorableText, server_default="beats"),
)
scoring_run: Final = Table(
    "scoring_run",
    metadata,
    Column("scoring_run_id", Integer, Identity(always=True), primary_key=True),
    _column("recording_id", StorableText, ForeignKey("ecg.recording.recording_id")),
    _column("model_version", StorableText, ForeignKey("ecg.model_version.model_version")),
    _column("scored_by", StorableText),
    _column("scored_at", _TIME, server_default=now),
    _column("n_beats", Integer, null=True),
    _column("n_beats_analysable", Integer, null=True),
    *(_column(f"n_class_{letter}", Integer, null=True) for letter in "nsvfq"),
    _column("mean_heart_rate_bpm", REAL, null=True),
    _column("min_heart_rate_bpm", REAL, null=True),
    _column("min_heart_rate_at_s", Double, null=True),
    _column("max_heart_rate_bpm", REAL, null=True),
    _column("max_heart_rate_at_s", Double, null=True),
    _column("analysable_share", REAL),
    _column("primary_lead", StorableText),
    _column("filters", ARRAY(StorableText)),
    _column("stage_seconds", JSONB),
    _column("arrived_month", Date),
    _column("primary_lead_index", SmallInteger, server_default="0"),
    *(_column(f"median_{name}", REAL, null=True) for name in MEASURES),
    _column("n_beats_with_qt", Integer, server_default="0"),
    _column("af_probability", ARRAY(REAL), null=True),
    _column("task", StorableText, server_default="beats"),
)
recording_label: Final = Table(
    "recording_label",
    metadata,
    _scoring_run_key(),
    _column("task", StorableText),
    Column("label", StorableText, primary_key=True),
    _column("probability", REAL),
    _column("in_set", Boolean),
    _column("may_be_absent", Boolean, null=True),
)
resting: Final = Table(
    "resting",
    metadata,
    _scoring_run_key(),
    _column("not_measured", StorableText, null=True),
    _column("age_years", REAL, null=True),
    _column("sex", StorableText, null=True),
    _column("derived_leads", ARRAY(StorableText)),
    _column("turned_leads", ARRAY(StorableText)),
    _column("n_beats", Integer),
    _column("n_beats_left_out", Integer),
    _column("rr_ms", Double, null=True),
    _column("wave_columns", JSONB),
    _column("median_beat", LargeBinary),
    _column("generated_text", StorableText, null=True),
)
measurement: Final = Table(
    "measurement",
    metadata,
    _scoring_run_key(),
    Column("measurement_index", SmallInteger, primary_key=True),
    _column("lead", StorableText, null=True),
    _column("name", StorableText),
    _column("value", Double),
    _column("unit", StorableText),
)
label_attribution: Final = Table(
    "label_attribution",
    metadata,
    _scoring_run_key(),
    Column("label", StorableText, primary_key=True),
    Column("game", StorableText, primary_key=True),
    Column("player", StorableText, primary_key=True),
    _column("value", Double),
    _column("standard_error", Double, null=True),
)
recording_stretch: Final = Table(
    "recording_stretch",
    metadata,
    _scoring_run_key(),
    _column("task", StorableText),
    Column("from_s", Double, primary_key=True),
    _column("to_s", Double),
    Column("label", StorableText, primary_key=True),
    _column("probability", REAL),
)
beat: Final = Table(
    "beat",
    metadata,
    *_partitioned_key(),
    _column("r_sample", BigInteger),
    _column("r_time_s", Double),
    _arrived_month(),
    _column("rr_prev_ms", REAL, null=True),
    _column("rr_next_ms", REAL, null=True),
    *(_column(f"probability_{letter}", REAL, null=True) for letter in "nsvfq"),
    _column("deviation_z", REAL, null=True),
    _column("class", StorableText),
    _column("analysable", Boolean),
    *(_column(name, REAL, null=True) for name in INTERVALS),
    _column("prediction_set", SmallInteger, null=True),
)
attribution: Final = Table(
    "attribution",
    metadata,
    *_partitioned_key(),
    _arrived_month(),
    _column("before_qrs_share", REAL, null=True),
    _column("qrs_share", REAL, null=True),
    _column("after_qrs_share", REAL, null=True),
    _column("class", StorableText),
    Column("method", StorableText, primary_key=True),
)
shapley: Final = Table(
    "shapley",
    metadata,
    *_partitioned_key(),
    _arrived_month(),
    *(_column(player, REAL) for player in PLAYERS),
    _column("class", StorableText),
)
chosen_beat: Final = Table(
    "chosen_beat",
    metadata,
    *_partitioned_key(),
    _arrived_month(),
    _column("chosen_reason", StorableText),
    _column("waveform_mv", ARRAY(REAL)),
    _column("counterpart_mv", ARRAY(REAL)),
    _column("template_mv", ARRAY(REAL)),
    _column("place", SmallInteger, server_default="0"),
    _column("waves_ms", ARRAY(REAL), null=True),
    *(_column(name, JSONB(none_as_null=True), null=True) for name in CHOSEN_VALUES),
    _column("own_reference", Boolean, server_default=true()),
)
attribution_sample: Final = Table(
    "attribution_sample",
    metadata,
    *_partitioned_key(),
    _arrived_month(),
    Column("method", StorableText, primary_key=True),
    _column("sample_values", ARRAY(REAL)),
    _column("context_values", JSONB(none_as_null=True), null=True),
)
dropped_month: Final = Table(
    "dropped_month",
    metadata,
    _arrived_month(),
    _column("dropped_at", _TIME, server_default=now),
)
hourly: Final = Table(
    "hourly",
    metadata,
    _scoring_run_key(),
    Column("hour_index", Integer, primary_key=True),
    _column("n_beats", Integer),
    _column("n_beats_analysable", Integer),
    *(_column(f"n_class_{letter}", Integer) for letter in "nsvfq"),
    _column("n_uncertain", Integer),
    _column("mean_heart_rate_bpm", REAL, null=True),
    _column("min_heart_rate_bpm", REAL, null=True),
    _column("max_heart_rate_bpm", REAL, null=True),
    _column("mean_class_probability", REAL, null=True),
    _column("mean_deviation_z", REAL, null=True),
)
rhythm_episode: Final = Table(
    "rhythm_episode",
    metadata,
    _scoring_run_key(),
    Column("episode_index", Integer, primary_key=True),
    _column("kind", StorableText),
    _column("start_s", Double),
    _column("end_s", Double),
    _column("first_beat_index", Integer),
    _column("last_beat_index", Integer),
    _column("heart_rate_bpm", REAL, null=True),
    _column("probability", REAL, null=True),
)
lead_quality: Final = Table(
    "lead_quality",
    metadata,
    Column("scoring_run_id", Integer, ForeignKey("ecg.scoring_run.scoring_run_id"), primary_key=True),
    Column("lead_index", SmallInteger, primary_key=True),
    _column("n_epochs", Integer),
    _column("analysable_share", Double),
    _column("mean_quality_index", Double, null=True),
)
signal_quality: Final = Table(
    "signal_quality",
    metadata,
    _scoring_run_key(),
    Column("epoch_index", Integer, primary_key=True),
    _column("start_s", Double),
    _column("quality_index", REAL, null=True),
    Column("lead_index", SmallInteger, primary_key=True),
    _column("analysable", Boolean),
)
reading: Final = Table(
    "reading",
    metadata,
    Column("reading_id", Integer, Identity(always=True), primary_key=True),
    _column("recording_id", StorableText, ForeignKey("ecg.recording.recording_id")),
    _column("versions", JSONB),
    _column("first_made_at", _TIME, server_default=now),
)
reading_run: Final = Table(
    "reading_run",
    metadata,
    Column("reading_id", Integer, ForeignKey("ecg.reading.reading_id"), primary_key=True),
    Column("task", StorableText, primary_key=True),
    _column("scoring_run_id", Integer, ForeignKey("ecg.scoring_run.scoring_run_id")),
)
report: Final = Table(
    "report",
    metadata,
    Column("report_id", BigInteger, Identity(always=True), primary_key=True),
    _column("reading_id", Integer, ForeignKey("ecg.reading.reading_id"), unique=True),
    _column("path", StorableText),
    _column("sha256", StorableText),
    _column("size_bytes", BigInteger),
    _column("written_at", _TIME, server_default=now),
    _column("urgency", SmallInteger, server_default="0"),
    _column("final_id", BigInteger, ForeignKey("ecg.final_reading.final_id"), null=True),
    _column("priority", Integer, server_default="0"),
    _column("priority_kind", StorableText, null=True),
    _column("priority_new", Boolean, null=True),
)
finding: Final = Table(
    "finding",
    metadata,
    Column("reading_id", Integer, ForeignKey("ecg.reading.reading_id"), primary_key=True),
    *_finding_columns(),
)
recording_signal: Final = Table(
    "recording_signal",
    metadata,
    Column("recording_id", StorableText, ForeignKey("ecg.recording.recording_id"), primary_key=True),
    Column("lead_index", SmallInteger, primary_key=True),
    Column("chunk_index", Integer, primary_key=True),
    _column("n_samples", Integer),
    _column("samples", LargeBinary),
)
raw_excerpt: Final = Table(
    "raw_excerpt",
    metadata,
    _scoring_run_key(),
    _column("start_s", Double),
    _column("sampling_rate_hz", Double),
    _column("samples_mv", ARRAY(REAL)),
)
method_agreement: Final = Table(
    "method_agreement",
    metadata,
    _scoring_run_key(),
    Column("class", StorableText, primary_key=True),
    Column("one_method", StorableText, primary_key=True),
    Column("other_method", StorableText, primary_key=True),
    _column("n_beats", Integer),
    _column("mean_overlap_share", Double),
    _column("same_segment_share", Double),
)
reviewer: Final = Table(
    "reviewer",
    metadata,
    Column("reviewer_id", Integer, Identity(always=True), primary_key=True),
    _column("user_name", StorableText, unique=True),
    _column("first_seen_at", _TIME, server_default=now),
)
review: Final = Table(
    "review",
    metadata,
    Column("review_id", BigInteger, Identity(always=True), primary_key=True),
    _column("reading_id", Integer, ForeignKey("ecg.reading.reading_id")),
    _column("reviewer_id", Integer, ForeignKey("ecg.reviewer.reviewer_id")),
    _column("subject", StorableText),
    _column("finding", StorableText, null=True),
    _column("beat_index", Integer, null=True),
    _column("start_s", Double, null=True),
    _column("end_s", Double, null=True),
    _column("agrees", Boolean, null=True),
    _column("corrected_class", StorableText, null=True),
    _column("comment", StorableText, null=True),
    _column("signed", Boolean, server_default=false()),
    _column("reviewed_at", _TIME, server_default=now),
    _column("no_beat", Boolean, server_default=false()),
    _column("rhythm", StorableText, null=True),
    _column("signed_sha256", StorableText, null=True),
)
final_reading: Final = Table(
    "final_reading",
    metadata,
    Column("final_id", BigInteger, Identity(always=True), primary_key=True),
    _column("reading_id", Integer, ForeignKey("ecg.reading.reading_id")),
    _column("holds_since", _TIME, server_default=now),
    _column("state", StorableText),
    _column("signed_by", Integer, ForeignKey("ecg.reviewer.reviewer_id")),
    _column("signed_at", _TIME),
    _column("signature_holds", Boolean),
    _column("urgency", SmallInteger),
    _column("n_beats", Integer),
    _column("n_beats_analysable", Integer),
    *(_column(f"n_class_{name}", Integer) for name in "nsvfq"),
    _column("n_beats_changed", Integer),
    *(_column(f"{name}_heart_rate_bpm", REAL, null=True) for name in ("mean", "min", "max")),
)
final_beat: Final = Table(
    "final_beat",
    metadata,
    Column("final_id", BigInteger, ForeignKey("ecg.final_reading.final_id"), primary_key=True),
    Column("place", Integer, primary_key=True),
    _column("beat_index", Integer, null=True),
    _column("r_sample", BigInteger),
    _column("r_time_s", Double),
    _column("class", StorableText, null=True),
    _column("analysable", Boolean),
    _column("rr_prev_ms", REAL, null=True),
    _column("rr_next_ms", REAL, null=True),
    _column("reviewer_id", Integer, ForeignKey("ecg.reviewer.reviewer_id"), null=True),
)
final_episode: Final = Table(
    "final_episode",
    metadata,
    Column("final_id", BigInteger, ForeignKey("ecg.final_reading.final_id"), primary_key=True),
    Column("episode_index", Integer, primary_key=True),
    _column("kind", StorableText),
    _column("start_s", Double),
    _column("end_s", Double),
    _column("n_beats", Integer),
    _column("heart_rate_bpm", REAL, null=True),
    _column("probability", REAL, null=True),
    _column("reviewer_id", Integer, ForeignKey("ecg.reviewer.reviewer_id"), null=True),
)
final_finding: Final = Table(
    "final_finding",
    metadata,
    Column("final_id", BigInteger, ForeignKey("ecg.final_reading.final_id"), primary_key=True),
    *_finding_columns(),
)
answer_key: Final = Table(
    "answer_key",
    metadata,
    _column("key", LargeBinary),
    _column("made_at", _TIME, server_default=now),
)
audit: Final = Table(
    "audit",
    metadata,
    Column("audit_id", BigInteger, Identity(always=True), primary_key=True),
    _column("happened_at", _TIME, server_default=now),
    _column("user_name", StorableText),
    _column("action", StorableText),
    _column("recording_id", StorableText, ForeignKey("ecg.recording.recording_id")),
    _column("reading_id", Integer, ForeignKey("ecg.reading.reading_id"), null=True),
    _column("from_patient", StorableText, null=True),
    _column("to_patient", StorableText, null=True),
)
data_quality: Final = Table(
    "data_quality",
    metadata,
    Column("data_quality_id", BigInteger, Identity(always=True), primary_key=True),
    _column("checked_at", _TIME),
    _column("rule", StorableText),
    _column("severity", StorableText),
    _column("scored_since", _TIME, null=True),
    _column("n_rows_broken", Integer),
    _column("examples", JSONB),
    _column("seconds", REAL),
)
drift_reference: Final = Table(
    "drift_reference",
    metadata,
    Column("model_version", StorableText, ForeignKey("ecg.model_version.model_version"), primary_key=True),
    Column("quantity", StorableText, primary_key=True),
    _column("bins", ARRAY(StorableText)),
    _column("shares", ARRAY(Double)),
    _column("mean", Double, null=True),
    _column("n_beats", BigInteger, null=True),
    _column("source", StorableText),
    _column("noted_at", _TIME, server_default=now),
)
drift: Final = Table(
    "drift",
    metadata,
    Column("model_version", StorableText, primary_key=True),
    Column("scored_on", Date, primary_key=True),
    Column("quantity", StorableText, primary_key=True),
    _column("n_beats", BigInteger),
    _column("mean", Double, null=True),
    _column("shares", ARRAY(Double)),
    _column("population_stability_index", Double),
    _column("measured_at", _TIME, server_default=now),
    ForeignKeyConstraint(
        ["model_version", "quantity"], ["ecg.drift_reference.model_version", "ecg.drift_reference.quantity"]
    ),
)
outbox_message: Final = Table(
    "outbox_message",
    metadata,
    Column("message_id", BigInteger, Identity(always=True), primary_key=True),
    _column("kind", Text),
    _column("dedupe_key", StorableText),
    _column("severity", Text),
    _column("site", StorableText, null=True),
    _column("subject", StorableText),
    _column("body", StorableText),
    _column("payload", JSONB, null=True),
    _column("reading_id", Integer, ForeignKey("ecg.reading.reading_id"), null=True),
    _column("created_at", _TIME, server_default=now),
    _column("raised_at", _TIME, server_default=now),
    _column("n_raised", Integer, server_default="1"),
    _column("ended_at", _TIME, null=True),
    _column("acknowledged_at", _TIME, null=True),
    _column("acknowledged_by", StorableText, null=True),
    _column("escalated_at", _TIME, null=True),
)
outbox_delivery: Final = Table(
    "outbox_delivery",
    metadata,
    Column("delivery_id", BigInteger, Identity(always=True), primary_key=True),
    _column("message_id", BigInteger, ForeignKey("ecg.outbox_message.message_id")),
    _column("channel", Text),
    _column("state", Text, server_default="waiting"),
    _column("attempts", Integer, server_default="0"),
    _column("due_at", _TIME, server_default=now),
    _column("sent_at", _TIME, null=True),
    _column("error", StorableText, null=True),
)
sign_of_life: Final = Table(
    "sign_of_life",
    metadata,
    Column("part", StorableText, primary_key=True),
    _column("seen_at", _TIME, server_default=now),
    _column("facts", JSONB, server_default="{}"),
)


NEW_RUN: Final = (
    insert(scoring_run)
    .on_conflict_do_nothing(index_elements=["recording_id", "model_version"])
    .returning(scoring_run.c.scoring_run_id)
)
"""Enters a scoring run, given its columns; no number where the version has scored the recording before."""


def run_of(conn: Connection, recording_id: str, model_version: str) -> int:
    """Return the scoring run of a recording by a version that has scored it."""
    run = scoring_run.c
    query = select(run.scoring_run_id).where(run.recording_id == recording_id, run.model_version == model_version)
    return int(conn.execute(query).scalar_one())


def counts(conn: Connection) -> dict[str, int]:
    """Count the rows of every table, by its name."""
    each = [
        select(literal(table.name).label("name"), func.count().label("n")).select_from(table)
        for table in metadata.sorted_tables
    ]
    found = {row.name: int(row.n) for row in conn.execute(union_all(*each))}
    return {table.name: found[table.name] for table in metadata.sorted_tables}
