"use strict";

// The page's data. Every text in it is shown as text: this script never makes HTML of it.
const report = JSON.parse(document.getElementById("report").textContent);
const KINDS = { "not as expected": "bad", "failed": "bad", "no verdict": "bad", "changed": "changed", "passed": "good" };
const LONG = 300; // cases of a quiet group that are listed only when the group is opened
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
  const whole = side.length === 1; // nothing to tell apart within it
  const parts = side.map(([text, differs]) => (differs && !whole ? make(mark, {}, text) : text));
  return make("div", { class: "value" }, ...parts);
}

function sides(rows, old, now) {
  const head = make("tr", {}, ...["where", old, now].map((text) => make("th", { scope: "col" }, text)));
  const body = rows.map((row) => {
    const path = make("th", { scope: "row", class: "path" }, row.path);
    if (row.note && row.old === null) return make("tr", {}, path, make("td", { colspan: 2 }, row.note));
    if (row.old === null && row.new === null) return make("tr", {}, make("td", { colspan: 3 }, row.path));
    const right = make("td", { class: "new", "data-side": now }, value(row.new, "ins"));
    if (row.note) right.append(make("p", { class: "note" }, row.note));
    return make("tr", {}, path, make("td", { class: "old", "data-side": old }, value(row.old, "del")), right);
  });
  return make("table", { class: "sides" }, make("thead", {}, head), make("tbody", {}, ...body));
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

function caseElement(one) {
  const name = make("span", {}, make("span", { class: "name" }, one.name), " ", make("span", { class: "file" }, one.file));
  const about = make("span", { class: "about" }, name, one.description ? make("span", {}, ` – ${one.description}`) : "",
    make("span", { class: "one-line" }, one.summary));
  const element = make("details", { class: "case" }, make("summary", {}, badge(one.kind), about));
  element.dataset.id = one.id;
  element.addEventListener("toggle", () => {
    if (element.open) fill(element, one);
  });
  return element;
}

function fill(element, one) {
  if (element.querySelector(".body") === null) element.append(make("div", { class: "body" }, ...body(one)));
}

function* body(one) {
  if (one.message) yield* titled("Why there is no verdict", make("pre", {}, one.message));
  if (one.reason) yield* titled("Reason", make("p", {}, one.reason));
  if (one.asked.length) yield* titled("What was asked", ...one.asked.map(pairs));
  if (one.attempts) yield* titled("Attempts", attempts(one.attempts));
  if (one.error) yield* titled("The run ended with an error", make("pre", {}, one.error));
  if (one.failures && one.failures.length) {
    yield* titled("What is not as expected", sides(one.failures, "expected", "actual"));
    if (one.more) yield make("p", { class: "note" }, `and ${one.more} more`);
  }
  if (one.change) yield* change(one.change);
  if (one.result && !one.failures.length && !(one.change && one.change.count)) yield* titled("The answer", make("pre", {}, one.result));
  if (one.todo.length) yield* titled("What to do", command(one.todo));
  if (one.blocks && one.blocks.length) yield folded(`All ${one.blocks.length} blocks`, () => [blocks(one.blocks)], { class: "technical" });
  yield folded("For engineers: run id, hash, config", () => [pairs(one.facts)], { class: "technical" });
  yield make("p", { class: "note" }, make("a", { href: link(one.id) }, "Link to this case"));
}

function titled(title, ...children) {
  return [make("h3", {}, title), ...children];
}

function pairs(list) {
  return make("dl", {}, ...list.filter(([, text]) => text).flatMap(([name, text]) =>
    [make("dt", {}, name), make("dd", {}, make("pre", {}, text))]));
}

function* change(found) {
  if (found.not_compared) {
    yield make("p", { class: "note" }, `Not compared with the recording of ${found.day}: ${found.not_compared}`);
    return;
  }
  if (!found.count) {
    yield make("p", { class: "note" }, `Nothing that counts changed since the recording of ${found.day}.`);
    return;
  }
  yield* titled(`What callers get: recorded on ${found.day}, and now`, sides(found.values, "recorded", "now"));
  if (found.count > found.values.length) yield make("p", { class: "note" }, `and ${found.count - found.values.length} more`);
  if (!found.begins) return;
  const where = found.position ? `, ${found.position}` : "";
  yield* titled("Where the change begins", make("p", { class: "begins" }, `it begins in ${found.begins}${where}`), sides(found.rows, "recorded", "now"));
  if (found.then.length) yield make("p", { class: "note" }, `Then: ${found.then.join(", ")}`);
  if (found.left_out.length) yield make("p", { class: "note" }, `Not compared, as new in every run: ${found.left_out.join(", ")}`);
}

function attempts(found) {
  const dots = found.each.map(([passed, changed, line], at) => {
    const word = passed ? (changed ? "changed" : "passed") : "failed";
    return make("li", { class: KINDS[word], title: line }, `${at + 1} ${passed ? "✓" : "✗"} ${word}`);
  });
  const shown = found.each.length > 1 ? `Below: attempt ${found.shown}.` : "";
  return make("div", {}, make("ol", { class: "dots" }, ...dots), make("p", { class: "note" }, `${found.rate}. ${shown}`));
}

function blocks(list) {
  const end = Math.max(...list.map((each) => (each.started || 0) + (each.duration || 0)));
  const timed = list.some((each) => each.started !== null);
  const titles = ["#", "block", "status", "tokens", ...(timed ? ["time"] : []), "recorded and now"];
  const head = make("tr", {}, ...titles.map((text) => make("th", { scope: "col" }, text)));
  const rows = list.map((block) => make("tr", block.is_cause ? { class: "cause" } : {},
    make("td", {}, `${block.position}`),
    make("td", {}, make("strong", {}, block.name), ` (${block.type})`, block.iterations ? ` × ${block.iterations}` : ""),
    make("td", {}, block.status),
    make("td", {}, block.tokens),
    ...(timed ? [make("td", {}, ...time(block, end))] : []),
    make("td", {}, ...outputs(block))));
  return make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Blocks" },
    make("table", { class: "blocks" }, make("thead", {}, head), make("tbody", {}, ...rows)));
}

