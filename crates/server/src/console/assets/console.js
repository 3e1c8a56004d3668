// What every page can do: times in the reader's zone, keys, questions, parts that keep themselves
// fresh, and fields that grow. Pages work without it, but for what is live.
"use strict";

const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3, hour12: false });

// The server knows how long ago a moment was, and not in which zone its reader is.
function showTimes(root) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    const at = new Date(time.dateTime);
    if (Number.isNaN(at.getTime())) continue;
    time.title = exact.format(at) + "." + String(at.getMilliseconds()).padStart(3, "0");
    if ("clock" in time.dataset) time.textContent = clock.format(at);
  }
}

// Keys: a control that has data-key="x" is used by pressing x, outside of fields.
document.addEventListener("keydown", (event) => {
  const field = event.target.closest("input, textarea, select, [contenteditable]");
  if (event.key === "Escape" && field) return field.blur();
  if (field || event.ctrlKey || event.metaKey || event.altKey) return;
  const control = document.querySelector(`[data-key="${CSS.escape(event.key)}"]`);
  if (!control) return;
  event.preventDefault();
  if (control.matches("input")) { control.focus(); control.select(); } else control.click();
});

// A button that has data-ask="…?" asks before it does what it does.
document.addEventListener("click", (event) => {
  const asks = event.target.closest("[data-ask]");
  if (asks && !confirm(asks.dataset.ask)) event.preventDefault();

  const copy = event.target.closest("[data-copy]");
  if (copy) {
    navigator.clipboard.writeText(copy.parentElement.querySelector("pre").textContent);
    copy.textContent = "Copied";
    setTimeout(() => { copy.textContent = "Copy"; }, 1500);
  }

  const add = event.target.closest("[data-add]");
  if (add) {
    const last = add.previousElementSibling;
    const row = last.cloneNode(true);
    for (const input of row.querySelectorAll("input")) input.value = "";
    last.after(row);
    row.querySelector("input").focus();
  }

  const remove = event.target.closest("[data-remove]");
  if (remove) {
    const row = remove.closest(".variable");
    if (row.parentElement.querySelectorAll(".variable").length > 1) row.remove();
    else for (const input of row.querySelectorAll("input")) input.value = "";
  }
});

// Parts with data-refresh="milliseconds" are taken anew, from data-from or the page's own address,
// and only touched when they have changed.
function keepFresh() {
  const sources = new Map();
  for (const part of document.querySelectorAll("[data-refresh]")) {
    const from = part.dataset.from ?? location.href;
    if (!sources.has(from)) sources.set(from, []);
    sources.get(from).push(part);
  }
  for (const [from, parts] of sources) {
    const every = Math.min(...parts.map((part) => Number(part.dataset.refresh)));
    let asked = false;
    setInterval(async () => {
      if (asked || document.hidden) return;
      asked = true;
      try { await refresh(from, parts); } catch { /* The service is away; the next look may find it. */ }
      asked = false;
    }, every);
  }
}

async function refresh(from, parts) {
  const answer = await fetch(from, { headers: { accept: "text/html" } });
  if (!answer.ok || answer.redirected) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const part of [...parts, document.querySelector("#pulse")]) {
    const now = part && fresh.getElementById(part.id);
    // What somebody is about to press stays where it is.
    if (!now || part.contains(document.activeElement)) continue;
    showTimes(now);
    if (now.innerHTML !== part.innerHTML) part.innerHTML = now.innerHTML;
  }
}

// A buildspec's field: coloured, and checked while it is written.
function editBuildspec(area) {
  const frame = document.createElement("div");
  frame.className = "editor";
  const colours = document.createElement("pre");
  colours.setAttribute("aria-hidden", "true");
  const told = document.createElement("ul");
  told.className = "problems";
  told.setAttribute("aria-live", "polite");
  area.replaceWith(frame);
  frame.append(colours, area);
  frame.after(told);
  let problems = [];
  let asked = 0;

  const paint = () => {
    colours.replaceChildren(...area.value.split("\n").flatMap((line, at) => {
      const row = document.createElement("span");
      const here = problems.filter((problem) => problem.line === at + 1);
      if (here.length) row.className = here.some((problem) => problem.is_error) ? "line error" : "line warning";
      row.append(...yaml(line));
      return [row, "\n"];
    }));
    colours.scrollTop = area.scrollTop;
    colours.scrollLeft = area.scrollLeft;
  };
  const check = async () => {
    const mine = ++asked;
    const token = area.form.elements["form-token"].value;
    const body = new URLSearchParams({ "form-token": token, buildspec: area.value });
    try {
      const answer = await fetch("/console/check", { method: "POST", body });
      if (!answer.ok || mine !== asked) return;
      problems = await answer.json();
    } catch { return; }
    told.replaceChildren(...problems.map((problem) => {
      const item = document.createElement("li");
      item.className = problem.is_error ? "error" : "warning";
      const place = document.createElement("button");
      place.type = "button";
      place.textContent = `${problem.line}:${problem.column}`;
      place.addEventListener("click", () => {
        const start = area.value.split("\n").slice(0, problem.line - 1).join("\n").length + (problem.line > 1 ? 1 : 0);
        area.focus();
        area.setSelectionRange(start + problem.column - 1, start + problem.column - 1 + problem.width);
      });
      item.append(place, " ", problem.message);
      if (problem.help) { const help = document.createElement("small"); help.textContent = problem.help; item.append(help); }
      return item;
    }));
    paint();
  };
  let timer;
  area.addEventListener("input", () => { paint(); clearTimeout(timer); timer = setTimeout(check, 250); });
  area.addEventListener("scroll", () => { colours.scrollTop = area.scrollTop; colours.scrollLeft = area.scrollLeft; });
  area.addEventListener("keydown", (event) => {
    if (event.key !== "Tab" || event.shiftKey) return;
    event.preventDefault();
    area.setRangeText("  ", area.selectionStart, area.selectionEnd, "end");
    area.dispatchEvent(new Event("input"));
  });
  paint();
  if (area.value) check();
}

// The parts of a line of YAML, as far as colours need to know them.
function yaml(line) {
  const part = (name, text) => { const span = document.createElement("span"); span.className = name; span.textContent = text; return span; };
  const found = /^(\s*(?:- +)*)([\w.$/-]+|"[^"]*"|'[^']*')(:)(?=\s|$)(.*)$/.exec(line);
  const value = (text) => {
    const comment = /(^|\s)#.*$/.exec(text);
    const before = comment ? text.slice(0, comment.index) : text;
    const parts = [];
    let last = 0;
    for (const match of before.matchAll(/"(?:\\.|[^"])*"|'[^']*'|\$\{?\w+\}?/g)) {
      parts.push(before.slice(last, match.index), part(match[0][0] === "$" ? "y-variable" : "y-text", match[0]));
      last = match.index + match[0].length;
    }
    parts.push(before.slice(last));
    if (comment) parts.push(part("y-comment", text.slice(comment.index)));
    return parts;
  };
  return found ? [found[1], part("y-key", found[2]), found[3], ...value(found[4])] : value(line);
}

addEventListener("DOMContentLoaded", () => {
  showTimes(document);
  keepFresh();
  for (const area of document.querySelectorAll("[data-buildspec]")) editBuildspec(area);
});
