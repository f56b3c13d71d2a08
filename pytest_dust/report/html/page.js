"use strict";

// The page's data. Every text in it is shown as text: this script never makes HTML of it.
const report = JSON.parse(document.getElementById("report").textContent);
const KINDS = { "passes less often": "bad", "failed, left to the gate": "changed", "not as expected": "bad", "failed": "bad", "no verdict": "bad", "changed": "changed", "passed": "good" };
const LISTED = 10; // cases of a group that are listed until the reader asks for all
const LINKED = 8; // groups with a link at the top; the others are folded
const SHORT = 60; // characters of a text that is marked as a whole
const PRINTED = 200; // cases that are opened for printing

// ── elements ────────────────────────────────────────────────────────────────────────────────────

function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === true) element.setAttribute(key, "");
    else if (value !== false && value !== undefined) element.setAttribute(key, value);
  }
  element.append(...children.filter((child) => child !== null && child !== ""));
  return element;
}

function folded(title, build, attributes = {}) {
  const element = make("details", attributes, make("summary", {}, title));
  element.addEventListener("toggle", () => element.append(...build()), { once: true });
  return element;
}

// ── values ──────────────────────────────────────────────────────────────────────────────────────

function value(side, mark) {
  if (side === null) return make("span", { class: "none" }, "not there");
  const whole = side.length === 1 && side[0][0].length > SHORT; // nothing to tell apart within it
  const parts = side.map(([text, differs]) => (differs && !whole ? make(mark, {}, text) : text));
  return make("div", { class: "value" }, ...parts);
}

// The columns of a table with two sides: title, class, and the element that marks what differs.
const RECORDED = [["recorded", "old", "del"], ["now", "new", "ins"]];
const SAVED = [["pinned version", "old", "del"], ["saved now", "new", "ins"]];
const EXPECTED = [["expected", "right", "mark"], ["actual", "wrong", "mark"]];

function sides(rows, columns) {
  const head = ["where", ...columns.map(([title]) => title)].map((text) => make("th", { scope: "col" }, text));
  return make("table", { class: "sides" }, make("thead", {}, make("tr", {}, ...head)),
    make("tbody", {}, ...rows.map((row) => sidesRow(row, columns))));
}

function sidesRow(row, columns) {
  if (row.old === null && row.new === null && !row.note) return make("tr", {}, make("td", { colspan: 3 }, row.path));
  const path = make("th", { scope: "row", class: "path" }, row.path);
  if (row.old === null && row.note) return make("tr", {}, path, make("td", { colspan: 2 }, row.note));
  const cells = [row.old, row.new].map((side, at) => {
    const [title, style, mark] = columns[at];
    return make("td", { class: style, "data-side": title }, value(side, mark));
  });
  if (row.note) cells[1].append(make("p", { class: "note" }, row.note));
  return make("tr", {}, path, ...cells);
}

function command([said, text]) {
  if (!text) return make("p", { class: "note" }, said || "");
  const button = make("button", { type: "button", "aria-label": `Copy the command: ${said}` }, "Copy");
  const code = make("code", {}, text);
  button.addEventListener("click", () => copy(text, code));
  return make("div", {}, make("p", { class: "note" }, `${said}:`), make("div", { class: "command" }, code, button));
}

async function copy(text, code) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    getSelection().selectAllChildren(code); // where the browser allows no clipboard, the user can press Ctrl+C
    if (!document.execCommand("copy")) return say("Press Ctrl+C to copy");
  }
  say("Copied");
}

function say(text) {
  const said = document.getElementById("said");
  said.textContent = text;
  setTimeout(() => { said.textContent = ""; }, 2000);
}

// ── a case ──────────────────────────────────────────────────────────────────────────────────────

function badge(kind) {
  return make("span", { class: `badge ${KINDS[kind] || ""}` }, kind);
}

// The element of a case, by its number; it is made when it is first listed.
function caseElement(at) {
  elements[at] ??= makeCase(report.cases[at]);
  return elements[at];
}

function makeCase(one) {
  const name = make("span", {}, make("span", { class: "name" }, one.name), " ", make("span", { class: "file" }, one.file));
  const about = make("span", { class: "about" }, name, one.description ? make("span", {}, ` – ${one.description}`) : "",
    make("span", { class: "one-line" }, ...one.line.map(([text, mark]) => (mark && text ? make(mark, {}, text) : text))));
  const element = make("details", { class: "case" }, make("summary", {}, badge(one.kind), about));
  element.dataset.id = one.id;
  element.addEventListener("toggle", () => {
    if (element.open) fill(element, one);
  });
  return element;
}

function open(at) {
  fill(caseElement(at), report.cases[at]);
  caseElement(at).open = true;
}

