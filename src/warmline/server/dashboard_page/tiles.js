// @ts-check
/** The window's figures at a glance. */

import { element } from "/page/dom.js";
import { counted, ms, msParts, percent, whole } from "./words.js";

/** @typedef {{count: number, p50_ms: number, p90_ms: number, p95_ms: number, p99_ms: number, max_ms: number}} Percentiles */
/**
 * @typedef {object} Summary
 * @property {Record<string, Percentiles>} measures
 * @property {number} turns
 * @property {number} asked
 * @property {number} answered
 * @property {number} interrupted
 * @property {number} failed
 * @property {number} cold_turns
 * @property {number} drafts_begun
 * @property {number} drafts_dropped
 * @property {number} wasted_tokens
 * @property {number} setbacks_hidden
 * @property {number} setbacks_noticed
 * @property {number} underruns
 * @property {number} underrun_ms
 */

/** Drafts below which a rate says little. */
const LEAST_DRAFTS = 20;

/** @param {Summary} summary @param {[number, number]} band of the drafts' cancellation rate */
export function tiles(summary, band) {
  return [
    response(summary),
    tile("turns", "Turns", { figure: whole(summary.turns), unit: "" },
      `${whole(summary.asked)} asked · ${whole(summary.interrupted)} interrupted · ${whole(summary.failed)} failed`),
    tile("cold", "Cold starts", parts(percent(summary.cold_turns, summary.turns)),
      summary.cold_turns ? `${counted(summary.cold_turns, "turn")} waited for a connection` : "no turn waited for a connection"),
    drafts(summary, band),
    tile("wasted", "Wasted", parts(summary.asked ? whole(summary.wasted_tokens / summary.asked) : "–", "tokens a turn"),
      `${counted(summary.wasted_tokens, "token")} for answers that were dropped`),
    tile("setbacks", "Failures noticed", { figure: whole(summary.setbacks_noticed), unit: "" },
      `${whole(summary.setbacks_hidden)} more made good before anybody noticed`, summary.setbacks_noticed > 0),
    tile("underruns", "Gaps in the sound", { figure: whole(summary.underruns), unit: "" },
      summary.underruns ? `${ms(summary.underrun_ms)} of silence in all` : "the sound never ran out", summary.underruns > 0),
  ];
}

/** @param {Summary} summary */
function response({ measures }) {
  const found = measures.response;
  const made = tile("response", "Response time, median", msParts(found?.p50_ms), "from the end of what they said to the first sound they heard");
  if (!found) return made;
  const others = element("dl", { class: "tile-others" });
  for (const name of /** @type {const} */ (["p90", "p95", "p99"])) {
    others.append(element("div", {}, element("dt", {}, name), element("dd", {}, ms(found[`${name}_ms`]))));
  }
  made.append(others);
  return made;
}

/** @param {Summary} summary @param {[number, number]} band */
function drafts({ drafts_begun: begun, drafts_dropped: dropped }, [low, high]) {
  const wanted = `${Math.round(low * 100)}\u2060–\u2060${Math.round(high * 100)}\u00a0%`;
  const made = tile("drafts", "Drafts dropped", parts(percent(dropped, begun)), begun
    ? `${whole(dropped)} of ${counted(begun, "draft")}; ${judged(dropped / begun, begun, low, high)} ${wanted}`
    : "no answer was begun early");
  if (!begun) return made;
  const gauge = element("span", { class: "gauge", "aria-hidden": "true" });
  const band = element("span", { class: "gauge-band" });
  band.style.left = `${low * 100}%`;
  band.style.width = `${(high - low) * 100}%`;
  const at = element("span", { class: "gauge-at" });
  at.style.left = `${(dropped / begun) * 100}%`;
  gauge.append(band, at);
  made.querySelector(".tile-note")?.before(gauge);
  return made;
}

/** @param {number} rate @param {number} begun @param {number} low @param {number} high */
function judged(rate, begun, low, high) {
  if (begun < LEAST_DRAFTS) return "too few to judge by the band,";
  if (rate > high) return "above the band of";
  if (rate < low) return "below the band of";
  return "within the band of";
}

/** @param {string} figure @param {string} [unit] */
function parts(figure, unit = "") {
  const [number, mark = ""] = figure.split(" ");
  return { figure: number, unit: unit || mark };
}

/** @param {string} name @param {string} label @param {{figure: string, unit: string}} value @param {string} note @param {boolean} [alarming] */
function tile(name, label, { figure, unit }, note, alarming = false) {
  return element("div", { class: `tile${alarming ? " alarming" : ""}`, "data-tile": name, role: "group", "aria-label": label },
    element("p", { class: "tile-label" }, label),
    element("p", { class: "tile-value" }, element("b", {}, figure), unit && `\u00a0${unit}`),
    element("p", { class: "tile-note" }, note));
}
