"use strict";
// What the report can do beyond being read: scale, zoom, pan and measure strips; go from a finding to its place.
// Everything is there without this script. It makes no request and keeps nothing.
(() => {
  const SVG = "http://www.w3.org/2000/svg";
  const LEFT = 10, MARKS = 10, RIGHT = 5, MM_PER_S = 25, MM_PER_MV = 10;
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
      this.name = figure.querySelector("h3").textContent;
      this.box = this.svg.viewBox.baseVal;
      this.width0 = this.box.width; this.height0 = this.box.height;
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
      const names = element.tagName === "path" ? ["d"] : ["x", "y", "width", "height"];
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
        element.setAttribute("transform", `matrix(${sx} 0 0 ${this.gain} ${LEFT * (1 - sx)} ${MARKS * (1 - this.gain)})`);
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
        this.pointers.set(event.pointerId, { p, screen: [event.clientX, event.clientY] });
        if (this.measuring) this.measure(this.drawn(p), this.drawn(p));
        return;
      }
      const from = this.pointers.get(event.pointerId);
      if (!from) return;
      if (event.type !== "pointermove") { this.pointers.delete(event.pointerId); return; }
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
  const strips = [...document.querySelectorAll("figure.strip[id]")].map(figure => new Strip(figure));
  if (strips.length) toolbar.build();
  // Paper is always printed at its own scale and whole.
  addEventListener("beforeprint", () => {
    if (!strips.length) return;
    if (toolbar.measuring) toolbar.callipers();
    toolbar.scale(1, 1);
  });

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
})();
