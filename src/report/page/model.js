// SPDX-License-Identifier: MIT
// The data, made a tree: distribution / directory / file. No DOM but for the
// element that holds the data.
"use strict";

const KINDS = [
  ["module", "Modules"], ["native", "Native (.so)"], ["file", "Other files"],
  ["record", "RECORD"], ["kept", "Kept sources"], ["link", "Links"],
];
const KIND_INDEX = new Map(KINDS.map(([kind], i) => [kind, i]));
const GRADES = ["nothing found", "to know", "may break", "breaks"];
const NATIVE = /\.so(\.[0-9]+)*$/;

const count = (x) => Number.isFinite(x) && x > 0 ? x : 0;
const grade = (x) => Math.min(3, Math.floor(count(x)));
const list = (x) => Array.isArray(x) ? x.filter((e) => e !== null &&
  typeof e === "object") : [];
const text = (x) => x === undefined || x === null ? "" : String(x);

// Bytes that are no UTF-8, which come as U+DC80 and on; controls; and what
// would turn the direction of the text around it.
const ODD = new RegExp("[\\ud800-\\udbff](?![\\udc00-\\udfff])|" +
  "(?<![\\ud800-\\udbff])[\\udc00-\\udfff]|" +
  "[\\u0000-\\u001f\\u007f-\\u009f\\u061c\\u200b-\\u200f\\u2028-\\u202e" +
  "\\u2060-\\u2069\\ufeff]", "g");

// A name as people may see it: what is odd is escaped.
function show(s) {
  return text(s).replace(ODD, (c) => {
    const n = c.charCodeAt(0);
    if (n >= 0xdc80 && n <= 0xdcff)
      return "\\x" + (n - 0xdc00).toString(16);
    return n < 0x100 ? "\\x" + n.toString(16).padStart(2, "0")
      : "\\u" + n.toString(16).padStart(4, "0");
  });
}

// 1234567: "1.23 MB". Negative numbers have a real minus.
function size(n) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let x = Math.abs(n), u = 0;
  while (x >= 999.5 && u < units.length - 1) {
    x /= 1000;
    u++;
  }
  const digits = u === 0 || x >= 99.95 ? 0 : x >= 9.995 ? 1 : 2;
  return (n < 0 ? "\u2212" : "") + x.toFixed(digits) + "\u00a0" + units[u];
}

const number = (n) => Math.round(n).toLocaleString("en");
const exact = (n) => (n < 0 ? "\u2212" : "") + number(Math.abs(n)) + " bytes";

// Part of whole, "12.3 %".
const share = (part, whole) => whole > 0
  ? (100 * part / whole).toFixed(1) + "\u00a0%" : "\u2013";

// What `now` is against `was`, always with a sign: "+1.2 %".
function change(now, was) {
  if (!(was > 0))
    return "n/a";
  const percent = (100 * (now - was) / was).toFixed(1);
  const sign = Number(percent) === 0 ? "\u00b1" : now > was ? "+" : "\u2212";
  return sign + percent.replace(/^-/, "") + "\u00a0%";
}

function signed(n) {
  return (n > 0 ? "+" : "") + size(n);
}

function makeNode(name, parent) {
  return {
    name, parent, file: null, dist: null, map: null, kids: [],
    files: 0, modules: 0, source: 0, pycache: 0, bytes: 0, deflate: 0,
    zstd: 0, saved: 0, gain: 0, gainers: 0, risk: 0, hits: 0,
    kinds: null, kind: 2, order: new Map(),
  };
}

function setSizes(node, f) {
  node.source = count(f.source_bytes);
  node.pycache = count(f.pycache_bytes);
  node.bytes = count(f.bytes);
  node.deflate = count(f.deflate_bytes);
  node.zstd = count(f.zstd_bytes);
  node.risk = grade(f.risk);
}

function setFile(node, f) {
  const kind = f.kind === "file" && NATIVE.test(node.name) ? "native" : f.kind;

  node.file = f;
  node.kind = KIND_INDEX.has(kind) ? KIND_INDEX.get(kind) : 2;
  setSizes(node, f);
  node.files = 1;
  node.modules = f.kind === "module" ? 1 : 0;
  node.saved = node.modules ? node.source + node.pycache - node.bytes : 0;
  node.gain = Math.max(0, node.saved);
  node.gainers = node.gain > 0 ? 1 : 0;
}

const SUMS = ["files", "modules", "source", "pycache", "bytes", "deflate",
  "zstd", "saved", "gain", "gainers"];

