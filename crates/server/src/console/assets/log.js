// A build's log. The page holds only the rows that are seen; rows are asked for by their numbers,
// and what is written while a build runs is told by the server. Where rows are, layout.js knows.
"use strict";

const PIECE = 250;         // Lines that are asked for at a time.
const KEPT_PIECES = 40;    // Pieces that are remembered.
const ASKED_MAX = 3;       // Pieces that are asked for at once.
const AROUND = 500;        // Pixels above and below what is seen that are drawn, too.
const HEIGHT_MAX = 8e6;    // Browsers have a limit for how high things are.

class Log {
  constructor(panel) {
    this.panel = panel;
    this.path = panel.dataset.path;
    this.live = panel.dataset.live === "true";
    this.follow = this.live;
    this.layout = new Layout(JSON.parse(panel.dataset.outline), Number(panel.dataset.count));
    this.pieces = new Map();
    this.asked = new Set();
    this.wanted = new Set();
    this.found = [];
    this.at = -1;
    this.sought = "";
    this.here = lineOf(location.hash);
    this.top = 0;
    this.rows = panel.querySelector("#log-rows");
    this.space = element("div", "space");
    this.window = element("div", "window");
    this.space.append(this.window);
    this.listen();
    this.search();
    this.wrap(wanted("wrap", true));
    // What went wrong is what most come for.
    const failed = panel.dataset.line === "" ? null : Number(panel.dataset.line) - 1;
    const line = this.here ?? failed;
    if (line !== null) { this.setFollow(false); this.go(line, this.here === null); } else this.setFollow(this.live);
    if (this.live) this.hear();
  }

  get count() { return this.layout.count; }

  // Places everything anew. What was at its place stays there: the line that is gone to, or the
  // first one that is seen.
  arrange(anchor = this.firstSeen()) {
    const before = anchor === null ? null : this.layout.topOf(anchor);
    this.layout.arrange();
    const after = anchor === null ? null : this.layout.topOf(anchor);
    if (before !== null && after !== null) this.top += after - before;
    if (this.count > 0 && !this.space.isConnected) this.rows.replaceChildren(this.space);
    this.place(this.follow ? Infinity : this.top);
    this.draw(anchor);
  }

  firstSeen() {
    const { layout } = this;
    for (let at = layout.partAt(this.top); at < layout.parts.length; at += 1) {
      const part = layout.parts[at];
      if (!part.heading) return layout.lineAt(part, this.top);
    }
    return null;
  }

  // Has what is at this height be the first that is seen, and the scroll bar show it.
  place(top) {
    const client = this.rows.clientHeight;
    const high = Math.min(this.layout.height, HEIGHT_MAX);
    const height = `${Math.ceil(high)}px`;
    if (this.space.style.height !== height) this.space.style.height = height;
    this.most = Math.max(0, this.layout.height - client);
    this.room = Math.max(0, high - client);
    this.top = Math.max(0, Math.min(top, this.most));
    const wanted = this.most > 0 ? (this.top * this.room) / this.most : 0;
    if (top === Infinity) this.rows.scrollTop = high;
    else if (Math.abs(this.rows.scrollTop - wanted) >= 1) this.rows.scrollTop = wanted;
    this.placed = this.rows.scrollTop;
  }

  scrollTo(top) { this.place(top); this.draw(); }

  // Brings a line to where it is seen well.
  go(line, quietly = false) {
    this.here = Math.max(0, Math.min(line, this.count - 1));
    this.layout.unfold(this.here);
    this.layout.arrange();
    const top = this.layout.topOf(this.here);
    if (top === null) return;
    this.place(top - this.rows.clientHeight / 3);
    this.draw(this.here);
    if (!quietly) this.panel.scrollIntoView({ block: "nearest" });
  }

  // Goes to the next line, or the one before, and moves no further than it must.
  step(by) {
    if (this.count === 0) return;
    const from = this.here ?? (this.firstSeen() ?? 0) - by;
    let line = from + by;
    while (line >= 0 && line < this.count && this.layout.topOf(line) === null) line += by;
    if (line < 0 || line >= this.count) return;
    this.setFollow(false);
    this.here = line;
    const top = this.layout.topOf(line);
    const bottom = top + this.layout.heights.of(line);
    const margin = 2 * ROW;
    if (top < this.top + margin) this.scrollTo(top - margin);
    else if (bottom > this.top + this.rows.clientHeight - margin) this.scrollTo(bottom + margin - this.rows.clientHeight);
    else this.draw();
  }

