// Conversations, and the ladder of one.

import { html, keep, put } from "./element.js";
import { count } from "./words.js";

export class Ladders {
  // follow is told the conversation that is to be shown.
  constructor(list, ladder, newest, follow) {
    Object.assign(this, { list, ladder, newest, follow });
    newest.addEventListener("change", () => this.choose());
    this.head = html("div", { class: "ends" }, html("b"), html("b"));
    this.earlier = html("p", { class: "hint" });
    this.rungs = html("ol");
    this.hint = html("p", { class: "hint" }, "Nobody has said anything yet.");
    ladder.append(this.hint);
  }

  // show lists conversations, the latest first.
  show(all) {
    this.all = all;
    keep(this.list, all, (c) => c.id, (c) => html("button", { class: "talk", onclick: () => this.pick(c.id) }, html("span"), html("small")), (e, c) => {
      put(e.children[0], c.ends.map(end).join(" ⇄ "));
      put(e.children[1], `${c.protocol}, ${count(c.packets)} ${c.packets === 1 ? "packet" : "packets"}${c.lost ? `, ${count(c.lost)} lost` : ""}`);
      e.classList.toggle("bad", c.lost > 0);
      e.title = c.ends.map((x) => x.addr).join(" ⇄ ");
    });
    this.choose();
  }

  pick(id) {
    this.newest.checked = false;
    this.id = id;
    this.choose();
  }

  // choose finds the conversation to show: the one that was picked, or the newest.
  choose() {
    const all = this.all ?? [];
    // The newest is the one that began last: of those that talk at once the first in the list would change all the time.
    const id = this.newest.checked ? newest(all)?.id : this.id;
    for (const e of this.list.children) e.setAttribute("aria-pressed", e.dataset.key === id);
    if (id && id !== this.shown) {
      this.shown = this.id = id;
      this.follow(id);
    }
  }

  // draw draws the ladder.
  draw(l) {
    if (this.hint.parentElement) this.ladder.replaceChildren(this.head, this.earlier, this.rungs);
    const bottom = this.ladder.scrollHeight - this.ladder.scrollTop - this.ladder.clientHeight < 40 || this.drawn !== l.id;
    this.drawn = l.id;
    l.ends.forEach((e, i) => put(this.head.children[i], `${e.host} ${e.addr}`));
    put(this.earlier, l.earlier ? `${count(l.earlier)} earlier` : "");
    keep(this.rungs, l.rungs.map((r, i) => ({ ...r, key: `${l.id} ${l.earlier + i}` })), (r) => r.key, makeRung, drawRung);
    if (bottom) this.ladder.scrollTop = this.ladder.scrollHeight;
  }
}

function newest(all) {
  const moving = all.filter((c) => c.last > all[0].last - 2);
  return moving.reduce((a, b) => (b.packets < a.packets ? b : a), moving[0]);
}

// end is who speaks: web:80.
function end({ host, addr }) {
  const port = addr.match(/^(?:\[.*\]|[\d.]+)(:\d+)$/)?.[1] ?? "";
  return host ? host + port : addr;
}

function makeRung() {
  return html("li", {}, html("span", { class: "state" }), html("time"), html("span", { class: "arrow" }, html("span")), html("time"), html("span", { class: "state" }));
}

function drawRung(e, r) {
  const [a, t0, arrow, t1, b] = e.children;
  const times = [r.sent.toFixed(3), r.arrived ? r.arrived.toFixed(3) : ""];
  if (r.from) times.reverse();
  put(a, r.states[0]);
  put(t0, times[0]);
  put(arrow.firstChild, r.text);
  put(t1, times[1]);
  put(b, r.states[1]);
  e.className = `${r.from ? "left" : "right"} ${r.lost ? "lost" : r.arrived ? "arrived" : "underway"}`;
}
