// The page of a running lab.

import { ask, listen } from "./api.js";
import { html, keep, put } from "./element.js";
import { HostPanel } from "./host.js";
import { Ladders } from "./ladder.js";
import { LinkPanel } from "./link.js";
import { NetMap } from "./map.js";
import { age, rate, summary } from "./words.js";

const $ = (id) => document.getElementById(id);
const problem = html("p", { class: "problem", role: "alert" });
const flows = new Map(); // the last of each link and sender
let state, panel, choice, shown, profiles = [], close, born;

const map = new NetMap($("net"), choose);
const ladders = new Ladders($("conversations"), $("ladder"), $("newest"), stream);

// choose opens the details of a link or a host; null: of neither.
function choose(what) {
  choice = what;
  put(problem, "");
  map.select(what);
  show();
  stream();
  if (what && innerWidth < 900) $("detail").scrollIntoView({ block: "start" });
}

// stream asks for what is to be seen.
function stream() {
  const host = choice?.kind === "host" ? choice.name : "";
  const query = { host, ladder: ladders.shown ?? "" };
  if (close?.query === JSON.stringify(query)) return;
  close?.();
  close = listen(query, {
    state: (s) => { state = s; profileNames(); put($("name"), s.name); document.title = `${s.name} · Sockeye`; map.show(s); forwards(); show(); },
    traffic: (t) => {
      const measured = t.over > 0.05; // what a new stream begins with are the counters alone
      for (const f of t.flows) {
        const key = f.link + " " + f.from;
        flows.set(key, measured ? f : { ...f, bitRate: flows.get(key)?.bitRate ?? 0 });
      }
      born = Date.now() - t.time * 1000;
      if (measured) map.traffic(t);
      show();
    },
    sockets: (s) => { if (panel?.sockets && choice?.name === s.host) panel.sockets(s.sockets); },
    ladders: (all) => ladders.show(all),
    ladder: (l) => ladders.draw(l),
    status: (text) => { put($("status"), text); $("status").hidden = !text; },
  });
  close.query = JSON.stringify(query);
}

// act asks the lab for something, and shows what it says if it cannot be.
async function act(request, body) {
  try {
    state = await ask(request, body);
    put(problem, "");
    map.show(state);
    show();
    return true;
  } catch (e) {
    put(problem, e.message);
    return false;
  }
}

// show brings the details up to date.
function show() {
  if (!state) return;
  const item = choice?.kind === "link" ? state.links.find((l) => l.name === choice.name) : state.nodes.find((n) => n.name === choice?.name);
  const key = item ? choice.kind + item.name : "";
  if (key !== shown) {
    shown = key;
    panel = !item ? overview() : choice.kind === "link" ? new LinkPanel(item, profiles, act) : new HostPanel(item, act, choose);
    $("detail").replaceChildren(...(item ? [html("button", { class: "close", id: "close", "aria-label": "Close", onclick: () => choose(null) }, "✕")] : []), panel.element, problem);
  }
  if (!item) panel.update();
  else panel.update(item, choice.kind === "link" ? flows : state);
}

// overview is what is shown while nothing is chosen.
function overview() {
  const links = html("tbody"), hosts = html("div", { class: "row" });
  const element = html("div", {},
    html("h2", {}, "The lab"), html("p", { class: "hint" }, "Choose a link to set its faults, or a host to see its sockets."),
    html("h3", {}, "Links"), html("table", {}, links), html("h3", {}, "Hosts"), hosts);
  const update = () => {
    keep(links, state.links, (l) => l.name, (l) => html("tr", {},
      html("td", {}, html("button", { class: "quiet", onclick: () => choose({ kind: "link", name: l.name }) }, l.name)), html("td"), html("td", { class: "number" })), (e, l) => {
      const faults = l.ways.map(summary);
      put(e.children[1], faults[0] === faults[1] ? faults[0] : faults.map((f) => f || "none").join(" / "));
      put(e.children[2], rate(l.ways.reduce((sum, w) => sum + (flows.get(l.name + " " + w.from)?.bitRate ?? 0), 0)));
    });
    keep(hosts, state.nodes, (n) => n.name, (n) => html("button", { class: "quiet", onclick: () => choose({ kind: "host", name: n.name }) }, n.name), (e, n) => {
      e.classList.toggle("crashed", !n.up);
    });
  };
  return { element, update };
}

function forwards() {
  keep($("forwards"), state.forwards, (f) => f.listen + f.to, (f) => html("li", {}, f.open ? html("a", { href: f.open, target: "_blank", rel: "noreferrer" }, f.listen) : f.listen, " → " + f.to), () => {});
}

async function profileNames() {
  if (profiles.length) return;
  try {
    ({ profiles } = await ask("settings"));
    if (choice?.kind === "link") { shown = ""; show(); }
  } catch { /* with the next state */ }
}

setInterval(() => { if (born) put($("clock"), age((Date.now() - born) / 1000)); }, 1000);
addEventListener("keydown", (e) => { if (e.key === "Escape" && choice) choose(null); });
show();
stream();
