"use strict";
// Shows what /api says. Every text that a member or a file can choose is set with textContent alone.
const el = id => document.getElementById(id);
const css = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const PHASES = [["Advertise", "Keys"], ["Share", "Shares"], ["Check", "Check"], ["Upload", "Train, upload"], ["Endorse", "Endorse"], ["Unmask", "Unmask"]];
const KEPT_EVENTS = 200, SHOWN_ROUNDS = 10, MAX_POINTS = 600;
let token = sessionStorage.getItem("token") || "";
let status = null, rounds = [], nextRound = 0, lastEvent = 0, fetching = Promise.resolve();

// ---- words for figures

const megabytes = b => b >= 1e9 ? (b / 1e9).toFixed(2) + " GB" : (b / 1e6).toFixed(2) + " MB";
const duration = s => {
  const whole = Math.max(0, Math.round(s)), h = Math.floor(whole / 3600), m = Math.floor(whole / 60) % 60, two = n => String(n).padStart(2, "0");
  return h > 0 ? `${h}:${two(m)}:${two(whole % 60)}` : `${m}:${two(whole % 60)}`;
};
// The figure that the task is followed by, as status.headline describes it.
const valueIn = (e, place) => place.split("/").slice(1).reduce((v, key) => v?.[key], e);
const quality = e => {
  const v = e && status ? valueIn(e, status.headline.place) : undefined;
  return v === undefined ? "–" : status.headline.is_share ? (100 * v).toFixed(1) + " %" : Math.abs(v) < 1 ? String(+v.toPrecision(3)) : v.toFixed(2);
};
const epsilon = e => e === undefined ? "–" : e === null ? "unbounded" : e.toFixed(2);
const total = record => Object.values(record.phase_s || {}).reduce((a, b) => a + b, 0);
const node = (tag, text, attributes = {}) => {
  const n = document.createElement(tag);
  if (text !== undefined) n.textContent = text;
  for (const [k, v] of Object.entries(attributes)) n.setAttribute(k, v);
  return n;
};
const setText = (id, text) => { if (el(id).textContent !== text) el(id).textContent = text; };

// ---- what the coordinator says

class Refused extends Error {}
const headers = () => token ? {Authorization: "Bearer " + token} : {};
async function ask(path, method = "GET") {
  const answer = await fetch(path, {method, headers: headers(), cache: "no-store"});
  if (answer.status === 401) throw new Refused();
  const body = await answer.json();
  if (!answer.ok) throw new Error(body.error || "the coordinator answered with status " + answer.status);
  return body;
}

function fetchRounds() {
  fetching = fetching.then(async () => {
    for (let more = true; more;) {
      const page = await ask("api/rounds?from=" + nextRound);
      rounds.push(...page.rounds);
      nextRound = page.next;
      more = page.more;
    }
    showRounds();
  });
  return fetching;
}

/// Server-sent events, read from a fetch: an EventSource cannot carry the token.
async function follow() {
  const answer = await fetch("api/events?after=" + lastEvent, {headers: headers(), cache: "no-store"});
  if (answer.status === 401) throw new Refused();
  if (!answer.ok) throw new Error("the events cannot be fetched, status " + answer.status);
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let held = "";
  for (;;) {
    const {value, done} = await reader.read();
    if (done) return;
    const parts = (held + value).split("\n\n");
    held = parts.pop();
    parts.forEach(receive);
  }
}

function receive(part) {
  let kind = "", data = "";
  for (const line of part.split("\n")) {
    if (line.startsWith("id: ")) lastEvent = Number(line.slice(4));
    if (line.startsWith("event: ")) kind = line.slice(7);
    if (line.startsWith("data: ")) data += line.slice(6);
  }
  if (!data) return;
  const value = JSON.parse(data);
  if (kind === "status") showStatus(value);
  if (kind === "note") showEvent(value.unix_s, value.text);
  if (kind === "round") {
    const r = value.round;
    showEvent(value.unix_s, `${r.closing_evaluation ? "closing evaluation" : "round " + r.server_round}: ${r.status === "done" ? `done, ${r.survivors} of ${r.cohort} in the sum` : r.status}`);
    fetchRounds().catch(() => {});
  }
}

const pause = ms => new Promise(resolve => setTimeout(resolve, ms));
async function live() {
  for (let wait = 500;; wait = Math.min(wait * 2, 8000)) {
    try {
      showStatus(await ask("api/status"));
      rounds = []; nextRound = 0;  // a restarted coordinator may have fewer
      fetching = Promise.resolve();
      await fetchRounds();
      signIn(false);
      wait = 500;
      await follow();
    } catch (problem) {
      if (problem instanceof Refused) return signIn(true, token ? "The token is wrong." : "");
    }
    if (!status || ["gathering", "running", "paused"].includes(status.state)) showState("lost", "connection lost, trying again");
    else setText("hint", "The coordinator has ended. This page shows its last status.");
    el("controls").hidden = true;
    await pause(wait);
  }
}

