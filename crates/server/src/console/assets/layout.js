// Where each line of a log is: phases and commands as sections that can be folded, and lines that
// are higher than others. It knows nothing of the page, so that a million lines cost what is asked.
"use strict";

const ROW = 20;            // Pixels of a line that fits into one, which the style says too.
const HEADING = 34;        // Pixels of a phase's heading.

// By how much lines are higher than a row; those that are not, and those not seen yet, have no entry.
class Heights {
  constructor() { this.clear(); }

  clear() { this.more = new Map(); this.sums = null; }

  of(line) { return ROW + (this.more.get(line) ?? 0); }

  // Says how high a line is; gives whether that is news.
  set(line, height) {
    const more = height - ROW;
    if ((this.more.get(line) ?? 0) === more) return false;
    if (more === 0) this.more.delete(line); else this.more.set(line, more);
    this.sums = null;
    return true;
  }

  // The height of all lines from the first until the last, which is not among them.
  between(first, last) { return (last - first) * ROW + this.before(last) - this.before(first); }

  before(line) {
    if (!this.sums) {
      this.lines = [...this.more.keys()].sort((a, b) => a - b);
      let sum = 0;
      this.sums = [0, ...this.lines.map((line) => (sum += this.more.get(line)))];
    }
    return this.sums[lowest(0, this.lines.length, (at) => this.lines[at] >= line)];
  }
}

class Layout {
  constructor(outline, count) {
    this.outline = outline;
    this.count = count;
    this.folded = new Set();
    this.heights = new Heights();
    this.arrange();
  }

  // Looks anew where everything is.
  arrange() {
    this.parts = this.sections();
    let top = 0;
    for (const part of this.parts) {
      part.top = top;
      part.height = part.heading ? HEADING : this.heights.between(part.first, part.last);
      top += part.height;
    }
    this.height = top;
  }

  // Phases with a heading, commands with a line of their own, and the lines between them.
  sections() {
    const sections = [];
    const phases = [...this.outline.phases].sort((a, b) => a.line - b.line);
    const commands = this.outline.commands;
    const starts = [...new Set([0, ...phases.map((phase) => phase.line)])].sort((a, b) => a - b);
    let next = 0;
    starts.forEach((start, index) => {
      if (start > 0 && start >= this.count) return;
      const end = Math.min(starts[index + 1] ?? this.count, this.count);
      const phase = phases.findLast((phase) => phase.line === start);
      const key = phase ? `phase ${phase.name}` : "beginning";
      const isFolded = this.folded.has(key);
      if (phase) sections.push({ heading: phase, key, isFolded, lines: end - start });
      let line = start;
      const body = (until) => {
        if (until > line && !isFolded) sections.push({ first: line, last: until });
        line = Math.max(line, until);
      };
      for (; next < commands.length && commands[next].line < end; next += 1) {
        const command = commands[next];
        body(command.line);
        if (isFolded || command.line >= this.count) continue;
        const key = `command ${command.line}`;
        const isCommandFolded = this.folded.has(key);
        sections.push({ command, key, isFolded: isCommandFolded, first: command.line, last: command.line + 1 });
        line = isCommandFolded ? Math.min(commands[next + 1]?.line ?? end, end) : command.line + 1;
      }
      body(end);
    });
    return sections;
  }

  // The first part that is seen below a height.
  partAt(top) { return lowest(0, this.parts.length, (at) => this.parts[at].top + this.parts[at].height > top); }

  // The first line of a part that is seen below a height.
  lineAt(part, top) {
    return lowest(part.first, part.last, (line) => part.top + this.heights.between(part.first, line + 1) > top);
  }

  // Where a line begins; nothing when it is folded away.
  topOf(line) {
    const part = this.parts.find((part) => part.first <= line && line < part.last);
    return part ? part.top + this.heights.between(part.first, line) : null;
  }

  // Unfolds whatever hides a line.
  unfold(line) {
    const phase = this.outline.phases.filter((phase) => phase.line <= line).reduce((last, phase) => (!last || phase.line >= last.line ? phase : last), null);
    if (phase) this.folded.delete(`phase ${phase.name}`);
    const command = this.outline.commands.findLast((command) => command.line <= line);
    if (command && command.line !== line) this.folded.delete(`command ${command.line}`);
  }
}

// The first number for which something holds that holds for all after it; the end if there is none.
function lowest(from, end, holds) {
  let low = from;
  let high = end;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (holds(middle)) high = middle; else low = middle + 1;
  }
  return low;
}
