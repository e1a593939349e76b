// @ts-check
/** A turn's figures: how long the person waited, for what, what went wrong, and behind folds the rest. */

import { chart } from "./chart.js";
import { element } from "./dom.js";
import { ENDINGS, STAGES, figures, milliseconds } from "./stages.js";
import { decisions, troubles } from "./why.js";

/** @typedef {import("./stages.js").TurnReport} TurnReport */

/**
 * The figures as an element that can be folded to its first line.
 *
 * @param {TurnReport} turn
 * @param {() => void} explain shows what the stages mean
 */
export function waterfall(turn, explain) {
  const { figures: stages, total_ms } = figures(turn.contributions);
  const fold = element("details", {
    class: "waterfall",
    "data-testid": "waterfall",
    "data-status": turn.status,
    "data-number": String(turn.number),
    open: "",
  });
  const summary = element("summary", {}, headline(turn, total_ms));
  const body = element("div", { class: "waterfall-body" });
  if (turn.response_us !== null) {
    summary.append(bar(stages));
    body.append(legend(stages));
  }
  body.append(troubles(turn) ?? "");
  if (turn.spans.length) body.append(chart(turn));
  body.append(decisions(turn) ?? "");
  if (turn.lines.length) body.append(connections(turn));
  const meanings = element("button", { type: "button", class: "link" }, "What do these mean?");
  meanings.onclick = explain;
  body.append(meanings);
  fold.append(summary, body);
  return /** @type {HTMLDetailsElement} */ (fold);
}

/** @param {TurnReport} turn @param {number} total_ms */
function headline(turn, total_ms) {
  const typed = "text_received" in turn.marks_us;
  const since = typed ? "from sending to the first sound" : "from your last word to the first sound";
  const line = element("span", { class: "waterfall-head" });
  if (turn.response_us === null) {
    line.append(element("span", { class: "waterfall-words", "data-testid": "waterfall-total" }, "No sound was played."));
  } else {
    const waited = turn.contributions.find((stage) => stage.name === "endpointing");
    line.append(
      element(
        "span",
        { class: "waterfall-total", "data-testid": "waterfall-total", "data-us": String(turn.response_us), title: "Milliseconds: thousandths of a second" },
        element("b", {}, String(total_ms)),
        " ms",
      ),
      element(
        "span",
        { class: "waterfall-words" },
        since,
        waited && waited.duration_us >= 1000
          ? element("span", { class: "waited" }, `of which you waited ${milliseconds(waited.duration_us)} in case you had more to say`)
          : "",
      ),
    );
  }
  const badges = element("span", { class: "badges" });
  const ending = ENDINGS[turn.status];
  if (ending) badges.append(badge(turn.status, ending));
  if (turn.playout === "timed_out") {
    badges.append(badge("timed_out", { text: "Playing unconfirmed", title: "This browser should have said that the answer was played, and did not in time." }));
  }
  if (turn.playout === "reckoned") {
    badges.append(badge("reckoned", { text: "Estimated", title: "When the sound was heard is reckoned by the clock, not reported by this browser." }));
  }
  if (badges.childElementCount) line.append(badges);
  return line;
}

/** @param {string} kind @param {{text: string, title: string}} words */
function badge(kind, { text, title }) {
  return element("span", { class: `badge ${kind}`, title, "data-testid": `badge-${kind}` }, text);
}

/** @param {import("./stages.js").Figure[]} stages */
function bar(stages) {
  const made = element("span", { class: "bar", "aria-hidden": "true" });
  for (const stage of stages) {
    const piece = element("span", { class: `piece stage-${stage.name}`, title: tip(stage.name, stage.shown_ms) });
    piece.style.flexGrow = String(stage.duration_us);
    made.append(piece);
  }
  return made;
}

/** @param {import("./stages.js").Figure[]} stages */
function legend(stages) {
  const list = element("ul", { class: "legend", "aria-label": "Where the time went" });
  for (const stage of stages) {
    list.append(
      element(
        "li",
        { title: tip(stage.name, stage.shown_ms), "data-stage": stage.name, "data-us": String(stage.duration_us) },
        element("span", { class: `swatch stage-${stage.name}`, "aria-hidden": "true" }),
        element("span", { class: "legend-name" }, STAGES[stage.name]?.label ?? stage.name),
        element("span", { class: "legend-ms" }, `${stage.shown_ms} ms`),
      ),
    );
  }
  return list;
}

/** @param {string} name @param {number} ms */
function tip(name, ms) {
  const stage = STAGES[name];
  return stage ? `${stage.label}: ${ms} ms. ${stage.meaning}` : `${name}: ${ms} ms`;
}

/** What was waited for connections, which should be nothing. @param {TurnReport} turn */
function connections(turn) {
  const list = element("ul", { class: "lines", "aria-label": "Connections", "data-testid": "lines" });
  for (const line of turn.lines) {
    const { dns_s, tcp_s, tls_s, upgrade_s } = line.cost;
    const cost = [["DNS", dns_s], ["TCP", tcp_s], ["TLS", tls_s], ["upgrade", upgrade_s]]
      .filter(([, spent_s]) => Number(spent_s) >= 0.0005)
      .map(([name, spent_s]) => `${name} ${Math.round(Number(spent_s) * 1000)} ms`)
      .join(", ");
    list.append(
      element(
        "li",
        { class: line.reused ? "" : "cold", title: cost ? `Opening it took: ${cost}` : "" },
        line.reused
          ? `${place(line)}: its line stood ready${line.age_s >= 1 ? `, open for ${lasted(line.age_s)}` : ""}`
          : `${place(line)}: waited ${(line.waited_s * 1000).toFixed(0)} ms for a line to be opened`,
      ),
    );
  }
  return list;
}

/** @param {import("./stages.js").LineUse} line */
function place({ endpoint, region }) {
  return region ? `${endpoint} (${region})` : endpoint;
}

/** @param {number} seconds */
function lasted(seconds) {
  if (seconds < 90) return `${Math.round(seconds)} s`;
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}
