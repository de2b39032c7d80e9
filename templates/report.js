"use strict";
// What the report can do beyond being read: scale, zoom, pan and measure strips; go from a finding to its place.
// Everything is there without this script. It makes no request and keeps nothing.
(() => {
  const SVG = "http://www.w3.org/2000/svg";
  const LEFT = 10, MARKS = 10, RIGHT = 5, MM_PER_S = 25, MM_PER_MV = 10, SECONDS = 7;
  const text = JSON.parse(document.getElementById("words").textContent);
  const say = (key, facts = {}) => text[key].replace(/\{(\w+)\}/g, (_, name) => facts[name]);
  const make = (tag, attributes = {}, content = "") => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.textContent = content;
    return element;
  };

  // --- a strip: its own scale, the part of it that is seen, and callipers
  class Strip {
    constructor(figure) {
      this.figure = figure;
      this.svg = figure.querySelector("svg.paper");
      this.start = figure.dataset.start ? +figure.dataset.start : NaN;
      this.seconds = +(figure.dataset.seconds || SECONDS);
      this.box = this.svg.viewBox.baseVal;
      this.width0 = this.box.width; this.height0 = this.box.height;
      // The page's shared grid is as wide as the paper as it was drawn; at another scale each strip needs its own.
      for (const shared of this.svg.querySelectorAll("use")) {
        const own = document.createElementNS(SVG, "path");
        own.setAttribute("class", shared.getAttribute("class"));
        shared.replaceWith(own);
      }
      this.original = new Map();
      for (const element of this.svg.querySelectorAll("path, text, rect")) this.original.set(element, this.read(element));
      this.speed = 1; this.gain = 1; this.measuring = false; this.pointers = new Map();
      this.svg.setAttribute("tabindex", "0");
      // Selected letters would be dragged away by the next pull of the mouse.
      this.svg.classList.add("live");
      this.svg.addEventListener("dragstart", event => event.preventDefault());
      this.svg.addEventListener("wheel", event => this.wheel(event), { passive: false });
      this.svg.addEventListener("keydown", event => this.key(event));
      this.svg.addEventListener("focus", () => toolbar.take(this));
      for (const name of ["pointerdown", "pointermove", "pointerup", "pointercancel"])
        this.svg.addEventListener(name, event => this.pointer(event));
      this.rescale(1, 1);
    }

    read(element) {
      const names = element.tagName === "path" ? ["d", "transform"] : ["x", "y", "width", "height"];
      return Object.fromEntries(names.map(name => [name, element.getAttribute(name)]));
    }

    x(value) { return value <= LEFT ? value : LEFT + (value - LEFT) * this.speed; }
    y(value) { return value <= MARKS ? value : MARKS + (value - MARKS) * this.gain; }
    // From the paper as it is stretched now to the paper as it was drawn, and back.
    drawn(p) { return { x: LEFT + (p.x - LEFT) / this.speed, y: MARKS + (p.y - MARKS) / this.gain }; }
    stretched(p) { return { x: LEFT + (p.x - LEFT) * this.speed, y: MARKS + (p.y - MARKS) * this.gain }; }

    // Paper keeps its millimetres, and so do letters and shapes; only the signal and its places stretch.
    rescale(speed, gain) {
      this.speed = speed; this.gain = gain;
      const right = LEFT + (this.width0 - LEFT - RIGHT) * speed + RIGHT;
      this.width = right; this.height = MARKS + (this.height0 - MARKS - 5) * gain + 5;
      for (const [element, was] of this.original) this.place(element, was);
      this.svg.setAttribute("width", `${this.width}mm`); this.svg.setAttribute("height", `${this.height}mm`);
      this.whole();
      // What was measured stays at its place in the signal, with its label.
      if (this.calliper) this.measure(this.from, this.to);
    }

    place(element, was) {
      const kind = element.classList;
      if (element.tagName === "text") {
        element.setAttribute("x", this.x(+was.x));
        element.setAttribute("y", kind.contains("second") ? this.height - 1.2 : this.y(+was.y));
      } else if (element.tagName === "rect") {
        element.setAttribute("x", this.x(+was.x)); element.setAttribute("width", +was.width * this.speed);
        element.setAttribute("height", this.height - MARKS);
      } else if (kind.contains("minor")) element.setAttribute("d", this.grid(1));
      else if (kind.contains("major")) element.setAttribute("d", this.grid(5));
      else if (kind.contains("mark")) element.setAttribute("d", was.d.replace(/M([\d.]+)/g, (_, x) => `M${this.x(+x)}`));
      else if (kind.contains("guide")) element.setAttribute("d", was.d.replace(/M([\d.]+) ([\d.]+)v[\d.]+/g, (_, x, y) => `M${this.x(+x)} ${y}v${this.height - MARKS}`));
      else if (kind.contains("pulse") || kind.contains("trace")) {
        const sx = kind.contains("trace") ? this.speed : 1;
        element.setAttribute("transform", `matrix(${sx} 0 0 ${this.gain} ${LEFT * (1 - sx)} ${MARKS * (1 - this.gain)}) ${was.transform || ""}`);
      }
    }

    grid(step) {
      let d = "";
      for (let x = 0; x <= this.width; x += step) d += `M${x} 0v${this.height}`;
      for (let y = 0; y <= this.height; y += step) d += `M0 ${y}h${this.width}`;
      return d;
    }

    // --- the part that is seen
    view(x, y, width, height) {
      width = Math.min(Math.max(width, 8), this.width); height = Math.min(Math.max(height, 4), this.height);
      x = Math.min(Math.max(x, 0), this.width - width); y = Math.min(Math.max(y, 0), this.height - height);
      this.seen = { x, y, width, height };
      this.svg.setAttribute("viewBox", `${x} ${y} ${width} ${height}`);
    }
    whole() { this.view(0, 0, this.width, this.height); }
    zoom(factor, cx = this.seen.x + this.seen.width / 2, cy = this.seen.y + this.seen.height / 2) {
      const s = this.seen;
      this.view(cx - (cx - s.x) * factor, cy - (cy - s.y) * factor, s.width * factor, s.height * factor);
    }
    pan(dx, dy) { const s = this.seen; this.view(s.x + dx * s.width, s.y + dy * s.height, s.width, s.height); }

    at(event) {
      const p = new DOMPoint(event.clientX, event.clientY).matrixTransform(this.svg.getScreenCTM().inverse());
      return { x: p.x, y: p.y };
    }

    wheel(event) {
      // A bare wheel scrolls the page, as anywhere else.
      if (!event.ctrlKey && !event.metaKey && !event.shiftKey) return;
      event.preventDefault();
      const p = this.at(event);
      if (event.shiftKey) this.pan(Math.sign(event.deltaY || event.deltaX) * 0.15, 0);
      else this.zoom(event.deltaY > 0 ? 1.25 : 0.8, p.x, p.y);
    }

    pointer(event) {
      const p = this.at(event);
      if (event.type === "pointerdown") {
        toolbar.take(this);
        this.svg.setPointerCapture(event.pointerId);
        this.pointers.set(event.pointerId, { p, screen: [event.clientX, event.clientY], first: [event.clientX, event.clientY] });
        if (this.measuring) this.measure(this.drawn(p), this.drawn(p));
        return;
      }
      const from = this.pointers.get(event.pointerId);
      if (!from) return;
      if (event.type !== "pointermove") {
        this.pointers.delete(event.pointerId);
        const still = Math.hypot(event.clientX - from.first[0], event.clientY - from.first[1]) < 4;
        if (review.on && still && !this.measuring && !Number.isNaN(this.start) && event.type === "pointerup")
          review.choose(this.start + (this.drawn(p).x - LEFT) / MM_PER_S, event.shiftKey);
        return;
      }
      if (this.measuring && this.pointers.size === 1) this.measure(this.from, this.drawn(p));
      else if (this.pointers.size === 2) this.pinch(event, from);
      else this.view(this.seen.x + from.p.x - p.x, this.seen.y + from.p.y - p.y, this.seen.width, this.seen.height);
    }

    pinch(event, from) {
      const other = [...this.pointers].find(([id]) => id !== event.pointerId)[1];
      const apart = ([x, y]) => Math.hypot(x - other.screen[0], y - other.screen[1]) || 1;
      const factor = apart(from.screen) / apart([event.clientX, event.clientY]);
      from.screen = [event.clientX, event.clientY];
      this.zoom(factor, (from.p.x + other.p.x) / 2, (from.p.y + other.p.y) / 2);
    }

    // --- callipers: a box from one corner to the other, in ms and mV, kept in the paper's own millimetres
    startMeasure(measuring) {
      this.measuring = measuring;
      if (!measuring) { this.calliper?.remove(); this.calliper = null; return; }
      const s = this.seen, c = this.drawn({ x: s.x + s.width / 2, y: s.y + s.height / 2 });
      this.measure(c, { x: c.x + 5, y: c.y - 10 });
    }
    measure(from, to) {
      this.from = from; this.to = to;
      if (!this.calliper) {
        this.calliper = document.createElementNS(SVG, "rect");
        this.calliper.setAttribute("class", "calliper");
        this.svg.append(this.calliper);
      }
      const [a, b] = [this.stretched(from), this.stretched(to)];
      const place = { x: Math.min(a.x, b.x), y: Math.min(a.y, b.y), width: Math.abs(b.x - a.x), height: Math.abs(b.y - a.y) };
      for (const [name, value] of Object.entries(place)) this.calliper.setAttribute(name, value);
      const ms = Math.abs(to.x - from.x) / MM_PER_S * 1000, mv = Math.abs(to.y - from.y) / MM_PER_MV;
      const rate = ms >= 150 ? say("js_rate", { bpm: Math.round(60000 / ms) }) : "";
      this.told = say("js_measured", { ms: Math.round(ms), mv: mv.toFixed(2) }) + rate;
      toolbar.tell(this);
    }

    key(event) {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (review.key(event)) { event.preventDefault(); return; }
      const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
      if (event.key in arrows) {
        const [dx, dy] = arrows[event.key];
        if (this.measuring) {
          // One step is 10 ms or 0.05 mV; with Shift the whole box moves.
          const move = p => ({ x: p.x + dx * 0.25, y: p.y + dy * 0.5 });
          this.measure(event.shiftKey ? move(this.from) : this.from, move(this.to));
        } else if (dy && this.seen.height >= this.height) return;
        else this.pan(dx * 0.15, dy * 0.15);
      } else if (event.key === "+" || event.key === "=") this.zoom(0.8);
      else if (event.key === "-") this.zoom(1.25);
      else if (event.key === "0") this.whole();
      else if (event.key === "Escape" && this.measuring) toolbar.callipers();
      else return;
      event.preventDefault();
    }
  }

  // --- one toolbar for all strips, which stays in sight: scale and callipers are of all, the rest of the one last touched
  const toolbar = {
    speed: 1, gain: 1, measuring: false, active: null,
    build() {
      const bar = make("div", { class: "tools", role: "group", "aria-label": say("js_tools") });
      const button = (key, does, pressed) => {
        const b = make("button", { type: "button", class: `tool-${key}` }, say(`js_${key}`));
        if (pressed !== undefined) b.setAttribute("aria-pressed", String(pressed));
        b.addEventListener("click", () => does());
        bar.append(b);
        return b;
      };
      const at = does => () => { if (this.active) does(this.active); };
      this.buttons = {
        speed: button("speed", () => this.scale(3 - this.speed, this.gain), false),
        gain: button("gain", () => this.scale(this.speed, 3 - this.gain), false),
        callipers: button("callipers", () => this.callipers(), false),
      };
      button("in", at(s => s.zoom(0.5))); button("out", at(s => s.zoom(2)));
      button("left", at(s => s.pan(-0.25, 0))); button("right", at(s => s.pan(0.25, 0))); button("whole", at(s => s.whole()));
      this.told = make("output", { class: "measure", "aria-live": "polite" });
      bar.append(this.told);
      let host = document.getElementById("bar");
      if (!host) { host = make("div", { id: "bar" }); document.querySelector("main").prepend(host); }
      host.append(bar);
      this.take(strips[0]);
    },
    press() {
      const on = { speed: this.speed === 2, gain: this.gain === 2, callipers: this.measuring };
      for (const [key, b] of Object.entries(this.buttons)) b.setAttribute("aria-pressed", String(on[key]));
    },
    scale(speed, gain) { this.speed = speed; this.gain = gain; strips.forEach(s => s.rescale(speed, gain)); this.press(); },
    take(strip) {
      if (!strip || strip === this.active) return;
      if (this.measuring) this.active?.startMeasure(false);
      this.active?.figure.classList.remove("active");
      this.active = strip;
      strip.figure.classList.add("active");
      this.told.textContent = "";
      if (this.measuring) strip.startMeasure(true);
    },
    callipers() {
      this.measuring = !this.measuring;
      this.told.textContent = "";
      this.active?.startMeasure(this.measuring);
      if (this.measuring) this.active?.svg.focus({ preventScroll: true });
      this.press();
    },
    tell(strip) { if (strip === this.active) this.told.textContent = strip.told; },
  };
  // --- beside the review form: a click chooses a beat, a moment or a stretch, which is answered there
  const review = {
    on: false, said: [], chosen: null, from: null,
    tell(message) { parent.postMessage({ ecg: true, ...message }, location.origin); },
    start() {
      if (parent === window || location.protocol === "file:") return;
      addEventListener("message", async event => {
        if (event.origin !== location.origin || event.source !== parent || !event.data?.ecg) return;
        const { review: begin, said, show } = event.data;
        if (begin && !this.on && document.getElementById("embedded")) { await copy.read(); this.on = true; this.sheet(); document.body.classList.add("reviewing"); }
        if (said) { this.said = said; this.mark(); }
        if (show) { await copy.read(); await viewer.show(show[0], show[1]); }
      });
      this.tell({ ready: true });
    },
    // A resting ECG's sheet is no strip among others: it becomes one where its beats are answered.
    sheet() {
      const sheet = document.querySelector("figure.twelve[data-start]");
      if (!sheet) return;
      strips.push(new Strip(sheet));
      if (!toolbar.told) toolbar.build();
      this.mark();
    },
    // The beat that lies nearest, within the 150 ms that a reader's time means; those said to be missed count as well.
    beatAt(seconds) {
      const added = this.said.filter(one => one.value.startsWith("add-")).map(one => ({ at: one.from, letter: one.value.slice(4) }));
      const near = [...copy.beats, ...added].filter(beat => Math.abs(beat.at - seconds) <= 0.15);
      return near.sort((a, b) => Math.abs(a.at - seconds) - Math.abs(b.at - seconds))[0];
    },
    choose(seconds, extend = false) {
      const at = Math.min(Math.max(seconds, 0), copy.facts.seconds);
      if (extend && this.chosen) return this.stretch(Math.min(this.chosen.from, at), Math.max(this.chosen.to, at));
      const beat = this.beatAt(at), place = beat ? beat.at : at;
      this.chosen = { from: place, to: place, letter: beat ? beat.letter : "" };
      this.mark();
      this.tell({ chosen: this.chosen });
    },
    stretch(from, to, kind = "") {
      this.chosen = { from, to, kind, letter: "" };
      this.mark();
      this.tell({ chosen: this.chosen });
    },
    step(way) {
      const at = this.chosen ? this.chosen.from : viewer.start;
      const beats = copy.beats.filter(beat => way > 0 ? beat.at > at + 0.001 : beat.at < at - 0.001);
      const next = beats[way > 0 ? 0 : beats.length - 1];
      if (next) this.go(next.at);
    },
    go(at) {
      const strip = toolbar.active, end = strip ? strip.start + SECONDS : 0;
      if (strip && strip === viewer.strip && (at < strip.start + 0.2 || at > end - 0.2)) viewer.draw(at - SECONDS / 2);
      this.choose(at);
      viewer.strip?.svg.focus({ preventScroll: true });
    },
    key(event) {
      if (!this.on) return false;
      const { key } = event;
      if (key === "." || key === ",") this.step(key === "." ? 1 : -1);
      else if ((key === "<" || key === ">") && this.chosen) this.choose(this.chosen.from + (key === ">" ? 0.04 : -0.04));
      else if ("nsvfq".includes(key.toLowerCase()) && key.length === 1) this.tell({ value: key.toUpperCase() });
      else if (key.toLowerCase() === "x" || key === "Delete") this.tell({ value: "none" });
      else if (key === "Backspace") this.tell({ undo: true });
      else if (key === "[" && this.chosen) this.from = this.chosen.from;
      else if (key === "]" && this.chosen && this.from !== null) { this.stretch(Math.min(this.from, this.chosen.to), Math.max(this.from, this.chosen.to)); this.tell({ name: true }); }
      else return false;
      return true;
    },
    // What is chosen and what was said stand on every strip that shows it.
    mark() {
      for (const strip of strips) {
        strip.svg.querySelectorAll(".chosen, .said").forEach(old => { strip.original.delete(old); old.remove(); });
        if (!this.on || Number.isNaN(strip.start)) continue;
        const end = strip.start + strip.seconds, x = s => LEFT + (s - strip.start) * MM_PER_S;
        const put = (kind, one, label) => {
          if (one.to < strip.start || one.from > end) return;
          const [a, b] = one.to > one.from ? [Math.max(one.from, strip.start), Math.min(one.to, end)] : [one.from - 0.04, one.from + 0.04];
          const drawn = [copy.shape("rect", { class: kind, x: x(a), y: MARKS, width: (b - a) * MM_PER_S, height: strip.height0 - MARKS })];
          if (label) drawn.push(copy.shape("text", { class: kind, x: x((a + b) / 2), y: 9.6 }, label));
          for (const element of drawn) { strip.svg.append(element); strip.original.set(element, strip.read(element)); strip.place(element, strip.original.get(element)); }
        };
        if (this.chosen) put("chosen", this.chosen);
        for (const one of this.said) put("said", one, say("js_said", { value: one.value === "none" ? "×" : one.value.replace("add-", "+").replace("is-", "").replaceAll("_", " ") }));
      }
    },
  };
  const strips = [...document.querySelectorAll("figure.strip[id]")].map(figure => new Strip(figure));
  if (strips.length) toolbar.build();
  // Paper is always printed at its own scale and whole.
  addEventListener("beforeprint", () => {
    if (!strips.length) return;
    if (toolbar.measuring) toolbar.callipers();
    toolbar.scale(1, 1);
  });

  // --- the primary lead and the beats lie in the file, so that a strip of any moment can be drawn
  const DOUBTFUL = 8, UNREAD = 16, RR_KNOWN = 32, CLASSES = "NSVFQ";
  const offset = seconds => {
    const total = Math.floor(seconds), two = n => String(n).padStart(2, "0");
    return `${Math.floor(total / 3600)}:${two(Math.floor(total / 60) % 60)}:${two(total % 60)}`;
  };
  const numbers = async base64 => {
    const packed = Uint8Array.from(atob(base64), c => c.charCodeAt(0));
    const bytes = new Uint8Array(await new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate-raw"))).arrayBuffer());
    const found = [];
    for (let i = 0, n = 0, shift = 0; i < bytes.length; i++) {
      n += (bytes[i] & 127) * 2 ** shift;
      if (bytes[i] & 128) shift += 7; else { found.push(n); n = 0; shift = 0; }
    }
    return found;
  };
  const copy = {
    facts: null,
    async read() {
      if (this.facts) return this;
      const facts = JSON.parse(document.getElementById("embedded").textContent);
      const [changes, beats] = await Promise.all([numbers(facts.samples), numbers(facts.beats)]);
      this.mv = new Float32Array(changes.length);
      for (let i = 0, at = 0; i < changes.length; i++) {
        at += changes[i] & 1 ? -(changes[i] + 1) / 2 : changes[i] / 2;
        this.mv[i] = at * facts.step_mv;
      }
      for (const [from, to] of facts.missing) this.mv.fill(NaN, from, to);
      this.beats = [];
      for (let i = 0, ms = 0; i < beats.length; i += 2) {
        ms += beats[i];
        const code = beats[i + 1], letter = CLASSES[code & 7];
        this.beats.push({ at: ms / 1000, letter, doubtful: code & DOUBTFUL, read: !(code & UNREAD), rr: code & RR_KNOWN });
      }
      this.facts = facts;
      return this;
    },
    shape(tag, attributes, content = "") {
      const element = document.createElementNS(SVG, tag);
      for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
      element.textContent = content;
      return element;
    },
    clock(seconds) {
      const { clock_s } = this.facts;
      return clock_s === null ? offset(seconds) : `${offset(seconds)} (${offset((clock_s + seconds) % 86400).padStart(8, "0")})`;
    },
    within(from, to) { return this.beats.filter(beat => beat.at >= from && beat.at < to); },
    draw(start, asked) {
      const { rate_hz, lead, shapes, poor } = this.facts, first = Math.round(start * rate_hz);
      const mv = this.mv.subarray(first, first + SECONDS * rate_hz), end = start + mv.length / rate_hz;
      const room = (swing, least, most) => Math.min(Math.max(Math.ceil((swing * MM_PER_MV + 1) / 5) * 5, least), most);
      const known = mv.filter(Number.isFinite);
      const up = room(Math.max(0, ...known), 15, 30), down = room(-Math.min(0, ...known), 10, 25);
      const zero = MARKS + up, height = zero + down + 5, width = LEFT + SECONDS * MM_PER_S + RIGHT;
      const x = seconds => +(LEFT + (seconds - start) * MM_PER_S).toFixed(2);
      const svg = this.shape("svg", { class: "paper", role: "img", width: `${width}mm`, height: `${height}mm`, viewBox: `0 0 ${width} ${height}` });
      const add = (...drawn) => svg.append(this.shape(...drawn));
      const box = (kind, from, to) => {
        const [a, b] = [Math.max(from, start), Math.min(to, end)];
        if (b > a) add("rect", { class: kind, x: x(a), y: MARKS, width: (b - a) * MM_PER_S, height: height - MARKS });
      };
      for (const [from, to] of poor) box("poor", from, to);
      if (asked) box("asked", ...asked);
      add("path", { class: "minor", d: "" }); add("path", { class: "major", d: "" });
      const beats = this.within(start, end);
      for (const letter of CLASSES) {
        const places = beats.filter(b => b.read && b.letter === letter).map(b => x(b.at));
        if (!places.length) continue;
        if (letter !== "N") add("path", { class: `guide c${letter}`, d: places.map(p => `M${p} ${MARKS}v${height - MARKS}`).join("") });
        add("path", { class: `mark c${letter}`, d: places.map(p => `M${p} 7.2${shapes[letter]}`).join("") });
      }
      add("path", { class: "pulse", d: `M0 ${zero}h2.5v-10h5v10h2.5` });
      let d = "", on = false;
      for (let i = 0; i < mv.length; i++) {
        if (Number.isNaN(mv[i])) { on = false; continue; }
        const y = Math.min(Math.max(zero - mv[i] * MM_PER_MV, MARKS), zero + down);
        d += `${on ? "L" : "M"}${(LEFT + i * MM_PER_S / rate_hz).toFixed(1)} ${y.toFixed(1)}`;
        on = true;
      }
      add("path", { class: "trace", d });
      beats.forEach((beat, i) => {
        add("text", { class: beat.read ? `letter t${beat.letter}` : "letter unread", x: x(beat.at), y: 4.2 }, beat.read ? beat.letter + (beat.doubtful ? "?" : "") : "×");
        const before = beats[i - 1];
        if (before && beat.rr && beat.at - before.at >= 0.36) add("text", { class: "interval", x: x((beat.at + before.at) / 2), y: 4.2 }, Math.round(1000 * (beat.at - before.at)).toLocaleString("en"));
      });
      add("text", { class: "lead", x: 1.2, y: zero + 4.6 }, lead);
      for (let s = Math.ceil(start + 0.2); s <= end - 0.35; s++) add("text", { class: "second", x: x(s), y: height - 1.2 }, offset(s));
      const letters = beats.map(b => b.read ? b.letter + (b.doubtful ? "?" : "") : "×").join(" ");
      return { svg, told: letters ? say("js_beats", { letters }) : say("js_no_beats") };
    },
  };

  // --- the strip of any moment, at the lower edge of the window: the place in the report is not lost
  const viewer = {
    box: null, strip: null, start: 0, asked: null,
    build() {
      this.box = make("aside", { id: "viewer", "aria-label": say("js_viewer") });
      const head = make("div", { class: "viewer-head" });
      this.title = make("h3");
      head.append(this.title);
      const button = (key, does) => {
        const b = make("button", { type: "button", class: `viewer-${key}` }, say(`js_${key}`));
        b.addEventListener("click", does);
        head.append(b);
      };
      button("before", () => this.turn(-1)); button("after", () => this.turn(1)); button("close", () => this.close());
      this.figure = make("figure", { class: "strip" });
      this.note = make("p", { class: "note", "aria-live": "polite" });
      this.box.append(head, this.figure, this.note);
      this.box.addEventListener("keydown", event => {
        if (event.key === "Escape" && !toolbar.measuring) this.close();
        else if (event.key === "PageDown" || event.key === "PageUp") { event.preventDefault(); this.turn(event.key === "PageUp" ? -1 : 1); }
      });
      document.querySelector("main").append(this.box);
      if (!toolbar.told) toolbar.build();
    },
    async show(from, to = from) {
      await copy.read();
      if (!this.box) this.build();
      if (this.box.hidden || !this.strip) this.before = document.activeElement;
      const room = SECONDS - (to - from);
      this.asked = to > from ? [from, to] : null;
      this.box.hidden = false;
      this.draw(from - (room >= 2 ? room / 2 : 1.5));
      // On a narrow window the strip is wider than what is seen of it.
      const scroll = this.figure.firstChild, mm = this.strip.svg.getBoundingClientRect().width / this.strip.width;
      scroll.scrollLeft = (LEFT + (from - this.start) * MM_PER_S) * mm - scroll.clientWidth / 3;
      this.strip.svg.focus({ preventScroll: true });
    },
    draw(start) {
      const { seconds, rate_hz } = copy.facts;
      this.start = Math.round(Math.min(Math.max(0, start), Math.max(0, seconds - SECONDS)) * rate_hz) / rate_hz;
      if (this.strip) strips.splice(strips.indexOf(this.strip), 1);
      const { svg, told } = copy.draw(this.start, this.asked);
      const name = say("js_at", { lead: copy.facts.lead, time: copy.clock(this.start) });
      this.title.textContent = name;
      svg.setAttribute("aria-label", `${name}. ${told}`);
      const scroll = make("div", { class: "scroll" });
      scroll.append(svg);
      this.figure.replaceChildren(scroll);
      this.strip = new Strip(this.figure);
      this.strip.start = this.start;
      this.strip.rescale(toolbar.speed, toolbar.gain);
      strips.push(this.strip);
      toolbar.take(this.strip);
      this.box.dataset.start = this.start;
      review.mark();
      this.note.textContent = `${told} ${say("js_coarse", { rate: Math.round(copy.facts.rate_hz), step: 1000 * copy.facts.step_mv })}`;
    },
    turn(pages) { this.draw(this.start + pages * SECONDS); this.strip.svg.focus({ preventScroll: true }); },
    close() { this.box.hidden = true; this.before?.focus({ preventScroll: true }); },
  };
  if (document.getElementById("embedded") && "DecompressionStream" in window) {
    const shown = (from, to) => viewer.show(from, to);
    for (const row of document.querySelectorAll("tr.episode")) {
      row.classList.add("goes");
      row.addEventListener("click", event => {
        if (event.ctrlKey || event.metaKey || event.shiftKey || String(getSelection())) return;
        event.preventDefault();
        shown(+row.dataset.at, +row.dataset.end);
        if (review.on) review.stretch(+row.dataset.at, +row.dataset.end, row.dataset.kind);
      });
    }
    const at = (svg, event) => new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
    const facts = JSON.parse(document.getElementById("embedded").textContent);
    for (const svg of document.querySelectorAll("svg.trend-figure")) {
      svg.classList.add("goes");
      svg.addEventListener("click", event => {
        const [left, span] = facts.trend, share = (at(svg, event).x - left) / span;
        if (share >= 0 && share <= 1) shown(share * facts.seconds);
      });
    }
    for (const svg of document.querySelectorAll("svg.folded")) {
      svg.classList.add("goes");
      svg.addEventListener("click", event => {
        const [left, width, height, seconds] = facts.rows, p = at(svg, event);
        const inRow = Math.min(Math.max((p.x - left) / width, 0), 1);
        shown(Math.min(+svg.dataset.start + (Math.floor(p.y / height) + inRow) * seconds, facts.seconds));
      });
    }
  }

  // --- a click anywhere on a finding goes to its place
  for (const item of document.querySelectorAll(".findings li")) {
    const link = item.querySelector("a[href^='#']");
    if (!link) continue;
    item.classList.add("goes");
    item.addEventListener("click", event => {
      if (!event.target.closest("a") && !String(getSelection())) link.click();
    });
  }
  // A place within a folded part is unfolded.
  const unfold = () => {
    const target = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
    for (let part = target && target.closest("details"); part; part = part.parentElement.closest("details")) part.open = true;
    const strip = strips.find(one => one.figure === target);
    if (strip) { toolbar.take(strip); strip.svg.focus({ preventScroll: true }); }
  };
  addEventListener("hashchange", unfold);
  unfold();
  review.start();
})();
