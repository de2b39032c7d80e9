"""A language model may rephrase findings; a real local server answers well, wrongly, slowly, not at all."""

import json
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from pydantic import SecretStr

from ecg_core.pipeline import generated_text
from ecg_core.pipeline.generated_text import with_generated_text
from ecg_core.report.text_check import reason_to_refuse

FACTS = {
    "measured": "The ECG shows a rate of 141/min, a PR interval of 105 ms, a QRS complex of 88 ms, a QTc of 450 ms.",
    "st_elevation": "Urgent: ST elevation, inferior: J point II 0.21 mV, III 0.30 mV, aVF 0.25 mV.",
    "superclass_mi": "Notable: Myocardial infarction, old or new: called, probability 0.62.",
    "q_pathological": "Notable: Pathological Q waves, inferior: III −0.68 mV, aVF −0.12 mV.",
    "superclass_inconclusive": "Inconclusive: Not ruled out, not affirmed: Hypertrophy (0.32).",
    "notice": "Computed, not read by a physician; for research use, not for diagnosis.",
}
URGENT = ["st_elevation"]
GOOD = (
    "The tracing shows a rate of 141/min, a PR interval of 105 ms, a QRS complex of 88 ms and a QTc of 450 ms. "
    "Urgent: there is ST elevation, inferior, with the J point at 0.21 mV in II, 0.30 mV in III and 0.25 mV in aVF. "
    "Notable: myocardial infarction, old or new, is called with a probability of 0.62. "
    "Notable are pathological Q waves, inferior: III −0.68 mV, aVF −0.12 mV. "
    "Hypertrophy (0.32) is not ruled out and not affirmed. "
    "Computed, not read by a physician; for research use, not for diagnosis."
)

WRONG_NUMBERS = [
    GOOD.replace(was, now)
    for was, now in (
        ("141/min", "114/min"), ("105 ms", "150 ms"), ("88 ms", "98 ms"), ("450 ms", "540 ms"), ("0.21 mV", "0.12 mV"),
        ("0.30 mV", "0.3 V"), ("0.25 mV", "2.5 mV"), ("0.62", "0.26"), ("−0.68", "0.68"), ("−0.12 mV", "−0.21 mV"),
        ("0.32", "0.23"), ("141/min", "141/min to 150/min"), ("0.62", "62 %"),
    )
]  # fmt: skip
INVENTED = [
    GOOD + sentence
    for sentence in (
        " There is atrial fibrillation.", " Left bundle branch block is present.", " The patient has chest pain.",
        " Start aspirin 300 mg.", " This is an emergency.", " The prognosis is good.",
        " Compared with before it is worse.",
        " Hyperkalaemia is likely.", " The patient is called Smith.", " A pacemaker is seen.", " Repeat in 10 minutes.",
        " Consider pulmonary embolism.", " The QT interval is prolonged.",
    )
]  # fmt: skip
REVERSED = [
    GOOD.replace("there is ST elevation", "there is no ST elevation"),
    GOOD.replace("is not ruled out and not affirmed", "is affirmed"),
    GOOD.replace("is called with", "is not called with"),
    GOOD.replace("Notable are pathological", "There are no pathological"),
    GOOD.replace("Computed, not read by a physician; for", "Read by a physician; for"),
]
EXCHANGED = [
    GOOD.replace("0.21 mV in II, 0.30 mV in III", "0.30 mV in II, 0.21 mV in III"),
    GOOD.replace("0.21 mV in II, 0.30 mV in III", "0.21 mV in III, 0.30 mV in II"),
    GOOD.replace("a rate of 141/min, a PR interval of 105 ms", "a rate of 105/min, a PR interval of 141 ms"),
    GOOD.replace("a PR interval of 105 ms, a QRS complex of 88 ms", "a QRS complex of 105 ms, a PR interval of 88 ms"),
    GOOD.replace("III −0.68 mV, aVF −0.12 mV", "aVF −0.68 mV, III −0.12 mV"),
    GOOD.replace("is not ruled out and not affirmed", "is affirmed, not, not ruled out"),
]
MISSING = [
    " ".join(part for part in GOOD.split(". ") if "ST elevation" not in part),
    GOOD.replace(" and 0.25 mV in aVF", ""),
    "The tracing shows a rate of 141/min.",
    "",
    "   \n ",
]
OTHERS = [
    "Das EKG zeigt eine Frequenz von 141/min und eine ST-Hebung.",
    "L'ECG montre un infarctus du myocarde.",
    "心电图显示下壁ST段抬高。",
    "ЭКГ показывает подъем сегмента ST.",
    f"<p>{GOOD}</p>",
    f"**{GOOD}**",
    f"# Findings\n{GOOD}",
    GOOD + " <script>alert(1)</script>",
    GOOD + " [more](http://example.org)",
    GOOD + "\x00",
    GOOD + "\u202e",
    "```" + GOOD + "```",
    "A" * 1_000_000,
    GOOD * 200,
]
SPOILED = [*WRONG_NUMBERS, *INVENTED, *REVERSED, *EXCHANGED, *MISSING, *OTHERS]
assert len(SPOILED) == len({*SPOILED}) >= 50
assert GOOD not in SPOILED


