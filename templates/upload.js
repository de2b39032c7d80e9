// Files that are dragged onto the page or chosen go to the platform at once; their outcome is asked for until it is known.
"use strict";
(() => {
  const words = JSON.parse(document.getElementById("words").textContent);
  const drop = document.getElementById("drop"), chosen = document.getElementById("files");
  const progress = document.getElementById("progress"), said = document.getElementById("said");
  const rows = document.getElementById("rows"), table = document.getElementById("outcomes");
  const { address, token } = drop.dataset;

  const say = (text, bad) => { said.textContent = text; said.className = bad ? "told warn" : "told"; };

  const refusal = (request) => {
    if (request.getResponseHeader("content-type")?.startsWith("application/json")) {
      return JSON.parse(request.responseText).problem;
    }
    return request.status === 413 ? words.upload_too_large : words.upload_refused;
  };

  const send = (files) => {
    if (!files.length) return;
    if (files.length > words.most_files || files.some((file) => file.size > words.largest_bytes)) {
      say(words.upload_too_large, true);
      return;
    }
    const body = new FormData();
    files.forEach((file) => body.append("files", file, file.name));
    const request = new XMLHttpRequest();
    const site = document.getElementById("site");
    request.open("POST", site ? `${address}?site=${encodeURIComponent(site.value)}` : address);
    request.setRequestHeader("x-ecg-token", token);
    request.upload.onprogress = (event) => { progress.value = event.loaded / event.total; };
    request.onerror = () => { progress.hidden = true; say(words.upload_broken, true); };
    request.onload = () => {
      progress.hidden = true;
      if (request.status !== 201) { say(refusal(request), true); return; }
      const answer = JSON.parse(request.responseText);
      say(words.upload_taken, false);
      const shown = new Map(answer.recordings.map((one) => [one.number, row(one, files)]));
      follow(`${address}/${answer.upload}`, shown);
    };
    progress.value = 0;
    progress.hidden = false;
    say(words.upload_sending, false);
    request.send(body);
  };

  const row = (recording, files) => {
    table.hidden = false;
    const line = rows.insertRow(0);
    line.insertCell().textContent = recording.files.map((at) => files[at].name).join(", ");
    const outcome = line.insertCell();
    outcome.textContent = words.upload_waiting;
    const report = line.insertCell();
    if (recording.missing.length) report.textContent = words.upload_missing.replace("{names}", recording.missing.join(", "));
    return { outcome, report };
  };

  const follow = async (where, shown) => {
    let answer;
    try {
      const response = await fetch(where);
      if (!response.ok) { say(words.upload_refused, true); return; }
      answer = await response.json();
    } catch {
      answer = { recordings: [], done: false };  // a network that comes back
    }
    for (const one of answer.recordings) {
      const line = shown.get(one.number);
      if (!line) continue;
      line.outcome.textContent = words[`upload_${one.outcome.replace(" ", "_")}`] ?? one.outcome;
      if (one.report) {
        const link = document.createElement("a");
        link.href = one.report;
        link.textContent = words.upload_report;
        line.report.replaceChildren(link);
      } else if (one.reason) {
        line.report.textContent = one.reason;
      }
    }
    if (!answer.done) setTimeout(() => follow(where, shown), 2000);
  };

  drop.addEventListener("dragover", (event) => { event.preventDefault(); drop.classList.add("over"); });
  drop.addEventListener("dragleave", () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    send([...event.dataTransfer.files]);
  });
  chosen.addEventListener("change", () => { send([...chosen.files]); chosen.value = ""; });
})();
