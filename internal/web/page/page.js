"use strict";
(() => {
  const every = 2000, patience = 6000, minutes = 15;
  const $ = (id) => document.getElementById(id);

  // make returns an element. What a node says is only ever text: nothing of it becomes markup.
  function make(name, { text, ...attributes } = {}, ...children) {
    const e = name === "svg" || name === "path" || name === "line"
      ? document.createElementNS("http://www.w3.org/2000/svg", name) : document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) e.setAttribute(key, value);
    if (text !== undefined) e.textContent = text;
    e.append(...children);
    return e;
  }

  // say changes a text only if it differs, so that a screen reader is not told the same again.
  function say(e, text) {
    if (e.textContent !== text) e.textContent = text;
  }

  const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
  function count(n) {
    if (n === 0) return "0";
    return n < 10 ? n.toFixed(1) : whole.format(n);
  }
  function bytes(n) {
    const units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let i = 0;
    for (; n >= 1000 && i < units.length - 1; i++) n /= 1024;
    return (i > 0 && n < 10 ? n.toFixed(1) : n.toFixed(0)) + " " + units[i];
  }
  function took(ns) {
    if (!ns) return "–";
    if (ns < 1e6) return Math.max(1, Math.round(ns / 1e3)) + " µs";
    if (ns < 1e9) return (ns < 1e7 ? (ns / 1e6).toFixed(1) : Math.round(ns / 1e6)) + " ms";
    return (ns / 1e9).toFixed(1) + " s";
  }
  function age(ms) {
    const s = Math.max(0, ms / 1000);
    if (s >= 172800) return Math.floor(s / 86400) + " d";
    if (s >= 7200) return Math.floor(s / 3600) + " h";
    if (s >= 120) return Math.floor(s / 60) + " min";
    return Math.floor(s) + " s";
  }
  const percent = (part) => (100 * part).toFixed(1) + " %";
  const clock = (ms) => new Date(ms).toLocaleTimeString("en-GB");

  // state is how a node is, in a word, and how bad that is.
  function state(own) {
    if (own.Draining) return ["draining", "warn"];
    if (own.NotReady) return ["loading", "warn"];
    if (own.NoSpace) return ["disk full", "bad"];
    if (own.NotWritable) return ["reads only", "bad"];
    return ["ok", "ok"];
  }

  function nodeRow(view, leader) {
    const own = view.Own;
    const head = make("th", { role: "rowheader", scope: "row", text: view.Name });
    if (view.Name === leader) head.append(make("span", { class: "leader", text: "leader" }));
    const row = make("tr", { role: "row" }, head);
    const cell = (label, text, more = {}) => row.append(make("td", { role: "cell", "data-label": label, text, ...more }));
    if (!own) {
      cell("State", "silent", { "data-state": "bad" });
      row.append(make("td", { role: "cell", class: "reason", colspan: 9, text: view.Reason }));
      return row;
    }
    const [word, severity] = state(own), number = { class: "number" };
    cell("State", word, { "data-state": severity });
    cell("Role", own.Role || "–");
    cell("Lag", whole.format(view.Lag), number);
    cell("Memory", bytes(own.Memory), number);
    cell("Clients", whole.format(own.Connections), number);
    cell("Operations/s", count(own.Now.Operations), number);
    cell("p99 read / write", took(own.Minute.ReadP99) + " / " + took(own.Minute.WriteP99), number);
    cell("Address", own.Address || "–");
    cell("Release", own.Version);
    cell("Up", age(Date.now() - own.Started), number);
    return row;
  }

  function finding(f) {
    return make("li", { "data-severity": f.Severity },
      make("p", { class: "what" }, make("span", { class: "severity", text: f.Severity }), f.What),
      ...(f.Why ? [make("p", { class: "why", text: "Why it matters: " + f.Why })] : []),
      ...(f.Cure ? [make("p", { class: "cure", text: "Cure: " + f.Cure })] : []));
  }

  const shown = new WeakMap();
  // replace puts rows in the place of others only if they differ: what is selected or focused stays.
  function replace(parent, rows) {
    const next = rows.map((r) => r.outerHTML).join("");
    if (shown.get(parent) === next) return;
    parent.replaceChildren(...rows);
    shown.set(parent, next);
  }

  function showStatus(s) {
    const o = s.Overview;
    $("top").dataset.verdict = o.Verdict;
    say($("verdict"), o.Verdict);
    say($("sentence"), o.Sentence);
    say($("cluster"), "· cluster " + (s.Cluster || "–"));
    say($("asked"), "asked " + o.Asked + " at " + clock(Date.now()));
    document.title = o.Verdict + " · " + (s.Cluster || "ciderd");
    const findings = o.Findings || [];
    $("findings-section").hidden = findings.length === 0;
    replace($("findings"), findings.map(finding));
    replace($("nodes").tBodies[0], o.Nodes.map((n) => nodeRow(n, o.Leads)));
    for (const e of document.querySelectorAll(".of")) say(e, "on " + o.Asked);
    showWhole(s, o);
  }

  function showWhole(s, o) {
    const own = (o.Nodes.find((n) => n.Name === o.Asked) || {}).Own;
    if (!own) return;
    let hits = 0, reads = 0, expires = Infinity;
    for (const n of o.Nodes) {
      if (!n.Own) continue;
      hits += n.Own.Recent.Hits;
      reads += n.Own.Recent.Hits + n.Own.Recent.Misses;
      for (const at of Object.values(n.Own.Expires || {})) expires = Math.min(expires, at);
    }
    const days = Math.floor((expires * 1000 - Date.now()) / 864e5);
    replace($("whole"), [
      ["Users", whole.format(own.Users)], ["Keys", whole.format(own.Keys)],
      ["Memory", bytes(own.Memory) + (own.Limit ? " of " + bytes(own.Limit) : ", no limit")],
      ["Hit rate", reads ? percent(hits / reads) : "–"],
      ["Evicted", whole.format(own.Recent.Evicted)],
      ["Commit p50 / p99", took(own.Minute.CommitP50) + " / " + took(own.Minute.CommitP99)],
      ["Certificate", expires === Infinity ? "none" : days + " days"],
      ["Last backup", own.BackupAt ? age(own.Wall - own.BackupAt) + " ago on " + own.BackupOn : "none"],
    ].map(([name, value]) => make("div", {}, make("dt", { text: name }), make("dd", { text: value }))));
  }

  // The charts: what each line shows of a step; null is a gap.
  const charts = [
    { title: "Operations/s", lines: [["operations", (s) => s.Operations]], unit: count },
    { title: "Hit rate", lines: [["hits", (s) => (s.Hits + s.Misses ? s.Hits / (s.Hits + s.Misses) : null)]], unit: percent, most: 1 },
    { title: "Memory", lines: [["counted", (s) => s.Memory], ["limit", (s) => s.Limit || null]], unit: bytes },
    { title: "p99", lines: [["reads", (s) => s.ReadP99 || null], ["writes", (s) => s.WriteP99 || null]], unit: took },
    { title: "Evictions/s", lines: [["evicted", (s) => (s.Seconds ? s.Evicted / s.Seconds : null)]], unit: count },
  ];
  const width = 600, height = 120;

  for (const c of charts) {
    c.now = make("output", { "aria-live": "off" });
    c.svg = make("svg", { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", role: "img", "aria-label": c.title });
    for (const y of [0, height / 2, height]) c.svg.append(make("line", { x1: 0, x2: width, y1: y, y2: y }));
    c.paths = c.lines.map((_, i) => make("path", i ? { class: "second" } : {}));
    c.svg.append(...c.paths);
    c.label = make("span", { class: "most", "aria-hidden": "true" });
    const legend = c.lines.length > 1
      ? c.lines.map(([name], i) => make("span", { text: name, ...(i ? { class: "second" } : {}) })) : [];
    $("charts").append(make("figure", {},
      make("figcaption", {}, make("span", { text: c.title }), c.now),
      make("p", { class: "legend" }, ...legend),
      make("div", { class: "plot" }, c.label, c.svg),
      make("div", { class: "axis", "aria-hidden": "true" }, make("span", { text: minutes + " min ago" }), make("span", { text: "now" }))));
  }

  // ceiling is the number of the form 1, 2 or 5 times a power of ten that is not below n; of bytes a power of two.
  function ceiling(n, c) {
    if (c.most) return c.most;
    if (n <= 0) return 1;
    if (c.unit === bytes) return 2 ** Math.ceil(Math.log2(n));
    const power = 10 ** Math.floor(Math.log10(n));
    return [1, 2, 5, 10].find((f) => f * power >= n * 0.9999) * power;
  }

  function draw(c, steps, end) {
    const begin = end - minutes * 60e3;
    const values = c.lines.map(([, of]) => steps.map(of));
    const all = values.flat().filter((v) => v !== null);
    const most = ceiling(all.length ? Math.max(...all) : 0, c);
    c.paths.forEach((path, i) => {
      let d = "", drawn = false;
      steps.forEach((s, j) => {
        const v = values[i][j];
        if (v === null) {
          drawn = false;
          return;
        }
        const from = width * Math.max(0, (s.At - s.Seconds * 1e3 - begin) / (end - begin));
        const to = width * Math.max(0, (s.At - begin) / (end - begin)), y = height * (1 - v / most);
        d += (drawn ? "" : `M${from.toFixed(1)} ${y.toFixed(1)}`) + `L${to.toFixed(1)} ${y.toFixed(1)}`;
        drawn = true;
      });
      path.setAttribute("d", d);
    });
    say(c.label, all.length ? c.unit(most) : "");
    const now = c.lines.map(([name], i) => {
      const v = values[i].at(-1);
      return [name, v === null || v === undefined ? "–" : c.unit(v)];
    });
    say(c.now, now.map(([, v]) => v).join(" / "));
    const told = now.map(([name, v]) => `${name} ${v}`).join(", ");
    c.svg.setAttribute("aria-label", `${c.title} in the last ${minutes} minutes: now ${told}; at most ${all.length ? c.unit(Math.max(...all)) : "–"}`);
  }

  function showPast(p) {
    const steps = p.Steps || [];
    const end = steps.length ? steps.at(-1).At : Date.now();
    for (const c of charts) draw(c, steps, end);
    const busy = p.Busiest || [];
    $("busiest").hidden = busy.length === 0;
    $("busiest-none").hidden = busy.length > 0;
    replace($("busiest").tBodies[0], busy.map((b) => make("tr", { role: "row" },
      make("th", { role: "rowheader", scope: "row", text: "#" + b.User }),
      ...[whole.format(b.Sessions), count(b.Reads), count(b.Writes)].map((text) => make("td", { role: "cell", class: "number", text })))));
    replace($("events"), (p.Events || []).map((e) => make("li", {},
      make("time", { datetime: new Date(e.At).toISOString(), text: clock(e.At) }), make("span", { text: e.Text }))));
  }

  async function ask(path) {
    const answer = await fetch(path, { signal: AbortSignal.timeout(patience), cache: "no-store" });
    if (!answer.ok) throw new Error("it answers " + answer.status);
    return answer.json();
  }

  let answered = 0;
  function silent(why) {
    const since = answered ? "It has not answered since " + clock(answered) + ": what is shown below is old." : "It has not answered yet.";
    $("top").dataset.verdict = "NO ANSWER";
    say($("verdict"), "NO ANSWER");
    say($("sentence"), "the node behind this page does not answer");
    say($("silence"), since + " (" + why + ")");
    $("silence").hidden = false;
    document.body.classList.add("old");
    document.title = "NO ANSWER · ciderd";
  }

  async function update() {
    try {
      const [status, past] = await Promise.all([ask("/status"), ask("/status/history")]);
      showStatus(status);
      showPast(past);
      answered = Date.now();
      $("silence").hidden = true;
      document.body.classList.remove("old");
    } catch (e) {
      silent(e.name === "TimeoutError" ? "nothing within " + patience / 1000 + " seconds" : e.message);
    }
    setTimeout(update, every);
  }
  update();
})();