function fill(element, one) {
  if (element.querySelector(".body") === null) element.append(make("div", { class: "body" }, ...body(one)));
}

function* body(one) {
  if (one.message) yield* titled(one.is_trouble ? "Why there is no verdict" : "What failed", make("pre", {}, one.message));
  if (one.reason) yield* titled("Reason", make("p", {}, one.reason));
  if (one.asked.length) yield* titled("What was asked", ...one.asked.map(pairs));
  if (one.attempts) yield* titled("Attempts", attempts(one.attempts));
  const expected = one.failures && !one.failures.length ? ", as expected" : "";
  if (one.error) yield* titled(`The run ended with an error${expected}`, make("pre", {}, one.error));
  if (one.failures && one.failures.length) {
    yield* titled("What is not as expected", sides(one.failures, EXPECTED));
    if (one.more) yield make("p", { class: "note" }, `and ${one.more} more`);
  }
  if (one.change) yield* change(one.change, one.error);
  if (one.result && !one.failures.length && !(one.change && one.change.count)) yield* titled("The answer", make("pre", {}, one.result));
  if (one.blocks && one.blocks.length) {
    const title = one.blocks.length === 1 ? "The only block" : `All ${one.blocks.length} blocks`;
    yield folded(title, () => [blocks(one.blocks)], { class: "technical" });
  }
  if (one.todo.length) yield folded("For engineers: the command", () => [command(one.todo)], { class: "technical" });
  yield folded("For engineers: run id, hash, config", () => [pairs(one.facts)], { class: "technical" });
  yield make("p", { class: "link" }, make("a", { href: link(one.id) }, "Link to this case"));
}

function titled(title, ...children) {
  return [make("h3", {}, title), ...children];
}

function pairs(list) {
  return make("dl", {}, ...list.filter(([, text]) => text).flatMap(([name, text]) =>
    [make("dt", {}, name), make("dd", {}, make("pre", {}, text))]));
}

function* change(found, error) {
  if (found.not_compared) {
    yield make("p", { class: "note" }, `Not compared with the recording of ${found.day}: ${found.not_compared}`);
    return;
  }
  if (!found.count) {
    const text = error ? "It ended with the same error in" : "Nothing that counts changed since";
    yield make("p", { class: "note" }, `${text} the recording of ${found.day} UTC.`);
    return;
  }
  yield* titled(`What callers get: recorded on ${found.day} UTC, and now`, sides(found.values, RECORDED));
  if (found.count > found.values.length) yield make("p", { class: "note" }, `and ${found.count - found.values.length} more`);
  if (!found.begins) return;
  const where = found.position ? `, ${found.position}` : "";
  yield* titled(`Where the change begins: it begins in ${found.begins}${where}`, sides(found.rows, RECORDED));
  if (found.then.length) yield make("p", { class: "note" }, `Changed after it: ${found.then.join(", ")}`);
  if (found.left_out.length) yield make("p", { class: "note" }, `Not compared, as new in every run: ${found.left_out.join(", ")}`);
}

function attempts(found) {
  const dots = found.each.map(([passed, changed, line, counts], at) => {
    const word = passed ? (changed ? "changed" : "passed") : "failed";
    const text = `${at + 1} ${passed ? "✓" : "✗"} ${word}`;
    return make("li", { class: counts ? KINDS[word] : "surplus", title: line }, counts ? text : `${text}, surplus`);
  });
  const shown = found.each.length > 1 ? ` Attempt ${found.shown} is shown below.` : "";
  return make("div", {}, make("ol", { class: "dots" }, ...dots), make("p", { class: "note" }, `${found.rate}.${shown}`));
}

function blocks(list) {
  const timed = list.filter((each) => each.started !== null && each.duration !== null);
  const start = Math.min(...timed.map((each) => each.started));
  const length = Math.max(...timed.map((each) => each.started + each.duration)) - start;
  const items = list.map((block) => make("li", block.is_cause ? { class: "cause" } : {},
    make("div", { class: "block" },
      make("span", {}, `${block.position}. `, make("strong", {}, block.name), ` (${block.type})${block.iterations ? ` × ${block.iterations}` : ""}`),
      make("span", { class: block.status === "errored" ? "bad" : "note" }, block.status),
      make("span", { class: "note" }, block.tokens),
      timed.includes(block) ? time(block, start, length) : ""),
    block.error ? make("pre", { class: "error" }, block.error) : "",
    block.rows.length ? sides(block.rows, RECORDED) : "",
    folded(block.is_cut ? "Output (a part of it)" : "Output", () => [make("pre", {}, block.output)])));
  return make("ol", { class: "blocks" }, ...items);
}