  // Draws the rows that are seen, and some around them. Rows that turn out to be higher than was
  // thought move what is below them, and the anchor stays where it is.
  draw(anchor = null) {
    for (let again = 0; again < 4; again += 1) {
      this.paint();
      if (!this.wrapped || !this.measure()) break;
      anchor ??= this.firstSeen();
      const before = anchor === null ? null : this.layout.topOf(anchor);
      this.layout.arrange();
      if (before !== null) this.top += this.layout.topOf(anchor) - before;
      this.place(this.follow ? Infinity : this.top);
    }
    this.askWanted();
    this.mark();
  }

  paint() {
    const { layout } = this;
    const above = Math.max(0, this.top - AROUND);
    const below = this.top + this.rows.clientHeight + AROUND;
    const drawn = [];
    let from = null;
    this.drawn = new Map();
    this.wanted.clear();
    for (let at = layout.partAt(above); at < layout.parts.length && layout.parts[at].top < below; at += 1) {
      const part = layout.parts[at];
      if (part.heading) { from ??= part.top; drawn.push(this.heading(part)); continue; }
      let line = layout.lineAt(part, above);
      let top = part.top + layout.heights.between(part.first, line);
      from ??= top;
      for (; line < part.last && top < below; line += 1) {
        const row = this.row(line, part);
        drawn.push(row);
        this.drawn.set(line, row);
        top += layout.heights.of(line);
      }
    }
    this.window.replaceChildren(...drawn);
    const offset = (from ?? 0) - this.top + this.rows.scrollTop;
    this.window.style.transform = `translateY(${offset}px)`;
  }

  // Learns how high the rows are that were drawn; gives whether that is news.
  measure() {
    let isNews = false;
    for (const [line, row] of this.drawn) {
      if (!row.classList.contains("awaited") && this.layout.heights.set(line, row.offsetHeight)) isNews = true;
    }
    return isNews;
  }

  heading(part) {
    const phase = part.heading;
    const row = element("button", `phase ${phase.mark}`);
    row.type = "button";
    row.setAttribute("aria-expanded", String(!part.isFolded));
    const lines = part.isFolded ? `${part.lines.toLocaleString("en")} lines · ` : "";
    row.append(element("i", "fold"), element("i", "sign"), element("span", "", phase.name), element("span", "at", lines + phase.took));
    row.addEventListener("click", () => this.fold(part.key));
    return row;
  }

  row(line, part) {
    const known = this.line(line);
    const command = part.command;
    const row = element("div", `row ${known?.kind ?? "awaited"}`);
    if (line === this.here) row.classList.add("here");
    if (this.found[this.at] === line) row.classList.add("match");
    const number = element("a", "", String(line + 1));
    number.href = `#L${line + 1}`;
    number.tabIndex = -1;
    row.append(number);
    if (command) {
      row.classList.add(command.mark);
      const fold = element("button", "fold");
      fold.type = "button";
      fold.setAttribute("aria-label", "Fold this command");
      fold.setAttribute("aria-expanded", String(!part.isFolded));
      fold.addEventListener("click", () => this.fold(part.key));
      row.append(fold);
    }
    const text = element("span", "text");
    // The server has escaped it.
    if (known) text.innerHTML = known.html || "\u200b";
    row.append(text);
    if (command) {
      const exit = command.exit ? ` · exit ${command.exit}` : "";
      row.append(element("span", "at", command.took + exit));
    }
    return row;
  }

  // A line, if it is here; otherwise it is wanted.
  line(number) {
    const piece = Math.floor(number / PIECE);
    const line = this.pieces.get(piece)?.[number - piece * PIECE];
    if (!line && number < this.count) this.wanted.add(piece);
    return line;
  }

  // Asks for what is seen and not here; what was passed by meanwhile is not asked for.
  askWanted() {
    for (const piece of this.wanted) {
      if (this.asked.size >= ASKED_MAX) return;
      if (!this.asked.has(piece)) this.ask(piece);
    }
  }

  async ask(piece) {
    this.asked.add(piece);
    let lines = null;
    try {
      const answer = await fetch(`${this.path}/lines?first=${piece * PIECE}&limit=${PIECE}`);
      if (answer.ok) lines = await answer.json();
    } catch { /* The service is away. */ }
    this.asked.delete(piece);
    if (lines) this.take(lines); else setTimeout(() => this.draw(), 1000);
  }

