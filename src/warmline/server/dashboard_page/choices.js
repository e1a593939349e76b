// @ts-check
/** What is looked at: the window, the filters, how turns are told apart. Kept in the address, to be shared. */

import { FACTS } from "./words.js";

/** @type {Record<string, {label: string, words: string, again_s: number}>} `again_s`: how often to ask anew */
export const WINDOWS = {
  "15m": { label: "15 min", words: "in the last 15 minutes", again_s: 10 },
  "1h": { label: "1 h", words: "in the last hour", again_s: 10 },
  "24h": { label: "24 h", words: "in the last 24 hours", again_s: 30 },
  "7d": { label: "7 d", words: "in the last 7 days", again_s: 60 },
  "30d": { label: "30 d", words: "in the last 30 days", again_s: 60 },
  all: { label: "All", words: "of all that is kept", again_s: 60 },
};

/** What turns may be told apart by. */
export const GROUPS = ["channel", "llm", "llm_model", "stt", "stt_model", "tts", "tts_model", "region"];

export const PERCENTILES = ["p50", "p90", "p95", "p99"];

export class Choices {
  window = "24h";
  /** @type {Record<string, string>} */
  filters = {};
  group_by = "";
  measure = "response";
  percentile = "p50";
  order = "newest";

  /** @param {string} query an address's */
  constructor(query) {
    const given = new URLSearchParams(query);
    const chosen = given.get("window") ?? "";
    if (chosen in WINDOWS) this.window = chosen;
    for (const name of Object.keys(FACTS)) if (given.has(name)) this.filters[name] = given.get(name) ?? "";
    if (GROUPS.includes(given.get("group_by") ?? "")) this.group_by = given.get("group_by") ?? "";
    this.measure = given.get("measure") ?? this.measure;
    if (PERCENTILES.includes(given.get("percentile") ?? "")) this.percentile = given.get("percentile") ?? "";
    if (given.get("order") === "slowest") this.order = "slowest";
  }

  /** What the server is asked with. @returns {Record<string, string>} */
  get asked() {
    return { window: this.window, ...this.filters };
  }

  /** The address's query, of what differs from the beginning. */
  get query() {
    const first = new Choices("");
    const parts = new URLSearchParams();
    if (this.window !== first.window) parts.set("window", this.window);
    for (const [name, value] of Object.entries(this.filters)) parts.set(name, value);
    if (this.group_by) parts.set("group_by", this.group_by);
    if (this.measure !== first.measure) parts.set("measure", this.measure);
    if (this.percentile !== first.percentile) parts.set("percentile", this.percentile);
    if (this.order !== first.order) parts.set("order", this.order);
    const query = parts.toString();
    return query && `?${query}`;
  }
}
