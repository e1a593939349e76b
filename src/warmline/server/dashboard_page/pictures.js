// @ts-check
/** The two pictures: a measure in the course of time, and what the response time is made of. */

import { element } from "/page/dom.js";
import { PERCENTILES } from "./choices.js";
import { menu } from "./controls.js";
import { Plot } from "./plots.js";
import { evenly, stacked, together } from "./slots.js";
import { table } from "./table.js";
import { clock, factWords, ms, percent } from "./words.js";

/** @typedef {import("./choices.js").Choices} Choices */
/** @typedef {import("./tiles.js").Summary} Summary */
/** @typedef {Record<string, (number | null)[]>} Columns */
/** @typedef {{at_s: number[], turns: number[], measures: Record<string, Columns>}} Points */
/** @typedef {{name: string, whole: Summary, points: Points}} Group */
/** @typedef {{resolution_s: number, groups: Group[], left_out: number}} Overview */
/** @typedef {{measures: Record<string, string>, stages: string[]}} Names */

/** @type {Record<string, {color: string, dash?: number[], width?: number}>} */
const LOOKS = {
  p50: { color: "--accent", width: 2.5 },
  p90: { color: "--stage-model" },
  p95: { color: "--stage-transcription" },
  p99: { color: "--stage-endpointing", dash: [5, 4] },
};

/** Whether both pictures stand beside each other; the other one is the taller. */
const BESIDE = matchMedia("(min-width: 68rem)");

/** Groups' colours, told apart as far as eight can be. */
export const GROUP_COLORS = ["voice", "transcription", "model", "delivery", "retrieval", "endpointing", "dispatch", "commit"].map((name) => `--stage-${name}`);

/** A measure's percentiles in the course of time, or one percentile of each group. */
export class Times {
  #place;
  #tools;
  #names;
  #choices;
  #changed;
  #canvas = element("div", { class: "plot" });
  #table = element("div", {});
  #plot;
  #offered = "";