  take(news) {
    news.lines.forEach((line, at) => {
      const number = news.first + at;
      const piece = Math.floor(number / PIECE);
      if (!this.pieces.has(piece)) this.pieces.set(piece, []);
      this.pieces.get(piece)[number - piece * PIECE] = line;
    });
    for (const piece of this.pieces.keys()) {
      if (this.pieces.size <= KEPT_PIECES) break;
      this.pieces.delete(piece);
    }
    if (news.count > this.count) {
      this.layout.count = news.count;
      this.panel.querySelector("#log-count").textContent = this.count === 1 ? "1 line" : `${this.count.toLocaleString("en")} lines`;
      this.arrange();
    } else this.draw();
  }

  fold(key) {
    const { folded } = this.layout;
    if (!folded.delete(key)) folded.add(key);
    this.setFollow(false);
    this.arrange();
  }

  foldAll() {
    const { folded, outline } = this.layout;
    const all = folded.size === 0;
    folded.clear();
    if (all) for (const phase of outline.phases) folded.add(`phase ${phase.name}`);
    this.panel.querySelector("#log-fold").textContent = all ? "Unfold" : "Fold";
    this.setFollow(false);
    this.arrange();
  }

  setFollow(follow) {
    this.follow = follow && this.live;
    const button = this.panel.querySelector("#log-follow");
    button.hidden = !this.live;
    button.setAttribute("aria-pressed", String(this.follow));
  }

  wrap(wrapped) {
    this.wrapped = wrapped;
    this.rows.classList.toggle("wrap", wrapped);
    this.panel.querySelector("#log-wrap").setAttribute("aria-pressed", String(wrapped));
    this.layout.heights.clear();
    this.arrange(this.here !== null && this.drawn?.has(this.here) ? this.here : undefined);
  }

  listen() {
    const { rows, panel } = this;
    const on = (id, then) => panel.querySelector(id).addEventListener("click", then);
    rows.addEventListener("scroll", () => {
      // It is told of what it did itself, too.
      if (rows.scrollTop === this.placed) return;
      this.top = this.room > 0 ? (rows.scrollTop * this.most) / this.room : 0;
      this.setFollow(rows.scrollTop + rows.clientHeight >= rows.scrollHeight - 4);
      this.draw();
    }, { passive: true });
    // A log that is higher than browsers allow is moved by as much as any other.
    rows.addEventListener("wheel", (event) => {
      if (this.most === this.room || event.ctrlKey || event.deltaY === 0) return;
      event.preventDefault();
      const unit = event.deltaMode === 1 ? ROW : event.deltaMode === 2 ? rows.clientHeight : 1;
      this.setFollow(false);
      this.scrollTo(this.top + event.deltaY * unit);
    }, { passive: false });
    rows.addEventListener("keydown", (event) => {
      const page = rows.clientHeight - ROW;
      const steps = { ArrowDown: ROW, ArrowUp: -ROW, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
      if (!(event.key in steps)) return;
      event.preventDefault();
      this.move(steps[event.key]);
    });
    rows.addEventListener("click", (event) => {
      const number = event.target.closest(".row > a");
      if (!number) return;
      event.preventDefault();
      history.replaceState(null, "", number.hash);
      this.here = lineOf(number.hash);
      this.draw();
    });
    addEventListener("hashchange", () => { const line = lineOf(location.hash); if (line !== null) { this.setFollow(false); this.go(line); } });
    let width = rows.clientWidth;
    new ResizeObserver(() => {
      if (rows.clientWidth !== width) { width = rows.clientWidth; this.layout.heights.clear(); }
      this.arrange();
    }).observe(rows);
    on("#log-follow", () => { this.setFollow(!this.follow); if (this.follow) this.scrollTo(Infinity); });
    on("#log-wrap", () => { this.wrap(!this.wrapped); remember("wrap", this.wrapped); });
    on("#log-fold", () => this.foldAll());
    const keys = { j: () => this.step(1), k: () => this.step(-1), g: () => this.move(-Infinity), G: () => this.move(Infinity) };
    document.addEventListener("keydown", (event) => {
      if (!(event.key in keys) || event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.target.closest("input, textarea, select")) return;
      event.preventDefault();
      keys[event.key]();
    });
  }

  // Moves by so many pixels, or to an end.
  move(by) {
    this.setFollow(by === Infinity);
    this.scrollTo(Math.abs(by) === Infinity ? by : this.top + by);
    if (by === Infinity) this.place(Infinity);
  }

  search() {
    const field = this.panel.querySelector("#log-find");
    const output = this.panel.querySelector("#log-found");
    const next = this.panel.querySelector("#log-next");
    const previous = this.panel.querySelector("#log-previous");
    const step = (by) => {
      if (this.found.length === 0) return;
      this.at = (this.at + by + this.found.length) % this.found.length;
      output.textContent = `${(this.at + 1).toLocaleString("en")} of ${this.found.length.toLocaleString("en")}${this.isAll ? "" : "+"}`;
      this.setFollow(false);
      this.go(this.found[this.at]);
    };
    let timer;
    let asked = 0;
    const find = async () => {
      const mine = ++asked;
      this.sought = field.value;
      this.found = [];
      this.at = -1;
      output.textContent = "";
      if (this.sought !== "") {
        try {
          const answer = await fetch(`${this.path}/find?text=${encodeURIComponent(this.sought)}`);
          if (mine !== asked) return;
          const found = answer.ok ? await answer.json() : { lines: [], is_all: true };
          this.found = found.lines;
          this.isAll = found.is_all;
          output.textContent = this.found.length === 0 ? "none" : "";
        } catch { output.textContent = "not reached"; }
      }
      next.disabled = previous.disabled = this.found.length === 0;
      if (this.found.length > 0) step(1); else this.draw();
    };
    field.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(find, 150); });
    field.addEventListener("keydown", (event) => {
      if (event.key !== "Enter") return;
      event.preventDefault();
      step(event.shiftKey ? -1 : 1);
    });
    next.addEventListener("click", () => step(1));
    previous.addEventListener("click", () => step(-1));
  }

  // Marks what was searched for in the rows that are drawn.
  mark() {
    if (!globalThis.Highlight) return;
    const ranges = [];
    const sought = this.sought.toLowerCase();
    if (sought) for (const row of this.drawn.values()) ranges.push(...rangesOf(row.querySelector(".text"), sought));
    CSS.highlights.set("found", new Highlight(...ranges));
  }

  // What is new: lines, and how the build stands.
  hear() {
    const news = new EventSource(`${this.path}/news?first=${this.count}`);
    news.addEventListener("lines", (event) => this.take(JSON.parse(event.data)));
    news.addEventListener("standing", (event) => {
      const standing = JSON.parse(event.data);
      const place = document.querySelector("#standing");
      const details = document.querySelector("#details");
      if (standing.ended || !place.contains(document.activeElement)) place.innerHTML = standing.html;
      if (details.innerHTML !== standing.details) details.innerHTML = standing.details;
      showTimes(place);
      document.title = standing.title;
      this.layout.outline = JSON.parse(standing.outline);
      if (standing.ended) {
        news.close();
        this.live = false;
        this.panel.querySelector("#log-live").hidden = true;
        this.setFollow(false);
      }
      this.arrange();
    });
    // A service that was restarted goes on where this page is.
    news.addEventListener("error", () => {
      if (news.readyState !== EventSource.CLOSED) news.close();
      if (this.live) setTimeout(() => this.hear(), 1000);
    });
  }
}

