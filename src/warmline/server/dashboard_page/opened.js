// @ts-check
/** One turn, whole: its waterfall, which is the page's own, what was said if that is kept, and its recording. */

import { element, find } from "/page/dom.js";
import { EARLY, STAGES } from "/page/stages.js";
import { waterfall } from "/page/waterfall.js";
import { Trouble, ask } from "./api.js";
import { inThirdPerson, toldOfThem } from "./third-person.js";
import { FACTS, clock, counted, ms } from "./words.js";

const dialog = find("opened", HTMLDialogElement);
const meanings = find("meanings", HTMLDialogElement);

/** Open the turn that the address names, if it names one. */
export async function openNamed() {
  const [, call, number] = location.hash.match(/^#turn=(.+)\/(\d+)$/) ?? [];
  if (call && number) await openTurn(decodeURIComponent(call), Number(number));
}

/** @param {string} call @param {number} number */
export async function openTurn(call, number) {
  find("opened-title", HTMLElement).textContent = `Turn ${number}`;
  find("opened-note", HTMLElement).textContent = `of call ${call}`;
  const body = find("opened-body", HTMLElement);
  body.replaceChildren(element("p", { class: "quiet" }, "Looking it up …"));
  if (!dialog.open) dialog.showModal();
  history.replaceState(null, "", `#turn=${encodeURIComponent(call)}/${number}`);
  try {
    const turn = await ask(`turns/${encodeURIComponent(call)}/${number}`);
    if (turn.at_s !== null) find("opened-note", HTMLElement).textContent = `${clock(turn.at_s)}, of call ${call}`;
    body.replaceChildren(...parts(turn));
  } catch (error) {
    if (!(error instanceof Trouble)) throw error;
    body.replaceChildren(element("p", { class: "problem" }, error.message));
  }
}

dialog.onclose = () => history.replaceState(null, "", `${location.pathname}${location.search}`);
// A press beside the panel closes it.
for (const one of [dialog, meanings]) {
  one.onclick = (event) => {
    if (event.target === one) one.close();
  };
}

/** @param {any} turn */
function parts(turn) {
  return [said(turn), toldOfThem(waterfall(turn, explain)), facts(turn), recordings(turn.recordings)];
}

/** What was said, if that is kept. @param {any} turn */
function said({ texts_are_kept, user_text, reply_text, heard_text }) {
  if (!texts_are_kept) return element("p", { class: "quiet", "data-testid": "not-kept" }, "What was said in this turn is not kept (history.transcripts).");
  const heard = reply_text.startsWith(heard_text) ? heard_text : "";
  const unheard = reply_text.slice(heard.length);
  const lines = [];
  if (user_text) lines.push(element("dt", {}, "Caller"), element("dd", { "data-testid": "said" }, user_text));
  if (reply_text) {
    lines.push(element("dt", {}, "Agent"), element("dd", { "data-testid": "answered" }, heard, unheard && element("span", { class: "unheard", title: "Not heard" }, unheard)));
  }
  return element("dl", { class: "said" }, ...lines);
}

/** @param {any} turn */
function facts(turn) {
  /** @type {[string, string][]} */
  const rows = Object.entries(turn.facts).map(([name, value]) => [FACTS[name] ?? name, String(value)]);
  if (turn.passages !== null) rows.push(["Passages given to the model", String(turn.passages)]);
  if (turn.debounce_ms !== null) rows.push(["Pause before a draft was begun", ms(turn.debounce_ms)]);
  if (turn.heard_share !== null) rows.push(["Heard of the answer", `${Math.round(turn.heard_share * 100)} %`]);
  rows.push(["Event loop late by, at most", ms(turn.loop_lag_ms)], ["Stopped for the garbage collector", ms(turn.collector_ms)]);
  const wasted = turn.drafts.reduce((/** @type {number} */ sum, /** @type {any} */ one) => sum + one.waste.prompt_tokens + one.waste.tokens, 0);
  if (wasted) rows.push(["Wasted on dropped drafts", counted(wasted, "token")]);
  const list = element("dl", { class: "facts" });
  for (const [name, value] of rows) list.append(element("div", {}, element("dt", {}, name), element("dd", {}, value)));
  return list;
}

/** @param {string[]} addresses */
function recordings(addresses) {
  const links = addresses.filter((address) => /^https?:\/\//.test(address)).map((address, index) =>
    element("a", { href: address, target: "_blank", rel: "noopener noreferrer" }, addresses.length > 1 ? `Recording ${index + 1} of the call` : "Recording of the call"));
  return element("p", { class: "recordings" }, ...links);
}

function explain() {
  const list = find("meanings-list", HTMLElement);
  if (!list.childElementCount) {
    for (const { label, meaning } of [EARLY, ...Object.values(STAGES)]) {
      list.append(element("dt", {}, inThirdPerson(label)), element("dd", {}, inThirdPerson(meaning)));
    }
  }
  meanings.showModal();
}