function time(block, end) {
  if (block.started === null || block.duration === null) return [""];
  const bar = make("i");
  bar.style.left = `${end ? (100 * block.started) / end : 0}%`;
  bar.style.width = `${end ? (100 * block.duration) / end : 0}%`;
  return [`${block.duration.toFixed(2)} s`, make("div", { class: "bar", "aria-hidden": "true" }, bar)];
}

function outputs(block) {
  const found = [];
  if (block.error) found.push(make("pre", {}, block.error));
  if (block.rows.length) found.push(sides(block.rows, "recorded", "now"));
  else found.push(make("span", { class: "none" }, "as recorded, or not compared"));
  const cut = block.is_cut ? " (a part of it)" : "";
  found.push(folded(`Output${cut}`, () => [make("pre", {}, block.output)]));
  return found;
}

// ── groups ──────────────────────────────────────────────────────────────────────────────────────

function groupElement(group, number) {
  const element = make("details", { class: "group", open: !group.quiet }, make("summary", {}, make("h2", {}, group.title)));
  if (!group.quiet) element.append(...introduction(group));
  element.build = () => {
    element.build = () => {};
    element.append(...group.cases.map((at) => elements[at]));
  };
  element.addEventListener("toggle", () => {
    if (element.open) element.build();
  });
  element.id = `group-${number}`;
  element.cases = group.cases;
  if (!(group.quiet && group.cases.length > LONG)) element.build();
  return element;
}

function* introduction(group) {
  const failing = group.failed === group.cases.length ? "" : `${group.failed} of them fail. `;
  if (group.app || failing) yield make("p", { class: "of" }, group.app ? `App ${group.app}. ${failing}` : failing);
  if (group.note) yield make("p", {}, group.note);
  if (group.edited.length) {
    yield make("h3", {}, "The block itself was edited");
    yield sides(group.edited, "pinned version", "saved now");
  }
  if (group.rows.length) {
    const title = group.cases.length > 1 ? `How it changed, in ${group.of}` : "How it changed";
    yield folded(title, () => [sides(group.rows, "recorded", "now")], { open: group.cases.length > 1 });
  }
  if (group.look.length) {
    const links = group.look.map((at) => make("li", {}, make("a", { href: link(report.cases[at].id) }, report.cases[at].name),
      report.cases[at].description ? ` – ${report.cases[at].description}` : ""));
    yield make("h3", {}, "Look at these first");
    yield make("ul", {}, ...links);
  }
  if (group.command.length && group.cases.length > 1) yield command(group.command);
}

