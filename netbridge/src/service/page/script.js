// Shows the bridge's status and fetches it anew every second. Text is only ever set as text.
"use strict";

const SVG = "http://www.w3.org/2000/svg";
const TONE = {
  up: "good", ready: "good", alive: "good",
  unreachable: "warn", initialising: "warn", degraded: "warn", warning: "warn",
  removed: "bad", refused: "bad", severe: "bad", down: "bad",
};
const at = (id) => document.getElementById(id);
const tone = (state) => TONE[state] || "none";

function make(tag, text, ...classes) {
  const element = document.createElement(tag);
  if (text !== undefined && text !== null) element.textContent = text;
  element.classList.add(...classes.filter(Boolean));
  return element;
}

function fill(id, children, empty) {
  const box = at(id);
  box.replaceChildren(...(children.length || !empty ? children : [make("p", empty, "soft")]));
}

function table(id, heads, rows, empty) {
  const head = make("tr");
  for (const [name, number] of heads) head.append(make("th", name, number && "number"));
  const body = rows.map((cells) => {
    const row = make("tr");
    for (const [i, cell] of cells.entries()) {
      const td = make("td", null, heads[i][1] && "number");
      td.append(cell instanceof Node ? cell : String(cell ?? ""));
      row.append(td);
    }
    return row;
  });
  fill(id, rows.length ? [head, ...body] : [], empty);
}

const count = (n) => (n ?? 0).toLocaleString("en-US");

