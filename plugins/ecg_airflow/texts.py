"""Every sentence of the worklist and of the review form, in English: a translation is another module like this one.

Values in braces are filled in by `say`. Keys that end in ``_one`` and ``_many`` are chosen by `say_count`.
"""

from __future__ import annotations

from typing import Final

TEXTS: Final[dict[str, str]] = {
    # both pages
    "language": "en",
    "all_reports": "All reports",
    "research": "For research use, not for diagnosis.",
    "status_401": "Sign in to Airflow first, then open this page again.",
    "status_403": (
        "You may not do this. Reading needs access to the DAG ecg_score_inbox, answering the right to change it; "
        "whoever runs Airflow can give you both. A form that was open for long, or over another sign-in, is refused "
        "too: open it again."
    ),
    "status_404": "There is no such report. It may have been removed, or the address was typed wrongly.",
    "status_413": "The form is longer than it can be.",
    "status_415": "This is not a form of ours.",
    "status_422": "The address asks for something that does not exist: a number is out of range, or a search too long.",
    "status_503": "The results cannot be read at the moment. Try again in a minute.",
    "status_other": "This cannot be shown.",
    # the worklist
    "worklist_title": "ECG reports",
    "worklist_intro": (
        "Found by a model, not read by a clinician unless it says so. For research use, not for diagnosis."
    ),
    "filter_search": "Recording id starts with",
    "filter_finding": "Finding",
    "filter_quality": "Analysable",
    "filter_model": "Model version",
    "filter_reviewed": "Signed by a reader",
    "filter_order": "Order",
    "any": "any",
    "quality_good": "90 % or more",
    "quality_fair": "50 to 90 %",
    "quality_poor": "less than 50 %",
    "reviewed_either": "either",
    "reviewed_no": "not yet",
    "reviewed_yes": "signed",
    "order_newest": "newest first",
    "order_urgent": "most urgent first",
    "show": "Show",
    "show_all": "Show all",
    "recordings": "Recordings",
    "caption_one": "One report{of}, {order}.",
    "caption_many": "{n} reports{of}, {order}.",
    "caption_most": "{n} or more reports{of}, {order}.",
    "caption_of": " of recordings whose id starts with “{search}”",
    "caption_times": "“Scored” is in UTC, “Recorded” as the recording says.",
    "caption_newest": "the newest first",
    "caption_urgent": "the most urgent first",
    "column_recording": "Recording",
    "column_review": "Review",
    "column_scored": "Scored",
    "column_recorded": "Recorded",
    "column_length": "Length",
    "column_analysable": "Analysable",
    "column_rate": "Mean rate",
    "column_beats": "Beats",
    "column_findings": "Findings",
    "column_model": "Model version",
    "synthetic": "synthetic",
    "urgent": "{n} urgent",
    "review": "Review",
    "review_of": "Review {recording}",
    "signed": "Signed",
    "signed_of": "Signed: {recording}",
    "not_known": "not known",
    "length": "{minutes} min {seconds} s",
    "length_hours": "{hours} h {minutes} min",
    "share": "{percent} %",
    "rate": "{bpm} /min",
    "burden": "{letter} {n} ({percent} %)",
    "episodes": "{n} × {kind}",
    "no_abnormal": "no abnormal beat found",
    "no_beats": "no analysable beat",
    "pages": "Pages",
    "first_page": "First page",
    "next_page": "Next page",
    "empty_search": "No recording has an id that starts with “{search}”.",
    "empty_search_and": "No recording has an id that starts with “{search}” and fits the rest of what is asked.",
    "empty_narrowed": "No report fits what is asked.",
    "empty_page": "There are no more reports.",
    "empty_all": (
        "No recording has been scored yet. Put a recording into the inbox; the DAG “ECG: score the inbox” looks there "
        "on its schedule, or trigger it now."
    ),
    # kinds of findings, as the worklist can be narrowed to them
    "finding_v_run": "runs of V",
    "finding_pause": "pauses",
    "finding_tachycardia": "fast rate",
    "finding_bradycardia": "slow rate",
    "finding_atrial_fibrillation": "possible atrial fibrillation",
    "finding_v_couplet": "couplets of V",
    "finding_bigeminy": "bigeminy",
    "finding_trigeminy": "trigeminy",
    "finding_s_run": "runs of S",
    "finding_s_couplet": "couplets of S",
    "finding_v_beats": "V beats",
    "finding_s_beats": "S beats",
    "finding_f_beats": "fusion beats",
    "finding_q_beats": "Q beats",
    "finding_poor_signal": "poor signal",
    "finding_no_analysable_beats": "nothing analysable",
    # the review form
    "report_of": "Report of {recording}",
    "report_alone": "The report alone",
    "beats_corrected": "Beats as corrected (WFDB)",
    "saved": "Saved. It stands in the report under “Reviewed by”.",
    "findings": "Findings",
    "findings_none": "The report states no finding.",
    "finding_line": "{n}. {sentence}",
    "agree": "agree",
    "disagree": "disagree",
    "not_judged": "not judged",
    "corrections": "Corrected classes",
    "corrections_note": "Times from the start of the recording (h:mm:ss.s). Leave “to” empty for one beat.",
    "correction": "Correction {n}",
    "from": "From",
    "to": "To",
    "is": "Is",
    "class_N": "N normal or bundle branch block",
    "class_S": "S supraventricular ectopic",
    "class_V": "V ventricular ectopic",
    "class_F": "F fusion of ventricular and normal",
    "class_Q": "Q paced, unclassifiable or noise",
    "comment": "Comment",
    "answers_kept": "You answer as {user}. Answers are kept as they are: to change one, answer again.",
    "sign": "Sign",
    "save": "Save without signing",
    "may_only_read": "You may read this report. Answering it needs the right to change the DAG ecg_score_inbox.",
    "answers": "Answers so far",
    "answers_none": "None yet.",
    "answer_signed": "{reviewer} signed, {time}",
    "answer_noted": "{reviewer} noted, {time}",
    "answer_counts": "{agreed} agreed, {disagreed} disagreed, {corrected} corrected",
    # what does not fit in a form
    "bad_finding": "A finding can be agreed or disagreed with, nothing else.",
    "bad_comment": "The comment is longer than {most} characters.",
    "bad_nothing": "Nothing was answered, so nothing was saved.",
    "bad_correction": "Correction {n} needs a time and a class.",
    "bad_order": "Correction {n} ends before it begins.",
    "bad_time": "“{text}” is no time: give h:mm:ss from the start of the recording, for instance 0:12:31.4.",
}


def say(key: str, /, **facts: object) -> str:
    """Fill a sentence of the catalogue. An unknown key or a missing fact is a `KeyError`."""
    return TEXTS[key].format(**facts)


def say_count(key: str, n: int, /, **facts: object) -> str:
    """Fill the sentence for one or for many; `n` is filled in with thousands apart."""
    return say(f"{key}_one" if n == 1 else f"{key}_many", n=f"{n:,}", **facts)