function contents() {
  const items = report.groups.map((group, number) => {
    const failing = group.quiet || group.failed === group.cases.length ? "" : `, ${group.failed} of them fail`;
    const app = group.app ? make("small", {}, ` app ${group.app}${failing}`) : "";
    return make("li", {}, make("a", { href: `#group-${number}` }, group.title), app);
  });
  return make("ol", {}, ...items);
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
  return words.every((word) => one.text.includes(word));
}

function filter() {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  const isFiltered = Boolean(words.length || onlyKind || app.value || block.value);
  let count = 0;
  for (const group of groups) {
    let inGroup = 0;
    for (const at of group.cases) {
      const shown = matches(report.cases[at], words);
      elements[at].hidden = !shown;
      inGroup += shown;
    }
    group.hidden = inGroup === 0;
    if (isFiltered && inGroup) group.build();
    if (group.cases.length && group.isQuiet) group.open = isFiltered && inGroup > 0;
    count += inGroup;
  }
  const total = report.cases.length;
  document.getElementById("shown").textContent = isFiltered ? `${count} of ${total} cases` : `${total} cases`;
  for (const button of document.querySelectorAll("#kinds button")) {
    button.setAttribute("aria-pressed", String(button.dataset.kind === onlyKind));
  }
}

function options(select, values) {
  for (const text of [...new Set(values)].filter(Boolean).sort()) select.append(make("option", { value: text }, text));
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

function follow() {
  let id = location.hash.slice(1);
  try {
    id = decodeURIComponent(id);
  } catch {
    return; // no link of ours
  }
  const at = report.cases.findIndex((one) => one.id === id);
  if (at < 0) {
    const group = groups.find((each) => each.id === id);
    if (group) group.open = true;
    return;
  }
  if (elements[at].hidden) reset();
  const group = groups.find((each) => each.cases.includes(at));
  group.build();
  group.open = true;
  elements[at].open = true;
  fill(elements[at], report.cases[at]);
  document.querySelectorAll(".found").forEach((each) => each.classList.remove("found"));
  elements[at].classList.add("found");
  elements[at].scrollIntoView({ block: "start" });
  elements[at].querySelector("summary").focus({ preventScroll: true });
}

// ── keys ────────────────────────────────────────────────────────────────────────────────────────

function step(by) {
  const shown = [...document.querySelectorAll(".group[open] > .case:not([hidden]) > summary")].filter((each) => each.closest(".group").hidden === false);
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
addEventListener("beforeprint", () => {
  const closed = [...document.querySelectorAll(".group[open]:not([hidden]) > .case:not([hidden]):not([open])")];
  opened = closed.slice(0, PRINTED);
  for (const element of opened) {
    fill(element, report.cases[elements.indexOf(element)]);
    element.open = true;
  }
});
addEventListener("afterprint", () => {
  for (const element of opened) element.open = false;
});

// ── the page ────────────────────────────────────────────────────────────────────────────────────

for (const one of report.cases) {
  const asked = one.asked.flat().map(([, text]) => text).join(" ");
  one.text = `${one.id} ${one.description} ${one.summary} ${one.block} ${asked}`.toLowerCase();
}
const elements = report.cases.map(caseElement);
const groups = report.groups.map((group, number) => {
  const element = groupElement(group, number);
  element.isQuiet = group.quiet;
  return element;
});
for (const [kind, count] of report.counts) {
  const button = make("button", { type: "button", class: KINDS[kind] || "", "aria-pressed": "false" }, `${count} ${kind}`);
  button.dataset.kind = kind;
  button.addEventListener("click", () => {
    onlyKind = onlyKind === kind ? "" : kind;
    filter();
  });
  document.getElementById("kinds").append(button);
}
options(app, report.cases.map((one) => one.app));
options(block, report.cases.map((one) => one.block));
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
document.getElementById("groups").append(contents());
document.getElementById("cases").append(...groups);
filter();
addEventListener("hashchange", follow);
follow();
