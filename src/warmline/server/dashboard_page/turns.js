// @ts-check
/** The list of turns: the newest, or the slowest. */

import { element } from "/page/dom.js";
import { row, table } from "./table.js";
import { STATUSES, clock, counted, ms } from "./words.js";

/**
 * @typedef {object} TurnLine
 * @property {string} call
 * @property {number} number
 * @property {number} at_s
 * @property {string} status
 * @property {boolean} is_asked
 * @property {number | null} response_ms
 * @property {Record<string, string>} facts
 * @property {number} cold_lines
 * @property {number} drafts_begun
 * @property {number} drafts_dropped
 * @property {number} setbacks
 * @property {number} underruns
 * @property {number | null} heard_share
 */
/** @typedef {{turns: TurnLine[], next: Record<string, string | number> | null}} Page */

const COLUMNS = [{ name: "When" }, { name: "Response", figure: true }, { name: "What happened" }, { name: "Channel" }, { name: "Answered by" }, { name: "Call" }];

/** The share of an answer from which it counts as heard. */
const ALL_HEARD = 0.995;

/**
 * @param {Page} page
 * @param {(call: string, number: number) => void} open
 * @param {() => Promise<Page>} more asks for the turns behind those
 */
export function turnList(page, open, more) {
  const made = table("Turns", COLUMNS, page.turns.map((line) => cells(line, open)), "cards turn-table");
  if (!page.next) return made;
  const press = element("button", { type: "button", class: "button small more", "data-testid": "more-turns" }, "Show more");
  press.onclick = async () => {
    press.setAttribute("disabled", "");
    const found = await more().catch(() => null);
    press.removeAttribute("disabled");
    if (!found) return;
    made.querySelector("tbody")?.append(...found.turns.map((line) => row(COLUMNS, cells(line, open))));
    if (!found.next) press.remove();
  };
  made.append(press);
  return made;
}

/** @param {TurnLine} line @param {(call: string, number: number) => void} open */
function cells(line, open) {
  const press = element("button", { type: "button", class: "row-press", "data-testid": "turn", "data-call": line.call, "data-number": String(line.number) }, clock(line.at_s));
  press.onclick = () => open(line.call, line.number);
  const response = line.response_ms === null ? element("span", { class: "quiet" }, line.is_asked ? "no answer" : "greeting") : element("b", {}, ms(line.response_ms));
  return [press, response, happened(line), line.facts.channel ?? "", line.facts.llm_model ?? line.facts.llm ?? "", element("span", { class: "call-id", title: line.call }, `${shortened(line.call)} #${line.number}`)];
}

/** What is worth a word, as badges. @param {TurnLine} line */
function happened(line) {
  const told = [];
  if (line.status !== "completed") told.push(badge(line.status, STATUSES[line.status] ?? line.status));
  if (line.cold_lines) told.push(badge("cold", "cold start"));
  if (line.setbacks) told.push(badge("failed", counted(line.setbacks, "failure")));
  if (line.underruns) told.push(badge("failed", counted(line.underruns, "gap")));
  if (line.drafts_dropped) told.push(badge("", `${counted(line.drafts_dropped, "draft")} dropped`));
  else if (line.drafts_begun) told.push(badge("", "draft kept"));
  if (line.heard_share !== null && line.heard_share < ALL_HEARD) told.push(badge("", `${Math.round(line.heard_share * 100)} % heard`));
  return element("span", { class: "badges" }, ...told);
}

/** @param {string} kind @param {string} words */
function badge(kind, words) {
  return element("span", { class: `badge ${kind}` }, words);
}

/** @param {string} id */
function shortened(id) {
  return id.length > 14 ? `${id.slice(0, 6)}…${id.slice(-5)}` : id;
}
