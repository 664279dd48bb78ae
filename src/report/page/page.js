// SPDX-License-Identifier: MIT
// What is on the page. All text of the data goes in as text, through el().
"use strict";

const MODES = [
  { id: "shipped", label: "Shipped", key: "bytes", noun: "shipped bytes",
    colour: "kind" },
  { id: "deflate", label: "Deflate", key: "deflate",
    noun: "deflated bytes", colour: "kind" },
  { id: "zstd", label: "Zstd", key: "zstd", noun: "bytes under zstd",
    colour: "kind" },
  { id: "saved", label: "Saved", key: "gain", noun: "saved bytes",
    colour: "saved" },
  { id: "risk", label: "Risk", key: "bytes", noun: "shipped bytes",
    colour: "risk" },
];
const SAVED = ["under 45 %", "45 to 55 %", "55 to 65 %", "65 % and more"];
const ROWS = 300; // rows of a table at once; more on request
const OPTIONS = 400; // tiles told to assistive technology

const $ = (id) => document.getElementById(id);

// An element; children are elements or text, never markup.
function el(tag, props, ...children) {
  const e = document.createElement(tag);
  for (const [key, value] of Object.entries(props || {}))
    if (key === "class")
      e.className = value;
    else if (key.startsWith("on"))
      e.addEventListener(key.slice(2), value);
    else
      e.setAttribute(key, value);
  e.append(...children.map((c) => c instanceof Node ? c : String(c)));
  return e;
}

const button = (label, act, props) =>
  el("button", { type: "button", ...props, onclick: act }, label);
const badge = (g) => el("span", { class: "grade grade" + g },
  g === 0 ? "\u2013" : GRADES[g]);
const bytesCell = (n, dash) => el("td", { class: "n", title: exact(n) },
  dash && n === 0 ? "\u2013" : size(n));

let tree, map;
const state = {
  node: null, active: null, hover: null, mode: MODES[0], query: "",
  sort: { column: 3, down: true }, rows: ROWS,
};

function renderTotals(data) {
  const r = tree.root, t = { modules: r.modules, files: r.files,
    bytes: r.bytes, source_bytes: r.source, deflate_bytes: r.deflate,
    zstd_bytes: r.zstd, ...data.totals };
  const n = countRisks(data);
  const card = (name, big, note, wide) => $("totals").append(el("div",
    { class: wide || "" }, el("dt", {}, name),
    el("dd", { class: "big" }, big), el("dd", {}, note)));
  // What is bad is as visible as can be, and leads to its list.
  const alarm = (name, n, note, tab) => card(name, n > 0 ? button(number(n),
    () => {
      chooseTab(tab);
      $("tabs").scrollIntoView();
    }, { class: "alarm", "aria-label": `${name}: ${number(n)}` })
    : number(n), note);
  const against = (name, was) => card(name, change(count(t.bytes), was),
    was > 0 ? `${signed(count(t.bytes) - was)} from ${size(was)}`
      : "not measured", "wide");
  const packed = (name, n) => card(name, n > 0 ? size(n) : "n/a",
    n > 0 ? share(n, count(t.bytes)) + " of shipped" : "not measured");

  card("Shipped", size(count(t.bytes)), many(count(t.files), "file"));
  against("Against compileall -o 2 -b", count(t.baseline_recipe_bytes));
  against("Against sources alone", count(t.baseline_source_bytes));
  against("Against sources with __pycache__",
    count(t.baseline_pycache_bytes));
  packed("Deflate", count(t.deflate_bytes));
  packed("Zstd", count(t.zstd_bytes));
  const archives = { ...t.archives };
  for (const [name, of] of [["As a tar.gz", "gzip_bytes"],
    ["As a tar.zst", "zstd_bytes"]]) {
    const sum = (way) => count({ ...archives[way] }[of]);
    if (sum("layer") > 0)
      card(name, size(sum("layer")), `${change(sum("layer"), sum("pip"))} ` +
        `against pip's, ${change(sum("layer"), sum("sources"))} against ` +
        "sources alone", "wide");
  }
  card("Modules", number(count(t.modules)),
    `${size(count(t.bytecode_bytes))} for ${size(count(t.source_bytes))}` +
    " of source");
  card("Other files", size(count(t.other_bytes)),
    size(count(t.native_bytes)) + " native");
  alarm("Breaks", n.breaks, `${number(n.mayBreak)} may break, ` +
    `${number(n.toKnow)} to know`, 0);
  alarm("Do not compile", n.failed, n.failed === 1 ? "module" : "modules", 1);
}

