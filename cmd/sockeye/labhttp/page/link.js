// What a link has, and its faults to set.

import { html, keep, put } from "./element.js";
import { count, rate, settings } from "./words.js";

// The fields of the form: name, label, an example, what says that there is none, and a longer explanation.
const common = [
  ["delay", "Delay", "200ms", "0", "Time that each packet takes"],
  ["jitter", "Jitter", "10ms", "0", "By how much the delay varies"],
  ["loss", "Loss", "10%", "0", "Share of packets that are lost"],
  ["rate", "Rate", "5mbit", "0", "Bits per second"],
];
const rare = [
  ["queue", "Queue", "100 or 64kb", "0", "Packets or bytes that wait for the rate"],
  ["overhead", "Overhead", "38", "0", "Bytes of the rate that each packet takes besides its own"],
  ["burst", "Bursts", "1%/20%/50%", "0", "Chance that a burst of loss begins, that it ends, and the share lost in it"],
  ["duplicate", "Duplicate", "1%", "0", "Share of packets that come twice"],
  ["corrupt", "Corrupt", "1%", "0", "Share of packets with a bit flipped"],
  ["reorder", "Reorder", "25%", "0", "Share of packets that overtake"],
  ["order", "Keep order", "yes", "no", "yes: packets do not overtake when the delay varies"],
  ["distribution", "Jitter is", "normal", "uniform", "uniform or normal"],
];
const quick = ["loss=10%", "delay=200ms", "rate=1mbit"];

export class LinkPanel {
  // act(request, body) makes a request and gives whether it succeeded.
  constructor(link, profiles, act) {
    this.name = link.name;
    const send = (change) => act("links/" + encodeURIComponent(this.name), { from: this.from(), ...change });
    this.send = send;
    const ends = link.ways.map((w) => w.from);
    const field = ([name, label, example, none, title]) => {
      const id = "fault-" + name;
      const input = html("input", { id, name, autocomplete: "off", spellcheck: "false", "data-none": none, "data-example": example });
      input.dataset.was = "";
      return html("div", { class: "field", title }, html("label", { for: id }, label), input);
    };
    const way = (value, text, checked) => html("label", {}, html("input", { type: "radio", name: "way", value, checked, onchange: () => this.fill(true) }), text);
    this.ways = html("tbody");
    this.form = html("form", { onsubmit: (e) => this.submit(e) },
      html("fieldset", { class: "ways" }, html("legend", {}, "Which way"),
        way("", "both", true), way(ends[0], `${ends[0]} → ${ends[1]}`), way(ends[1], `${ends[1]} → ${ends[0]}`)),
      html("div", { class: "row" },
        this.cut = html("button", { type: "button", id: "cut", onclick: () => send({ set: ["down=" + (this.down() ? "no" : "yes")] }) }),
        html("button", { type: "button", id: "clear", onclick: () => send({ clear: true }) }, "No faults"),
        ...quick.map((word) => html("button", { type: "button", class: "quiet", "data-word": word, onclick: () => send({ set: [word] }) }, word.replace("=", " ")))),
      html("div", { class: "fields" }, common.map(field)),
      html("details", {}, html("summary", {}, "More faults"), html("div", { class: "fields" }, rare.map(field))),
      html("div", { class: "row" }, html("button", { class: "main", id: "set" }, "Set"), html("span", { class: "hint" }, "Packets on their way keep theirs.")),
      html("div", { class: "field wide" }, html("label", { for: "profile" }, `Profile, user at ${ends[0]}`),
        this.profile = html("select", { id: "profile", onchange: () => this.apply() },
          html("option", { value: "" }, "Choose"), profiles.map((p) => html("option", { value: p.name, title: p.source }, p.name)))));
    this.element = html("div", {},
      html("h2", {}, "Link " + link.name),
      html("table", {}, html("thead", {}, html("tr", {}, ["Way", "Rate", "Arrived", "Lost", "Queue"].map((t) => html("th", { scope: "col" }, t)))), this.ways),
      this.form);
  }

  // from is the end whose packets are meant; "": both.
  from() {
    return this.form.elements.way.value;
  }

  meant() {
    return this.link.ways.filter((w) => !this.from() || w.from === this.from());
  }

  down() {
    return this.meant().every((w) => w.down);
  }

  update(link, flows) {
    this.link = link;
    keep(this.ways, link.ways, (w) => w.from, (w) => html("tr", { "data-from": w.from }, html("th", { scope: "row" }, `${w.from} → ${w.to}`), html("td"), html("td"), html("td"), html("td")), (e, w) => {
      const f = flows.get(link.name + " " + w.from);
      const c = f?.counters ?? w.counters;
      const cells = [f ? rate(f.bitRate) : "", c ? count(c.delivered) : "", c ? count(c.lost) : "", c ? count(c.queued + c.inFlight) : ""];
      cells.forEach((text, i) => put(e.children[i + 1], text));
      e.children[3].classList.toggle("bad", Boolean(c?.lost));
      e.title = Object.entries(c?.fates ?? {}).map(([fate, n]) => `${count(n)} ${fate}`).join(", ");
    });
    this.fill(false);
  }

  // fill shows the present faults, but not where somebody has typed something else.
  fill(anew) {
    const ways = this.meant().map((w) => settings(w.faults));
    for (const input of this.form.querySelectorAll(".fields input")) {
      if (!anew && input.value !== input.dataset.was) continue;
      const values = ways.map((s) => s[input.name] ?? "");
      const same = values.every((v) => v === values[0]);
      if (!same || input.value !== values[0]) input.value = same ? values[0] : "";
      input.dataset.was = input.value;
      input.placeholder = same ? input.dataset.example : values.map((v) => v || input.dataset.none).join(" / ");
      input.classList.toggle("set", values.some(Boolean));
    }
    put(this.cut, this.down() ? "Mend" : "Cut");
  }

  async submit(event) {
    event.preventDefault();
    const changed = [...this.form.querySelectorAll(".fields input")].filter((i) => i.value !== i.dataset.was);
    if (!changed.length) return;
    const set = changed.map((i) => `${i.name}=${i.value.trim() || i.dataset.none}`);
    if (await this.send({ set })) {
      for (const i of changed) i.dataset.was = i.value; // from now on what the lab says
      this.fill(false);
    }
  }

  async apply() {
    if (this.profile.value) await this.send({ set: ["profile=" + this.profile.value] });
    this.profile.value = "";
  }
}
