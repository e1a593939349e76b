// @ts-check
/** The dashboard: asks for what is chosen, is told of what changes, and shows both. */

import { element, find } from "/page/dom.js";
import { Trouble, ask, listen, logOut } from "./api.js";
import { Choices, WINDOWS } from "./choices.js";
import { Controls, menu } from "./controls.js";
import { groups, measures } from "./measures.js";
import { Calls, goals, pools, processWords, store } from "./now.js";
import { openNamed, openTurn } from "./opened.js";
import { Stages, Times } from "./pictures.js";
import { loadPlots } from "./plots.js";
import { inThirdPerson } from "./third-person.js";
import { tiles } from "./tiles.js";
import { turnList } from "./turns.js";
import { FACTS } from "./words.js";

/**
 * @typedef {object} Served what the server put into index.html
 * @property {boolean} plots whether uPlot is installed
 * @property {string} install_plots
 * @property {boolean} keeps_turns
 * @property {boolean} may_log_out
 * @property {Record<string, string>} measures
 * @property {string[]} stages
 * @property {[number, number]} band
 */

/** @type {Served} */
const served = JSON.parse(find("warmline-dashboard", HTMLScriptElement).textContent ?? "{}");
for (const [name, words] of Object.entries(served.measures)) served.measures[name] = inThirdPerson(words);
/** Conversations up to which each turn that is over is asked for at once; of more, by and by. */
const FEW = 10;
const SOON_MS = 1500;
let soon = false;

/** How many turns are listed at first; more are asked for by a press. */
const FIRST_TURNS = "12";

const choices = new Choices(location.search);
const calls = new Calls();
/** Whether plots can be drawn, once that is known: their file comes while the first figures do. */
const drawing = served.plots && served.keeps_turns ? loadPlots() : Promise.resolve(false);
/** @type {{times: Times, stages: Stages} | null} */
let pictures = null;
let asked = 0;
/** @type {number | undefined} */
let timer;

const controls = new Controls(find("controls", HTMLElement), choices, () => void change());

/** Ask for all that is chosen, and show it; of several at once the last one counts. */
async function refresh() {
  clearTimeout(timer);
  const number = ++asked;
  try {
    const [all, apart, facts, page] = await Promise.all([
      ask("overview", choices.asked),
      choices.group_by ? ask("overview", { ...choices.asked, group_by: choices.group_by }) : null,
      ask("facts", { window: choices.window }),
      ask("turns", { ...choices.asked, order: choices.order, limit: FIRST_TURNS }),
    ]);
    const draws = await drawing;
    if (number !== asked) return;
    notice("");
    picture(draws);
    show(all, apart, page);
    controls.offer(facts.facts);
  } catch (error) {
    if (!(error instanceof Trouble)) throw error;
    if (number === asked) notice(error.message);
  }
  timer = setTimeout(() => void (document.hidden ? later() : refresh()), WINDOWS[choices.window].again_s * 1000);
}

/** Make the places of both pictures, once. @param {boolean} draws */
function picture(draws) {
  if (pictures) return;
  pictures = {
    times: new Times(find("times", HTMLElement), find("times-tools", HTMLElement), served, choices, () => void change(), draws),
    stages: new Stages(find("stages", HTMLElement), served, draws),
  };
  if (draws) return;
  const advice = ["Plots need one more package: ", element("code", {}, served.install_plots), ". Until then tables have the same figures."];
  find("pictures", HTMLElement).before(element("p", { class: "advice", "data-testid": "no-plots" }, ...advice));
}

/** A turn is over: it is kept in a second. */
function refreshSoon() {
  if (document.hidden || soon) return;
  soon = true;
  setTimeout(() => {
    soon = false;
    void refresh();
  }, SOON_MS);
}

/** Nobody looks: go on when somebody does. */
function later() {
  document.addEventListener("visibilitychange", () => void refresh(), { once: true });
}

/** Something else is to be looked at. */
function change() {
  history.replaceState(null, "", `${location.pathname}${choices.query}`);
  return refresh();
}