function renderVerdict(data) {
  const risks = verdictOnRisks(data);

  $("verdict").className = "verdict" + risks.grade;
  $("verdict").replaceChildren(el("strong", {}, risks.says), " ",
    verdictOnSize(data));
}

function describe(node) {
  const { key } = state.mode;
  let s = `${show(node.name)}, ${size(node[key])}`;
  if (state.node[key] > 0)
    s += `, ${share(node[key], state.node[key])}`;
  return s + (node.risk > 0 ? `, ${GRADES[node.risk]}` : "");
}

function drawMap() {
  map.draw(state.node, state.mode, words(state.query).length > 0);
  const options = map.top.slice(0, OPTIONS).map(({ node }, i) =>
    el("div", { id: "option" + i, role: "option", "aria-selected": "false",
      onclick: () => enter(node) }, describe(node)));
  $("options").replaceChildren(...options);
  $("map").setAttribute("aria-label", `${show(state.node.name)} by ` +
    `${state.mode.label}: ${number(map.top.length)} parts`);
  markMap();
}

function markMap() {
  const marks = [];
  if (state.hover)
    marks.push({ node: state.hover, width: 1 });
  if (state.active && document.activeElement === $("map") ||
    state.active && state.active.file)
    marks.push({ node: state.active, width: 3 });
  map.outline(marks);
  const i = map.top.findIndex((p) => p.node === state.active);
  for (const chosen of $("options").querySelectorAll("[aria-selected=true]"))
    chosen.setAttribute("aria-selected", "false");
  if (i >= 0 && i < OPTIONS) {
    $("option" + i).setAttribute("aria-selected", "true");
    $("map").setAttribute("aria-activedescendant", "option" + i);
  } else {
    $("map").removeAttribute("aria-activedescendant");
  }
  for (const row of $("table").tBodies[0].rows)
    row.classList.toggle("on", row.node === state.active ||
      row.node === state.hover);
}

function renderCrumbs() {
  const steps = [];
  for (let n = state.node; n !== null; n = n.parent) {
    const here = n;
    steps.unshift(el("li", {}, n === state.node
      ? el("span", { "aria-current": "true" }, show(n.name))
      : button(show(n.name), () => goTo(here, null), { class: "plain" })));
  }
  $("crumbs").replaceChildren(el("ol", {}, ...steps));
}

function renderLegend() {
  const swatch = (name, i, label, extra) => el("li", {},
    el("i", { class: extra || "", style: `background-color: var(--${name}${i})`
    }), label);
  const mode = state.mode.colour, node = state.node;
  let items;

  if (mode === "risk")
    items = GRADES.map((g, i) => swatch("risk", i, g, i === 3 ? "hatch" : "")).reverse();
  else if (mode === "saved")
    items = [el("li", {}, "Saved: a module's source and its __pycache__ file, " +
      "less the bytecode that ships:"),
      ...SAVED.map((s, i) => swatch("saved", i, s))];
  else
    items = KINDS.map(([, label], i) => [label, i])
      .filter(([, i]) => node.kinds && node.kinds[i] > 0)
      .map(([label, i]) => swatch("kind", i, `${label} ` +
        size(node.kinds[i])));
  const absent = node.files - node.gainers;
  if (mode === "saved" && absent > 0)
    items.push(el("li", {}, many(absent, "file", "saves", "save") +
      " nothing, and is not drawn".replace("is", absent === 1 ? "is" : "are")));
  $("legend").replaceChildren(...items);
}