  /** @param {HTMLElement} place @param {HTMLElement} tools @param {Names} names @param {Choices} choices @param {() => void} changed @param {boolean} draws */
  constructor(place, tools, names, choices, changed, draws) {
    this.#place = place;
    this.#tools = tools;
    this.#names = names;
    this.#choices = choices;
    this.#changed = changed;
    this.#plot = draws ? new Plot(this.#canvas, BESIDE.matches ? 395 : 270) : null;
    place.append(...(draws ? [figure(this.#canvas), folded("As a table", this.#table)] : [this.#table]));
  }

  /** @param {Overview} overview its groups are plotted, if turns are told apart */
  show(overview) {
    const { measure, percentile, group_by } = this.#choices;
    this.#offer(overview);
    const name = this.#names.measures[measure] ?? measure;
    this.#place.closest("section")?.querySelector("h2")?.replaceChildren(name);
    const grouped = Boolean(group_by);
    const series = grouped
      ? overview.groups.map((group, index) => ({
          label: factWords(group.name),
          color: GROUP_COLORS[index % GROUP_COLORS.length],
          dash: index >= GROUP_COLORS.length ? [5, 4] : undefined,
          width: 2,
          at_s: group.points.at_s,
          values: column(group.points, measure, percentile),
        }))
      : PERCENTILES.map((each) => ({
          label: each,
          ...LOOKS[each],
          at_s: overview.groups[0]?.points.at_s ?? [],
          values: overview.groups[0] ? column(overview.groups[0].points, measure, each) : [],
        }));
    const { at_s, columns } = together(series);
    const drawn = series.map((one, index) => ({ ...one, values: columns[index] }));
    this.#canvas.setAttribute("aria-label", `${name} in the course of time, ${grouped ? `${percentile} of each` : "four percentiles"}; the table below has the figures`);
    this.#plot?.show({ at_s, series: drawn, kind: "lines" });
    const rows = at_s.map((at, index) => [clock(at), ...columns.map((one) => ms(one[index]))]).reverse();
    const heads = [{ name: "From" }, ...series.map(({ label }) => ({ name: label, figure: true }))];
    this.#table.replaceChildren(table(`${name} in the course of time`, heads, rows));
  }

  /** The menus above the plot. @param {Overview} overview */
  #offer(overview) {
    const known = Object.keys(this.#names.measures).filter(
      (name) => name === this.#choices.measure || overview.groups.some((group) => name in group.whole.measures),
    );
    const offered = JSON.stringify([known, this.#choices.measure, this.#choices.percentile, this.#choices.group_by]);
    if (offered === this.#offered) return;
    this.#offered = offered;
    const menus = [
      menu("measure", "Measure", known.map((value) => ({ value, label: this.#names.measures[value] ?? value })), this.#choices.measure, (value) => {
        this.#choices.measure = value;
        this.#changed();
      }),
    ];
    if (this.#choices.group_by) {
      menus.push(menu("percentile", "Percentile", PERCENTILES.map((value) => ({ value, label: value })), this.#choices.percentile, (value) => {
        this.#choices.percentile = value;
        this.#changed();
      }));
    }
    const focused = this.#tools.contains(document.activeElement) ? document.activeElement?.id : "";
    this.#tools.replaceChildren(...menus);
    if (focused) document.getElementById(focused)?.focus();
  }
}

/** What the response time is made of: in the course of time, and in all. */
export class Stages {
  #names;
  #canvas = element("div", { class: "plot" });
  #whole = element("div", {});
  #table = element("div", {});
  #plot;

  /** @param {HTMLElement} place @param {Names} names @param {boolean} draws */
  constructor(place, names, draws) {
    this.#names = names;
    this.#plot = draws ? new Plot(this.#canvas, 200) : null;
    place.append(...(draws ? [figure(this.#canvas)] : []), this.#whole, folded("In the course of time, as a table", this.#table));
  }

  /** @param {Overview} overview of all turns together */
  show(overview) {
    const [group] = overview.groups;
    if (!group) return;
    const found = this.#names.stages.filter((stage) => `stage.${stage}` in group.whole.measures);
    const sums = found.map((stage) => group.whole.measures[`stage.${stage}`].p50_ms);
    const all = sums.reduce((sum, one) => sum + one, 0);
    const shown = found.filter((stage, index) => sums[index] >= all / 400 || group.whole.measures[`stage.${stage}`].p95_ms >= 1);
    const columns = shown.map((stage) => column(group.points, `stage.${stage}`, "p50"));
    const slots = evenly(group.points.at_s, overview.resolution_s, columns);
    // The highest sum is drawn first, and the others over it.
    const tops = stacked(slots.columns);
    const series = shown.map((stage, index) => ({ label: this.#label(stage), color: `--stage-${stage}`, values: tops[index], shown: slots.columns[index] })).reverse();
    this.#canvas.setAttribute("aria-label", "What the response time was made of in the course of time; the list below has the figures of the whole window");
    this.#plot?.show({ at_s: slots.at_s, series, kind: "stack" });
    this.#whole.replaceChildren(this.#bar(group.whole, shown, all), this.#legend(group.whole, shown, all));
    const heads = [{ name: "From" }, ...shown.map((stage) => ({ name: this.#label(stage), figure: true }))];
    const rows = slots.at_s
      .map((at, index) => [clock(at), ...slots.columns.map((one) => ms(one[index]))])
      .filter((cells) => cells.slice(1).some((cell) => cell !== "–"))
      .reverse();
    this.#table.replaceChildren(table("Contributions at the median in the course of time", heads, rows));
  }

  /** @param {string} stage */
  #label(stage) {
    return this.#names.measures[`stage.${stage}`] ?? stage;
  }

  /** @param {Summary} whole @param {string[]} shown @param {number} all */
  #bar(whole, shown, all) {
    const made = element("div", { class: "bar stages-bar", "aria-hidden": "true" });
    for (const stage of shown) {
      const { p50_ms } = whole.measures[`stage.${stage}`];
      if (p50_ms < all / 400) continue;
      const piece = element("span", { class: `piece stage-${stage}`, title: `${this.#label(stage)}: ${ms(p50_ms)}` });
      piece.style.flexGrow = String(p50_ms);
      made.append(piece);
    }
    return made;
  }

  /** @param {Summary} whole @param {string[]} shown @param {number} all */
  #legend(whole, shown, all) {
    const rows = shown.map((stage) => {
      const { p50_ms, p95_ms } = whole.measures[`stage.${stage}`];
      const name = element("span", { class: "named" }, element("span", { class: `swatch stage-${stage}`, "aria-hidden": "true" }), this.#label(stage));
      return [name, ms(p50_ms), percent(p50_ms, all), ms(p95_ms)];
    });
    return table("What the response time is made of, in the whole window",
      [{ name: "Stage" }, { name: "p50", figure: true }, { name: "Share", figure: true }, { name: "p95", figure: true }], rows, "compact");
  }
}

/** @param {Points} points @param {string} measure @param {string} percentile */
function column(points, measure, percentile) {
  return points.measures[measure]?.[`${percentile}_ms`] ?? points.at_s.map(() => null);
}

/** @param {HTMLElement} canvas */
function figure(canvas) {
  canvas.setAttribute("role", "img");
  return canvas;
}

/** @param {string} title @param {HTMLElement} content */
function folded(title, content) {
  return element("details", { class: "as-table" }, element("summary", {}, title), content);
}
