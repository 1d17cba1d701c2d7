// Figures and faults in words.

// rate is bits per second: 1.2 Mbit/s.
export function rate(bits) {
  for (const [size, unit] of [[1e9, "Gbit/s"], [1e6, "Mbit/s"], [1e3, "kbit/s"]]) {
    if (bits >= size) return short(bits / size) + " " + unit;
  }
  return Math.round(bits) + " bit/s";
}

function short(x) {
  return x < 10 ? x.toFixed(1) : x.toFixed(0);
}

// count is a number of packets: 12,345.
export function count(n) {
  return n.toLocaleString("en");
}

// age is seconds as 1:02:03, or 2:03.
export function age(seconds) {
  const s = Math.floor(seconds);
  const two = (n) => String(n).padStart(2, "0");
  const h = Math.floor(s / 3600);
  return (h ? h + ":" + two(Math.floor(s / 60) % 60) : Math.floor(s / 60)) + ":" + two(s % 60);
}

// settings are the faults of one way, by name: {delay: "40ms"}.
export function settings(faults) {
  return Object.fromEntries(faults.split(" ").filter(Boolean).map((w) => w.split("=", 2)));
}

// summary is the faults of one way as a map has room for: 40ms ±5ms, 1% lost, 5mbit.
export function summary(way) {
  if (way.down) return "down";
  const { delay, jitter, loss, burst, rate, queue, overhead, order, distribution, ...more } = settings(way.faults);
  const list = [];
  if (delay) list.push(jitter ? `${delay} ±${jitter}` : delay);
  if (loss) list.push(loss + " lost");
  if (burst) list.push("lost in bursts");
  if (rate) list.push(rate);
  for (const name of Object.keys(more)) list.push(name);
  return list.join(", ");
}