const packedKey = () => state.mode.id === "zstd" ? "zstd" : "deflate";
const COLUMNS = [
  ["Name", (n) => n.name.toLowerCase()], ["Modules", (n) => n.modules],
  ["Source", (n) => n.source], ["Shipped", (n) => n.bytes],
  ["Deflate", (n) => n[packedKey()]], ["Saved", (n) => n.saved,
    "source and __pycache__ file, less the bytecode that ships, of modules"],
  ["Risk", (n) => n.risk],
];

function tableRows() {
  const { column, down } = state.sort, value = COLUMNS[column][1];
  const searching = words(state.query).length > 0;
  const rows = state.node.kids.filter((k) => !searching || k.hits > 0);
  const compare = (a, b) => {
    const x = value(a), y = value(b);
    return (x < y ? -1 : x > y ? 1 : 0) * (down ? -1 : 1) || b.bytes - a.bytes;
  };
  return rows.sort(compare);
}

function tableRow(node, i) {
  const { key } = state.mode, most = state.node.order.get(key);
  const name = button(show(node.name) + (node.kids.length ? "/" : ""),
    () => enter(node, true), { class: "plain path", tabindex: i ? -1 : 0 });
  const first = el("td", {}, name);

  if (state.query && node.hits > 0 && node.kids.length)
    first.append(el("span", { class: "soft hits" }, ` ${number(node.hits)}` +
      (node.hits === 1 ? " match" : " matches")));
  if (most.length > 0)
    first.append(el("span", { class: "meter", style:
      `width: ${(100 * node[key] / most[0][key]).toFixed(1)}%` }));
  const row = el("tr", {}, first,
    el("td", { class: "n" }, node.modules ? number(node.modules) : "\u2013"),
    bytesCell(node.source, true), bytesCell(node.bytes),
    bytesCell(node[packedKey()], true), bytesCell(node.saved, true),
    el("td", {}, badge(node.risk)));
  row.node = node;
  return row;
}

function renderTable() {
  const rows = tableRows(), shown = rows.slice(0, state.rows);
  ordered(state.node, state.mode.key); // the largest is a whole bar
  const heads = COLUMNS.map(([label, , means], i) => {
    const on = state.sort.column === i;
    const name = i === 4 && packedKey() === "zstd" ? "Zstd" : label;
    return el("th", { scope: "col", class: i > 0 && i < 6 ? "n" : "",
      "aria-sort": !on ? "none" : state.sort.down ? "descending"
        : "ascending" },
    button(name + (!on ? "" : state.sort.down ? " \u25be" : " \u25b4"),
      () => sortBy(i), means ? { title: means } : {}));
  });
  $("table").tHead.rows[0].replaceChildren(...heads);
  $("table").tBodies[0].replaceChildren(...shown.map(tableRow));
  $("caption").textContent = `What is in ${show(state.node.name)}`;
  $("more").hidden = rows.length === shown.length;
  $("more").textContent = `Show more of ${number(rows.length)}`;
}

function sortBy(column) {
  const { sort } = state;
  state.sort = { column, down: sort.column === column ? !sort.down
    : column > 0 };
  renderTable();
  markMap();
  $("table").tHead.rows[0].cells[column].firstChild.focus();
}

function renderDetail(node) {
  $("detail").hidden = !(node && node.file);
  if ($("detail").hidden)
    return;
  const f = node.file, lines = [
    `${KINDS[node.kind][0]}; shipped ${exact(node.bytes)}, deflate ` +
    `${exact(node.deflate)}, zstd ${exact(node.zstd)}`];
  if (node.modules)
    lines.push(`source ${exact(node.source)}, __pycache__ ` +
      `${exact(node.pycache)}, saved ${exact(node.saved)} (` +
      `${change(node.bytes, node.source)} against the source, ` +
      `${change(node.bytes, node.source + node.pycache)} with __pycache__)`);
  const found = risksOf(text(f.path));
  $("detail").replaceChildren(
    el("h2", { class: "path" }, show(f.path)),
    ...lines.map((line) => el("p", {}, line)),
    el("ul", {}, ...found.slice(0, 20).map((risk) => el("li", {},
      badge(grade(risk.grade)), ` ${count(risk.line) ? "line " + risk.line + ", " : ""}` +
      `${show(risk.rule)}: ${show(risk.reason)}`, remedy(risk)))));
}