function time(block, start, length) {
  const bar = make("i");
  bar.style.left = `min(${length ? (100 * (block.started - start)) / length : 0}%, calc(100% - 2px))`;
  bar.style.width = `${length ? (100 * block.duration) / length : 0}%`;
  return make("span", { class: "time note" }, block.time, make("span", { class: "bar", "aria-hidden": "true" }, bar));
}

// ── groups ──────────────────────────────────────────────────────────────────────────────────────

function groupElement(group, number) {
  const summary = make("summary", {}, make("h2", {}, group.title));
  const element = make("details", { class: "group", id: `group-${number}`, open: !group.quiet }, summary);
  if (!group.quiet) element.append(...introduction(group));
  element.append(make("div", { class: "list" }));
  return element;
}

function* introduction(group) {
  yield make("p", { class: "of" }, `${group.kinds}${group.app ? `, app ${group.app}` : ""}`);
  if (group.note) yield make("p", {}, group.note);
  if (group.edited.length) yield* titled("The block itself was edited", sides(group.edited, SAVED));
  if (group.rows.length && group.cases.length > 1) {
    yield folded(`How it changed, for example in ${group.of}`, () => [sides(group.rows, RECORDED)], { open: !group.edited.length });
  }
  if (group.command.length && group.cases.length > 1) {
    yield folded("For engineers: the command for all of them", () => [command(group.command)], { class: "technical" });
  }
}

// Put the cases that match the filters in the group: the first of them, or all if the reader asked for it.
function list(group, found, isWhole = group.isWhole) {
  group.found = found;
  const listed = isWhole ? found : found.slice(0, LISTED);
  const rows = listed.map(caseElement);
  if (group.look && found.length === group.cases.length) {
    rows.splice(group.look, 0, make("h3", {}, "The others"));
    rows.unshift(make("h3", {}, "Look at these first"));
  }
  if (listed.length < found.length) rows.push(moreButton(group, found, found.length - listed.length));
  group.element.querySelector(".list").replaceChildren(...rows);
  group.element.querySelector("h2").textContent = found.length < group.cases.length ? `${found.length} of ${group.title}` : group.title;
  group.element.hidden = found.length === 0;
}

function moreButton(group, found, count) {
  const button = make("button", { type: "button", class: "more" }, count === 1 ? "Show 1 more case" : `Show ${count} more cases`);
  button.addEventListener("click", () => {
    group.isWhole = true;
    list(group, found);
    caseElement(found[found.length - count]).querySelector("summary").focus();
  });
  return button;
}

function contents() {
  const items = report.groups.map((group, number) => {
    const about = [group.files, group.what].filter(Boolean).join(": ");
    return make("li", {}, make("a", { href: `#group-${number}` }, group.title), about ? make("small", {}, ` ${about}`) : "");
  });
  const rest = items.splice(LINKED);
  const more = rest.length ? folded(`and ${rest.length} more`, () => [make("ol", {}, ...rest)]) : "";
  return [make("ol", {}, ...items), more];
}

function lookFirst() {
  const links = report.look.map((at) => make("a", { href: link(report.cases[at].id) }, report.cases[at].name));
  return links.flatMap((each, at) => [at ? ", " : "Look first at: ", each]);
}

// ── apps that drifted ───────────────────────────────────────────────────────────────────────────

function driftElement(drift) {
  const edited = ([title, rows]) => [make("h3", {}, title), rows.length ? sides(rows, SAVED) : ""];
  return folded(drift.title, () => [...drift.blocks.flatMap(edited), folded("For engineers", () => [make("pre", {}, drift.text)])]);
}

// ── filters ─────────────────────────────────────────────────────────────────────────────────────

const search = document.getElementById("search");
const app = document.getElementById("app");
const block = document.getElementById("block");
let onlyKind = "";

function matches(one, words) {
  if (onlyKind && one.kind !== onlyKind) return false;
  if (app.value && one.app !== app.value) return false;
  if (block.value && one.block !== block.value) return false;
  if (!words.length) return true;
  one.text ??= searched(one);
  return words.every((word) => one.text.includes(word));
}

function searched(one) {
  const asked = one.asked.flat().map(([, text]) => text);
  return [one.id, one.description, one.reason, one.message, one.summary, one.block, ...asked, one.result].join(" ").toLowerCase();
}

function filter() {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  const isFiltered = Boolean(words.length || onlyKind || app.value || block.value);
  let count = 0;
  for (const group of report.groups) {
    const found = group.cases.filter((at) => matches(report.cases[at], words));
    list(group, found);
    if (group.quiet) group.element.open = isFiltered && found.length > 0;
    count += found.length;
  }
  const total = report.cases.length;
  document.getElementById("shown").textContent = isFiltered ? `${count} of ${total} cases${count ? "" : ": no case matches; press Show all"}` : `${total} cases`;
  for (const button of document.querySelectorAll("#kinds button")) {
    button.setAttribute("aria-pressed", String(button.dataset.kind === onlyKind));
  }
}

