// Where nodes are on the map: they push each other away, and links hold them together.

// layout gives each node a place: a Map of name to [x, y], in no unit. It is the same for the same network.
export function layout(nodes, links) {
  const n = nodes.length;
  const index = new Map(nodes.map((name, i) => [name, i]));
  const edges = links.map(([a, b]) => [index.get(a), index.get(b)]);
  // On a circle in the order of a walk along the links, neighbours begin near each other.
  const x = new Float64Array(n), y = new Float64Array(n);
  walk(n, edges).forEach((node, i) => {
    const angle = (2 * Math.PI * i) / n;
    x[node] = Math.cos(angle) * Math.sqrt(n);
    y[node] = Math.sin(angle) * Math.sqrt(n);
  });
  const dx = new Float64Array(n), dy = new Float64Array(n);
  const rounds = Math.max(40, Math.min(400, Math.floor(4e6 / (n * n + 1))));
  for (let round = 0; round < rounds; round++) {
    dx.fill(0);
    dy.fill(0);
    for (let i = 0; i < n; i++) {
      for (let j = i + 1; j < n; j++) {
        const u = x[i] - x[j], v = y[i] - y[j];
        const push = 1 / Math.max(u * u + v * v, 0.01);
        dx[i] += u * push;
        dy[i] += v * push;
        dx[j] -= u * push;
        dy[j] -= v * push;
      }
    }
    for (const [i, j] of edges) {
      const u = x[i] - x[j], v = y[i] - y[j];
      const pull = Math.hypot(u, v);
      dx[i] -= u * pull;
      dy[i] -= v * pull;
      dx[j] += u * pull;
      dy[j] += v * pull;
    }
    const most = 0.5 * (1 - round / rounds) + 0.01;
    for (let i = 0; i < n; i++) {
      const step = Math.hypot(dx[i], dy[i]);
      const scale = step > most ? most / step : 1;
      x[i] += dx[i] * scale;
      y[i] += dy[i] * scale;
    }
  }
  upright(x, y);
  return new Map(nodes.map((name, i) => [name, [x[i], y[i]]]));
}

// walk goes through all nodes, along links where it can.
function walk(n, edges) {
  const near = Array.from({ length: n }, () => []);
  for (const [i, j] of edges) {
    near[i].push(j);
    near[j].push(i);
  }
  const order = [], seen = new Set();
  for (let start = 0; start < n; start++) {
    const stack = [start];
    while (stack.length) {
      const i = stack.pop();
      if (seen.has(i)) continue;
      seen.add(i);
      order.push(i);
      stack.push(...near[i].reverse());
    }
  }
  return order;
}

// upright turns the map so that it is wider than high: its principal axis lies flat, the first node at the left.
function upright(x, y) {
  const n = x.length;
  let mx = 0, my = 0;
  for (let i = 0; i < n; i++) {
    mx += x[i] / n;
    my += y[i] / n;
  }
  let xx = 0, xy = 0, yy = 0;
  for (let i = 0; i < n; i++) {
    xx += (x[i] - mx) ** 2;
    xy += (x[i] - mx) * (y[i] - my);
    yy += (y[i] - my) ** 2;
  }
  const angle = Math.atan2(2 * xy, xx - yy) / 2;
  const cos = Math.cos(angle), sin = Math.sin(angle);
  let flip = 1;
  for (let i = 0; i < n; i++) {
    const u = (x[i] - mx) * cos + (y[i] - my) * sin, v = (y[i] - my) * cos - (x[i] - mx) * sin;
    if (i === 0 && u > 0) flip = -1;
    x[i] = u * flip;
    y[i] = v;
  }
}

// fit brings places into a box of the given size, with a margin. A box that is higher than wide is filled by the map lying
// on its side.
export function fit(places, width, height, marginX, marginY) {
  let list = [...places.values()];
  const span = (k) => Math.max(...list.map((p) => p[k])) - Math.min(...list.map((p) => p[k]));
  const turn = height > width && span(0) > span(1);
  if (turn) list = list.map(([u, v]) => [v, u]);
  const scale = [0, 1].map((k) => {
    const room = k ? height - 2 * marginY : width - 2 * marginX;
    return span(k) > 0.2 ? Math.max(room, 1) / span(k) : 0;
  });
  // Not so unlike each other that the map is out of shape.
  const least = Math.min(...scale.filter((s) => s > 0), Infinity);
  const middle = [0, 1].map((k) => (Math.max(...list.map((p) => p[k])) + Math.min(...list.map((p) => p[k]))) / 2);
  return new Map([...places.keys()].map((name, i) => [name, [0, 1].map((k) => {
    return (k ? height : width) / 2 + (list[i][k] - middle[k]) * Math.min(scale[k], 2.5 * least);
  })]));
}