// Shows `node`, with its child `active` chosen.
function goTo(node, active) {
  state.node = node;
  state.active = active;
  state.hover = null;
  state.rows = ROWS;
  $("tip").hidden = true;
  renderCrumbs();
  renderTable();
  $("scroll").scrollTop = 0;
  renderLegend();
  renderDetail(active);
  drawMap();
}

// Into a directory; a file is chosen and told about.
function enter(node, fromTable) {
  if (node.kids.length) {
    goTo(node, fromTable ? null : ordered(node, state.mode.key)[0] || null);
    if (fromTable)
      focusRow(0);
  } else {
    state.active = node;
    renderDetail(node);
    markMap();
  }
}

// Shows a file from a list.
function reveal(node) {
  goTo(node.parent, node);
  $("split").scrollIntoView({ block: "nearest" });
  $("map").focus();
}

function out(focus) {
  const from = state.node;
  if (from.parent === null)
    return;
  goTo(from.parent, from);
  if (focus === "table")
    focusRow([...$("table").tBodies[0].rows]
      .findIndex((row) => row.node === from));
}

function setMode(mode) {
  state.mode = mode;
  renderLegend();
  renderTable();
  drawMap();
}

function setQuery(query) {
  state.query = query.trim();
  const found = mark(tree, state.query);
  $("found").textContent = found === null ? ""
    : `${many(found.hits, "file")}, ${size(found.bytes)} shipped, ` +
      share(found.bytes, tree.root.bytes);
  state.rows = ROWS;
  renderTable();
  drawMap();
  renderTabs();
}

function mapKey(event) {
  const move = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1],
    ArrowDown: [0, 1] }[event.key];
  const { top } = map;

  if (event.ctrlKey || event.altKey || event.metaKey)
    return;
  if (move)
    state.active = map.beside(state.active, ...move) || state.active;
  else if (event.key === "Home" && top.length)
    state.active = top[0].node;
  else if (event.key === "End" && top.length)
    state.active = top[top.length - 1].node;
  else if ((event.key === "Enter" || event.key === " ") && state.active)
    enter(state.active);
  else if (event.key === "Escape" || event.key === "Backspace")
    out("map");
  else
    return;
  event.preventDefault();
  markMap();
}

function focusRow(i) {
  const rows = $("table").tBodies[0].rows;
  if (rows.length === 0)
    return;
  const at = Math.max(0, Math.min(i, rows.length - 1));
  for (const row of rows)
    row.cells[0].firstChild.tabIndex = -1;
  rows[at].cells[0].firstChild.tabIndex = 0;
  rows[at].cells[0].firstChild.focus();
}

function tableKey(event) {
  const row = event.target.closest("tbody tr");
  if (event.key === "Escape") {
    out("table");
  } else if (row && event.key in { ArrowUp: 1, ArrowDown: 1, Home: 1,
    End: 1 }) {
    const i = row.sectionRowIndex;
    focusRow({ ArrowUp: i - 1, ArrowDown: i + 1, Home: 0,
      End: Infinity }[event.key]);
  } else {
    return;
  }
  event.preventDefault();
}

function hover(node, event) {
  if (node !== state.hover) {
    state.hover = node;
    markMap();
  }
  $("tip").hidden = node === null || !event;
  if ($("tip").hidden)
    return;
  const lines = [`${size(node.bytes)} shipped, ` +
    `${share(node.bytes, tree.root.bytes)} of the layer`];
  if (node.modules)
    lines.push(`${many(node.modules, "module")}, ${size(node.source)} source` +
      `, ${size(node.saved)} saved`);
  lines.push(`deflate ${size(node.deflate)}, zstd ${size(node.zstd)}`);
  if (node.risk)
    lines.push(GRADES[node.risk]);
  $("tip").replaceChildren(el("b", {}, pathOf(node).map(show).join(" / ")),
    ...lines.map((line) => el("div", {}, line)));
  const { offsetWidth: w, offsetHeight: h } = $("tip");
  const x = event.clientX + 14, y = event.clientY + 14;
  $("tip").style.left = Math.max(4, x + w > innerWidth ? x - w - 28 : x) + "px";
  $("tip").style.top = Math.max(4, y + h > innerHeight ? y - h - 28 : y) + "px";
}