def test_what_says_the_same_in_other_words_stands():
    assert reason_to_refuse(GOOD, FACTS, URGENT) == ""
    assert reason_to_refuse(" ".join(FACTS.values()), FACTS, URGENT) == ""


@pytest.mark.parametrize("answer", SPOILED, ids=range(len(SPOILED)))
def test_what_is_spoiled_is_refused(answer):
    assert reason_to_refuse(answer, FACTS, URGENT)


class Server(BaseHTTPRequestHandler):
    def do_POST(self):
        self.server.asked.append((self.path, self.headers, self.rfile.read(int(self.headers["Content-Length"]))))
        self.server.answer(self)

    def log_message(self, *_):
        """Keep quiet."""


@contextmanager
def served(answer):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    server.asked, server.answer = [], answer
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def says(text):
    def answer(handler):
        body = json.dumps({"choices": [{"message": {"role": "assistant", "content": text}}]}).encode()
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def trickles(handler):
    handler.send_response(200)
    handler.send_header("Content-Length", "100000")
    handler.end_headers()
    for _ in range(100):
        try:
            handler.wfile.write(b" ")
            handler.wfile.flush()
        except OSError:
            return
        time.sleep(0.05)


def refuses(handler):
    handler.send_error(503)


def babbles(handler):
    body = b"not json at all"
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


@pytest.fixture
def ask(monkeypatch, resting_result, settings):
    monkeypatch.setattr(generated_text, "_not_before", {})
    monkeypatch.setattr(generated_text, "facts_of", lambda result: dict(FACTS))

    def asked(url, timeout_s=1.0):
        there = settings.model_copy(
            update={"text_url": url, "text_model": "some-model", "text_key": SecretStr("some-key")}
        )
        started = time.monotonic()
        text = with_generated_text(resting_result, there, timeout_s).resting.text
        assert time.monotonic() - started < timeout_s + 1
        return text

    return asked


def address(server):
    return f"http://127.0.0.1:{server.server_address[1]}/v1"


def test_a_good_answer_stands_and_only_facts_went_out(ask, resting_result):
    with served(says(GOOD)) as server:
        assert ask(address(server)) == GOOD
    [(path, headers, body)] = server.asked
    assert path == "/v1/chat/completions"
    assert headers["Authorization"] == "Bearer some-key"
    sent = json.loads(body)
    assert sent["model"] == "some-model"
    assert sent["messages"][1]["content"] == "\n".join(FACTS.values())
    assert resting_result.recording.recording_id[:8] not in body.decode()


@pytest.mark.parametrize("text", [SPOILED[0], INVENTED[0], OTHERS[4], "A" * 1_000_000])
def test_a_spoiled_answer_leaves_the_template(ask, text):
    with served(says(text)) as server:
        assert ask(address(server)) == ""


@pytest.mark.parametrize("answer", [trickles, refuses, babbles, says(None)])
def test_slow_refusing_and_babbling_servers_hold_nothing_up(ask, answer):
    with served(answer) as server:
        assert ask(address(server), timeout_s=0.5) == ""
        assert ask(address(server), timeout_s=0.5) == ""
    assert len(server.asked) == 1, "after a failure nobody is asked for a while"


def test_no_server_at_all(ask):
    assert ask("http://127.0.0.1:9/v1") == ""
    assert ask("file:///etc/passwd") == ""
