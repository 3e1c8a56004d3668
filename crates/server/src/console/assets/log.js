// A build's log. The page holds only the rows that are seen; rows are asked for by their numbers,
// and what is written while a build runs is told by the server.
"use strict";

const ROW = 20;            // Pixels of a line, which the style says too.
const HEADING = 34;        // Pixels of a phase's heading.
const PIECE = 250;         // Lines that are asked for at a time.
const KEPT_PIECES = 40;    // Pieces that are remembered.
const HEIGHT_MAX = 8e6;    // Browsers have a limit for how high things are.

class Log {
  constructor(panel) {
    this.panel = panel;
    this.path = panel.dataset.path;
    this.count = Number(panel.dataset.count);
    this.live = panel.dataset.live === "true";
    this.follow = this.live;
    this.outline = JSON.parse(panel.dataset.outline);
    this.folded = new Set();
    this.pieces = new Map();
    this.asked = new Set();
    this.found = [];
    this.at = -1;
    this.here = this.lineOf(location.hash);
    this.virtualTop = 0;
    this.rows = panel.querySelector("#log-rows");
    this.space = document.createElement("div");
    this.space.className = "space";
    this.window = document.createElement("div");
    this.window.className = "window";
    this.listen();
    this.arrange();
    // What went wrong is what most come for.
    const failed = panel.dataset.line === "" ? null : Number(panel.dataset.line) - 1;
    const line = this.here ?? failed;
    if (line !== null) { this.follow = false; this.go(line, this.here === null); }
    this.showFollow();
    if (this.live) this.hear();
  }

  lineOf(hash) {
    const found = /^#L(\d+)$/.exec(hash);
    return found ? Number(found[1]) - 1 : null;
  }

  // The log as pieces that can be folded: phases with a heading, commands with a line of their own.
  sections() {
    const sections = [];
    const phases = [...this.outline.phases].sort((a, b) => a.line - b.line);
    const commands = this.outline.commands;
    const cut = [0, ...phases.map((phase) => phase.line).filter((line) => line > 0)];
    const starts = [...new Set(cut)].sort((a, b) => a - b);
    let next = 0;
    starts.forEach((start, index) => {
      const end = Math.min(starts[index + 1] ?? this.count, this.count);
      if (start > end || (start === end && start > 0 && start >= this.count)) return;
      const all = phases.filter((phase) => phase.line === start);
      const phase = all[all.length - 1];
      const key = phase ? `phase ${phase.name}` : "beginning";
      const isFolded = this.folded.has(key);
      if (phase) sections.push({ heading: phase, key, isFolded, lines: end - start, height: HEADING });
      let line = start;
      const body = (until) => {
        if (until > line && !isFolded) sections.push({ first: line, last: until, height: (until - line) * ROW });
        line = Math.max(line, until);
      };
      while (next < commands.length && commands[next].line < end) {
        const command = commands[next];
        const until = Math.min(commands[next + 1]?.line ?? end, end);
        body(command.line);
        if (!isFolded && command.line < this.count) {
          const commandKey = `command ${command.line}`;
          sections.push({ command, key: commandKey, isFolded: this.folded.has(commandKey), first: command.line, last: command.line + 1, height: ROW });
          line = command.line + 1;
          if (this.folded.has(commandKey)) line = until;
        }
        next += 1;
      }
      body(end);
    });
    return sections;
  }

  arrange() {
    let top = 0;
    this.parts = this.sections();
    for (const part of this.parts) { part.top = top; top += part.height; }
    this.height = top;
    this.scale = Math.max(1, top / HEIGHT_MAX);
    const wanted = `${Math.ceil(top / this.scale)}px`;
    if (this.count > 0 && !this.space.isConnected) this.rows.replaceChildren(this.space);
    if (!this.window.isConnected) this.space.append(this.window);
    if (this.space.style.height !== wanted) this.space.style.height = wanted;
    if (this.follow) this.toEnd();
    this.draw();
  }

  toEnd() {
    this.virtualTop = Math.max(0, this.height - this.rows.clientHeight);
    this.moving = true;
    this.rows.scrollTop = this.rows.scrollHeight;
  }

  // Where a line is, after whatever hides it is unfolded.
  go(line, quietly = false) {
    line = Math.max(0, Math.min(line, this.count - 1));
    for (const part of this.parts) {
      if (part.heading && part.isFolded && this.holds(part.heading, line)) this.folded.delete(part.key);
    }
    const commands = this.outline.commands.filter((command) => command.line <= line);
    const command = commands[commands.length - 1];
    if (command && command.line !== line) this.folded.delete(`command ${command.line}`);
    this.here = line;
    this.arrange();
    const part = this.parts.find((part) => part.first <= line && line < part.last);
    if (!part) return;
    const top = part.top + (line - part.first) * ROW;
    this.scrollTo(top - this.rows.clientHeight / 3);
    if (!quietly) this.panel.scrollIntoView({ block: "nearest" });
  }

