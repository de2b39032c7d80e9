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
      this.addControls();
      this.svg.setAttribute("tabindex", "0");
      // Selected letters would be dragged away by the next pull of the mouse.
      this.svg.classList.add("live");
      this.svg.addEventListener("dragstart", event => event.preventDefault());
      this.svg.addEventListener("wheel", event => this.wheel(event), { passive: false });
      this.svg.addEventListener("keydown", event => this.key(event));
      for (const name of ["pointerdown", "pointermove", "pointerup", "pointercancel"])
        this.svg.addEventListener(name, event => this.pointer(event));
      this.rescale(1, 1);
    }

    read(element) {
      const names = element.tagName === "path" ? ["d"] : ["x", "y", "width", "height"];
      return Object.fromEntries(names.map(name => [name, element.getAttribute(name)]));
    }

    addControls() {
      const bar = make("div", { class: "tools", role: "group", "aria-label": say("js_tools", { strip: this.name }) });
      const button = (key, does, pressed) => {
        const b = make("button", { type: "button", class: `tool-${key}` }, say(`js_${key}`));
        if (pressed !== undefined) b.setAttribute("aria-pressed", String(pressed));
        b.addEventListener("click", () => does(b));
        bar.append(b);
        return b;
      };
      button("speed", b => this.rescale(this.speed === 1 ? 2 : 1, this.gain, b), false);
      button("gain", b => this.rescale(this.speed, this.gain === 1 ? 2 : 1, b), false);
      button("callipers", b => { this.measuring = !this.measuring; b.setAttribute("aria-pressed", String(this.measuring)); this.startMeasure(); }, false);
      button("in", () => this.zoom(0.5)); button("out", () => this.zoom(2));
      button("left", () => this.pan(-0.25, 0)); button("right", () => this.pan(0.25, 0)); button("whole", () => this.whole());
      this.told = make("output", { class: "measure", "aria-live": "polite" });
      bar.append(this.told);
      this.figure.querySelector(".scroll").before(bar);
      this.bar = bar;
    }

    x(value) { return value <= LEFT ? value : LEFT + (value - LEFT) * this.speed; }
    y(value) { return value <= MARKS ? value : MARKS + (value - MARKS) * this.gain; }

    // Paper keeps its millimetres, and so do letters and shapes; only the signal and its places stretch.
    rescale(speed, gain, button) {
      this.speed = speed; this.gain = gain;
      if (button) button.setAttribute("aria-pressed", String((button.classList.contains("tool-speed") ? speed : gain) === 2));
      const right = LEFT + (this.width0 - LEFT - RIGHT) * speed + RIGHT;
      this.width = right; this.height = MARKS + (this.height0 - MARKS - 5) * gain + 5;
      for (const [element, was] of this.original) this.place(element, was);
      this.svg.setAttribute("width", `${this.width}mm`); this.svg.setAttribute("height", `${this.height}mm`);
      this.whole();
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
        this.svg.setPointerCapture(event.pointerId);
        this.pointers.set(event.pointerId, { p, screen: [event.clientX, event.clientY] });
        if (this.measuring) this.measure(p, p);
        return;
      }
      const from = this.pointers.get(event.pointerId);
      if (!from) return;
      if (event.type !== "pointermove") { this.pointers.delete(event.pointerId); return; }
      if (this.measuring && this.pointers.size === 1) this.measure(this.from, p);
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

    // --- callipers: a box from one corner to the other, in ms and mV
    startMeasure() {
      if (!this.measuring) { this.calliper?.remove(); this.calliper = null; this.told.textContent = ""; return; }
      const s = this.seen, c = { x: s.x + s.width / 2, y: s.y + s.height / 2 };
      this.measure(c, { x: c.x + 5, y: c.y - 10 });
      this.svg.focus();
    }
    measure(from, to) {
      this.from = from; this.to = to;
      if (!this.calliper) {
        this.calliper = document.createElementNS(SVG, "rect");
        this.calliper.setAttribute("class", "calliper");
        this.svg.append(this.calliper);
      }
      const width = Math.abs(to.x - from.x), height = Math.abs(to.y - from.y);
      const place = { x: Math.min(from.x, to.x), y: Math.min(from.y, to.y), width, height };
      for (const [name, value] of Object.entries(place)) this.calliper.setAttribute(name, value);
      const ms = width / (MM_PER_S * this.speed) * 1000, mv = height / (MM_PER_MV * this.gain);
      const rate = ms >= 150 ? say("js_rate", { bpm: Math.round(60000 / ms) }) : "";
      this.told.textContent = say("js_measured", { ms: Math.round(ms), mv: mv.toFixed(2) }) + rate;
    }

    key(event) {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
      if (event.key in arrows) {
        const [dx, dy] = arrows[event.key];
        if (this.measuring) {
          // One step is 10 ms or 0.05 mV; with Shift the whole box moves.
          const mx = dx * 0.25 * this.speed, my = dy * 0.5 * this.gain;
          const move = p => ({ x: p.x + mx, y: p.y + my });
          this.measure(event.shiftKey ? move(this.from) : this.from, move(this.to));
        } else if (dy && this.seen.height >= this.height) return;
        else this.pan(dx * 0.15, dy * 0.15);
      } else if (event.key === "+" || event.key === "=") this.zoom(0.8);
      else if (event.key === "-") this.zoom(1.25);
      else if (event.key === "0") this.whole();
      else if (event.key === "Escape" && this.measuring) this.bar.querySelector(".tool-callipers").click();
      else return;
      event.preventDefault();
    }
  }

  const strips = [...document.querySelectorAll("figure.strip[id]")].map(figure => new Strip(figure));
  // Paper is always printed at its own scale and whole.
  addEventListener("beforeprint", () => strips.forEach(strip => {
    strip.rescale(1, 1);
    strip.bar.querySelectorAll("[aria-pressed]").forEach(b => b.setAttribute("aria-pressed", "false"));
    strip.measuring = false; strip.startMeasure();
  }));

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
    if (strip) strip.svg.focus({ preventScroll: true });
  };
  addEventListener("hashchange", unfold);
  unfold();
})();
