// Dots that run along lanes: one for a packet or, when there are many, for some.

import { svg } from "./element.js";

const travel = 700; // milliseconds from end to end
const most = 400; // dots at once
const each = 6; // dots of one lane in one reading

export class Dots {
  constructor(group) {
    this.group = group;
    this.free = [];
    this.moving = [];
  }

  clear() {
    this.group.replaceChildren();
    this.free = [];
    this.moving = [];
  }

  // send lets dots start for the packets of a reading, spread over the time that it took.
  send(lane, arrived, lost, over) {
    if (document.hidden) return;
    const n = Math.min(each, Math.ceil(Math.log2(1 + arrived + lost)));
    const bad = lost && Math.max(1, Math.round((n * lost) / (arrived + lost)));
    const now = performance.now();
    for (let i = 0; i < n && this.moving.length < most; i++) {
      const e = this.free.pop() ?? this.group.appendChild(svg("circle", { r: 3.5 }));
      this.moving.push({ e, lane, start: now + (i * over) / n, lost: i < bad });
    }
    if (this.moving.length && !this.frame) this.frame = requestAnimationFrame((t) => this.move(t));
  }

  move(now) {
    this.moving = this.moving.filter(({ e, lane, start, lost }) => {
      const t = (now - start) / travel;
      const end = lost ? 0.75 : 1;
      if (t < 0 || t >= end) e.setAttribute("class", "hidden");
      if (t >= end) this.free.push(e);
      if (t < 0) return true;
      if (t >= end) return false;
      const way = lost ? Math.min(t, 0.5) : t;
      e.setAttribute("cx", lane.from[0] + (lane.to[0] - lane.from[0]) * way);
      e.setAttribute("cy", lane.from[1] + (lane.to[1] - lane.from[1]) * way);
      e.setAttribute("class", lost && t > 0.4 ? "lost" : "");
      return true;
    });
    this.frame = this.moving.length ? requestAnimationFrame((t) => this.move(t)) : 0;
  }
}
