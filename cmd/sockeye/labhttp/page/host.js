// What a host has: its sockets, and what can befall it.

import { html, keep, put } from "./element.js";
import { count } from "./words.js";

export class HostPanel {
  // act(request, body) makes a request; pick chooses something else to see.
  constructor(node, act, pick) {
    const path = "hosts/" + encodeURIComponent(node.name) + "/";
    const button = (id, text, request) => html("button", { id, onclick: () => act(request, {}) }, text);
    this.pick = pick;
    this.facts = html("p", { class: "facts" });
    this.links = html("div", { class: "row" });
    this.element = html("div", {}, html("h2", {}, `${node.kind[0].toUpperCase()}${node.kind.slice(1)} ${node.name}`), this.facts);
    if (node.kind !== "switch") {
      this.parted = html("p", { class: "bad" });
      this.pairs = html("ul", { class: "facts" });
      this.peer = html("select", { id: "peer", "aria-label": "Other host" });
      this.words = html("input", { id: "pair-faults", placeholder: "loss=10% delay=200ms", "aria-label": "Faults", autocomplete: "off", spellcheck: "false" });
      const pair = (change) => act(`pairs/${encodeURIComponent(node.name)}/${encodeURIComponent(this.peer.value)}`, change);
      const submit = (e) => {
        e.preventDefault();
        pair({ set: this.words.value.split(/\s+/).filter(Boolean) });
      };
      this.between = html("form", { class: "row", onsubmit: submit }, this.peer, this.words, html("button", {}, "Set"),
        html("button", { type: "button", onclick: () => pair({ clear: true }) }, "Clear"));
      this.join = button("join", "End partitions", "join");
      this.rows = html("tbody");
      this.none = html("p", { class: "hint" }, "It has no sockets.");
      this.table = html("table", { id: "sockets" }, html("thead", {}, html("tr", {},
        ["Net", "State", "Recv-Q", "Send-Q", "Local, peer"].map((t) => html("th", { scope: "col" }, t)))), this.rows);
      this.element.append(
        html("div", { class: "row" }, button("crash", "Crash", path + "crash"), button("restart", "Restart", path + "restart"), button("isolate", "Isolate", path + "isolate"), this.join),
        this.parted, html("h3", {}, "Sockets"), html("div", { class: "scroll" }, this.table), this.none,
        html("h3", {}, "Faults between this host and another, wherever it is"), this.pairs, this.between);
    }
    this.element.append(html("h3", {}, "Links"), this.links);
  }

  update(node, state) {
    put(this.facts, (node.up ? "" : "Crashed. ") + (node.addrs ?? []).join(", "));
    const links = state.links.filter((l) => l.ways.some((w) => w.from === node.name));
    keep(this.links, links, (l) => l.name, (l) => html("button", { class: "quiet", onclick: () => this.pick({ kind: "link", name: l.name }) }, l.name), () => {});
    if (!this.rows) return;
    const others = state.nodes.filter((n) => n.kind !== "switch" && n.name !== node.name);
    keep(this.peer, others, (n) => n.name, (n) => html("option", {}, n.name), () => {});
    const pairs = state.pairs.filter((p) => p.from === node.name || p.to === node.name);
    keep(this.pairs, pairs, (p) => p.from + " " + p.to, () => html("li"), (e, p) => put(e, `${p.from} → ${p.to}: ${p.faults}`));
    const deaf = state.oneWay.filter((p) => p.includes(node.name)).map(([a, b]) => `${b} does not hear ${a}`);
    const from = state.parted.filter((p) => p.includes(node.name)).map(([a, b]) => (a === node.name ? b : a));
    put(this.parted, [...(from.length ? ["Parted from " + from.join(", ")] : []), ...deaf].join("; "));
    this.join.hidden = !from.length && !deaf.length;
  }

  sockets(list) {
    this.none.hidden = list.length > 0;
    this.table.hidden = !list.length;
    const seen = new Map();
    const keyed = list.map((s) => {
      const key = `${s.network} ${s.local} ${s.peer}`;
      seen.set(key, (seen.get(key) ?? 0) + 1);
      return { ...s, key: key + " " + seen.get(key) };
    });
    keep(this.rows, keyed, (s) => s.key, () => html("tr", {}, html("td"), html("td"), html("td"), html("td"), html("td", {}, html("div"), html("div"))), (e, s) => {
      [s.network, s.state, count(s.recvQ), count(s.sendQ)].forEach((text, i) => put(e.children[i], text));
      [s.local, s.peer === "-" ? "" : s.peer].forEach((text, i) => put(e.children[4].children[i], text));
      e.className = s.state.toLowerCase();
      e.children[2].classList.toggle("full", s.recvQ > 0);
      e.children[3].classList.toggle("full", s.sendQ > 0 && s.state !== "LISTEN");
      e.title = s.drops ? `${count(s.drops)} datagrams found no room` : "";
    });
  }
}