function options(select, pairs) {
  for (const [value, text] of pairs) select.append(make("option", { value }, text));
}

function reset() {
  onlyKind = "";
  search.value = app.value = block.value = "";
  filter();
}

// ── links ───────────────────────────────────────────────────────────────────────────────────────

function link(id) {
  return `#${encodeURI(id).replace(/#/g, "%23")}`;
}

// The case that the address names; null if it names none.
function named() {
  const typed = location.hash.slice(1).replace(/%(?![0-9a-f]{2})/gi, "%25"); // typed by hand, as in 50%
  let id;
  try {
    id = decodeURIComponent(typed);
  } catch {
    return null;
  }
  const at = report.cases.findIndex((one) => one.id === id);
  return at < 0 ? null : at;
}

function follow() {
  const group = report.groups.find((each) => `#${each.element.id}` === location.hash);
  if (group) group.element.open = true;
  const at = named();
  if (at !== null) show(at);
}

function show(at) {
  const group = report.groups.find((each) => each.cases.includes(at));
  if (!caseElement(at).isConnected) reset();
  if (!caseElement(at).isConnected) {
    group.isWhole = true;
    filter();
  }
  group.element.open = true;
  open(at);
  document.querySelectorAll(".found").forEach((each) => each.classList.remove("found"));
  caseElement(at).classList.add("found");
  caseElement(at).scrollIntoView({ block: "start" });
  caseElement(at).querySelector("summary").focus({ preventScroll: true });
}

// ── keys ────────────────────────────────────────────────────────────────────────────────────────

function step(by) {
  const shown = [...document.querySelectorAll(".group[open]:not([hidden]) .case > summary")];
  const now = shown.indexOf(document.activeElement.closest(".case > summary") || document.activeElement.closest(".case")?.querySelector("summary"));
  const next = shown[now < 0 ? (by > 0 ? 0 : shown.length - 1) : now + by];
  if (next) next.focus();
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape") {
    reset();
    return;
  }
  if (event.target.matches("input, select, textarea")) return;
  if (event.key === "/") {
    event.preventDefault();
    search.focus();
  } else if (event.key === "j") step(1);
  else if (event.key === "k") step(-1);
});

// ── printing ────────────────────────────────────────────────────────────────────────────────────

let opened = [];
let lengthened = [];
addEventListener("beforeprint", () => {
  lengthened = report.groups.filter((group) => group.element.open && !group.isWhole);
  lengthened.forEach((group) => list(group, group.found, true));
  const closed = [...document.querySelectorAll(".group[open]:not([hidden]) .case:not([open])")];
  opened = closed.slice(0, PRINTED);
  opened.forEach((element) => open(elements.indexOf(element)));
});
addEventListener("afterprint", () => {
  opened.forEach((element) => { element.open = false; });
  lengthened.forEach((group) => list(group, group.found));
});

// ── the page ────────────────────────────────────────────────────────────────────────────────────

const elements = []; // by the number of the case
report.groups.forEach((group, number) => { group.element = groupElement(group, number); });
if (report.gated) {
  document.querySelector(".legend").append(" Passes less often: fresh runs of both versions show it. Left to the gate: " +
    "it failed, and fresh runs do not show that it passes less often than in the pinned version.");
}
for (const [kind, count] of report.counts) {
  const button = make("button", { type: "button", class: KINDS[kind] || "", "aria-pressed": "false" }, `${count} ${kind}`);
  button.dataset.kind = kind;
  button.addEventListener("click", () => {
    onlyKind = onlyKind === kind ? "" : kind;
    filter();
  });
  document.getElementById("kinds").append(button);
}
options(app, report.apps);
options(block, [...new Set(report.cases.map((one) => one.block))].filter(Boolean).sort().map((text) => [text, text]));
if (report.drifts.length) {
  const open = report.groups.every((group) => group.quiet);
  document.getElementById("drifts").append(folded(`Drift checks that failed: ${report.drifts.length}`, () => report.drifts.map(driftElement), { open }));
}
for (const [where, text] of report.problems) {
  document.getElementById("problems").append(make("h2", {}, where), make("pre", {}, text));
}
search.addEventListener("input", filter);
app.addEventListener("change", filter);
block.addEventListener("change", filter);
document.getElementById("filters").addEventListener("submit", (event) => event.preventDefault());
document.getElementById("filters").addEventListener("reset", (event) => {
  event.preventDefault();
  reset();
});
document.getElementById("groups").append(...contents());
document.getElementById("look").append(...lookFirst());
document.getElementById("cases").append(...report.groups.map((group) => group.element));
filter();
addEventListener("hashchange", follow);
follow();