/** @param {import("./pictures.js").Overview} all @param {import("./pictures.js").Overview | null} apart @param {import("./turns.js").Page} page */
function show(all, apart, page) {
  const summary = all.groups[0]?.whole;
  const none = !summary || summary.turns === 0;
  for (const id of ["tiles", "pictures", "turns-panel", "measures-panel"]) find(id, HTMLElement).hidden = none;
  find("no-turns", HTMLElement).hidden = !none;
  find("groups", HTMLElement).hidden = none || !apart;
  if (none) {
    find("no-turns", HTMLElement).replaceChildren(...nothing());
    return;
  }
  find("tiles", HTMLElement).replaceChildren(...tiles(summary, served.band));
  if (apart) find("groups", HTMLElement).replaceChildren(groups(apart, FACTS[choices.group_by]));
  pictures?.times.show(apart ?? all);
  pictures?.stages.show(all);
  find("measures", HTMLElement).replaceChildren(measures(summary, served.measures, choices.measure, (measure) => {
    choices.measure = measure;
    void change();
    find("times-title", HTMLElement).scrollIntoView({ block: "center" });
  }));
  let last = page;
  find("turns", HTMLElement).replaceChildren(turnList(page, (call, number) => void openTurn(call, number), async () => {
    const next = Object.fromEntries(Object.entries(last.next ?? {}).map(([name, value]) => [name, String(value)]));
    last = await ask("turns", { ...choices.asked, order: choices.order, ...next });
    return last;
  }));
}

/** What to do where there are no turns. */
function nothing() {
  const filtered = Object.keys(choices.filters).length > 0;
  const title = element("h3", {}, `There are no turns ${WINDOWS[choices.window].words}${filtered ? " with these filters" : ""}.`);
  const wider = [choices.window === "all" ? "" : "choose a longer window", filtered ? "choose other filters" : ""].filter(Boolean);
  const advice = [...wider, ""].join(", or ");
  const link = element("a", { href: "/", target: "_blank" }, advice ? "talk to the agent" : "Talk to the agent");
  const words = element("p", {}, advice.charAt(0).toUpperCase() + advice.slice(1), link, ": each turn is here a second after it is over, with what it was made of.");
  return [title, words];
}

/** Tell of a trouble above everything; "" takes it back. @param {string} words */
function notice(words) {
  const place = find("notices", HTMLElement);
  if (place.textContent !== words) place.replaceChildren(words);
}

/** @param {any} state */
function showState(state) {
  find("process", HTMLElement).textContent = processWords(state.process);
  find("pools", HTMLElement).replaceChildren(pools(state.pools));
  find("store", HTMLElement).replaceChildren(store(state.store));
  find("goals-panel", HTMLElement).hidden = state.goals === null;
  if (state.goals !== null) find("goals", HTMLElement).replaceChildren(goals(state.goals));
}

/** @param {"open" | "lost"} state */
function showLink(state) {
  const place = find("link-state", HTMLElement);
  place.dataset.state = state;
  place.textContent = state === "open" ? "Live" : "Not connected";
}

async function begin() {
  const logOutButton = find("log-out", HTMLButtonElement);
  logOutButton.hidden = !served.may_log_out;
  logOutButton.onclick = () => void logOut();
  const changed = (/** @type {any} */ changes) => {
    if (calls.change(changes) && served.keeps_turns && calls.count <= FEW) refreshSoon();
  };
  listen({ calls: (all) => calls.all(all), changed, state: showState }, showLink);
  if (!served.keeps_turns) {
    for (const id of ["controls", "tiles", "pictures", "turns-panel", "measures-panel"]) find(id, HTMLElement).hidden = true;
    return;
  }
  find("turns-tools", HTMLElement).append(menu("order", "Order", [{ value: "newest", label: "newest first" }, { value: "slowest", label: "slowest first" }], choices.order, (value) => {
    choices.order = value;
    void change();
  }));
  await refresh();
  await openNamed();
}

void begin();