  holds(phase, line) {
    const lines = this.outline.phases.map((other) => other.line).filter((other) => other > phase.line);
    return phase.line <= line && line < Math.min(...lines, this.count);
  }

  scrollTo(top) {
    this.virtualTop = Math.max(0, Math.min(top, this.height - this.rows.clientHeight));
    this.moving = true;
    this.rows.scrollTop = this.virtualTop / this.scale;
    this.draw();
  }

  // Draws the rows that are seen, and some around them.
  draw() {
    const above = Math.max(0, this.virtualTop - 600);
    const below = this.virtualTop + this.rows.clientHeight + 600;
    const drawn = [];
    let from = null;
    let low = 0;
    let high = this.parts.length;
    while (low < high) { const middle = (low + high) >> 1; if (this.parts[middle].top + this.parts[middle].height <= above) low = middle + 1; else high = middle; }
    for (let index = low; index < this.parts.length && this.parts[index].top < below; index += 1) {
      const part = this.parts[index];
      if (part.heading) { from ??= part.top; drawn.push(this.heading(part)); continue; }
      const first = part.first + Math.max(0, Math.floor((above - part.top) / ROW));
      const last = Math.min(part.last, part.first + Math.ceil((below - part.top) / ROW));
      from ??= part.top + (first - part.first) * ROW;
      for (let line = first; line < last; line += 1) drawn.push(this.row(line, part.command, part));
    }
    this.window.replaceChildren(...drawn);
    const offset = (from ?? 0) - this.virtualTop + this.rows.scrollTop;
    this.window.style.transform = `translateY(${offset}px)`;
  }

  heading(part) {
    const phase = part.heading;
    const row = document.createElement("button");
    row.type = "button";
    row.className = `phase ${phase.mark}`;
    row.setAttribute("aria-expanded", String(!part.isFolded));
    const lines = part.isFolded ? `${part.lines.toLocaleString()} lines · ` : "";
    row.append(element("i", "fold"), element("i", "sign"), element("span", "", phase.name), element("span", "at", lines + phase.took));
    row.addEventListener("click", () => this.fold(part.key));
    return row;
  }

  row(line, command, part) {
    const known = this.line(line);
    const row = element("div", `row ${known?.kind ?? "awaited"}`);
    if (line === this.here) row.classList.add("here");
    if (this.found[this.at] === line) row.classList.add("match");
    const number = element("a", "", String(line + 1));
    number.href = `#L${line + 1}`;
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

  // A line, if it is here; otherwise it is asked for.
  line(number) {
    const piece = Math.floor(number / PIECE);
    const lines = this.pieces.get(piece);
    const line = lines?.[number - piece * PIECE];
    if (!line && number < this.count) this.ask(piece);
    return line;
  }

  async ask(piece) {
    if (this.asked.has(piece)) return;
    this.asked.add(piece);
    try {
      const answer = await fetch(`${this.path}/lines?first=${piece * PIECE}&limit=${PIECE}`);
      if (answer.ok) this.take(await answer.json());
    } catch { setTimeout(() => this.draw(), 1000); }
    this.asked.delete(piece);
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
      this.count = news.count;
      this.panel.querySelector("#log-count").textContent = this.count === 1 ? "1 line" : `${this.count.toLocaleString("en")} lines`;
      this.arrange();
    } else this.draw();
  }

  fold(key) {
    if (!this.folded.delete(key)) this.folded.add(key);
    this.follow = false;
    this.showFollow();
    this.arrange();
  }

  showFollow() {
    const button = this.panel.querySelector("#log-follow");
    button.setAttribute("aria-pressed", String(this.follow));
    button.textContent = this.follow ? "Following" : "Follow";
  }