function time(ms) {
  if (ms === null || ms === undefined) return "";
  if (ms < 1000) return `${ms} ms`;
  const s = Math.floor(ms / 1000);
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)} h`;
}

const round = (us) => (us < 1000 ? `${us} us` : `${(us / 1000).toFixed(us < 10000 ? 1 : 0)} ms`);
const ago = (ms) => (ms < 1000 ? "now" : `${time(ms).replace(/ \d+ (s|min)$/, "")} ago`);
const size = (n) => {
  let unit = 0;
  while (n >= 1024 && unit < 4) { n /= 1024; unit += 1; }
  return `${unit ? n.toFixed(1) : n} ${["B", "KiB", "MiB", "GiB", "TiB"][unit]}`;
};

function draw(tag, attributes, text) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text !== undefined) element.textContent = text;
  return element;
}

function map(status, rtt) {
  const parts = [];
  const [x, y] = [230, 160];
  const nodes = status.nodes;
  const spread = nodes.map((node, i) => {
    const angle = (i / Math.max(nodes.length, 1)) * 2 * Math.PI - (nodes.length === 2 ? Math.PI : Math.PI / 2);
    return [node, x + 175 * Math.cos(angle), y + 108 * Math.sin(angle)];
  });
  for (const [node, nx, ny] of spread) {
    parts.push(draw("line", { x1: x, y1: y, x2: nx, y2: ny, class: `link ${tone(node.state)}` }));
    const label = node.state === "up" ? round(rtt.get(node.origin) ?? 0) : node.state;
    const [mx, my] = [(x + nx) / 2, (y + ny) / 2];
    const half = label.length * 3.4 + 5;
    parts.push(draw("rect", { x: mx - half, y: my - 9, width: 2 * half, height: 18, rx: 4, class: "chip" }));
    parts.push(draw("text", { x: mx, y: my + 4, class: "small" }, label));
  }
  for (const [node, nx, ny] of spread) {
    parts.push(draw("circle", { cx: nx, cy: ny, r: 22, class: `node ${tone(node.state)}` }));
    parts.push(draw("text", { x: nx, y: ny + 5 }, node.origin));
    // Outward, where no line runs.
    const below = ny >= y - 20;
    parts.push(draw("text", { x: nx, y: below ? ny + 38 : ny - 30, class: "small" }, node.address ?? ""));
  }
  parts.push(draw("circle", { cx: x, cy: y, r: 27, class: "node self" }));
  parts.push(draw("text", { x, y: y + 5 }, status.origin));
  at("map").replaceChildren(...parts);
}

function nodes(status, rtt) {
  const heads = [["Node"], ["State"], ["Address"], ["Detector"], ["Round trip", true], ["Without link", true]];
  const rows = status.nodes.map((node) => {
    const lost = make("span", time(node.lost_ms));
    if (node.removal_in_ms !== null) lost.append(make("div", `removed in ${time(node.removal_in_ms)}`, "warn"));
    return [
      node.origin,
      make("span", node.state, "state", tone(node.state)),
      node.address ?? "",
      make("span", node.detector, tone(node.detector)),
      node.state === "up" ? round(rtt.get(node.origin) ?? 0) : "",
      lost,
    ];
  });
  const known = new Set(status.nodes.map((node) => node.address));
  for (const peer of status.peers.filter((peer) => peer.state !== "up" && !known.has(peer.address))) {
    const why = make("span", peer.state, "state", "warn");
    if (peer.reason) why.append(make("div", peer.reason, "soft"));
    rows.push([peer.origin ?? "?", why, peer.address, "", "", ""]);
  }
  table("nodes", heads, rows, "No other node is known.");
}

function regions(status) {
  const heads = [["Region"], ["State"], ["Data policy"], ["Scope"], ["Changes", true], ["Lag by node"], ["Takes from"]];
  const rows = status.regions.map((region) => {
    const lags = make("span");
    for (const member of region.members) {
      const lag = member.lost_ms !== null ? `away, ${count(member.lag)} behind` : member.lag ? `${count(member.lag)} behind` : "equal";
      const kind = member.lost_ms !== null ? "bad" : member.lag ? "warn" : "good";
      const line = make("div");
      line.append(`${member.origin}: `, make("span", lag + (member.holding ? ", takes an image" : ""), kind));
      lags.append(line);
    }
    if (!region.members.length) lags.append(make("span", "nobody has it", "soft"));
    const streams = region.streams.map((s) => `${s.origin}${s.complete ? "" : " (with a gap)"}`).join(", ");
    return [region.name, make("span", region.state, "state", tone(region.state)), region.policy, region.scope, count(region.tail), lags, streams];
  });
  for (const text of status.unsupported) rows.push([make("span", text, "warn"), "", "", "", "", "", ""]);
  table("regions", heads, rows, "No distributed region is in this home directory.");
}

// Speed of each image, from one fetch to the next.
const seen = new Map();
function images(status) {
  const found = [];
  const current = new Set();
  const show = (region, image, words) => {
    const key = `${region.name} ${words} ${image.origin}`;
    const before = seen.get(key);
    const now = { records: image.records, at: Date.now() };
    const speed = before && now.at > before.at ? ((now.records - before.records) * 1000) / (now.at - before.at) : 0;
    seen.set(key, now);
    current.add(key);
    const row = make("div", null, "row");
    row.append(make("span", `${region.name}, ${words} node ${image.origin}`));
    const bytes = image.bytes ? `, ${size(image.bytes)}` : "";
    const rate = speed > 0 ? `, ${count(Math.round(speed))} a second` : "";
    row.append(make("span", `${count(image.records)} entries${bytes}${rate}`, "soft"));
    const bar = make("div", null, "bar", image.total ? "" : "moving");
    const part = make("i");
    if (image.total) part.style.width = `${Math.min(100, (100 * image.records) / image.total)}%`;
    bar.append(part);
    found.push(row, bar);
  };
  for (const region of status.regions) {
    if (region.taking) show(region, region.taking, "taken from");
    for (const image of region.serving) show(region, image, "given to");
  }
  for (const key of seen.keys()) if (!current.has(key)) seen.delete(key);
  fill("images", found, "No image is under way.");
}

function waits(status) {
  const found = [];
  for (const region of status.regions.filter((r) => r.waiting_for.length)) {
    const row = make("div", null, "row");
    row.append(make("span", region.name));
    const behind = region.tail - region.applied;
    const age = region.waiting_ms ? ` for ${time(region.waiting_ms)}` : "";
    row.append(make("span", `${count(behind)} changes${age}, node ${region.waiting_for.join(", ")}`, "warn"));
    found.push(row);
  }
  fill("waits", found, "Every change is on every node that counts.");
}

function words(event) {
  const node = `node ${event.origin}`;
  switch (event.event) {
    case "node-joined": return `${node} joined`;
    case "node-unreachable": return `${node} is unreachable`;
    case "node-reachable": return `${node} is reachable again${event.restarted ? ", restarted" : ""}`;
    case "node-left": return `${node} left: ${event.reason}`;
    case "node-removed": return `${node} was removed after ${time(event.unreachable_ms)}${event.partial ? ", others reach it" : ""}`;
    case "region-arrived": return `region ${event.region} is on ${node}`;
    case "region-departed": return `region ${event.region} is no longer on ${node}`;
    default: return `${event.event} ${node}`;
  }
}

function line(age, text, level) {
  const item = make("li");
  item.append(make("span", ago(age), "when"));
  if (level) item.append(make("span", level, "level", tone(level)));
  item.append(make("span", text));
  return item;
}

function alerts(status) {
  const shown = [];
  if (status.warning) shown.push(line(status.uptime_ms, status.warning, "warning"));
  for (const m of status.mismatches) {
    const what = m.differences.map((d) => `${d.attribute}: ${d.ours} here, ${d.theirs} there`).join("; ");
    shown.push(line(0, `region ${m.region} is not replicated with node ${m.origin}: ${what}`, "warning"));
  }
  for (const r of status.unusable) shown.push(line(0, `region ${r.name}: ${r.problem}`, "warning"));
  for (const r of status.turned_away) shown.push(line(r.age_ms, `${r.address} was turned away: ${r.reason}`, "warning"));
  const told = status.alerts.filter((a) => a.level !== "info").reverse();
  shown.push(...told.map((a) => line(a.age_ms, a.text, a.level)));
  fill("alerts", shown);
  at("alerts-box").hidden = !shown.length;
}

function totals(status) {
  const c = status.counters;
  const facts = [
    ["Changes sent", count(c.records_sent)], ["Changes received", count(c.records_received)],
    ["Bytes sent", size(status.bytes.sent)], ["Bytes received", size(status.bytes.received)],
    ["Images taken", count(c.images_taken)], ["Images given", count(c.images_served)],
    ["Images failed", count(c.images_failed)], ["Streams resumed", count(c.resumed)],
    ["Rings lapped", count(c.lapped)], ["Already known", count(c.records_known)],
    ["Not applied", count(c.apply_errors)], ["Removed by sweeps", count(c.swept)],
  ];
  fill("totals", facts.flatMap(([name, value]) => [make("dt", name), make("dd", value)]));
}

function show(status) {
  const worst = status.regions.some((r) => r.state !== "ready") || status.nodes.some((n) => n.state === "unreachable");
  at("dot").className = `dot ${worst ? "warn" : "good"}`;
  at("title").textContent = `Node ${status.origin} of ${status.cluster}`;
  document.title = `vug: node ${status.origin} of ${status.cluster}`;
  const days = Math.floor((status.certificate_expires - Date.now() / 1000) / 86400);
  at("facts").textContent = `${status.listen}, ${status.home}, version ${status.version}, up ${time(status.uptime_ms)}, process ${status.pid}, certificate ends in ${count(days)} days`;
  const rtt = new Map(status.peers.filter((p) => p.rtt_us !== undefined).map((p) => [p.origin, p.rtt_us]));
  alerts(status);
  map(status, rtt);
  nodes(status, rtt);
  regions(status);
  images(status);
  waits(status);
  fill("events", status.events.slice().reverse().map((e) => line(e.age_ms, words(e))), "Nothing has happened yet.");
  totals(status);
}

let last = 0;
async function turn() {
  try {
    const answer = await fetch("/api/v1/status", { signal: AbortSignal.timeout(3000) });
    if (!answer.ok) throw new Error(answer.statusText);
    show(await answer.json());
    last = Date.now();
    at("lost").hidden = true;
  } catch (error) {
    at("dot").className = "dot bad";
    at("age").textContent = last ? time(Date.now() - last) : "not there yet:";
    at("lost").hidden = false;
    console.error(error);
  }
  setTimeout(turn, 1000);
}
turn();
