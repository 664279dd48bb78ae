// SPDX-License-Identifier: MIT
// A squarified treemap on two canvases: tiles, and above them the marks of
// what is chosen and what is under the mouse. It draws what is large enough to
// be seen, so a layer of any size costs about what its pixels cost.
"use strict";

const HEAD = 16; // height of a directory's title
const LEAST = 4; // narrower than this, a directory is one tile

// Calls put(node, x, y, w, h) for every node of `nodes`, sorted by `key`,
// the largest first: rows along the shorter side, each as near to squares as
// the next node lets it be.
function squarify(nodes, key, x, y, w, h, put) {
  let left = 0, start = 0;

  for (const node of nodes)
    left += node[key];
  while (start < nodes.length && left > 0 && w > 0 && h > 0) {
    const side = Math.min(w, h), scale = w * h / left;
    const largest = nodes[start][key] * scale;
    let sum = 0, end = start, worst = Infinity;
    while (end < nodes.length) {
      const next = nodes[end][key] * scale, s = sum + next;
      const ratio = Math.max(side * side * largest / (s * s),
        s * s / (side * side * next));
      if (ratio > worst)
        break;
      worst = ratio;
      sum = s;
      end++;
    }
    const thick = sum / side;
    let at = 0;
    for (; start < end; start++) {
      const long = nodes[start][key] * scale / thick;
      if (w >= h)
        put(nodes[start], x, y + at, thick, long);
      else
        put(nodes[start], x + at, y, long, thick);
      at += long;
      left -= nodes[start][key];
    }
    if (w >= h) {
      x += thick;
      w -= thick;
    } else {
      y += thick;
      h -= thick;
    }
  }
}

class Treemap {
  constructor(tiles, marks) {
    this.tiles = tiles;
    this.marks = marks;
    this.drawn = []; // {node, x, y, w, h}, parents before children
    this.top = []; // those of the current node's own children
    this.width = this.height = 0;
  }

  // Reads the colours from the style sheet.
  readColours(element) {
    const style = getComputedStyle(element);
    const get = (name) => style.getPropertyValue(name).trim();
    const series = (name, n) =>
      Array.from({ length: n }, (_, i) => get("--" + name + i));

    this.colour = {
      kind: series("kind", KINDS.length), risk: series("risk", 4),
      saved: series("saved", 4), group: get("--group"), back: get("--panel"),
      text: get("--text"), mark: get("--mark"), halo: get("--halo"),
    };
    this.ink = new Map();
    this.hatch = null;
  }

  // Black or white, whichever is read better on `fill` (#rrggbb).
  inkOn(fill) {
    let ink = this.ink.get(fill);
    if (ink === undefined) {
      const [r, g, b] = [1, 3, 5].map((i) =>
        (parseInt(fill.slice(i, i + 2), 16) / 255) ** 2.2);
      const light = 0.2126 * r + 0.7152 * g + 0.0722 * b;
      ink = light > 0.18 ? "#000000" : "#ffffff";
      this.ink.set(fill, ink);
    }
    return ink;
  }

  fillOf(node) {
    if (this.mode.colour === "risk")
      return this.colour.risk[node.risk];
    if (this.mode.colour === "saved")
      return this.colour.saved[savedClass(node)];
    return this.colour.kind[node.kind];
  }

  fit(box) {
    const ratio = window.devicePixelRatio || 1;

    this.width = box.clientWidth;
    this.height = box.clientHeight;
    for (const canvas of [this.tiles, this.marks]) {
      canvas.width = Math.round(this.width * ratio);
      canvas.height = Math.round(this.height * ratio);
      canvas.getContext("2d").setTransform(ratio, 0, 0, ratio, 0, 0);
    }
  }

  draw(node, mode, searching) {
    const g = this.tiles.getContext("2d", { alpha: false });

    this.mode = mode;
    this.searching = searching;
    this.drawn = [];
    this.top = [];
    this.g = g;
    g.globalAlpha = 1;
    g.fillStyle = this.colour.back;
    g.fillRect(0, 0, this.width, this.height);
    g.font = "11px system-ui, sans-serif";
    g.textBaseline = "middle";
    squarify(ordered(node, mode.key), mode.key, 0, 0, this.width, this.height,
      (n, x, y, w, h) => this.tile(n, x, y, w, h, 0));
    if (this.drawn.length === 0) {
      g.fillStyle = this.colour.text;
      g.font = "14px system-ui, sans-serif";
      g.fillText("Nothing here has any " + mode.noun + ".", 16, 24);
    }
    g.globalAlpha = 1;
  }

  tile(node, x, y, w, h, depth) {
    const place = { node, x, y, w, h };

    if (depth === 0)
      this.top.push(place);
    this.drawn.push(place);
    if (node.kids.length === 0 || w < LEAST || h < LEAST || w * h < 60)
      this.leaf(node, x, y, w, h);
    else
      this.group(node, x, y, w, h, depth);
  }

  dim(node) {
    this.g.globalAlpha = this.searching && node.hits === 0 ? 0.13 : 1;
  }

