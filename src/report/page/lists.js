// SPDX-License-Identifier: MIT
// The lists below the treemap: risks, what does not compile, what is hidden,
// what ships more than once.
"use strict";

const lists = [];
const listState = { at: 0, rows: 200, grades: [true, true, true, true] };
let risksByPath = new Map();

// Risks are told of sources, files as they ship.
const risksOf = (path) => risksByPath.get(path) ||
  risksByPath.get(path.replace(/\.pyc$/, ".py")) || [];

async function copy(what, from) {
  const label = from.textContent;
  let done = true;

  try {
    await navigator.clipboard.writeText(what);
  } catch (e) {
    const box = el("textarea", { class: "unseen", "aria-label": "To copy" });
    box.value = what;
    document.body.append(box);
    box.select();
    done = document.execCommand("copy");
    box.remove();
    from.focus();
  }
  from.textContent = done ? "Copied" : "Not copied";
  setTimeout(() => { from.textContent = label; }, 1500);
}

// A rule, and a button that copies it.
function remedy(risk) {
  const rule = text(risk.remedy);
  const cell = el("span", {}, " ", el("code", {}, show(rule)));
  if (copyable(rule))
    cell.append(button("Copy", (e) => copy(rule, e.currentTarget),
      { class: "copy", "aria-label": "Copy the rule " + rule }));
  else if (rule !== "")
    cell.append(el("span", { class: "soft" },
      " (odd characters: write it by hand)"));
  return cell;
}

// A link that saves the rules for all that breaks or may break.
function saveRules(data) {
  const rules = suggestedRules(data);

  if (rules.n === 0)
    return "";
  return el("a", { id: "save", class: "button", download: "layer.rules",
    href: URL.createObjectURL(new Blob([rules.text],
      { type: "text/plain;charset=utf-8" })),
    title: "A file for --rules; what may break is in it as comments" },
  `Download ${many(rules.n, "suggested rule")}`);
}

// The path of a source or of what ships, as a link into the treemap.
function pathLink(path, line) {
  const s = show(path) + (line ? ":" + line : "");
  const node = tree.byPath.get(path) || tree.byPath.get(path + "c");
  return node === undefined ? el("span", { class: "path" }, s)
    : button(s, () => reveal(node), { class: "plain path" });
}

const plain = (s) => el("td", {}, show(s));
const amount = (n) => el("td", { class: "n" }, number(n));

function manyPaths(paths) {
  const line = (path) => el("div", {}, pathLink(text(path)));
  const cell = el("td", {}, ...paths.slice(0, 4).map(line));
  if (paths.length > 4) {
    const rest = el("details", { ontoggle: () => {
      if (rest.children.length === 1)
        rest.append(...paths.slice(4, 1000).map(line));
    } }, el("summary", {}, `${number(paths.length - 4)} more`));
    cell.append(rest);
  }
  return cell;
}

function makeLists(data) {
  const add = (title, rows, heads, words, cells, note) =>
    lists.push({ title, rows, heads, cells, note,
      lines: rows.map((row) => show(words(row)).toLowerCase()) });
  const total = { ...data.totals };
  const order = (a, b) => a < b ? -1 : a > b ? 1 : 0;

  const risks = list(data.risks).sort((a, b) => grade(b.grade) -
    grade(a.grade) || order(text(a.path), text(b.path)) ||
    count(a.line) - count(b.line));
  risksByPath = new Map();
  for (const risk of risks) {
    const path = text(risk.path);
    if (!risksByPath.has(path))
      risksByPath.set(path, []);
    risksByPath.get(path).push(risk);
  }
  add("Risks", risks, ["Grade", "Where", "Found", "Why", "Rule that helps"],
    (r) => [r.path, r.rule, r.reason, r.remedy].map(text).join("\n"),
    (r) => [el("td", { class: "tight" }, badge(grade(r.grade))),
      el("td", {}, pathLink(text(r.path), count(r.line))),
      plain(r.rule), plain(r.reason), el("td", {}, remedy(r))],
    "What may behave differently without its source.");
  lists[0].graded = true;
  lists[0].save = saveRules(data);

  add("Do not compile", list(data.failed), ["Where", "Why"],
    (f) => text(f.path) + "\n" + text(f.message),
    (f) => [el("td", { class: "path" }, [show(f.path), count(f.line),
      count(f.column)].filter((x) => x !== 0).join(":")), plain(f.message)],
    "Modules that this Python rejects.");

  const hidden = list(data.hidden).sort((a, b) => count(b.bytes) -
    count(a.bytes));
  add("Hidden", hidden, ["Path", "Bytes", "Why"],
    (h) => text(h.path) + "\n" + text(h.why),
    (h) => [el("td", { class: "path" }, show(h.path)), bytesCell(
      count(h.bytes)), plain(h.why)],
    `Not shipped: ${many(count(total.hidden_files), "file")}, ` +
    `${size(count(total.hidden_bytes))}.`);

  const again = (d) => count(d.bytes) * Math.max(0, d.paths.length - 1);
  const twice = list(data.duplicates).filter((d) => Array.isArray(d.paths))
    .sort((a, b) => again(b) - again(a));
  add("Duplicates", twice, ["Each", "Copies", "Repeated", "Paths"],
    (d) => d.paths.map(text).join("\n"),
    (d) => [bytesCell(count(d.bytes)), amount(d.paths.length),
      bytesCell(again(d)), manyPaths(d.paths)],
    `Files of the same bytes: ${size(count(total.duplicate_bytes))} ship` +
    " more than once.");

  add("Rules", list(data.rules), ["Rule", "Files", "Bytes", "From"],
    (r) => text(r.rule),
    (r) => [el("td", {}, el("code", {}, show(r.rule))), amount(count(r.files)),
      bytesCell(count(r.bytes)), plain(r.built_in ? "the profile"
        : r.matches ? "you" : "you; it matches nothing")],
    "The files that each rule decides about, and their bytes.");
}

