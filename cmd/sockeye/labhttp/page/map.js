// The map: nodes on links, with what moves on them.

import { svg, keep, put } from "./element.js";
import { layout, fit } from "./layout.js";
import { Dots } from "./dots.js";
import { rate, summary } from "./words.js";

const still = matchMedia("(prefers-reduced-motion: reduce)");

export class NetMap {
  // root is the svg element; pick is told of what somebody chooses: {kind: "link" or "host", name}.
  constructor(root, pick) {
    this.root = root;
    this.pick = pick;
    this.groups = ["parted", "links", "dots", "labels", "nodes"].map((name) => svg("g", { class: name }));
    root.append(...this.groups);
    [this.parted, this.links, , this.labels, this.nodes] = this.groups;
    this.dots = new Dots(this.groups[2]);
    this.lanes = new Map(); // by link and sender
    new ResizeObserver(() => this.draw()).observe(root);
  }

  // show draws a state.
  show(state) {
    const shape = JSON.stringify([state.nodes.map((n) => n.name), state.links.map((l) => [l.name, l.ways[0].from, l.ways[0].to])]);
    if (shape !== this.shape) {
      this.shape = shape;
      this.places = layout(state.nodes.map((n) => n.name), state.links.map((l) => [l.ways[0].from, l.ways[0].to]));
      this.lanes.clear();
      this.dots.clear();
    }
    this.state = state;
    this.draw();
  }

  // select marks what was chosen; null: nothing.
  select(choice) {
    this.choice = choice;
    for (const e of [...this.links.children, ...this.nodes.children]) {
      e.classList.toggle("chosen", choice?.kind === e.dataset.kind && choice.name === e.dataset.key);
    }
  }

  draw() {
    const { width, height } = this.root.getBoundingClientRect();
    if (!this.state || !width) return;
    this.root.setAttribute("viewBox", `0 0 ${width} ${height}`);
    const { nodes, links, parted, oneWay } = this.state;
    this.dense = nodes.length > 40; // no words at links
    this.small = this.dense || nodes.length > 16 || width < 500; // only names in nodes
    this.root.classList.toggle("dense", this.dense);
    const widest = Math.max(...nodes.map((n) => this.size(n)[0]));
    const at = fit(this.places, width, height, Math.min(widest / 2 + 14, width / 3), 40);
    this.at = at;
    keep(this.nodes, nodes, (n) => n.name, (n) => this.makeNode(n), (e, n) => this.drawNode(e, n, at.get(n.name)));
    const twins = new Map();
    for (const l of links) {
      const ends = [l.ways[0].from, l.ways[0].to].sort().join();
      const twin = twins.get(ends) ?? 0;
      twins.set(ends, twin + 1);
      this.place(l, at, twin);
    }
    keep(this.links, links, (l) => l.name, (l) => this.makeLink(l), (e, l) => this.drawLink(e, l));
    keep(this.labels, links, (l) => l.name, () => svg("g"), (e, l) => this.drawLabel(e, l));
    keep(this.parted, [...parted, ...oneWay], (p) => p.join(), () => svg("path"), (e, [a, b]) => {
      const [x, y] = at.get(a), [u, v] = at.get(b);
      e.setAttribute("d", `M${x} ${y}Q${(x + u) / 2 + (v - y) / 4} ${(y + v) / 2 - (u - x) / 4} ${u} ${v}`);
    });
    this.select(this.choice);
  }

  size(n) {
    if (this.dense) return [n.name.length * 6.4 + 12, 20];
    return this.small ? [n.name.length * 8.6 + 18, 28] : [Math.max(n.name.length * 8.6, (address(n)?.length ?? 0) * 6.6) + 24, 42];
  }

  makeNode(n) {
    const e = svg("g", { class: "node " + n.kind, tabindex: 0, role: "button", "data-kind": "host" },
      svg("title"), svg("rect", { class: "box" }), svg("text", { class: "name" }), svg("text", { class: "address" }));
    return this.clickable(e, { kind: "host", name: n.name });
  }

  drawNode(e, n, [x, y]) {
    const [w, h] = this.size(n);
    const [title, box, name, addr] = e.children;
    e.setAttribute("transform", `translate(${x} ${y})`);
    e.classList.toggle("crashed", !n.up);
    put(title, `${n.kind} ${n.name}${n.up ? "" : ", crashed"}${n.addrs ? ": " + n.addrs.join(", ") : ""}`);
    e.setAttribute("aria-label", title.textContent);
    for (const [k, v] of Object.entries({ x: -w / 2, y: -h / 2, width: w, height: h, rx: n.kind === "router" || n.kind === "translator" ? h / 2 : n.kind === "switch" ? 2 : 8 })) box.setAttribute(k, v);
    const second = this.small ? "" : n.up ? address(n) ?? n.kind : "crashed";
    name.setAttribute("y", second ? -3 : 4);
    addr.setAttribute("y", 13);
    put(name, n.name);
    put(addr, second);
  }

