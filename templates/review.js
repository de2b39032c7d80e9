"use strict";
// Reviewing beside the report: what is chosen there is answered here. Nothing is lost by closing the page, nor the place
// in the report by sending. Without this script the form below works by hand.
(() => {
  const words = JSON.parse(document.getElementById("words").textContent);
  const say = (key, facts = {}) => words[key].replace(/\{(\w+)\}/g, (_, name) => facts[name]);
  const frame = document.querySelector("iframe"), panel = document.querySelector(".answer");
  const report = panel.dataset.report, kept = `ecg review ${report}`, FIRST_ROW = +panel.dataset.rows;
  const form = () => panel.querySelector("form");
  const make = (tag, attributes = {}, content = "") => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.textContent = content;
    return element;
  };
  const clock = s => {
    const tenths = Math.round(s * 100) / 100, two = n => String(n).padStart(2, "0");
    return `${Math.floor(tenths / 3600)}:${two(Math.floor(tenths / 60) % 60)}:${(tenths % 60).toFixed(2).padStart(5, "0")}`;
  };
  let said = [], chosen = null, dirty = false;
  const tell = message => frame.contentWindow?.postMessage({ ecg: true, ...message }, location.origin);

  // --- what was answered and not yet sent outlives the page
  const keep = () => {
    const findings = {};
    for (const input of form().querySelectorAll("input[type=radio]:checked")) if (input.value) findings[input.name] = input.value;
    const comment = form().elements.comment.value;
    if (said.length || comment || Object.keys(findings).length) localStorage.setItem(kept, JSON.stringify({ said, findings, comment }));
    else localStorage.removeItem(kept);
  };
  const restore = () => {
    const found = JSON.parse(localStorage.getItem(kept) || "null");
    if (!found) return;
    said = found.said;
    for (const [name, value] of Object.entries(found.findings)) {
      const input = form().querySelector(`input[name="${CSS.escape(name)}"][value="${value}"]`);
      if (input) input.checked = true;
    }
    if (!form().elements.comment.value) form().elements.comment.value = found.comment;
  };

  const named = value => form().querySelector(`#class-0 option[value="${CSS.escape(value)}"]`)?.textContent || value;
  const place = one => one.to > one.from ? say("review_stretch", { from: clock(one.from), to: clock(one.to) }) : clock(one.from);

  const show = () => {
    const list = panel.querySelector("#said");
    list.replaceChildren(...said.map((one, i) => {
      const item = make("li"), go = make("button", { type: "button", class: "link" }, `${place(one)}: ${named(one.value)}`);
      go.addEventListener("click", () => tell({ show: [one.from, one.to] }));
      const undo = make("button", { type: "button", "aria-label": say("review_undo", { what: go.textContent }) }, "×");
      undo.addEventListener("click", () => { said.splice(i, 1); changed(); });
      item.append(go, undo);
      return item;
    }));
    panel.querySelector("#said-none").hidden = said.length > 0;
    form().querySelectorAll("input.said").forEach(input => input.remove());
    said.forEach((one, i) => {
      const row = { from: clock(one.from), to: one.to > one.from ? clock(one.to) : "", class: one.value };
      for (const [part, value] of Object.entries(row)) form().append(make("input", { type: "hidden", class: "said", name: `${part}.${FIRST_ROW + i}`, value }));
    });
    const all = form().querySelectorAll("fieldset.finding").length;
    const open = [...form().querySelectorAll("fieldset.finding")].filter(f => !f.querySelector("input:checked")?.value).length;
    panel.querySelector("#unjudged").textContent = open ? say("review_unjudged", { n: open, of: all }) : "";
    tell({ said });
  };
  const changed = () => { dirty = true; keep(); show(); };
  const add = one => {
    said = said.filter(other => Math.abs(other.from - one.from) > 0.001 || Math.abs(other.to - one.to) > 0.001);
    said.push(one);
    changed();
  };

  // --- what is chosen in the report
  const choose = what => {
    chosen = what;
    const box = panel.querySelector("#chosen");
    box.hidden = !what;
    if (!what) return;
    const stretch = what.to > what.from;
    box.querySelector("p").textContent = stretch ? say("review_chosen_stretch", { place: place(what) })
      : what.letter ? say("review_chosen_beat", { place: place(what), letter: what.letter }) : say("review_chosen_moment", { place: place(what) });
    box.querySelector(".of-stretch").hidden = !stretch;
    for (const b of box.querySelectorAll("button[data-value]")) {
      const value = b.dataset.value;
      b.hidden = value === "none" ? stretch || !what.letter : false;
      b.textContent = value === "none" ? named(value) : !stretch && !what.letter ? named(`add-${value}`) : value;
    }
    box.querySelector("#agree-episode").hidden = !(stretch && what.kind && form().querySelector(`#class-0 option[value="is-${what.kind}"]`));
  };
  const answer = value => {
    if (!chosen) return;
    const stretch = chosen.to > chosen.from;
    if (value === "none" && (stretch || !chosen.letter)) return;
    const missed = !stretch && !chosen.letter && value.length === 1;
    add({ from: chosen.from, to: chosen.to, value: missed ? `add-${value}` : value });
  };
  addEventListener("message", event => {
    if (event.origin !== location.origin || event.source !== frame.contentWindow || !event.data?.ecg) return;
    const { ready, chosen: what, value, undo, name } = event.data;
    if (ready) { tell({ review: true }); tell({ said }); }
    if (what !== undefined) choose(what);
    if (value) answer(value);
    if (undo && said.length) { said.pop(); changed(); }
    if (name) panel.querySelector("#name-stretch").focus();
  });

  const wire = () => {
    form().addEventListener("submit", send);
    form().addEventListener("input", () => { dirty = true; keep(); show(); });
    for (const b of panel.querySelectorAll("#chosen button[data-value]")) b.addEventListener("click", () => answer(b.dataset.value));
    panel.querySelector("#name-stretch").addEventListener("change", event => { if (event.target.value) answer(event.target.value); event.target.value = ""; });
    panel.querySelector("#agree-episode").addEventListener("click", () => answer(`is-${chosen.kind}`));
  };

  // --- sending keeps the page, and the place in the report where that is drawn again
  const placeInReport = () => {
    const view = frame.contentDocument, sections = [...view.querySelectorAll("main > section, main > header")];
    const at = sections.filter(s => s.getBoundingClientRect().top <= 100).pop();
    return at && { id: at.id, offset: at.getBoundingClientRect().top };
  };
  const reload = () => new Promise(done => {
    const was = placeInReport(), opened = frame.contentDocument.getElementById("viewer");
    const start = opened && !opened.hidden ? +opened.dataset.start : null;
    frame.addEventListener("load", () => {
      const view = frame.contentDocument, section = was && view.getElementById(was.id);
      view.documentElement.style.scrollBehavior = "auto";
      if (section) frame.contentWindow.scrollBy(0, section.getBoundingClientRect().top - was.offset);
      if (start !== null) tell({ show: [start, start + 7] });
      done();
    }, { once: true });
    frame.contentWindow.location.reload();
  });
  async function send(event) {
    event.preventDefault();
    // The buttons are called "action", so that the form's own is asked for by its attribute.
    const data = new URLSearchParams(new FormData(form(), event.submitter));
    const page = await fetch(form().getAttribute("action"), { method: "POST", body: data, headers: { "X-Requested-With": "fetch" } }).catch(() => null);
    if (!page) { panel.querySelector("#live").textContent = say("review_offline"); return; }
    const fresh = new DOMParser().parseFromString(await page.text(), "text/html").querySelector(".answer");
    if (!fresh) { panel.querySelector("#live").textContent = say("review_refused"); return; }
    const saved = page.ok && fresh.querySelector("[role=status]");
    if (saved) { said = []; localStorage.removeItem(kept); dirty = false; }
    panel.replaceChildren(...fresh.childNodes);
    choose(null);
    wire();
    if (!saved) restore();
    show();
    panel.scrollIntoView({ block: "start" });
    if (saved) await reload();
  }

  // --- others at the same report: what they answer is told at once, who has it open as well
  const look = async () => {
    const page = await fetch(`${panel.dataset.address}/answers`).catch(() => null);
    if (!page?.ok) return;
    const { n, last, others } = await page.json(), live = panel.querySelector("#live"), seen = +form().elements.seen.value;
    const told = n > seen ? say("review_others_answered", { who: last, n: n - seen }) : others.length ? say("review_others_open", { who: others.join(", ") }) : "";
    if (live.firstChild?.textContent === told) return;
    live.replaceChildren();
    if (!told) return;
    live.append(make("span", {}, told));
    if (n <= seen) return;
    const fetchThem = make("button", { type: "button" }, say("review_show_theirs"));
    fetchThem.addEventListener("click", async () => {
      const fresh = new DOMParser().parseFromString(await (await fetch(location.pathname)).text(), "text/html").querySelector(".answer");
      keep();
      panel.replaceChildren(...fresh.childNodes);
      wire(); restore(); show();
      await reload();
    });
    live.append(" ", fetchThem);
  };

  if (!form()) return;
  panel.classList.add("live");
  wire();
  restore();
  show();
  tell({ review: true });
  setInterval(look, +panel.dataset.every);
  look();
  addEventListener("beforeunload", event => { if (dirty && said.length) event.preventDefault(); });
})();
