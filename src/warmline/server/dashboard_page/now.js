// @ts-check
/** What goes on now: the conversations and who has the floor in each, lines, goals, the store, the process. */

import { element, find } from "/page/dom.js";
import { table } from "./table.js";
import { FLOORS, age, bytes, clock, counted, ms, percent, whole } from "./words.js";

/** @typedef {{id: string, channel: string, facts: Record<string, string>, began_s: number, floor: string, floor_s: number, turns: number, response_ms: number | null}} LiveCall */

const COLUMNS = [{ name: "Floor" }, { name: "Channel" }, { name: "Since" }, { name: "Turns", figure: true }, { name: "Last response", figure: true }, { name: "Call" }];

/** The conversations; rows are changed where they stand. */
export class Calls {
  #place = find("calls", HTMLElement);
  /** @type {Map<string, LiveCall>} */
  #calls = new Map();
  /** @type {Map<string, HTMLElement>} */
  #rows = new Map();
  /** @type {HTMLElement | null} */
  #body = null;

  constructor() {
    setInterval(() => this.#tick(), 1000);
    this.#draw();
  }

  /** @param {LiveCall[]} calls */
  all(calls) {
    this.#calls = new Map(calls.map((call) => [call.id, call]));
    this.#rows.clear();
    this.#body = null;
    this.#draw();
  }

  /** How many there are. */
  get count() {
    return this.#calls.size;
  }

  /** Returns whether a turn is over. @param {{changed: LiveCall[], ended: string[]}} changes */
  change({ changed, ended }) {
    const isOver = changed.some(({ id, turns }) => turns > (this.#calls.get(id)?.turns ?? 0));
    for (const call of changed) this.#calls.set(call.id, call);
    for (const id of ended) this.#calls.delete(id);
    this.#draw();
    return isOver;
  }

  #draw() {
    find("now-title", HTMLElement).textContent = this.#calls.size ? `Now: ${counted(this.#calls.size, "conversation")}` : "Now";
    if (!this.#calls.size) {
      this.#rows.clear();
      this.#body = null;
      const link = element("a", { href: "/", target: "_blank" }, "Talk to it");
      this.#place.replaceChildren(element("p", { class: "empty-line", "data-testid": "no-calls" }, "Nobody is talking at the moment. ", link, " in another window, and watch the floor move here."));
      return;
    }
    if (!this.#body) {
      const made = table("Conversations that go on", COLUMNS, [], "cards calls-table");
      this.#body = /** @type {HTMLElement} */ (made.querySelector("tbody"));
      this.#place.replaceChildren(made);
    }
    for (const [id, line] of this.#rows) {
      if (this.#calls.has(id)) continue;
      line.remove();
      this.#rows.delete(id);
    }
    for (const call of this.#calls.values()) {
      let line = this.#rows.get(call.id);
      if (!line) {
        line = element("tr", { "data-call": call.id });
        this.#rows.set(call.id, line);
        this.#body.append(line);
      }
      fill(line, call);
    }
    this.#tick();
  }

  /** How long everything has lasted. */
  #tick() {
    const now_s = Date.now() / 1000;
    for (const [id, line] of this.#rows) {
      const call = this.#calls.get(id);
      if (!call) continue;
      set(line, ".since", age(now_s - call.began_s));
      set(line, ".floor-since", age(now_s - call.floor_s));
    }
  }
}

/** @param {HTMLElement} line @param {LiveCall} call */
function fill(line, call) {
  line.dataset.floor = call.floor;
  const floor = element("span", { class: "floor" }, element("span", { class: "floor-dot", "aria-hidden": "true" }), FLOORS[call.floor] ?? call.floor, element("span", { class: "floor-since quiet" }));
  const contents = [floor, call.channel, element("span", { class: "since", title: `since ${clock(call.began_s)}` }), String(call.turns), ms(call.response_ms), element("span", { class: "call-id" }, call.id)];
  line.replaceChildren(...contents.map((content, index) => {
    const { name, figure } = COLUMNS[index];
    const attributes = { "data-column": name, class: figure ? "figure" : "" };
    return index ? element("td", attributes, content) : element("th", { ...attributes, scope: "row" }, content);
  }));
}

/** @param {HTMLElement} line @param {string} place @param {string} words */
function set(line, place, words) {
  const found = line.querySelector(place);
  if (found) found.textContent = words;
}

/** @type {Record<string, string>} */
const KINDS = { http: "HTTP/1.1", http2: "HTTP/2", socket: "WebSocket" };

/** @param {any[]} pools */
export function pools(pools) {
  if (!pools.length) {
    return element("p", { class: "empty-line" }, "Nobody elsewhere is asked: who listens, answers and speaks is on this machine. With a provider’s key set, its lines are shown here.");
  }
  const columns = ["Provider", "Lines", "Free", "In use", "Opening", "Waiting callers", "Round trip", "Oldest", "State"].map((name, index) => ({ name, figure: index > 1 && index < 8 }));
  const rows = pools.map((pool) => [
    element("span", { class: "named two-lines" }, element("b", {}, pool.name), element("span", { class: "quiet" }, [KINDS[pool.kind] ?? pool.kind, pool.region].filter(Boolean).join(", "))),
    pips(pool),
    pool.idle < pool.warm_target ? `${pool.idle} of ${pool.warm_target}` : whole(pool.idle),
    whole(pool.leased),
    whole(pool.opening),
    whole(pool.waiting),
    pool.round_trip_s === null ? "–" : ms(pool.round_trip_s * 1000),
    pool.oldest_s === null ? "–" : age(pool.oldest_s),
    state(pool),
  ]);
  return table("Lines to providers; free ones of those that should stand ready", columns, rows, "cards");
}

const MOST_PIPS = 24;

/** A mark for each line: free, in use, being opened, being closed. @param {any} pool */
function pips(pool) {
  const kinds = ["idle", "leased", "opening", "draining"].flatMap((kind) => new Array(pool[kind]).fill(kind));
  const shown = kinds.slice(0, MOST_PIPS).map((kind) => element("span", { class: `pip ${kind}` }));
  return element("span", { class: "pips", "aria-hidden": "true" }, ...shown, kinds.length > MOST_PIPS ? "…" : "");
}

/** @param {any} pool */
function state(pool) {
  if (pool.is_broken) return element("span", { class: "alarm" }, `keeps failing: ${pool.problem}`);
  if (pool.problem) return element("span", { class: "alarm" }, pool.problem);
  if (!pool.is_current) return element("span", { class: "quiet" }, "stands by");
  return pool.idle < pool.warm_target ? "filling up" : "ready";
}

/** @type {Record<string, string>} */
const VERDICTS = { met: "met", broken: "broken", too_few: "too few to judge", no_data: "no data" };

/** @typedef {{name: string, words: string, limit: string, measured: number | null, unit: "ms" | "share", verdict: string, samples: number, since_unix_s: number | null}} Goal */

/** @param {Goal[]} rows */
export function goals(rows) {
  if (!rows.length) return element("p", { class: "empty-line" }, "No goals are set.");
  const columns = ["Goal", "Limit", "Measured", "Of", "Verdict", "Broken since"].map((name, index) => ({ name, figure: index === 2 }));
  return table("Goals", columns, rows.map((goal) => [
    goal.words,
    goal.limit,
    goal.unit === "share" ? percent(goal.measured ?? 0, goal.measured === null ? 0 : 1) : ms(goal.measured),
    counted(goal.samples, goal.unit === "share" ? "draft" : "turn"),
    element("span", { class: `badge ${goal.since_unix_s === null && goal.verdict !== "broken" ? "" : "failed"}` }, VERDICTS[goal.verdict] ?? goal.verdict),
    goal.since_unix_s === null ? "–" : clock(goal.since_unix_s),
  ]), "cards");
}

/** @param {Record<string, any> | null} state */
export function store(state) {
  if (!state?.is_on) {
    const why = state?.problem ? `Turns are not kept: ${state.problem}.` : "This server keeps no turns: what is shown above is of this moment alone. With history.keep on, there is more.";
    return element("p", { class: state?.problem ? "alarm" : "empty-line" }, why);
  }
  const rows = [["Turns kept since the start", whole(state.kept ?? 0)], ["Waiting to be written", whole(state.waiting ?? 0)], ["Lost", whole(state.lost ?? 0)]];
  const list = element("dl", { class: "facts" });
  for (const [name, value] of rows) list.append(element("div", {}, element("dt", {}, name), element("dd", {}, value)));
  return state.problem ? element("div", {}, element("p", { class: "alarm", role: "status" }, state.problem), list) : list;
}

/** @param {any} process */
export function processWords({ sessions, tasks, loop_lag_p95_ms, loop_lag_max_ms, memory_bytes }) {
  return [
    counted(sessions, "session"),
    memory_bytes === null ? "" : bytes(memory_bytes),
    `event loop late by ${ms(loop_lag_p95_ms)} (p95), ${ms(loop_lag_max_ms)} at most`,
    tasks === undefined ? "" : counted(tasks, "task"),
  ].filter(Boolean).join(" · ");
}
