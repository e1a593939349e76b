// @ts-check
/** Plots by uPlot, where it is installed; colours are the page's. */

import { element } from "/page/dom.js";
import { ms } from "./words.js";

/** @typedef {{label: string, color: string, values: (number | null)[], shown?: (number | null)[], dash?: number[], width?: number}} Series
 *   `color`: the name of a custom property; `shown`: what the legend tells, where that is not what is drawn */
/** @typedef {{at_s: number[], series: Series[], kind: "lines" | "stack"}} Picture */

/** @type {any} uPlot's constructor, once its file has come */
let uPlot = null;

/** Fetch uPlot; false if that fails. @returns {Promise<boolean>} */
export async function loadPlots() {
  const style = element("link", { rel: "stylesheet", href: "/dashboard/plots/uPlot.min.css" });
  const script = element("script", { src: "/dashboard/plots/uPlot.iife.js" });
  const come = new Promise((resolve) => {
    script.onload = () => resolve(true);
    script.onerror = () => resolve(false);
  });
  document.head.prepend(style);
  document.head.append(script);
  if (!(await come)) return false;
  uPlot = /** @type {any} */ (window).uPlot;
  return true;
}

const DARK = matchMedia("(prefers-color-scheme: dark)");

/** A picture that follows its place's width and the colours that are in force. */
export class Plot {
  #place;
  #height;
  /** @type {Picture | null} */
  #picture = null;
  /** @type {any} */
  #drawn = null;
  #look = "";

  /** @param {HTMLElement} place @param {number} height */
  constructor(place, height) {
    this.#place = place;
    this.#height = height;
    new ResizeObserver(() => {
      if (this.#drawn && place.clientWidth) this.#drawn.setSize({ width: place.clientWidth, height });
    }).observe(place);
    DARK.addEventListener("change", () => {
      this.#look = "";
      if (this.#picture) this.show(this.#picture);
    });
  }

  /** @param {Picture} picture */
  show(picture) {
    this.#picture = picture;
    if (!uPlot || !this.#place.clientWidth) return;
    const look = JSON.stringify([picture.kind, picture.series.map(({ label, color }) => [label, color])]);
    if (this.#drawn && look === this.#look) {
      this.#drawn.setData(data(picture));
      return;
    }
    this.#drawn?.destroy();
    this.#look = look;
    this.#drawn = new uPlot(this.#options(picture), data(picture), this.#place);
  }

  /** @param {Picture} picture */
  #options({ kind, series }) {
    const style = getComputedStyle(document.documentElement);
    /** @param {string} name */
    const color = (name) => style.getPropertyValue(name).trim();
    const axis = {
      stroke: color("--muted"),
      font: `12px ${getComputedStyle(document.body).fontFamily}`,
      grid: { stroke: color("--line"), width: 1 },
      ticks: { show: false },
    };
    const bars = uPlot.paths.bars({ size: [0.86, 60] });
    return {
      width: this.#place.clientWidth,
      height: this.#height,
      legend: { show: kind === "lines" },
      cursor: { ...(kind === "stack" ? { points: { show: false } } : {}), y: false, drag: { x: false, y: false } },
      scales: { y: { range: (/** @type {any} */ _, /** @type {number} */ __, /** @type {number} */ most) => [0, Math.max(most * 1.08, 1)] } },
      axes: [
        { ...axis, space: 70, values: timeValues },
        { ...axis, size: 62, values: (/** @type {any} */ _, /** @type {number[]} */ ticks) => ticks.map((tick) => ms(tick)) },
      ],
      series: [
        { label: "From", value: (/** @type {any} */ _, /** @type {number | null} */ at) => (at ? new Date(at * 1000).toLocaleString("en-GB", SHORT) : "–") },
        ...series.map(({ label, color: name, dash, width }, index) => ({
          label,
          stroke: color(name),
          width: kind === "stack" ? 0 : (width ?? 1.5),
          dash,
          spanGaps: true,
          value: (/** @type {any} */ _, /** @type {any} */ __, /** @type {any} */ ___, /** @type {number | null} */ at) =>
            ms(at === null || at === undefined ? null : this.#told(index, at)),
          ...(kind === "stack" ? { fill: color(name), paths: bars, points: { show: false } } : { points: { size: 5, fill: color("--surface") } }),
        })),
      ],
    };
  }

  /** What the legend tells at a place in time. @param {number} index @param {number} at */
  #told(index, at) {
    const one = this.#picture?.series[index];
    return (one?.shown ?? one?.values)?.[at];
  }
}

/** @type {Intl.DateTimeFormatOptions} */
const SHORT = { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" };
const DAY_S = 86_400;

/** Times along the axis in 24 hours; the date where a day begins. @param {any} _ @param {number[]} ticks @param {any} __ @param {any} ___ @param {number} apart_s */
function timeValues(_, ticks, __, ___, apart_s) {
  let day = "";
  return ticks.map((tick) => {
    const at = new Date(tick * 1000);
    const date = at.toLocaleDateString("en-GB", { day: "numeric", month: "short" });
    if (apart_s >= DAY_S) return date;
    const time = at.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit", ...(apart_s < 60 ? { second: "2-digit" } : {}) });
    const isNew = day !== date && (day !== "" || at.getHours() + at.getMinutes() === 0);
    day = date;
    return isNew ? `${time}\n${date}` : time;
  });
}

/** @param {Picture} picture */
function data({ at_s, series }) {
  return [at_s, ...series.map(({ values }) => values)];
}
