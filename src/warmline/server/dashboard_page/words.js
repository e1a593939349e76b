// @ts-check
/** Figures with their units, and what states are called. Pure. */

const NONE = "–";

/** Milliseconds; below ten with a decimal, from ten seconds on in seconds. @param {number | null | undefined} value */
export function ms(value) {
  const { figure, unit } = msParts(value);
  return unit ? `${figure} ${unit}` : figure;
}

/** The same in two parts. @param {number | null | undefined} value */
export function msParts(value) {
  if (value === null || value === undefined) return { figure: NONE, unit: "" };
  if (value >= 9999.5) return { figure: (value / 1000).toFixed(1), unit: "s" };
  if (value > 0 && value < 9.95) return { figure: value < 0.05 ? "<0.1" : value.toFixed(1), unit: "ms" };
  return { figure: whole(value), unit: "ms" };
}

/** @param {number} value */
export function whole(value) {
  return Math.round(value).toLocaleString("en");
}

/** @param {number} count @param {string} noun @param {string} [nouns] */
export function counted(count, noun, nouns = `${noun}s`) {
  return `${whole(count)} ${count === 1 ? noun : nouns}`;
}

/** A share of something, or a dash of nothing. @param {number} part @param {number} all */
export function percent(part, all) {
  if (!all) return NONE;
  const share = (part / all) * 100;
  return `${share > 0 && share < 9.95 ? share.toFixed(1) : Math.round(share)} %`;
}

/** @param {number | null | undefined} value */
export function bytes(value) {
  return value === null || value === undefined ? NONE : `${whole(value / 1e6)} MB`;
}

/** How long ago, or how long; the two greatest units. @param {number} seconds */
export function age(seconds) {
  const s = Math.max(0, Math.floor(seconds));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  if (s < 86_400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86_400)} d ${Math.floor((s % 86_400) / 3600)} h`;
}

/** The time of the day where the reader is, with the date unless it is today's. @param {number} at_s @param {Date} [now] */
export function clock(at_s, now = new Date()) {
  const at = new Date(at_s * 1000);
  const time = at.toLocaleTimeString("en-GB");
  if (at.toDateString() === now.toDateString()) return time;
  const day = at.toLocaleDateString("en-GB", { day: "numeric", month: "short" });
  return at.getFullYear() === now.getFullYear() ? `${day}, ${time}` : `${day} ${at.getFullYear()}, ${time}`;
}

/** @type {Record<string, string>} who may speak now */
export const FLOORS = {
  open: "Nobody speaks",
  user: "Caller speaks",
  endpointing: "Caller paused",
  thinking: "Agent thinks",
  agent: "Agent speaks",
  closed: "Over",
};

/** @type {Record<string, string>} what turns are told apart by */
export const FACTS = {
  channel: "Channel",
  stt: "Listens",
  llm: "Answers",
  tts: "Speaks",
  stt_model: "Recogniser’s model",
  llm_model: "Model",
  tts_model: "Voice’s model",
  region: "Region",
};

/** @type {Record<string, string>} how a turn ended */
export const STATUSES = {
  completed: "Completed",
  interrupted: "Interrupted",
  cancelled: "Stopped",
  failed: "Failed",
  playing: "Speaking",
};

/** A fact's value, which may be empty. @param {string} value */
export function factWords(value) {
  return value === "" ? "not known" : value;
}