// The rows of a list that search and grades leave.
function rowsOf(one) {
  const all = words(state.query);
  return one.rows.filter((row, i) => hasAll(one.lines[i], all) &&
    (!one.graded || listState.grades[grade(row.grade)]));
}

function renderTabs(focus) {
  $("tabs").replaceChildren(...lists.map((one, i) => {
    const n = rowsOf(one).length, on = i === listState.at;
    return button(`${one.title} (${number(n)}` + (n < one.rows.length
      ? ` of ${number(one.rows.length)})` : ")"), () => chooseTab(i), {
      id: "tab" + i, role: "tab", "aria-selected": String(on),
      "aria-controls": "panel", tabindex: on ? 0 : -1,
      onkeydown: (e) => tabKey(e, i) });
  }));
  $("panel").setAttribute("aria-labelledby", "tab" + listState.at);
  if (focus)
    $("tab" + listState.at).focus();
  renderPanel();
}

function chooseTab(i) {
  listState.at = i;
  listState.rows = 200;
  renderTabs(true);
}

function tabKey(event, i) {
  const last = lists.length - 1;
  const to = { ArrowLeft: i === 0 ? last : i - 1, Home: 0, End: last,
    ArrowRight: i === last ? 0 : i + 1 }[event.key];
  if (to === undefined)
    return;
  event.preventDefault();
  chooseTab(to);
}

function gradeTools(one, rows) {
  const boxes = [3, 2, 1, 0].map((g) => {
    const n = one.rows.filter((r) => grade(r.grade) === g).length;
    const box = el("input", { type: "checkbox", id: "grade" + g,
      onchange: () => {
        listState.grades[g] = box.checked;
        renderTabs();
        $("grade" + g).focus();
      } });
    box.checked = listState.grades[g];
    return n === 0 ? "" : el("label", {}, box, ` ${GRADES[g]} (` +
      `${number(n)})`);
  });
  const rules = [...new Set(rows.map((r) => text(r.remedy)))]
    .filter(copyable);
  const all = button(`Copy ${many(rules.length, "rule")}`,
    (e) => copy(rules.join("\n") + "\n", e.currentTarget));
  all.disabled = rules.length === 0;
  return el("div", { class: "tools", role: "group",
    "aria-label": "Grades" }, ...boxes, all, one.save);
}

function renderPanel() {
  const one = lists[listState.at], rows = rowsOf(one);
  const shown = rows.slice(0, listState.rows);
  const parts = [el("p", { class: "hint" }, one.note)];

  if (one.graded && one.rows.length)
    parts.push(gradeTools(one, rows));
  if (rows.length === 0) {
    parts.push(el("p", {}, one.rows.length ? "None matches." : "None."));
  } else {
    const right = new Set(["Bytes", "Each", "Copies", "Repeated"]);
    parts.push(el("table", { "aria-labelledby": "tab" + listState.at },
      el("thead", {}, el("tr", {}, ...one.heads.map((h) => el("th",
        { scope: "col", class: right.has(h) ? "n" : "" }, h)))),
      el("tbody", {}, ...shown.map((row) => el("tr", {}, ...one.cells(row))))));
  }
  if (shown.length < rows.length)
    parts.push(button(`Show more of ${number(rows.length)}`, () => {
      listState.rows += 1000;
      renderPanel();
    }));
  $("panel").replaceChildren(...parts);
}
