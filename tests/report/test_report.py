import base64
import hashlib
import re
import string
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from ecg_core import texts
from ecg_core.report import render, sentences, write_report
from ecg_core.result import AF_WINDOW_S, Quality, Rhythm, RhythmEpisode
from ecg_core.result.findings import with_findings

PROJECT_DIR = Path(__file__).resolve().parents[2]
VOID = {"meta", "br", "link", "img", "input", "hr"}


class Page(HTMLParser):
    """Elements with their attributes and text, and whether every tag is closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.open: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == [], f"never closed: {self.open}"

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1:] not in (["style"], ["script"]):
            self.text.append(data)

    @property
    def words(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.text))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.elements if name == tag]


@pytest.fixture(scope="module")
def page(usual_html) -> Page:
    return Page(usual_html)


def trace_steps(html: str) -> np.ndarray:
    """Relative steps (mm) of the first trace on ECG paper."""
    paper = html[html.index('<svg class="paper"') :]
    scale, d = re.search(r'class="trace" transform="scale\(([.\d]+)\)" d="M\S+ \S+?l([^"M]+)', paper).groups()
    numbers = np.array([float(x) for x in re.findall(r"-?\d*\.?\d+", d)])
    return float(scale) * numbers.reshape(-1, 2)


# what it says


def test_every_finding_is_said_urgent_first(page):
    words = page.words
    said = [
        "One run of ventricular beats: 3 beats at 0:00:32 (08:00:32), 182/min.",
        "One pause of 2.84 s, at 0:01:00 (08:01:00).",
        "One ventricular couplet, at 0:01:20",
        "5 ventricular ectopic beats: ",
        "One supraventricular ectopic beat: ",
        "One fusion beat: ",
        "Poor signal: ",
    ]
    places = [words.index(sentence) for sentence in said]
    assert places[:4] == sorted(places[:4])
    tones = [a["class"] for a in page.all("li") if a.get("class")]
    order = ["urgent", "notable", "doubt", "info"]
    assert tones == sorted(tones, key=order.index)
    assert tones[:2] == ["urgent", "urgent"]


def test_every_finding_links_to_a_strip_that_is_there(page):
    anchors = {a["id"] for _, a in page.elements if "id" in a}
    links = [a["href"] for a in page.all("a")]
    assert links
    assert all(link.startswith("#") and link[1:] in anchors for link in links)
    assert sum(link.startswith("#strip-") for link in links) >= 6


def test_a_high_burden_is_urgent_and_one_beat_of_ten_is_not(build):
    assert "One ventricular ectopic beat: 10.0 % of all analysed beats." in Page(render(build("N" * 9 + "V"))).words
    assert "Urgent" not in Page(render(build("N" * 9 + "V"))).words
    words = Page(render(build(("N" * 8 + "V") * 60))).words
    assert "Urgent 60 ventricular ectopic beats: 11.1 % of all analysed beats, 499 per hour (extrapolated from" in words


def test_doubt_is_told(page):
    assert "1 of 3 inconclusive" in page.words
    assert "V?" in page.words
    assert (
        "Looked for and not found in the analysable signal: ventricular fibrillation and flutter, ventricular tachy"
        in page.words
    )
    assert "Not looked for: atrial flutter as such, heart block" in page.words
    assert "For research use, not for diagnosis." in page.words


def test_possible_fibrillation_is_told_with_its_probability(build):
    letters = "N" * 100 + "SSS" + "N" * 100
    likely = RhythmEpisode("atrial_fibrillation", 60.0, 120.0, 74, 149, 92.0, 0.87)
    unlikely = RhythmEpisode("atrial_fibrillation", 0.0, 59.0, 0, 73, 92.0, 0.6)
    run = RhythmEpisode("s_run", 80.8, 82.4, 100, 102, 75.0)
    words = Page(render(build(letters, episodes=(likely, run)))).words
    assert "Notable Possible atrial fibrillation from 0:01:00 (08:01:00) to 0:02:00 (08:02:00) (1 min), " in words
    assert "mean probability 0.87." in words
    # A run of early beats means little there, and is not held up as a finding.
    assert "Inconclusive One run of supraventricular ectopic beats: 3 beats" in words
    assert "3 lie in possible atrial fibrillation, where coming early means little." in words

    words = Page(render(build(letters, episodes=(unlikely, run)))).words
    assert "Inconclusive Possible atrial fibrillation from 0:00:00" in words
    assert "Notable One run of supraventricular ectopic beats" in words
    words = Page(render(build(letters, episodes=(unlikely, likely)))).words
    assert "Notable Possible atrial fibrillation in 2 stretches, 1 min 59 s together; one from 0:01:00" in words
    facts = [f for f in build(letters, episodes=(likely,)).findings if f.kind == "atrial_fibrillation"]
    assert [(f.urgency, f.n_episodes, f.mean_probability, f.n_uncertain) for f in facts] == [("notable", 1, 0.87, None)]


def test_unreadable_beats_are_not_counted(usual, page):
    n = int(usual.beats.analysable.sum())
    assert f"{n} beats analysed." in page.words
    assert f"{len(usual.beats) - n} beats lie in signal that could not be analysed" in page.words
    assert "not analysable" in page.words


def test_the_explanation_of_a_beat_is_a_sentence(page):
    assert (
        "Called N (0.95): QRS shape +3.1, interval before +1.2, T wave −0.4, against this patient’s normal beat."
        in page.words
    )
    assert "Next was S with probability 0.01." in page.words
    assert "Blended 38 % toward this patient’s normal beat, it would be called S." in page.words
    assert "Of its parts alone, the first to turn the answer is QRS shape, at 60 %." in page.words
    assert "a feature nobody named" in page.words


def test_without_shapley_values_shap_says_what_moved_it(usual):
    bare = replace(usual, chosen=tuple(replace(c, shapley={}, lime={}, blend=None) for c in usual.chosen))
    words = Page(render(bare)).words
    assert "Called N (normal or bundle branch block) with probability 0.95." in words
    assert "most towards N: the shape of the QRS (+2.0); interval before against those around it (+1.5);" in words
    assert "Against N: the signal after the QRS (−1.0); QRS unlike the dominant beat’s (−0.7)." in words


def test_model_facts_are_told(page):
    for words in (
        "cnn-20261121-1a2b3c4d",
        "Deciding patients: figures by class",
        "1,234",
        "0.930",
        "Fusion beats are often missed.",
    ):
        assert words in page.words


def test_synthetic_and_poor_recordings_carry_a_banner(usual, build):
    synthetic = replace(usual, recording=replace(usual.recording, synthetic=True))
    assert "This recording is synthetic" in Page(render(synthetic)).words
    assert "This recording is synthetic" not in Page(render(usual)).words
    poor = Page(render(build("N" * 50, poor_epochs=(0, 1, 2)))).words
    assert "Poor signal: only" in poor
    assert poor.index("Inconclusive") < poor.index("Lowest heart rate")


def test_unknown_start_is_said(usual):
    words = Page(render(replace(usual, recording=replace(usual.recording, start_time=None)))).words
    assert "Start not in the file" in words
    assert "at 0:00:32, 182/min" in words


# paper


def test_strips_are_true_to_scale(usual_html):
    svg = re.search(
        r'<svg class="paper"[^>]*width="([\d.]+)mm" height="([\d.]+)mm" viewBox="0 0 ([\d.]+) ([\d.]+)"', usual_html
    )
    assert (svg.group(1), svg.group(2)) == (svg.group(3), svg.group(4))
    steps = trace_steps(usual_html)
    assert steps[:250, 0].sum() == pytest.approx(25, rel=0.01)


def test_a_millivolt_is_ten_millimetres(build):
    html = render(build("N" * 30, r_mv=1.5))
    heights = np.cumsum(trace_steps(html)[:, 1])
    # R is 1.5 mV over the zero line, S and Q are absent in the drawn beats.
    assert np.ptp(heights) == pytest.approx(15, rel=0.02)


def test_a_printed_strip_fits_a4_and_letter(page):
    widths = [float(a["width"][:-2]) for a in page.all("svg") if a.get("class") == "paper"]
    assert max(widths) <= 210 - 2 * 9.5
    assert len(widths) >= 8


def test_every_figure_has_a_role_and_a_name(page):
    for svg in page.all("svg"):
        assert svg.get("aria-hidden") == "true" or (svg["role"] == "img" and svg["aria-label"])


def test_classes_differ_in_shape_not_in_colour_alone(usual_html):
    marks = re.findall(r'<path class="mark c([NSVFQ])" d="M0 0([^"]+)"', usual_html)
    assert len(dict(marks)) == 5
    assert len(set(dict(marks).values())) == 5


def test_a_swing_beyond_the_paper_is_cut_and_said(build):
    html = render(build("N" * 30, r_mv=9.0))
    assert "MLII goes beyond the paper and is cut at its edge." in html
    assert all(float(a["height"][:-2]) < 150 for a in Page(html).all("svg") if a.get("class") == "paper")


# nothing from outside, nothing executed


def test_nothing_is_loaded_and_only_our_script_runs(usual_html, page):
    without_script = re.sub(r"<script>.*?</script>|<meta http-equiv.*?>", "", usual_html, flags=re.DOTALL)
    assert not re.search(r"https?:|//[a-z]|url\(|@import|javascript:|\son\w+=|\sstyle=", without_script)
    assert not {"img", "iframe", "object", "link", "form"} & {tag for tag, _ in page.elements}
    # A copy of the signal and words for the script, which are data, and the script itself; it asks for nothing.
    assert [a.get("type") for a in page.all("script")] == ["application/json", "application/json", None]
    script = (PROJECT_DIR / "templates" / "report.js").read_text()
    assert usual_html.count(script) == 1
    assert not re.search(
        r"fetch|XMLHttp|import\(|eval|innerHTML|Function\(|document\.write|localStorage|cookie", script
    )
    assert not any("src" in a or "style" in a or "xlink:href" in a for _, a in page.elements)


def test_policy_allows_this_style_and_script_alone(usual_html, page):
    style = re.search(r"<style>(.*?)</style>", usual_html, re.DOTALL).group(1)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    script = re.search(r"<script>(.*?)</script>", usual_html, re.DOTALL).group(1)
    script_digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = next(a["content"] for a in page.all("meta") if a.get("http-equiv") == "Content-Security-Policy")
    assert f"script-src 'sha256-{script_digest}'" in policy
    assert "unsafe" not in policy
    assert f"style-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none';")
    assert usual_html.index("Content-Security-Policy") < usual_html.index("<style>")


HOSTILE = [
    "<script>alert(1)</script>",
    '"><svg onload=alert(1)>',
    "'--></style><b>x",
    "{{7*7}}{% raw %}{{ t }}",
    "{0.__class__}%s",
    "\u202eevil\u2066\x00\x07\udc80",
    "x" * 10_000,
    "",
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_stays_text(usual, text):
    tainted = replace(
        usual,
        recording=replace(
            usual.recording,
            recording_id=text,
            patient_pseudonym=text,
            device=text,
            source_format=text,
            lead_names=(text, text + "2"),
        ),
        quality=replace(usual.quality, filters=(text,)),
        model=replace(
            usual.model, version=text, family=text, training_data=(text,), limits=(text,), figures={text: 1.0}
        ),
        chosen=(replace(usual.chosen[0], reason=text, context_shap={text: 1.0}),),
        rhythm=Rhythm(None, (RhythmEpisode(text, 3.0, 5.0, 3, 5, None),)),
    )
    html = render(with_findings(tainted))
    page = Page(html)
    assert {tag for tag, _ in page.elements} <= {tag for tag, _ in Page(render(usual)).elements}
    assert not any(name.startswith("on") or name == "style" for _, attrs in page.elements for name in attrs)
    if "{{7*7}}" in text:
        assert "{{7*7}}{% raw %}{{ t }}" in page.words
    assert not re.search("[\u202a-\u202e\u2066-\u2069\x00-\x08\ud800-\udfff]", html)
    html.encode("utf-8")
    assert max(len(word) for word in page.words.split(" ")) < 700
    assert len(html) < 1_000_000


# edges


@pytest.mark.parametrize("n_leads", [1, 2, 12])
@pytest.mark.parametrize("letters", ["", "N", "V", "NV", "Q" * 10])
def test_few_beats_render(build, letters, n_leads):
    names = tuple(f"L{i}" for i in range(n_leads))
    words = Page(render(build(letters, duration_s=9.0, lead_names=names))).words
    assert "Opening, 0:00:00" in words
    if not letters:
        assert "No beat could be analysed" in words
        assert "not found in the analysable" not in words
    if n_leads == 12:
        assert "8 more leads are not drawn: L4, L5" in words


def test_nothing_analysable_claims_nothing(build, make_episode):
    words = Page(render(build("NNNVVVNNN", duration_s=9.0, poor_epochs=(0,), n_chosen=0))).words
    assert "Nothing in this recording could be analysed." in words
    assert "No beat was chosen for explanation." in words
    assert "not found in the analysable" not in words
    assert "ventricular ectopic beats:" not in words
    assert "× × ×" in words


def test_unknown_figures_become_dashes(build):
    result = build("NNNVNNNNNNN")
    nan = np.full(len(result.beats), np.nan, dtype=np.float32)
    empty = np.full(256, np.nan, dtype=np.float32)
    beats = replace(
        result.beats,
        probabilities=np.full_like(result.beats.probabilities, np.nan),
        deviation=nan,
        rr_prev_ms=nan,
        rr_next_ms=nan,
    )
    chosen = replace(
        result.chosen[0],
        waveform_mv=empty,
        counterpart_mv=empty,
        template_mv=empty,
        attributions={"shap": empty, "gradcam": empty},
        context_shap={"a": float("nan")},
    )
    rate = replace(result.rhythm.heart_rate, min_at_s=float("nan"), min_bpm=float("nan"))
    html = render(
        replace(
            result,
            beats=beats,
            chosen=(chosen, replace(chosen, attributions={}, context_shap={})),
            rhythm=Rhythm(rate, ()),
            signal_mv=np.full_like(result.signal_mv, np.nan),
            model=replace(result.model, figures={"ds2.V.f1": float("nan")}, limits=(), training_data=()),
        )
    )
    without_script = re.sub(r"<script>.*?</script>", "", html, flags=re.DOTALL)
    assert not re.search(r"\bnan\b", without_script, re.IGNORECASE)
    assert "has no signal in part of this stretch" in html
    assert "No heart rate could be measured." in html


def test_a_day_stays_small(build):
    letters = ("N" * 19 + "V") * 5000
    result = build(letters, rr_s=0.864, n_chosen=3)
    html = render(result)
    assert len(result.beats) == 100_000
    assert len(html.encode()) < 4_000_000
    assert "5,000 ventricular ectopic beats: 5.0 % of all analysed beats, 208 per hour." in Page(html).words


def test_quality_of_no_epoch_renders(build):
    result = build("", duration_s=9.0)
    nothing = Quality(10.0, np.zeros((0, 2), np.float32), np.zeros((0, 2), bool), 0, ())
    empty = with_findings(replace(result, quality=nothing, signal_mv=np.zeros((0, 2), np.float32)))
    assert "The recording holds no signal." in Page(render(empty)).words


# same inputs, same bytes


def test_same_result_gives_same_bytes(usual, usual_html):
    assert render(replace(usual, stages={"read": 99.0})) == usual_html
    shuffled = replace(
        usual,
        chosen=tuple(
            replace(
                c,
                attributions=dict(reversed(c.attributions.items())),
                context_shap=dict(reversed(c.context_shap.items())),
            )
            for c in usual.chosen
        ),
        model=replace(usual.model, figures=dict(reversed(usual.model.figures.items()))),
    )
    assert render(shuffled) == usual_html


def test_another_process_in_another_place_gives_the_same_bytes(usual, usual_html, tmp_path):
    import pickle

    stored = tmp_path / "result.pickle"  # written and read by this test alone
    stored.write_bytes(pickle.dumps(usual))
    code = (
        "import pickle, sys, pathlib; from ecg_core.report import render;"
        "sys.stdout.buffer.write(render(pickle.loads(pathlib.Path(sys.argv[1]).read_bytes())).encode())"
    )
    other = {
        "PYTHONHASHSEED": "5",
        "TZ": "Asia/Tokyo",
        "LC_ALL": "C",
        "PATH": "/usr/bin:/bin",
        "PYTHONPATH": str(PROJECT_DIR),
    }
    done = subprocess.run(
        [sys.executable, "-c", code, str(stored)], cwd=tmp_path, env=other, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout.decode() == usual_html


def test_report_is_written_whole_or_not_at_all(usual, usual_html, tmp_path):
    path = tmp_path / "new" / "report.html"
    written = write_report(usual, path)
    data = path.read_bytes()
    assert data.decode() == usual_html
    assert (written.sha256, written.size_bytes) == (hashlib.sha256(data).hexdigest(), len(data))
    assert [p.name for p in path.parent.iterdir()] == ["report.html"]
    assert write_report(usual, path) == written


def test_a_failed_write_leaves_nothing_behind(usual, tmp_path):
    taken = tmp_path / "report.html"
    taken.mkdir()
    (taken / "x").touch()
    with pytest.raises(IsADirectoryError):
        write_report(usual, taken)
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]


def test_half_an_hour_of_two_leads_is_small_enough(build, make_episode):
    letters = "N" * 30 + ("N" * 10 + "V") * 200
    kinds = ("v_run", "pause", "tachycardia", "bradycardia", "v_couplet", "bigeminy", "trigeminy", "s_run", "s_couplet")
    episodes = tuple(make_episode(kind, 100 * i + 40, 100 * i + 44) for i, kind in enumerate(kinds))
    result = build(letters, duration_s=1806.0, n_chosen=12, episodes=episodes)
    noisy = result.signal_mv + np.random.default_rng(1).normal(0, 0.05, result.signal_mv.shape).astype(np.float32)
    html = render(replace(result, signal_mv=noisy))
    assert len(html.encode()) <= 1_500_000
    for word in ("ventricular beats", "pause", "Fast", "Slow", "couplet", "Bigeminy", "Trigeminy"):
        assert word in html


# the catalogue


def test_every_text_is_used_and_every_used_text_is_there():
    of_the_ui = [f"{page}.html.j2" for page in ("worklist", "review", "model_card", "upload", "patient", "compare")]
    source = "".join(
        p.read_text()
        for folder in ("ecg_core/report", "templates")
        for p in sorted((PROJECT_DIR / folder).rglob("*"))
        if p.suffix in (".py", ".j2", ".js") and p.name not in (*of_the_ui, "review.js")
    )
    prefixes = (*re.findall(r'f"([a-z_]+_)\{', source), "js_")
    counted = re.findall(r"say_count\(\s*[\"']([a-z_]+)[\"']", source)
    words = set(re.findall(r"[\"']([A-Za-z_]+)[\"']|t\.([a-z_]+)", source))
    named = {word for pair in words for word in pair} | {f"{c}_{n}" for c in counted for n in ("one", "many")}
    kinds = {
        f"{key.removeprefix('kind_')}_{n}" for key in texts.TEXTS if key.startswith("kind_") for n in ("one", "many")
    }
    unused = [k for k in texts.TEXTS if k not in named | kinds and not k.startswith(prefixes)]
    assert unused == []
    for key in re.findall(r"\bt\.([a-z_]+)", source):
        assert key in texts.TEXTS


def test_definitions_told_are_those_that_were_used():
    from ecg_core.beats import rhythm

    told = texts.TEXTS["method_rate"]
    assert f"over {rhythm.RATE_INTERVALS} RR intervals" in told
    assert f"above {rhythm.TACHYCARDIA_BPM:g}/min, slow below {rhythm.BRADYCARDIA_BPM:g}/min" in told
    assert f"above {rhythm.PAUSE_MS / 1000:g} s" in told
    assert f"over {rhythm.PAUSE_MS / 1000:g} s" in texts.TEXTS["kind_pause"]
    assert f"a run {rhythm.SHORTEST_RUN} or more" in told
    assert f"at least {rhythm.SHORTEST_GEMINY} times" in told
    assert f"at least {rhythm.SHORTEST_FIBRILLATION} windows of {AF_WINDOW_S:g} s" in told
    assert f"probability of {rhythm.FIBRILLATION_FROM:g} or more" in told
    assert f"at most {100 * rhythm.MOST_ECTOPIC:g} % ventricular" in told


def test_plural_texts_know_the_same_facts():
    def fields(text: str) -> set[str]:
        return {name for _, name, _, _ in string.Formatter().parse(text) if name}

    for key in texts.TEXTS:
        if key.endswith("_one"):
            assert fields(texts.TEXTS[key]) <= fields(texts.TEXTS[key.removesuffix("_one") + "_many"]) | {"beats"}


def test_start_with_a_zone_is_printed_with_it(usual):
    start = datetime(2026, 3, 4, 8, 0, tzinfo=UTC)
    assert "2026-03-04 08:00:00 UTC" in render(replace(usual, recording=replace(usual.recording, start_time=start)))


def test_a_long_run_of_v_is_called_sustained_tachycardia(build, make_episode):
    def told(seconds: float, bpm: float) -> str:
        n = int(seconds / 0.4)
        run = make_episode("v_run", 10, 9 + n, rr_s=0.4, bpm=bpm)
        return sentences(with_findings(build("N" * 10 + "V" * n + "N" * 10, episodes=(run,))))[0]

    assert "for 39.6 s: sustained ventricular tachycardia" in told(40, 150)
    assert "sustained" not in told(20, 150)
    assert "sustained" not in told(40, 80)
