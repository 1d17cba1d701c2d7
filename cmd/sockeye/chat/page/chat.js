"use strict";
// A tab is a room, or a person who is talked to alone ("@name"). Each has its lines, and a room its members.
const $ = id => document.getElementById(id);
const tabs = new Map();
const seen = new Set();
let socket, me = "", current = "", wait = 1, rooms = [], leaving = false, named = false;

function tab(name) {
  if (!tabs.has(name)) {
    const button = document.createElement("button");
    button.textContent = name;
    button.setAttribute("role", "tab");
    button.onclick = () => { show(name); if (!name.startsWith("@")) send("/join " + name); $("line").focus(); };
    $("tabs").append(button);
    tabs.set(name, { button, lines: [], members: [], count: 0 });
  }
  return tabs.get(name);
}

function show(name) {
  current = name;
  for (const [n, t] of tabs) t.button.setAttribute("aria-selected", n === name);
  const t = tab(name);
  t.button.setAttribute("aria-selected", true);
  t.button.classList.remove("unread");
  $("lines").replaceChildren(...t.lines);
  $("lines").scrollTop = $("lines").scrollHeight;
  people(t);
}

function people(t) {
  $("count").textContent = t.count ? t.count + " here" : "";
  $("members").replaceChildren(...t.members.map(name => {
    const li = document.createElement("li");
    li.textContent = name;
    return li;
  }));
}

// add puts a line into a tab. Text never is markup.
function add(name, kind, text, from, time) {
  const p = document.createElement("div");
  p.className = kind;
  if (time) {
    const t = document.createElement("time");
    t.dateTime = time;
    t.textContent = new Date(time).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
    p.append(t);
  }
  if (from) {
    const b = document.createElement("b");
    b.textContent = from;
    p.append(b);
  }
  p.append(text);
  const t = tab(name);
  t.lines.push(p);
  if (t.lines.length > 1000) t.lines.shift().remove();
  if (name !== current) { if (kind === "message") t.button.classList.add("unread"); return; }
  const end = $("lines").scrollHeight - $("lines").scrollTop - $("lines").clientHeight < 40;
  $("lines").append(p);
  if (end) $("lines").scrollTop = $("lines").scrollHeight;
}

function presence(e, text, change) {
  const t = tab(e.room);
  change(t);
  if (e.room === current) people(t);
  add(e.room, "presence", text);
}

const told = {
  welcome() {},
  named(e) { me = e.name; named = true; wait = 1; $("hello").hidden = true; $("chat").hidden = false; $("status").textContent = "You are " + me; $("line").focus(); },
  entered(e) { if (!rooms.includes(e.room)) rooms.push(e.room); told.members(e); if (!current || !e.again) show(e.room); },
  members(e) { const t = tab(e.room); t.members = e.members || []; t.count = e.count || 0; if (e.room === current) people(t); },
  message(e) { if (seen.has(e.id)) return; seen.add(e.id); add(e.room, "message", e.text || "", e.from, e.time); },
  private(e) { add("@" + (e.from === me ? e.to : e.from), "message", e.text || "", e.from, e.time); },
  joined(e) { presence(e, e.name + " is here", t => { t.members.push(e.name); t.count++; }); },
  left(e) {
    if (e.name === me) {
      rooms = rooms.filter(r => r !== e.room);
      tab(e.room).button.remove();
      tabs.delete(e.room);
      show(rooms[rooms.length - 1] || [...tabs.keys()][0] || "chat");
      return;
    }
    presence(e, e.name + " left" + (e.text ? ": " + e.text : ""), t => { t.members = t.members.filter(n => n !== e.name); t.count--; });
  },
  renamed(e) { presence(e, e.from + " is now " + e.name, t => { t.members = t.members.map(n => n === e.from ? e.name : n); }); },
  counted(e) { presence(e, `${e.came || 0} came and ${e.went || 0} left: ${e.count || 0} are here`, t => { t.count = e.count || 0; }); },
  rooms(e) { for (const r of e.rooms || []) add(current, "presence", `${r.room}: ${r.count}`); },
  help(e) { add(current, "presence", e.text); },
  error(e) {
    if (named) return add(current || "chat", "error", e.text);
    $("refused").textContent = e.text;
    leaving = $("chat").hidden; // later on the name is free again as soon as our old connection is found dead
    socket.close();
  },
  bye(e) { $("status").textContent = e.text; leaving = e.text !== "the server is closing"; },
};

function send(line) { if (socket && socket.readyState === WebSocket.OPEN) socket.send(line); }

function connect() {
  leaving = named = false;
  socket = new WebSocket((location.protocol === "https:" ? "wss://" : "ws://") + location.host + "/ws");
  const again = rooms;
  rooms = [];
  socket.onopen = () => {
    send(`/name ${me} ${again[0] || $("room").value.trim()}`);
    for (const r of again.slice(1)) send("/join " + r);
  };
  socket.onmessage = m => { const e = JSON.parse(m.data); if (told[e.type]) told[e.type](e); };
  socket.onclose = () => {
    if (leaving) return;
    rooms = rooms.length ? rooms : again;
    $("status").textContent = $("refused").textContent = `The connection is lost; trying again in ${wait} s`;
    setTimeout(connect, wait * 1000);
    wait = Math.min(2 * wait, 30);
  };
}

$("hello").onsubmit = e => { e.preventDefault(); $("refused").textContent = ""; me = $("name").value.trim(); connect(); };
$("say").onsubmit = e => {
  e.preventDefault();
  const text = $("line").value;
  $("line").value = "";
  if (text.trim() === "") return;
  send(current.startsWith("@") && !text.startsWith("/") ? `/msg ${current.slice(1)} ${text}` : text);
};
