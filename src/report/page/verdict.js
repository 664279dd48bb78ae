// SPDX-License-Identifier: MIT
// What the report comes to, in two sentences, and the rules that it suggests,
// as text. No DOM.
"use strict";

const NOT_COMPILED = "not-compiled"; // the rule of src/report/layer.c

// "1 file", "2 files"; "1 place breaks", "2 places break".
const many = (n, word, does, do_) => `${number(n)} ${word}` +
  (n === 1 ? "" : "s") + (does ? " " + (n === 1 ? does : do_) : "");

// How many risks there are of each grade. Modules that do not compile are
// counted apart: `failed` of them, of which `stopping` fail the export.
function countRisks(data) {
  const t = { ...data.totals }, n = [0, 0, 0, 0];
  let stopping = 0;

  for (const risk of list(data.risks))
    if (risk.rule === NOT_COMPILED)
      stopping++;
    else
      n[grade(risk.grade)]++;
  return { toKnow: n[1], mayBreak: n[2], breaks: n[3], stopping,
    failed: Math.max(stopping, count(t.failed), list(data.failed).length) };
}

// {grade, says}: the worst that was found, and whether it breaks.
function verdictOnRisks(data) {
  const { mayBreak, breaks, failed, stopping } = countRisks(data);
  const not = many(failed, "module", "does not compile", "do not compile");
  const places = many(breaks, "place", "breaks", "break") +
    " without source, docstrings or asserts";

  if (breaks > 0)
    return { grade: 3, says: `It breaks: ${places}` +
      (failed > 0 ? `, and ${not}.` : ".") };
  if (stopping > 0)
    return { grade: 3, says: `It breaks: ${not}.` };
  if (!Array.isArray(data.risks))
    return { grade: 2, says: "Whether it breaks was not looked for" +
      (failed > 0 ? `, but ${not}.` : ".") };
  const but = [];
  if (mayBreak > 0)
    but.push(many(mayBreak, "place", "may break", "may break"));
  if (failed > 0)
    but.push(not + " and ship otherwise or not at all");
  return { grade: but.length ? 2 : 0, says: "Nothing was found that breaks" +
    (but.length ? `, but ${but.join(", and ")}.` : ".") };
}

// Against what pip leaves on the disk.
function verdictOnSize(data) {
  const t = { ...data.totals };
  const now = count(t.bytes), was = count(t.baseline_pycache_bytes);
  const has = `It has ${size(now)}`;

  if (was === 0)
    return has + ".";
  const archives = { ...t.archives };
  const mine = count({ ...archives.layer }.gzip_bytes);
  const theirs = count({ ...archives.pip }.gzip_bytes);
  const packed = mine > 0 && theirs > 0
    ? `; as a tar.gz ${size(mine)}, and not ${size(theirs)}.` : ".";
  const percent = (100 * Math.abs(now - was) / was).toFixed(1);
  return (Number(percent) === 0
    ? `${has}, as much as what pip installs, sources and __pycache__`
    : `${has}, ${percent}\u00a0% ${now < was ? "less" : "more"} than the ` +
      `${size(was)} that pip installs, sources and __pycache__`) + packed;
}

// A rule with characters that a rules file cannot hold, or that do not show,
// is not for copying.
const copyable = (rule) => rule !== "" && show(rule) === rule;

// One that is for every module, as those that use it have to change.
const forAll = (rule) => rule.endsWith(" *");

// What `pycfs report --suggest` prints: a rules file in which the rules for
// what may break are comments. {text, n}; `n` rules are in it.
function suggestedRules(data) {
  const by = new Map();
  const lines = [`# Rules for ${show(data.source)}, ` +
    "from the page of 'pycfs report --html'."];

  for (const risk of list(data.risks)) {
    const rule = text(risk.remedy), old = by.get(rule);
    if (grade(risk.grade) >= 2 && copyable(rule) &&
      (old === undefined || grade(old.grade) < grade(risk.grade)))
      by.set(rule, risk);
  }
  for (const rule of [...by.keys()].sort()) {
    const risk = by.get(rule), line = count(risk.line);
    lines.push(`# ${show(risk.path)}${line ? ":" + line : ""}: ` +
      `${GRADES[grade(risk.grade)]}: ${show(risk.reason)}`);
    if (forAll(rule))
      lines.push("# The modules that use it need a rule. One for all modules " +
        "would be:");
    lines.push((forAll(rule) || grade(risk.grade) < 3 ? "# " : "") + rule);
  }
  return { text: lines.join("\n") + "\n", n: by.size };
}