// ---- showing

function showState(state, text) {
  el("state").dataset.state = state;
  setText("state", text);
}

function showStatus(s) {
  status = s;
  document.title = `${s.job}: ${s.state}`;
  setText("job", s.job);
  setText("federation", s.federation);
  showState(s.state, s.asked ? `${s.state}, will ${s.asked} after this round` : s.state);
  setText("where", `${s.folder} · Sotto ${s.version}`);
  const closing = s.server_round > s.num_server_rounds;
  setText("round-label", closing ? "Closing evaluation" : "Round");
  setText("round", closing ? "" : String(s.server_round));
  setText("rounds-planned", closing ? "" : ` of ${s.num_server_rounds}` + (s.attempt > 0 ? `, attempt ${s.attempt + 1}` : ""));
  setText("left", s.eta_s !== undefined ? duration(s.eta_s) + " left" : "");
  const running = s.state === "running";
  el("run-progress").value = s.num_server_rounds ? Math.min(1, (s.server_round - (running ? 1 : 0)) / s.num_server_rounds) : 0;
  showPhases(s);
  showTiles(s);
  showMembers(s.members);
  el("alerts").replaceChildren(...s.alerts.map(a => node("li", a.text, {"data-code": a.code})));
  el("controls").hidden = !token || !["gathering", "running", "paused"].includes(s.state);
  const held = s.state === "paused" || s.asked === "pause";
  setText("pause", held ? "Resume" : "Pause");
  el("pause").dataset.command = held ? "resume" : "pause";
  el("stop").disabled = s.asked === "stop";
  setText("hint", token ? "" : `To pause or stop the run, use sotto-coordinator pause ${s.folder} on the coordinator's machine.`);
}

function showPhases(s) {
  const phases = [...PHASES];
  if (s.phase === "Settle") phases.splice(3, 0, ["Settle", "Complaints"]);
  if (s.phase === "Burn") phases.push(["Burn", "Abort"]);
  const here = phases.findIndex(p => p[0] === s.phase);
  el("phases").replaceChildren(...phases.map(([name, label], i) => {
    const li = node("li", label, {class: i < here ? "past" : i === here ? "here" : ""});
    if (i === here) li.setAttribute("aria-current", "step");
    li.append(node("small", s.phase_s[name] !== undefined ? s.phase_s[name].toFixed(1) + " s" : "–"));
    return li;
  }));
  setText("phase-line", here >= 0 ? `${s.done} of ${s.cohort} members have completed this phase` + (s.upload_bytes ? `, ${megabytes(s.upload_bytes)} received` : "") : s.detail);
}

function showTiles(s) {
  const e = s.evaluation;
  const tiles = [["Held-out " + s.headline.title, quality(e), e ? `loss ${e.loss.toFixed(3)}` : "no evaluation yet"]];
  if (s.epsilon !== undefined) tiles.push([`Epsilon for one ${s.unit}`, epsilon(s.epsilon), `at delta ${s.delta.toExponential(0)}`]);
  if (s.participant_epsilon !== undefined) tiles.push(["Epsilon for a participant", epsilon(s.participant_epsilon), `at delta ${s.participant_delta.toExponential(0)}`]);
  tiles.push(["Uploaded", megabytes(s.uploaded_bytes), s.attempts_done > 0 ? megabytes(s.uploaded_bytes / (s.attempts_done + s.attempts_lost)) + " for each round" : "so far"]);
  tiles.push(["Attempts", String(s.attempts_done), s.attempts_lost ? `done, and ${s.attempts_lost} lost` : "done, none lost"]);
  tiles.push(["Time spent", duration(s.wall_s), "over all processes"]);
  el("tiles").replaceChildren(...tiles.map(([label, value, small]) => {
    const div = node("div"), dd = node("dd", value);
    dd.append(node("small", small));
    div.append(node("dt", label), dd);
    return div;
  }));
}

const PARTS = {none: "not in the round", preparing: "preparing", training: "training", uploading: "uploading", uploaded: "uploaded", late: "late", gone: "gone"};
function showMembers(members) {
  el("members").tBodies[0].replaceChildren(...members.map(m => {
    const tr = node("tr"), part = node("td", PARTS[m.part], {"data-part": m.part}), job = node("td", m.state);
    if (m.part === "late" || m.part === "gone") { part.className = "warn"; part.append(node("small", m.part_reason)); }
    if (m.left_out) { part.className = "warn"; part.append(node("small", m.left_out)); }
    if (["refused", "convicted", "suspended"].includes(m.state)) { job.className = "warn"; job.append(node("small", m.reason)); }
    tr.append(node("td", m.name), node("td", m.connected ? "connected" : "disconnected", m.connected ? {} : {class: "warn"}), job, part);
    return tr;
  }));
}

function showEvent(unix_s, text) {
  const at = new Date(1000 * unix_s), li = node("li");
  li.append(node("time", at.toLocaleTimeString([], {hour12: false}), {datetime: at.toISOString()}), node("span", text));
  el("events").prepend(li);
  while (el("events").children.length > KEPT_EVENTS) el("events").lastChild.remove();
}