  // place finds the way of a link's two lanes.
  place(l, at, twin) {
    const p = at.get(l.ways[0].from), q = at.get(l.ways[0].to);
    const length = Math.hypot(q[0] - p[0], q[1] - p[1]) || 1;
    const nx = (p[1] - q[1]) / length, ny = (q[0] - p[0]) / length;
    for (const [i, w] of l.ways.entries()) {
      const off = (twin % 2 ? -1 : 1) * Math.ceil(twin / 2) * 22 + (i ? 3 : -3);
      const a = [p[0] + nx * off, p[1] + ny * off], b = [q[0] + nx * off, q[1] + ny * off];
      const key = l.name + " " + w.from;
      const lane = this.lanes.get(key) ?? { loss: 0, bits: 0 };
      this.lanes.set(key, Object.assign(lane, i ? { from: b, to: a } : { from: a, to: b }));
    }
  }

  lane(l, i) {
    return this.lanes.get(l.name + " " + l.ways[i].from);
  }

  makeLink(l) {
    const e = svg("g", { class: "link", tabindex: 0, role: "button", "data-kind": "link" },
      svg("title"), svg("line", { class: "reach" }), svg("line", { class: "lane" }), svg("line", { class: "lane" }));
    return this.clickable(e, { kind: "link", name: l.name });
  }

  drawLink(e, l) {
    const [title, reach, ...lines] = e.children;
    const texts = l.ways.map((w) => `${w.from} to ${w.to}: ${summary(w) || "no faults"}`);
    put(title, `link ${l.name}; ${texts.join("; ")}`);
    e.setAttribute("aria-label", title.textContent);
    for (const [i, line] of [reach, ...lines].entries()) {
      const { from, to } = this.lane(l, Math.max(0, i - 1));
      for (const [k, v] of Object.entries({ x1: from[0], y1: from[1], x2: to[0], y2: to[1] })) line.setAttribute(k, v);
    }
    this.colour(e, l);
  }

  // colour shows how much is lost on each lane.
  colour(e, l) {
    for (const [i, line] of [...e.children].slice(2).entries()) {
      const { loss, bits } = this.lane(l, i);
      const state = l.ways[i].down ? "down" : loss >= 0.1 ? "bad" : loss >= 0.001 ? "some" : bits > 0 ? "fine" : "idle";
      line.setAttribute("class", "lane " + state);
    }
  }

  // drawLabel writes faults above a link that lies flat, and rates below; else both at its right.
  drawLabel(e, l) {
    const lanes = [0, 1].map((i) => this.lane(l, i));
    const [p, q] = [lanes[0].from, lanes[0].to];
    const x = (p[0] + q[0]) / 2, y = (p[1] + q[1]) / 2;
    const faults = l.ways.map(summary);
    const above = (faults[0] === faults[1] ? faults.slice(1) : faults.map((f, i) => f && `${arrow(lanes[i])} ${f}`)).filter(Boolean);
    let below = lanes.filter((lane) => lane.bits > 0).map((lane) => `${arrow(lane)} ${rate(lane.bits)}`);
    const length = Math.hypot(q[0] - p[0], q[1] - p[1]) || 1;
    const up = q[1] >= p[1] ? [q[1] - p[1], p[0] - q[0]] : [p[1] - q[1], q[0] - p[0]]; // at right angles to the link, to the right
    const [nx, ny] = up.map((u) => u / length);
    const flat = nx < 0.25;
    if (flat) below = below.length ? [below.join("  ")] : [];
    const lines = this.dense ? [] : [...above.map((text) => ["faults", text]), ...below.map((text) => ["rate", text])];
    const rise = flat ? above.length * 14 - 4 : (lines.length - 1) * (ny < -0.3 ? 14 : ny > 0.3 ? 0 : 7);
    keep(e, lines.map((line, i) => [...line, i]), ([kind, , i]) => kind + i, ([kind]) => svg("text", { class: kind }), (t, [kind, text, i]) => {
      t.setAttribute("text-anchor", flat ? "middle" : "start");
      t.setAttribute("x", flat ? x : x + nx * 14);
      t.setAttribute("y", (flat ? y + (kind === "rate" ? 16 : 0) : y + ny * 14 + 4) + i * 14 - rise);
      put(t, text);
    });
  }

  clickable(e, choice) {
    e.addEventListener("click", () => this.pick(choice));
    e.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      this.pick(choice);
    });
    return e;
  }

  // traffic shows what moved.
  traffic(t) {
    if (!this.state) return;
    const changed = new Set();
    for (const f of t.flows) {
      const lane = this.lanes.get(f.link + " " + f.from);
      if (!lane) continue;
      changed.add(f.link);
      lane.bits = f.bitRate;
      const entered = f.arrived + f.lost;
      if (entered > 0) lane.loss = lane.loss * 0.6 + (f.lost / entered) * 0.4;
      if (f.sent === 0 && f.arrived === 0 && f.lost === 0) lane.loss = 0;
      if (!still.matches) this.dots.send(lane, f.arrived, f.lost, t.over * 1000);
    }
    for (const l of this.state.links) {
      if (!changed.has(l.name)) continue;
      this.colour([...this.links.children].find((e) => e.dataset.key === l.name), l);
      this.drawLabel([...this.labels.children].find((e) => e.dataset.key === l.name), l);
    }
  }
}

function address(n) {
  return n.addrs?.find((a) => a.includes("."));
}

// arrow points where a lane leads.
function arrow({ from, to }) {
  const turn = Math.round(Math.atan2(to[1] - from[1], to[0] - from[0]) / (Math.PI / 4));
  return "→↘↓↙←↖↑↗"[(turn + 8) % 8];
}