// Adds up what is below `node`.
function sum(node) {
  if (node.map === null)
    return;
  node.kids = [...node.map.values()];
  node.map = null;
  node.kinds = new Array(KINDS.length).fill(0);
  for (const kid of node.kids) {
    sum(kid);
    for (const key of SUMS)
      node[key] += kid[key];
    node.risk = Math.max(node.risk, kid.risk);
    if (kid.kinds)
      kid.kinds.forEach((n, i) => { node.kinds[i] += n; });
    else
      node.kinds[kid.kind] += kid.bytes;
  }
  node.kind = node.kinds.indexOf(Math.max(...node.kinds));
}

// The child of `parent` called `name`; a file and a directory may share it.
function childOf(parent, name, directory) {
  const key = directory ? name + "/" : name;
  let node = parent.map.get(key);

  if (node === undefined) {
    node = makeNode(name, parent);
    node.map = directory ? new Map() : null;
    parent.map.set(key, node);
  }
  return node;
}

// {root, leaves, byPath}
function makeTree(data) {
  const root = makeNode("layer", null);
  const dists = list(data.distributions);
  const files = list(data.files);
  const nodes = new Map();
  const leaves = [], byPath = new Map();

  root.map = new Map();
  const distNode = (i) => {
    const d = dists[i];
    const key = d === undefined ? -1 : i;
    let node = nodes.get(key);
    if (node === undefined) {
      node = makeNode(d === undefined ? "(no distribution)"
        : text(d.name) + (d.version ? " " + text(d.version) : ""), root);
      node.dist = d === undefined ? null : d;
      node.map = new Map();
      nodes.set(key, node);
      root.map.set(key, node);
    }
    return node;
  };
  for (const f of files) {
    const parts = text(f.path).split("/").filter((part) => part !== "");
    let node = distNode(f.dist);
    for (let i = 0; i + 1 < parts.length; i++)
      node = childOf(node, parts[i], true);
    node = childOf(node, parts.length ? parts[parts.length - 1] : "?", false);
    if (node.file !== null)
      continue; // twice in the list
    setFile(node, f);
    leaves.push(node);
    node.where = (text(nodes.get(dists[f.dist] === undefined ? -1 : f.dist)
      .name) + "\n" + show(f.path)).toLowerCase();
    byPath.set(text(f.path), node);
  }
  // Without files, what there is of distributions is drawn.
  if (files.length === 0)
    dists.forEach((d, i) => {
      const node = distNode(i);
      node.map = null;
      setSizes(node, d);
      node.files = count(d.files);
      node.modules = count(d.modules);
      node.saved = node.source + node.pycache - count(d.bytecode_bytes);
      node.gain = Math.max(0, node.saved);
      node.gainers = node.gain > 0 ? node.files : 0;
      node.kinds = new Array(KINDS.length).fill(0);
      node.kinds[0] = count(d.bytecode_bytes);
      node.kinds[1] = count(d.native_bytes);
      node.kinds[2] = Math.max(0, node.bytes - node.kinds[0] - node.kinds[1]);
      node.kind = node.kinds.indexOf(Math.max(...node.kinds));
      node.where = node.name.toLowerCase();
      leaves.push(node);
    });
  sum(root);
  return { root, leaves, byPath };
}

// Children that have any of `key`, the largest first.
function ordered(node, key) {
  let kids = node.order.get(key);

  if (kids === undefined) {
    kids = node.kids.filter((kid) => kid[key] > 0)
      .sort((a, b) => b[key] - a[key]);
    node.order.set(key, kids);
  }
  return kids;
}

function pathOf(node) {
  const names = [];

  for (let n = node; n.parent !== null; n = n.parent)
    names.unshift(n.name);
  return names;
}

// What a line, lower case, has all these words? None: everything.
function words(query) {
  return query.toLowerCase().split(/\s+/).filter((w) => w !== "");
}

const hasAll = (line, all) => all.every((w) => line.includes(w));

// Counts hits up the tree; how many there are, and their bytes.
function mark(tree, query) {
  const all = words(query);
  const clear = (node) => {
    node.hits = 0;
    node.kids.forEach(clear);
  };
  let hits = 0, bytes = 0;

  clear(tree.root);
  if (all.length === 0)
    return null;
  for (const leaf of tree.leaves)
    if (hasAll(leaf.where, all)) {
      hits++;
      bytes += leaf.bytes;
      for (let n = leaf; n !== null; n = n.parent)
        n.hits++;
    }
  return { hits, bytes };
}