function showRounds() {
  el("rounds").tBodies[0].replaceChildren(...rounds.slice(-SHOWN_ROUNDS).reverse().map(r => {
    const tr = node("tr");
    const cells = [r.closing_evaluation ? "evaluation" : r.server_round + (r.attempt ? ` (${r.attempt + 1})` : ""), `${r.survivors} of ${r.cohort}`, quality(r.evaluation),
      epsilon(r.epsilon), megabytes(r.upload_bytes), total(r).toFixed(1), r.status];
    tr.append(...cells.map(c => node("td", String(c))));
    if (r.status !== "done") tr.lastChild.className = "warn";
    return tr;
  }));
  drawCharts();
}

// ---- charts

const charts = {};
const thin = points => points.length <= MAX_POINTS ? points : points.filter((_, i) => i % Math.ceil(points.length / MAX_POINTS) === 0 || i === points.length - 1);
function draw(id, type, data, y, stacked) {
  if (typeof Chart === "undefined") return;
  if (!charts[id]) charts[id] = new Chart(el(id), {type, data, options: {
    animation: false, maintainAspectRatio: false, interaction: {mode: "nearest", axis: "x", intersect: false},
    scales: {x: {type: "linear", offset: stacked, stacked, grid: {display: false}, ticks: {precision: 0, maxTicksLimit: 8}}, y: {stacked, beginAtZero: stacked, ticks: {maxTicksLimit: 6, callback: y}}},
    plugins: {legend: {position: "bottom", labels: {boxWidth: 10, boxHeight: 10}}}}});
  const chart = charts[id];
  chart.data = data;
  chart.options.scales.x.min = data.first;
  for (const scale of ["x", "y"]) {
    Object.assign(chart.options.scales[scale].ticks, {color: css("--soft")});
    Object.assign(chart.options.scales[scale].grid, {color: css("--line")});
  }
  chart.options.plugins.legend.display = data.datasets.length > 1;
  chart.options.plugins.legend.labels.color = css("--soft");
  chart.update();
}

const line = (label, points, dash) => ({label, data: thin(points), borderColor: css("--accent"), backgroundColor: css("--accent"), borderDash: dash || [], borderWidth: 2, pointRadius: points.length > 40 ? 0 : 2, tension: 0});
function drawCharts() {
  if (!status) return;
  const done = rounds.filter(r => r.status === "done"), evaluated = done.filter(r => r.evaluation), headline = status.headline;
  setText("metric-title", "Held-out " + headline.title);
  setText("metric-head", headline.title[0].toUpperCase() + headline.title.slice(1));
  const metric = place => evaluated.map(r => ({x: r.evaluated_round, y: valueIn(r.evaluation, place)}));
  draw("chart-metric", "line", {datasets: [line(headline.title, metric(headline.place))]}, v => headline.is_share ? (100 * v).toFixed(0) + " %" : String(+v.toPrecision(3)), false);
  draw("chart-loss", "line", {datasets: [line("loss", metric("/loss"))]}, v => v.toFixed(2), false);
  const spent = key => done.filter(r => r[key] != null && !r.closing_evaluation).map(r => ({x: r.server_round, y: r[key]}));
  const example = spent("epsilon"), participant = spent("participant_epsilon");
  el("epsilon-card").hidden = example.length + participant.length === 0;
  draw("chart-epsilon", "line", {datasets: [...(example.length ? [line(`for one ${status.unit}`, example)] : []), ...(participant.length ? [line("for a participant", participant, [5, 4])] : [])]}, v => String(+v.toFixed(2)), false);
  // Shades of the one colour, from the first phase to the last.
  const latest = rounds.slice(-60), first = rounds.length - latest.length;
  draw("chart-time", "bar", {first: first + 1, datasets: PHASES.map(([name, label], i) => ({label, data: latest.map((r, k) => ({x: first + k + 1, y: r.phase_s[name] || 0})),
    backgroundColor: name === "Upload" ? css("--accent") : css("--soft") + ["66", "88", "aa", "", "cc", "ee"][i], barPercentage: 0.9, categoryPercentage: 1}))}, v => v + " s", true);
}

// ---- what the operator does

function signIn(needed, problem = "") {
  el("sign-in").hidden = !needed;
  setText("sign-in-error", problem);
  if (needed) { showState("unknown", "signed out"); el("token").focus(); }
}

el("sign-in").addEventListener("submit", event => {
  event.preventDefault();
  token = el("token").value.trim();
  sessionStorage.setItem("token", token);
  el("token").value = "";
  live();
});
async function order(command) {
  try { showStatus(await ask("api/" + command, "POST")); } catch (problem) { showEvent(Date.now() / 1000, String(problem.message || "refused")); }
}
el("pause").addEventListener("click", () => order(el("pause").dataset.command));
el("stop").addEventListener("click", () => order("stop"));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawCharts);
live();
