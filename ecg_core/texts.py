"""Every sentence of the report, in English: a translation is another module like this one.

Values in braces are filled in by `say`. Keys that end in ``_one`` and ``_many`` are chosen by `say_count`.
"""

from __future__ import annotations

from typing import Final

TEXTS: Final[dict[str, str]] = {
    # the page
    "language": "en",
    "page_title": "ECG report {recording}",
    "title": "ECG report",
    "subtitle": "Automated beat classification with explanations",
    "contents": "Sections",
    "skip": "Skip to the findings",
    "footer": "For research use, not for diagnosis. Recording {recording}, model {model}.",
    # head
    "patient": "Patient",
    "patient_unknown": "not in the file",
    "recording": "Recording",
    "banner_research": "For research use, not for diagnosis.",
    "banner_synthetic": (
        "This recording is synthetic: a generator made it, no person. Nothing in it says anything of a patient."
    ),
    "banner_poor": (
        "Poor signal: only {share} of the recording could be analysed. What follows holds for that part alone; "
        "the absence of a finding means little."
    ),
    "banner_nothing": "Nothing in this recording could be analysed. The report makes no statement about the rhythm.",
    "start": "Start",
    "start_unknown": "not in the file",
    "start_no_zone": "{start} (the file gives no time zone)",
    "length": "Length",
    "device": "Device",
    "device_unknown": "not in the file",
    "leads": "Leads",
    "lead_primary": "{leads}; beats classified on {primary}",
    "sampling": "Sampling",
    "sampling_value": "{rate} Hz, {samples} samples per lead ({format})",
    "filters": "Filters applied",
    "filters_none": "none",
    "analysable": "Analysable",
    "analysable_value": "{share} of {lead} ({time})",
    "model": "Model",
    # at a glance
    "glance": "At a glance",
    "glance_intro": (
        "Found by the model, most urgent first; each links to its evidence. Whether a reader has agreed stands at the"
        " end, under “Reviewed by”."
    ),
    "tag_urgent": "Urgent",
    "tag_notable": "Notable",
    "tag_info": "Noted",
    "tag_doubt": "Inconclusive",
    "see_strip": "strip {n}",
    "see_why": "why",
    "v_run_one": "One run of ventricular beats: {beats} beats at {time}{rate}.",
    "v_run_many": "{n} runs of ventricular beats; the longest has {beats} beats, at {time}{rate}.",
    "s_run_one": "One run of supraventricular ectopic beats: {beats} beats at {time}{rate}.",
    "s_run_many": "{n} runs of supraventricular ectopic beats; the longest has {beats} beats, at {time}{rate}.",
    "run_rate": ", {bpm}/min",
    "pause_one": "One pause of {longest} s, at {time}.",
    "pause_many": "{n} pauses; the longest lasts {longest} s, at {time}.",
    "tachycardia_one": "Fast heart rate in one stretch of {total}: {bpm}/min, at {time}.",
    "tachycardia_many": "Fast heart rate in {n} stretches, {total} together; the fastest {bpm}/min, at {time}.",
    "bradycardia_one": "Slow heart rate in one stretch of {total}: {bpm}/min, at {time}.",
    "bradycardia_many": "Slow heart rate in {n} stretches, {total} together; the slowest {bpm}/min, at {time}.",
    "v_couplet_one": "One ventricular couplet, at {time}.",
    "v_couplet_many": "{n} ventricular couplets; the first at {time}.",
    "s_couplet_one": "One supraventricular couplet, at {time}.",
    "s_couplet_many": "{n} supraventricular couplets; the first at {time}.",
    "bigeminy_one": "Bigeminy in one stretch of {beats} beats, at {time}.",
    "bigeminy_many": "Bigeminy in {n} stretches; the longest has {beats} beats, at {time}.",
    "trigeminy_one": "Trigeminy in one stretch of {beats} beats, at {time}.",
    "trigeminy_many": "Trigeminy in {n} stretches; the longest has {beats} beats, at {time}.",
    "atrial_fibrillation_one": (
        "Possible atrial fibrillation from {start} to {end} ({total}), mean probability {probability}."
    ),
    "atrial_fibrillation_many": (
        "Possible atrial fibrillation in {n} stretches, {total} together; one from {start} to {end}, "
        "mean probability {probability}."
    ),
    "episode_other_one": "One episode called “{kind}”, at {time}.",
    "episode_other_many": "{n} episodes called “{kind}”; the first at {time}.",
    "burden_V_one": "One ventricular ectopic beat: {share} of all analysed beats{per_hour}.",
    "burden_V_many": "{n} ventricular ectopic beats: {share} of all analysed beats{per_hour}.",
    "burden_S_one": "One supraventricular ectopic beat: {share} of all analysed beats{per_hour}.",
    "burden_S_many": "{n} supraventricular ectopic beats: {share} of all analysed beats{per_hour}.",
    "burden_F_one": "One fusion beat: {share} of all analysed beats{per_hour}.",
    "burden_F_many": "{n} fusion beats: {share} of all analysed beats{per_hour}.",
    "burden_Q_one": "One beat paced, unclassifiable or mere noise: {share} of all analysed beats{per_hour}.",
    "burden_Q_many": "{n} beats paced, unclassifiable or mere noise: {share} of all analysed beats{per_hour}.",
    "per_hour": ", {rate} per hour",
    "per_hour_extrapolated": ", {rate} per hour (extrapolated from {time})",
    "doubt_beats": "Mean probability of the ectopic beats in it {mean}; {uncertain} of {n} inconclusive.",
    "doubt_class": "Mean probability {mean}; {uncertain} of {n} inconclusive.",
    "doubt_rhythm": "Measured from the intervals between detected beats; a missed or a false beat changes it.",
    "doubt_fibrillation": (
        "Judged by 30 s from the irregularity of the intervals and the absence of P waves; many ectopic beats can look "
        "like it, and flutter with a regular response does not."
    ),
    "doubt_in_fibrillation_one": " One lies in possible atrial fibrillation, where coming early means little.",
    "doubt_in_fibrillation_many": " {n} lie in possible atrial fibrillation, where coming early means little.",
    "poor_signal": "Poor signal: {share} of {lead} ({time}) could not be analysed; nothing is claimed of it.",
    "no_beats": "No beat could be analysed: the report makes no statement about the rhythm.",
    "nothing_found": "No abnormal beat or rhythm was found in the signal that could be analysed.",
    "not_found": "Looked for and not found in the analysable signal: {kinds}.",
    "not_looked_for": ("Not looked for: atrial flutter, heart block, ST and QT changes, pacemaker function."),
    "kind_v_run": "ventricular runs",
    "kind_pause": "pauses over 2.5 s",
    "kind_tachycardia": "fast heart rate",
    "kind_bradycardia": "slow heart rate",
    "kind_atrial_fibrillation": "atrial fibrillation",
    "kind_v_couplet": "ventricular couplets",
    "kind_s_run": "supraventricular runs",
    "kind_s_couplet": "supraventricular couplets",
    "kind_bigeminy": "bigeminy",
    "kind_trigeminy": "trigeminy",
    # heart rate and beats
    "rhythm": "Heart rate and beats",
    "rate_min": "Lowest heart rate",
    "rate_mean": "Mean heart rate",
    "rate_max": "Highest heart rate",
    "rate_unit": "/min",
    "rate_at": "at {time}",
    "rate_mean_note": "over all analysable beats",
    "rate_unknown_note": "too few analysable beats",
    "burden_v_figure": "Ventricular burden",
    "burden_s_figure": "Supraventricular burden",
    "burden_note_one": "one beat",
    "burden_note_many": "{n} beats",
    "trend": "The whole recording",
    "trend_name": "Heart rate over the whole recording, ectopic beats by class, and signal quality of each lead",
    "trend_text": (
        "Line: heart rate from beat to beat (the middle value where several beats share a column); shaded: lowest"
        " to highest. Below it one tick for each beat of the ectopic classes, and the signal quality of each "
        "lead."
    ),
    "trend_empty": "No heart rate could be measured.",
    "trend_axis": "/min",
    "legend_good": "analysable",
    "legend_partly": "partly analysable",
    "legend_poor": "not analysable",
    "quality_row": "{lead}: {share} analysable",
    "quality_more_one": "One more lead is not drawn: {leads}.",
    "quality_more_many": "{n} more leads are not drawn: {leads}.",
    "classes": "Beats by class",
    "column_class": "Class",
    "column_count": "Beats",
    "column_share": "Share",
    "column_probability": "Mean probability",
    "column_uncertain": "Inconclusive",
    "class_N": "normal or bundle branch block",
    "class_S": "supraventricular ectopic",
    "class_V": "ventricular ectopic",
    "class_F": "fusion of ventricular and normal",
    "class_Q": "paced, unclassifiable or noise",
    "beats_text_one": "One beat analysed. Inconclusive: not exactly one class remains at the model’s coverage.",
    "beats_text_many": "{n} beats analysed. Inconclusive: not exactly one class remains at the model’s coverage.",
    "beats_left_out_one": "One beat lies in signal that could not be analysed and is not counted.",
    "beats_left_out_many": "{n} beats lie in signal that could not be analysed and are not counted.",
    # PR, QRS and QT
    "interval_caption": "PR, QRS and QT",
    "interval_name": "Interval",
    "interval_median": "Median",
    "interval_middle_half": "Middle half",
    "interval_beats": "Beats",
    "interval_ms": "{value} ms",
    "interval_range": "{low} to {high} ms",
    "interval_pr_ms": "PR",
    "interval_qrs_duration_ms": "QRS",
    "interval_qt_ms": "QT",
    "interval_qtc_bazett_ms": "QTc (Bazett)",
    "interval_qtc_fridericia_ms": "QTc (Fridericia)",
    "interval_none": (
        "PR, QRS and QT are read from normal beats that follow a normal beat; there is none here, so none is stated."
    ),
    "interval_beats_text_one": (
        "Measured by program in the one normal beat that follows a normal beat, on all analysable leads together."
    ),
    "interval_beats_text_many": (
        "Measured by program in the {n} normal beats that follow a normal beat, on all analysable leads together; a P"
        " wave was found before {share} of them."
    ),
    "interval_error": (
        "Where a cardiologist marked the same beats (QT Database), the median of a recording was off by {pr_ms} ms"
        " (PR), {qrs_duration_ms} ms (QRS) and {qt_ms} ms (QT), one standard deviation: smaller differences mean"
        " nothing."
    ),
    "interval_corrected": (
        "QTc is corrected with the interval before each beat; Bazett’s is too long at fast rates, and neither holds"
        " in atrial fibrillation."
    ),
    "wave_P": "P",
    "wave_QRS": "QRS",
    "wave_T": "T",
    # strips
    "strips": "Rhythm strips",
    "strips_intro": (
        "25 mm/s and 10 mm/mV when printed at 100 %; small squares 1 mm, large squares 5 mm. The pulse at the "
        "left is 1 mV. Letters above the paper give the class of each beat, “?” an inconclusive one; numbers between"
        " them are RR intervals in ms. The text below each strip says the same in words."
    ),
    "intervals": "Intervals",
    "rr_axis": "RR interval, ms",
    "histogram": "RR intervals",
    "histogram_name": "Histogram of the RR intervals in bins of 20 ms",
    "histogram_text": (
        "{n} intervals: half are shorter than {middle} ms, nine of ten lie between {low} and {high} ms. Filled: between"
        " two normal beats; orange above: all others."
    ),
    "poincare": "Each interval against the one before (Poincaré)",
    "poincare_name": "Poincaré plot: each RR interval over the one before, on the same scale",
    "poincare_text": (
        "Across: the interval before; upwards: the interval after. Grey: all three beats normal; orange: the others."
        " Darker where more fall together. Points on the line are two equal intervals."
    ),
    "hrv": "Heart rate variability",
    "hrv_mean_nn": "Mean NN",
    "hrv_sdnn": "SDNN",
    "hrv_rmssd": "RMSSD",
    "hrv_pnn50": "pNN50",
    "hrv_lf_hf": "LF/HF",
    "hrv_ms": "{value} ms",
    "hrv_too_short": "no 5 min without gaps",
    "hrv_none": "Too few intervals between normal beats for measures of variability.",
    "hrv_note": (
        "From {n} intervals between normal beats ({share} of all), as defined by the Task Force of ESC and NASPE"
        " (1996). They say little where the rhythm is not sinus rhythm."
    ),
    "hrv_windows_one": "LF/HF is of one window of 5 min.",
    "hrv_windows_many": "LF/HF is the mean over {n} windows of 5 min; ectopic beats were bridged by straight lines.",
    "ectopy_caption": "Ectopy",
    "ectopy_class": "Class",
    "ectopy_beats": "Beats",
    "ectopy_isolated": "Isolated",
    "ectopy_couplets": "Couplets",
    "ectopy_runs": "Runs",
    "ectopy_longest": "Longest run",
    "ectopy_fastest": "Fastest run",
    "ectopy_bigeminy": "Bigeminy",
    "ectopy_trigeminy": "Trigeminy",
    "ectopy_run": "{beats} beats at {time}",
    "ectopy_rate": "{bpm}/min at {time}",
    "hourly": "Hour by hour",
    "hourly_caption": "Hour by hour",
    "hourly_from": "From",
    "hourly_analysable": "Analysable",
    "hourly_beats": "Beats",
    "hourly_V": "V",
    "hourly_S": "S",
    "hourly_pauses": "Pauses",
    "hourly_runs": "Runs",
    "disclosure": "Full disclosure",
    "disclosure_text": (
        "The whole recording, {lead}: {row} a row, {gain} mm/mV. Each column holds the lowest and the highest sample"
        " that falls into it, so no peak is lost. Strokes below a row mark beats that are not N, in the colours of the"
        " strips."
    ),
    "disclosure_name": "The recording from {start} to {end}, folded",
    "disclosure_panel": "{start} to {end}. Beats: {beats}.",
    "disclosure_no_beats": "none analysable",
    "disclosure_open": "Show the whole recording, folded",
    "twelve": "Twelve leads",
    "twelve_title": "Twelve leads",
    "twelve_name": "Twelve leads in three rows of four, 2.5 s each, and lead II over 10 s",
    "twelve_place": "{time} · 25 mm/s · 10 mm/mV",
    "twelve_text": (
        "The first 10 s: each column shows 2.5 s of its leads, one after the other; the lowest row is lead II"
        " throughout. It prints on a page of its own, across."
    ),
    "strips_none": "No finding asks for a strip of its own.",
    "opening": "Opening of the recording",
    "opening_title": "Opening, {time}",
    "opening_more_one": "One more lead is not drawn: {leads}.",
    "opening_more_many": "{n} more leads are not drawn: {leads}.",
    "opening_none": "The recording holds no signal.",
    "strip_title": "Strip {n}. {what}",
    "strip_place": "{time} · {leads} · 25 mm/s · 10 mm/mV",
    "strip_name": "{title}, ECG strip of {length} from {time}, {leads}",
    "strip_beats": "Beats: {letters}.",
    "strip_rr": "RR {shortest} to {longest} ms.",
    "strip_no_beats": "No beat was detected in this stretch.",
    "strip_poor_word": "not analysable",
    "strip_poor": "The shaded stretch could not be analysed: nothing is claimed of its beats.",
    "strip_cut": "{lead} goes beyond the paper and is cut at its edge.",
    "strip_missing": "{lead} has no signal in part of this stretch.",
    "what_v_run": "Ventricular run, {beats} beats",
    "what_s_run": "Supraventricular run, {beats} beats",
    "what_pause": "Pause of {seconds} s",
    "what_tachycardia": "Fast heart rate",
    "what_bradycardia": "Slow heart rate",
    "what_v_couplet": "Ventricular couplet",
    "what_s_couplet": "Supraventricular couplet",
    "what_bigeminy": "Bigeminy",
    "what_trigeminy": "Trigeminy",
    "what_atrial_fibrillation": "Possible atrial fibrillation",
    "what_other": "Episode",
    "what_V": "Ventricular ectopic beat",
    "what_S": "Supraventricular ectopic beat",
    "what_F": "Fusion beat",
    "what_Q": "Paced or unclassifiable beat, or noise",
    "what_poor": "Poor signal",
    "what_rate_min": "Lowest heart rate",
    "what_rate_max": "Highest heart rate",
    # why
    "why": "Why these classes",
    "why_intro": "Some beats of each class, with what moved the model.",
    "why_is": "An attribution shows what in the signal moved this model to its answer.",
    "why_is_not": (
        "It does not show what is wrong with the heart, and it is no evidence that the answer is right: a wrong answer"
        " has attributions too."
    ),
    "why_tests": (
        "Methods differ, also in how well they do: below “How far to trust it” stands how each did in its tests, and"
        " with each beat how far they agree on it."
    ),
    "why_failed": "The explanations of this model failed their test; do not rely on them.",
    "why_untested": "The explanations of this model version were not tested; do not rely on them.",
    "why_classes": "What moved the calls",
    "why_none": "No beat was chosen for explanation.",
    "why_title": "{letter} at {time}",
    "why_reason": "Chosen as the {reason} beat called {letter}",
    "reason_most_typical": "most typical",
    "reason_least_certain": "least certain",
    "reason_most_deviating": "most deviating",
    "why_called": "Called {letter} ({name}) with probability {p}.",
    "why_next": "Next was {other} with probability {q}.",
    "shapley_called": "Called {letter} ({p}): {parts}, against {against}.",
    "shapley_nothing": "Called {letter} ({p}): nothing in it moved the answer against {against}.",
    "shapley_part": "{name} {value}",
    "shapley_class_one": "The one beat called {letter}: {parts}.",
    "shapley_class_many": "The {n} beats called {letter}, on average: {parts}.",
    "shapley_class_note": (
        "Log-odds of the class against this patient’s normal beat (or the usual normal beat of other people where the"
        " recording has too few)."
    ),
    "shapley_shares": (
        "Share of each wave and interval in what moved the calls (exact Shapley values, mean of absolute)"
    ),
    "shapley_sum": "all together",
    "shapley_figure": "Against the normal beat (Shapley, log-odds)",
    "shapley_figure_name": "Exact Shapley values of waves and intervals towards {letter}, for the beat at {time}",
    "against_own": "this patient’s normal beat",
    "against_population": "the normal beat of other people (this recording has too few)",
    "player_previous_rr": "interval before",
    "player_previous_rr_early": "early beat",
    "player_previous_rr_late": "late beat",
    "player_previous_rr_plain": "interval before",
    "player_p_wave": "P wave",
    "player_p_wave_absent": "no P wave",
    "player_pq_segment": "PQ segment",
    "player_qrs": "QRS shape",
    "player_st_segment": "ST segment",
    "player_t_wave": "T wave",
    "player_following_rr": "interval after",
    "player_following_rr_early": "short interval after",
    "player_following_rr_late": "pause after",
    "player_following_rr_plain": "interval after",
    "blend_turns": "Blended {share} toward {towards}, it would be called {other}.",
    "blend_own": "this patient’s normal beat",
    "blend_population": "the normal beat of other people",
    "blend_alone": "Of its parts alone, the first to turn the answer is {player}, at {share}.",
    "blend_none_alone": "No part alone turns the answer.",
    "blend_never": "However far it is blended toward {towards}, it stays {letter}.",
    "agree_beat": (
        "On where in the beat that lies, the methods {how}: mean rank correlation {mean}, least {least} ({one} and"
        " {other})."
    ),
    "agree_well": "agree well",
    "agree_partly": "agree in part",
    "agree_not": "disagree",
    "agree_caption": "How far the methods agree on where: rank correlation of 20 ms stretches, mean of these beats",
    "why_uncertain": "This call is inconclusive.",
    "why_not_analysable": "It lies in signal that could not be analysed.",
    "why_waves": "Measured in it: {parts}.",
    "why_pr": "PR {ms} ms",
    "why_qrs": "QRS {ms} ms",
    "why_qt": "QT {ms} ms",
    "why_no_p": "No P wave was found before it.",
    "why_no_waves": "Its waves could not be measured.",
    "why_towards": "What moved it most towards {letter}: {parts}.",
    "why_against": "Against {letter}: {parts}.",
    "why_part": "{name} ({value})",
    "why_deviation": "By the autoencoder, shape and timing lie {z} standard deviations from normal beats{odd}.",
    "why_deviation_most": "Farthest from normal: {wave} (z {z}).",
    "why_odd": ", far outside them",
    "why_within": ", within their usual spread",
    "why_no_shap": "No SHAP values are there for this beat.",
    "segment_before_qrs": "before the QRS",
    "segment_qrs": "QRS",
    "segment_after_qrs": "after the QRS",
    "part_before_qrs": "the signal before the QRS",
    "part_qrs": "the shape of the QRS",
    "part_after_qrs": "the signal after the QRS",
    "method_shapley": "Shapley values",
    "method_shap": "SHAP",
    "method_integrated_gradients": "Integrated gradients",
    "method_gradient_x_input": "Gradient × input",
    "method_gradcam": "Grad-CAM",
    "method_guided_gradcam": "Guided Grad-CAM",
    "band_integrated_gradients": "Integr. grad.",
    "band_gradient_x_input": "Grad. × input",
    "band_guided_gradcam": "Guided CAM",
    "method_saliency": "Saliency",
    "method_smoothgrad": "SmoothGrad",
    "method_lime": "LIME",
    "verdict_passed": "passed",
    "verdict_untested": "not tested",
    "verdict_failed": "failed",
    "verdict_insensitive": "insensitive",
    "method_marked": "{method} ({verdict})",
    "switch": "Laid over the beat",
    "switch_none": "nothing",
    "shape_figure": "What the model used",
    "shape_figure_name": "Beat called {letter} at {time} over the dominant beat, with attributions towards {letter}",
    "counterpart_figure": "Beat and its normal counterpart",
    "counterpart_figure_name": (
        "Beat called {letter} at {time} and the autoencoder’s normal counterpart, difference shaded"
    ),
    "context_figure": "Features of timing and shape (SHAP, log-odds)",
    "context_figure_name": "SHAP values of the features of timing and shape towards {letter}",
    "context_other": "{n} others together",
    "why_scale": "{mv} mV",
    "why_ms": "ms from R",
    "legend": "How to read the figures",
    "legend_beat": "Solid line: the beat. Dashed line: this recording’s dominant beat, for comparison.",
    "legend_waves": "Brackets: P, QRS and T from onset to end, as measured; a wave that was not found has none.",
    "legend_signed": (
        "Bands of SHAP, integrated gradients and gradient × input: each 20 ms that raised (orange) or lowered (blue)"
        " the log-odds of the class that was called; the stronger the tint, the more. Each band has its own scale."
    ),
    "legend_unsigned": (
        "Bands of saliency, SmoothGrad, Grad-CAM and guided Grad-CAM: the stronger the tint, the more this stretch"
        " counted. They have no sign, and Grad-CAM is coarse in time."
    ),
    "legend_shapley": (
        "Bars: how much each wave and interval raised (right, orange) or lowered (left, blue) the log-odds of the class"
        " against the normal beat, all combinations tried; together they are the whole difference."
    ),
    "legend_lime": "Stroke on a bar: what LIME, a local linear model, gives the same part.",
    "legend_counterpart": (
        "Normal counterpart: what an autoencoder that learned normal beats alone makes of this beat; the shaded "
        "area is the difference, not a diagnosis."
    ),
    "legend_context": (
        "Features of timing and shape: SHAP values of what the model is told beside the signal, as ratios to this"
        " recording’s own rhythm and dominant beat; right (orange) raised, left (blue) lowered the log-odds."
    ),
    "segments_caption": (
        "Where the attributions of all analysable abnormal beats lay, by class: mean share of the absolute value"
    ),
    "segments_column": "{method}, {segment}",
    # from file to beats
    "steps": "From file to beats",
    "steps_open": "Show how beats were found and what the model sees",
    "steps_raw": "As recorded",
    "steps_clean": "Cleaned, with the detected peaks",
    "steps_removed": "What the filters took away",
    "steps_offset": "An offset of {mv} mV was taken off the first and the last line so that they fit.",
    "steps_raw_name": (
        "Signal as recorded, cleaned signal with detected peaks, and their difference, one above the other"
    ),
    "steps_raw_text": (
        "{lead} from {time}: as recorded at {rate} Hz; after {filters}; and the difference of both. 25 mm/s, 10 mm/mV."
    ),
    "steps_overlays": "All beats of each class",
    "overlay_name": "Beats called {letter} laid over one another, with their median",
    "overlay_text_one": "One beat. The figure is {swing} mV high.",
    "overlay_text_many": "{n} beats, {drawn} of them drawn, the median over them. The figure is {swing} mV high.",
    "steps_r": "R peak",
    "steps_beat": "One beat as the model sees it",
    "steps_beat_text": (
        "The first beat that is explained above. The model sees 1.024 s around its R peak (solid) and the same stretch"
        " of the recording’s dominant beat (dashed), both divided by the height of the dominant QRS, and how the"
        " intervals around it compare."
    ),
    "steps_beat_name": "Beat called {letter} and the dominant beat, in units of the dominant QRS’s height",
    "steps_axis": "ms from R; height in units of the dominant QRS",
    "steps_time": "At",
    "steps_before": "Interval before",
    "steps_after": "Interval after",
    "steps_local": "Median interval around it",
    "steps_scale": "Height of the dominant QRS",
    "steps_rr": "{ms} ms ({ratio} of those around it)",
    "steps_mv": "{mv} mV",
    # trust
    "trust": "How far to trust it",
    "trust_intro": "Figures are from patients the model was not trained on. On this patient it may do better or worse.",
    "model_version": "Model version",
    "model_family": "Family",
    "model_created": "Made",
    "training_data": "Trained on",
    "training_data_none": "not stated",
    "figures_caption": "{set}: figures by class (in brackets the 95 % interval over patients)",
    "figures_none": "No figures are stated for this model version: do not rely on it.",
    "figure_interval": "{value} ({low} to {high})",
    "calibration": "Calibration",
    "calibration_name": "Calibration: share of calls that were right, over the probability that was stated",
    "calibration_axis": "stated probability; upwards: share that was right",
    "calibration_key": "Solid with dots: {first}. Dashed with triangles: {second}.",
    "explanations_title": "The explanations",
    "explanations_caption": "How the explanation methods did in their tests",
    "explanations_text": (
        "Randomisation: rank correlation with the map of the same model under random weights; above {insensitive} a"
        " method is insensitive, for it shows nothing of what the model learned. Without signs: the same of absolute"
        " values, which does not decide; it is high where a method compares with the normal beat, because where a beat"
        " differs is a fact of the beat, whatever a model makes of it. Deletion gain: how much more the"
        " answer falls when what the method points at is taken out than when as much is taken at random (95 % interval"
        " over patients). Stability: rank correlation between models that were trained with other seeds; {stable} or"
        " more is asked for. A method has passed when it is not insensitive, its gain is above 0 for certain, and it is"
        " stable."
    ),
    "explanations_none": (
        "No tests of the explanations are stated for this model version: do not rely on its explanations."
    ),
    "column_method": "Method",
    "column_verdict": "Test",
    "measure_randomisation_correlation": "Randomisation",
    "measure_randomisation_correlation_absolute": "Without signs",
    "measure_deletion_gain": "Deletion gain",
    "measure_stability": "Stability",
    "measure_beats_per_second": "Beats a second",
    "shares_expected": (
        "On beats called {letter}, {players} together should take at least {expected} of what moved the answer (Shapley"
        " values). On patients the model was not trained on they take {share}."
    ),
    "shares_recall": "Of these patients’ {letter} beats it finds {recall}.",
    "shares_here_one": "In this recording, on one beat, they take {share}.",
    "shares_here_many": "In this recording, over {n} beats, they take {share}.",
    "shares_less": "That is less than expected: the model looks elsewhere as well, so read its {letter} with care.",
    "shares_players_V": "QRS, T wave and intervals",
    "shares_players_S": "the interval before and the P wave",
    "other_figures": "Other figures",
    "limits": "Known limits",
    "limits_none": "None are stated; that does not mean that there are none.",
    "measure_sensitivity": "Sensitivity",
    "measure_precision": "Precision",
    "measure_f1": "F1",
    "measure_accuracy": "Accuracy",
    "measure_macro_f1": "Macro F1",
    "measure_macro_f1_nsv": "Macro F1 of N, S and V",
    "measure_coverage": "True class is in the prediction set",
    "measure_ece": "Calibration error",
    "measure_n": "Beats",
    "measure_patient_mean_sensitivity": "Sensitivity, mean of patients",
    "measure_patient_mean_f1": "F1, mean of patients",
    "measure_kappa": "Cohen’s kappa",
    "measure_deviation_auc": "Deviation, area under ROC (abnormal against normal)",
    "set_deviation": "deviation, area under ROC",
    "measure_auc_abnormal": "abnormal against normal",
    "measure_auc_vf": "V and F against N",
    "measure_auc_s": "S against N",
    "measure_auc_v": "V against N",
    "measure_auc_f": "F against N",
    "measure_own_auc_abnormal": "abnormal against normal, patient’s own level taken out",
    "measure_own_auc_vf": "V and F against N, patient’s own level taken out",
    "measure_own_auc_s": "S against N, patient’s own level taken out",
    "measure_own_auc_v": "V against N, patient’s own level taken out",
    "measure_own_auc_f": "F against N, patient’s own level taken out",
    "set_deciding": "Deciding patients",
    "set_ds2": "MIT-BIH DS2",
    # method
    "method": "How it was done",
    "method_signal": (
        "All leads were brought to {rate} Hz. Applied, in this order: {filters}. No other filter was applied; the"
        " strips show this signal."
    ),
    "method_quality": (
        "Quality was judged in epochs of {epoch} on each lead; beats were detected and classified on {lead}."
    ),
    "method_classes": (
        "Each beat was put into one of the five classes of ANSI/AAMI EC57 from {window} of signal around its R "
        "peak, the intervals around it, and the likeness to the recording’s dominant beat. Probabilities are "
        "calibrated."
    ),
    "method_waves": (
        "P, QRS and T were bounded by a wavelet delineator (after Martínez 2004) on all analysable leads together, each"
        " beat averaged with those around it that are like it. A P wave is what comes again before the QRS."
    ),
    "method_rate": (
        "Heart rate is averaged over 8 RR intervals; fast is above 120/min, slow below 50/min. A pause is an RR"
        " interval above 2.5 s, a couplet 2 ectopic beats in a row, a run 3 or more at any rate; bigeminy and"
        " trigeminy are ventricular and at least 3 times in a row. Possible atrial fibrillation is at least 2 windows"
        " of 30 s in a row with a mean probability of 0.5 or more and at most 30 % ventricular beats. Nothing is said"
        " across signal that could not be analysed."
    ),
    "method_id": "Recording identity (SHA-256 of the content): {id}",
    # the script's; braces are filled in by it
    "js_tools": "Tools of {strip}",
    "js_speed": "50 mm/s",
    "js_gain": "20 mm/mV",
    "js_callipers": "Callipers",
    "js_in": "Zoom in",
    "js_out": "Zoom out",
    "js_left": "Earlier",
    "js_right": "Later",
    "js_whole": "Whole strip",
    "js_measured": "{ms} ms, {mv} mV",
    "js_rate": " ({bpm}/min)",
    # sign-off
    "sign": "Reviewed by",
    "review_signed": "signed",
    "review_draft": "not signed",
    "review_agrees": "Agrees with",
    "review_disagrees": "Disagrees with",
    "review_verdicts": "{verdict} finding no. {numbers}.",
    "review_beat": "Beat {n} at {time} is {letter}.",
    "review_interval": "All beats from {start} to {end} are {letter}.",
    "sign_intro": "To be filled in by the reader.",
    "sign_agree": "I agree with the findings",
    "sign_disagree": "I disagree with findings no.",
    "sign_comment": "Comment",
    "sign_name": "Name",
    "sign_date": "Date",
    "sign_signature": "Signature",
    # features, by their names in the model; a name that is not here is printed as it is
    "feature_rr_prev_to_local_median": "interval before against those around it",
    "feature_rr_next_to_local_median": "interval after against those around it",
    "feature_rr_prev_to_local_upper": "interval before against the longer ones around",
    "feature_rr_prev_to_rr_before": "interval before against the one before that",
    "feature_rr_next_to_rr_prev": "interval after against the interval before",
    "feature_rr_prev_to_recording_median": "interval before against the recording’s usual",
    "feature_rr_irregularity": "irregularity of the rhythm around it",
    "feature_rr_prev_to_near_upper": "interval before against the longer ones nearby",
    "feature_rr_prev_to_longer_tenth": "interval before against the longer tenth around",
    "feature_rr_prev_to_longest": "interval before against the longest around",
    "feature_rr_before_to_longest": "the interval before that against the longest",
    "feature_rr_next_to_longest": "interval after against the longest around",
    "feature_longest_to_median": "longest intervals around against the median",
    "feature_p_shortness_of_alike": "how short intervals with such a P wave are",
    "feature_rr_prev_to_long_mode": "interval before against the longest usual one",
    "feature_rr_prev_to_second_before": "interval before against the last but two",
    "feature_rr_prev_to_shortest_around": "interval before against its shortest neighbour",
    "feature_rr_before_to_long_mode": "interval before that against longest usual one",
    "feature_long_mode_to_median": "longest usual interval against the median",
    "feature_rr_irregularity_9": "irregularity of the 9 intervals around",
    "feature_rr_irregularity_61": "irregularity of the 61 intervals around",
    "feature_af_probability": "probability of atrial fibrillation around it",
    "feature_rr_next_to_long_mode": "interval after against the longest usual one",
    "feature_rr_pair_to_long_mode": "both intervals against the longest usual one",
    "feature_p_like_template_locally": "P wave like the dominant’s, against neighbours",
    "feature_p_like_template_shifted": "P wave like the dominant beat’s at another time",
    "feature_p_shift": "how far its P wave is moved",
    "feature_p_residual_locally": "P wave’s difference, against its neighbours",
    "feature_p_prematurity_of_alike": "how early beats with such a P wave come",
    "feature_p_like_own_rr": "P wave like that of beats with such an interval",
    "feature_p_like_late_beats": "P wave like that of late beats",
    "feature_p_own_over_late": "P wave more like its interval’s than late beats’",
    "feature_p_like_neighbour": "P waves alike from beat to beat around it",
    "feature_p_presence": "P waves present around it",
    "feature_qrs_prematurity_of_alike": "how early beats with such a QRS come",
    "feature_qrs_share_of_alike": "how many beats have such a QRS",
    "feature_qrs_share_of_form": "how many beats of any shape have such a QRS",
    "feature_qrs_prematurity_of_form": "how early beats of this very QRS shape come",
    "feature_qrs_pause_of_form": "a pause after beats of this very QRS shape",
    "feature_qrs_p_of_form": "usual P wave before beats of this very QRS shape",
    "feature_qrs_share_of_family": "how many beats have a roughly like QRS",
    "feature_qrs_prematurity_of_family": "how early beats of a roughly like QRS come",
    "feature_qrs_p_of_family": "usual P wave before beats of a roughly like QRS",
    "feature_qrs_residual": "what its QRS differs by from the dominant beat’s",
    "feature_qrs_residual_locally": "what its QRS differs by, against its neighbours",
    "feature_qrs_unlike_template_shifted": "QRS unlike the dominant’s, also when shifted",
    "feature_qrs_area_to_template": "QRS area against the dominant beat’s",
    "feature_qrs_half_width_to_template": "QRS width at half height against the dominant",
    "feature_qrs_third_width_to_template": "QRS width at third height against the dominant",
    "feature_qrs_slope_to_template": "steepness of the QRS against the dominant beat’s",
    "feature_qrs_same_polarity": "QRS up or down as in the dominant beat",
    "feature_st_level": "ST level against the dominant beat’s",
    "feature_t_residual": "what its T wave differs by from the dominant’s",
    "feature_qrs_unlike_template": "QRS unlike the dominant beat’s",
    "feature_qrs_width_to_template": "QRS width against the dominant beat’s",
    "feature_qrs_height_to_template": "QRS height against the dominant beat’s",
    "feature_p_like_template": "P wave like the dominant beat’s",
    "feature_t_unlike_template": "T wave unlike the dominant beat’s",
    "feature_qrs_before_unlike_template": "QRS of the beat before unlike the dominant",
    "feature_qrs_after_unlike_template": "QRS of the beat after unlike the dominant",
}


def say(key: str, /, **facts: object) -> str:
    """Fill a sentence of the catalogue. An unknown key or a missing fact is a `KeyError`."""
    return TEXTS[key].format(**facts)


def say_count(key: str, n: int, /, **facts: object) -> str:
    """Fill the sentence for one or for many; `n` is filled in with thousands apart."""
    return say(f"{key}_one" if n == 1 else f"{key}_many", n=f"{n:,}", **facts)


def say_or(key: str, otherwise: str, /) -> str:
    """Look up the text of a name that comes from elsewhere (a feature, a measure); `otherwise` where there is none."""
    return TEXTS.get(key, otherwise)
