// @ts-check
/** Every measure's percentiles, and groups beside each other. */

import { element } from "/page/dom.js";
import { table } from "./table.js";
import { factWords, ms, percent, whole } from "./words.js";

/** @typedef {import("./tiles.js").Summary} Summary */

const COLUMNS = [
  { name: "Measure" },
  { name: "Count", figure: true },
  { name: "p50", figure: true },
  { name: "p90", figure: true },
  { name: "p95", figure: true },
  { name: "p99", figure: true },
  { name: "Longest", figure: true },
];

const HEADINGS = { stage: "What was waited for (contributions, which sum to the response time)", span: "How long each stage took by itself (spans, which overlap)" };

/**
 * @param {Summary} summary
 * @param {Record<string, string>} names the measures in order, and what they are called
 * @param {string} chosen
 * @param {(measure: string) => void} choose
 */
export function measures(summary, names, chosen, choose) {
  /** @type {any[]} */
  const rows = [];
  let before = "";
  for (const [measure, name] of Object.entries(names)) {
    const found = summary.measures[measure];
    if (!found) continue;
    const group = measure.split(".")[0];
    if (group !== before && group in HEADINGS) rows.push([{ heading: HEADINGS[/** @type {keyof typeof HEADINGS} */ (group)] }]);
    before = group;
    const press = element("button", { type: "button", class: "row-press", "aria-pressed": String(measure === chosen), "data-measure": measure }, name);
    press.onclick = () => choose(measure);
    rows.push([press, whole(found.count), ms(found.p50_ms), ms(found.p90_ms), ms(found.p95_ms), ms(found.p99_ms), ms(found.max_ms)]);
  }
  return table("Percentiles of every measure", COLUMNS, rows, "compact");
}

/** @param {import("./pictures.js").Overview} overview @param {string} fact what they are told apart by */
export function groups(overview, fact) {
  const rows = overview.groups.map(({ name, whole: summary }) => {
    const response = summary.measures.response;
    return [
      factWords(name),
      whole(summary.turns),
      ms(response?.p50_ms),
      ms(response?.p95_ms),
      ms(response?.p99_ms),
      percent(summary.cold_turns, summary.turns),
      percent(summary.drafts_dropped, summary.drafts_begun),
      whole(summary.setbacks_noticed),
      whole(summary.underruns),
    ];
  });
  const columns = [fact, "Turns", "Response p50", "p95", "p99", "Cold starts", "Drafts dropped", "Failures noticed", "Gaps in the sound"].map((name, index) => ({ name, figure: index > 0 }));
  const made = table(`Turns by ${fact.toLowerCase()}`, columns, rows, "cards");
  if (overview.left_out) made.append(element("p", { class: "panel-note" }, `${whole(overview.left_out)} more with fewer turns are left out.`));
  return made;
}