  listen() {
    const rows = this.rows;
    rows.addEventListener("scroll", () => {
      if (this.moving) { this.moving = false; this.draw(); return; }
      this.virtualTop = rows.scrollTop * this.scale;
      const atEnd = rows.scrollTop + rows.clientHeight >= rows.scrollHeight - 4;
      if (this.follow !== (atEnd && this.live)) { this.follow = atEnd && this.live; this.showFollow(); }
      this.draw();
    }, { passive: true });
    // A log that is higher than browsers allow is moved by as much as any other.
    rows.addEventListener("wheel", (event) => {
      if (this.scale === 1 || event.ctrlKey || event.deltaY === 0) return;
      event.preventDefault();
      const unit = event.deltaMode === 1 ? ROW : event.deltaMode === 2 ? rows.clientHeight : 1;
      this.follow = false;
      this.showFollow();
      this.scrollTo(this.virtualTop + event.deltaY * unit);
    }, { passive: false });
    rows.addEventListener("keydown", (event) => {
      const page = rows.clientHeight - ROW;
      const steps = { ArrowDown: ROW, ArrowUp: -ROW, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
      if (!(event.key in steps)) return;
      event.preventDefault();
      const step = steps[event.key];
      this.scrollTo(step === Infinity ? this.height : step === -Infinity ? 0 : this.virtualTop + step);
      this.follow = this.live && step === Infinity;
      this.showFollow();
    });
    rows.addEventListener("click", (event) => {
      const number = event.target.closest(".row > a");
      if (!number) return;
      event.preventDefault();
      history.replaceState(null, "", number.hash);
      this.here = this.lineOf(number.hash);
      this.draw();
    });
    addEventListener("hashchange", () => { const line = this.lineOf(location.hash); if (line !== null) { this.follow = false; this.showFollow(); this.go(line); } });
    addEventListener("resize", () => this.arrange());
    this.panel.querySelector("#log-follow").addEventListener("click", () => { this.follow = !this.follow; this.showFollow(); if (this.follow) { this.toEnd(); this.draw(); } });
    this.panel.querySelector("#log-fold").addEventListener("click", (event) => {
      const keys = this.outline.phases.map((phase) => `phase ${phase.name}`);
      const all = this.folded.size === 0;
      this.folded = new Set(all ? keys : []);
      event.target.textContent = all ? "Unfold all" : "Fold all";
      this.follow = false;
      this.showFollow();
      this.arrange();
    });
    this.search();
  }

  search() {
    const field = this.panel.querySelector("#log-find");
    const output = this.panel.querySelector("#log-found");
    const next = this.panel.querySelector("#log-next");
    const previous = this.panel.querySelector("#log-previous");
    const step = (by) => {
      if (this.found.length === 0) return;
      this.at = (this.at + by + this.found.length) % this.found.length;
      output.textContent = `${this.at + 1} of ${this.found.length.toLocaleString("en")}${this.isAll ? "" : "+"}`;
      this.follow = false;
      this.showFollow();
      this.go(this.found[this.at]);
    };
    let timer;
    let asked = 0;
    const find = async () => {
      const mine = ++asked;
      const text = field.value;
      if (text === "") { this.found = []; this.at = -1; output.textContent = ""; }
      else {
        try {
          const answer = await fetch(`${this.path}/find?text=${encodeURIComponent(text)}`);
          if (!answer.ok || mine !== asked) return;
          const found = await answer.json();
          this.found = found.lines;
          this.isAll = found.is_all;
          this.at = -1;
          output.textContent = this.found.length === 0 ? "none" : "";
          step(1);
        } catch { output.textContent = "not reached"; }
      }
      next.disabled = previous.disabled = this.found.length === 0;
      this.draw();
    };
    field.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(find, 200); });
    field.addEventListener("keydown", (event) => {
      if (event.key !== "Enter") return;
      event.preventDefault();
      step(event.shiftKey ? -1 : 1);
    });
    next.addEventListener("click", () => step(1));
    previous.addEventListener("click", () => step(-1));
  }

  // What is new: lines, and how the build stands.
  hear() {
    const news = new EventSource(`${this.path}/news?first=${this.count}`);
    news.addEventListener("lines", (event) => this.take(JSON.parse(event.data)));
    news.addEventListener("standing", (event) => {
      const standing = JSON.parse(event.data);
      const place = document.querySelector("#standing");
      const details = document.querySelector("#details");
      if (!place.contains(document.activeElement)) place.innerHTML = standing.html;
      if (details.innerHTML !== standing.details) details.innerHTML = standing.details;
      showTimes(place);
      document.title = standing.title;
      this.outline = JSON.parse(standing.outline);
      if (standing.ended) {
        news.close();
        place.innerHTML = standing.html;
        showTimes(place);
        this.live = this.follow = false;
        this.panel.querySelector("#log-live").hidden = true;
        this.panel.querySelector("#log-follow").hidden = true;
        this.showFollow();
      }
      this.arrange();
    });
    // A service that was restarted goes on where this page is.
    news.addEventListener("error", () => {
      if (news.readyState !== EventSource.CLOSED) { news.close(); }
      if (this.live) setTimeout(() => this.hear(), 1000);
    });
  }
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