function lineOf(hash) {
  const found = /^#L(\d+)$/.exec(hash);
  return found ? Number(found[1]) - 1 : null;
}

// Where a text is in an element, whatever colours it has.
function rangesOf(root, sought) {
  const text = root.textContent.toLowerCase();
  if (!text.includes(sought)) return [];
  const nodes = [];
  const walk = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  for (let node = walk.nextNode(), begin = 0; node; node = walk.nextNode()) {
    nodes.push({ node, begin });
    begin += node.data.length;
  }
  const ranges = [];
  const place = (at) => { const found = nodes.findLast(({ begin }) => begin <= at); return [found.node, Math.min(at - found.begin, found.node.data.length)]; };
  for (let at = text.indexOf(sought); at >= 0 && ranges.length < 100; at = text.indexOf(sought, at + sought.length)) {
    const range = new Range();
    range.setStart(...place(at));
    const [node, offset] = place(at + sought.length - 1);
    range.setEnd(node, Math.min(offset + 1, node.data.length));
    ranges.push(range);
  }
  return ranges;
}

// What this browser's reader likes.
function wanted(name, usual) {
  try { return JSON.parse(localStorage.getItem(name)) ?? usual; } catch { return usual; }
}

function remember(name, value) {
  try { localStorage.setItem(name, JSON.stringify(value)); } catch { /* Then it is not remembered. */ }
}

function element(name, classes, text) {
  const made = document.createElement(name);
  if (classes) made.className = classes;
  if (text !== undefined) made.textContent = text;
  return made;
}

addEventListener("DOMContentLoaded", () => {
  const panel = document.querySelector("#log");
  if (panel) new Log(panel);
});