function childUnder(event) {
  const box = $("map").getBoundingClientRect();
  return map.at(event.clientX - box.left - 1, event.clientY - box.top - 1);
}

function listen() {
  const box = $("map");

  box.addEventListener("keydown", mapKey);
  box.addEventListener("focus", () => {
    if (!map.top.some((p) => p.node === state.active) && map.top.length)
      state.active = map.top[0].node;
    markMap();
  });
  box.addEventListener("blur", markMap);
  box.addEventListener("mousemove", (e) => hover(childUnder(e), e));
  box.addEventListener("mouseleave", () => hover(null));
  $("tiles").addEventListener("click", (e) => {
    let node = childUnder(e);
    while (node && node.parent !== state.node)
      node = node.parent;
    if (node)
      enter(node);
  });
  $("table").addEventListener("keydown", tableKey);
  $("table").addEventListener("mouseover", (e) => {
    const row = e.target.closest("tbody tr");
    hover(row ? row.node : null);
  });
  $("table").addEventListener("mouseleave", () => hover(null));
  $("more").addEventListener("click", () => {
    const from = state.rows;
    state.rows += ROWS;
    renderTable();
    focusRow(from);
  });
  $("search").addEventListener("input", () => setQuery($("search").value));
  $("search").addEventListener("keydown", (e) => {
    if (e.key !== "Escape")
      return;
    e.preventDefault();
    $("search").value = "";
    setQuery("");
  });
  $("theme").addEventListener("click", () => {
    const root = document.documentElement;
    root.dataset.theme = root.dataset.theme === "dark" ? "light" : "dark";
    root.dataset.chosen = "1";
  });
  new MutationObserver(recolour).observe(document.documentElement,
    { attributeFilter: ["data-theme"] });
  new ResizeObserver(() => {
    if (box.clientWidth !== map.width || box.clientHeight !== map.height) {
      map.fit(box);
      drawMap();
    }
  }).observe(box);
}

function recolour() {
  const dark = document.documentElement.dataset.theme === "dark";
  $("theme").textContent = dark ? "Light colours" : "Dark colours";
  map.readColours(document.documentElement);
  drawMap();
}

function start() {
  let data;
  const refuse = (why) => {
    $("trouble").textContent = why;
    $("trouble").hidden = false;
  };

  try {
    data = JSON.parse($("data").textContent);
  } catch (e) {
    refuse("The data of this report cannot be read: " + show(e.message));
    return;
  }
  if (data === null || typeof data !== "object" || data.version !== 1) {
    refuse("This page shows data of version 1, and this is of another.");
    return;
  }
  document.title = "pycfs report: " + show(data.source);
  $("about").textContent = `${show(data.source)} \u00b7 Python ` +
    `${show(data.python)} \u00b7 level ${show(data.optimize)} \u00b7 ` +
    (data.debug_ranges ? "with" : "without") +
    ` columns \u00b7 pycfs ${show(data.pycfs)}`;
  $("main").hidden = false;
  tree = makeTree(data);
  map = new Treemap($("tiles"), $("marks"));
  MODES.forEach((mode) => {
    const input = el("input", { type: "radio", name: "mode", value: mode.id,
      onchange: () => setMode(mode) });
    input.checked = mode === state.mode;
    $("modes").append(el("label", {}, input, mode.label));
  });
  renderVerdict(data);
  renderTotals(data);
  makeLists(data);
  state.node = tree.root;
  map.fit($("map"));
  map.readColours(document.documentElement);
  goTo(tree.root, null);
  recolour();
  renderTabs();
  listen();
}

start();