  leaf(node, x, y, w, h) {
    const g = this.g, fill = this.fillOf(node);
    const gap = w > 3 && h > 3 ? 1 : 0;

    this.dim(node);
    g.fillStyle = fill;
    g.fillRect(x, y, w - gap, h - gap);
    if (this.mode.colour === "risk" && node.risk === 3 && w > 5 && h > 5) {
      g.fillStyle = this.hatching();
      g.fillRect(x, y, w - gap, h - gap);
    }
    if (w > 36 && h > 14)
      this.label(node.name, fill, x + 4, y + Math.min(h / 2, 9), w - 8);
  }

  group(node, x, y, w, h, depth) {
    const g = this.g, roomy = depth === 0 ? 1 : 2;
    const titled = depth < 3 && w > 44 * roomy && h > 34 * roomy;
    const edge = w < 24 || h < 24 ? 0.5 : depth === 0 ? 2 : 1;
    const pad = titled ? 1 : 0;

    this.dim(node);
    g.fillStyle = this.colour.group;
    g.fillRect(x, y, w - edge, h - edge);
    if (titled)
      this.label(node.name, this.colour.group, x + 4, y + HEAD / 2 + 1,
        w - edge - 8, depth === 0);
    const down = titled ? HEAD : 0;
    const inner = w - edge - 2 * pad, high = h - edge - down - pad;
    if (inner > 0 && high > 0)
      squarify(ordered(node, this.mode.key), this.mode.key, x + pad, y + down,
        inner, high,
        (n, nx, ny, nw, nh) => this.tile(n, nx, ny, nw, nh, depth + 1));
  }

  // As much of `name` as fits into `room` pixels.
  label(name, fill, x, y, room, bold) {
    const g = this.g;
    let s = show(name);

    g.fillStyle = this.inkOn(fill);
    g.font = (bold ? "600 " : "") + "11px system-ui, sans-serif";
    if (s.length * 9 > room && g.measureText(s).width > room) {
      let n = Math.min(s.length, Math.ceil(room / 3));
      while (n > 0 && g.measureText(s.slice(0, n) + "\u2026").width > room)
        n--;
      if (n < 2)
        return;
      s = s.slice(0, n) + "\u2026";
    }
    g.fillText(s, x, y);
  }

  // The worst grade is told by more than its colour.
  hatching() {
    if (this.hatch === null) {
      const c = document.createElement("canvas");
      c.width = c.height = 6;
      const g = c.getContext("2d");
      g.strokeStyle = this.inkOn(this.colour.risk[3]);
      g.globalAlpha = 0.4;
      g.beginPath();
      for (const d of [-3, 3, 9]) {
        g.moveTo(d - 4, 7);
        g.lineTo(d + 4, -1);
      }
      g.stroke();
      this.hatch = this.g.createPattern(c, "repeat");
    }
    return this.hatch;
  }

  // Outlines these nodes: {node, width}.
  outline(marks) {
    const g = this.marks.getContext("2d");

    g.clearRect(0, 0, this.width, this.height);
    for (const { node, width } of marks) {
      const p = this.drawn.find((d) => d.node === node);
      if (p === undefined)
        continue;
      const w = Math.max(p.w - 1, 3), h = Math.max(p.h - 1, 3);
      for (const [colour, line] of [[this.colour.halo, width + 2],
        [this.colour.mark, width]]) {
        g.strokeStyle = colour;
        g.lineWidth = line;
        g.strokeRect(p.x + width / 2, p.y + width / 2, w - width, h - width);
      }
    }
  }

  // The innermost node that is drawn at this point, or null.
  at(x, y) {
    for (let i = this.drawn.length - 1; i >= 0; i--) {
      const p = this.drawn[i];
      if (x >= p.x && x < p.x + p.w && y >= p.y && y < p.y + p.h)
        return p.node;
    }
    return null;
  }

  // The nearest of the own children from `node` in a direction.
  beside(node, dx, dy) {
    const from = this.top.find((p) => p.node === node);
    let best = null, least = Infinity;

    if (from === undefined)
      return this.top.length ? this.top[0].node : null;
    const middle = (p) => [p.x + p.w / 2, p.y + p.h / 2];
    const [fx, fy] = middle(from);
    for (const p of this.top) {
      const [px, py] = middle(p);
      const ahead = (px - fx) * dx + (py - fy) * dy;
      const aside = Math.abs((px - fx) * dy) + Math.abs((py - fy) * dx);
      if (p !== from && ahead > 0.5 && ahead + 2 * aside < least) {
        least = ahead + 2 * aside;
        best = p.node;
      }
    }
    return best;
  }
}

// 0 to 3: how much of a module's source and __pycache__ is saved.
function savedClass(node) {
  const part = node.source + node.pycache > 0
    ? node.saved / (node.source + node.pycache) : 0;
  return part < 0.45 ? 0 : part < 0.55 ? 1 : part < 0.65 ? 2 : 3;
}
