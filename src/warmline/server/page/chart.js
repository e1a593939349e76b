// @ts-check
/** A turn's chart: each stage's own time on one axis, with the answers that were begun early. */

import { draftWords, isKept } from "./decisions.js";
import { element } from "./dom.js";
import { EARLY, SPANS, chartWindow, milliseconds } from "./stages.js";

/** @typedef {import("./stages.js").TurnReport} TurnReport */
/** @typedef {{from_us: number, to_us: number}} Window */
/**
 * @typedef {object} Row
 * @property {string} name what it is known by to tests
 * @property {string} label
 * @property {string} figure
 * @property {number} start_us where it stands among the others
 * @property {string[]} words more about it, a sentence each
 * @property {Block[]} blocks
 */
/** @typedef {{start_us: number, end_us: number, look: string, title: string}} Block */

/** Percent of the chart's width below which two labels would touch. */
const LABEL_ROOM = 28;
const WIDE = matchMedia("(min-width: 56rem)");
const SHORTEST_HOLD_US = 1000;

/** Each stage's own time, beside one another: they overlap, which is the point. @param {TurnReport} turn */
export function chart(turn) {
  const shown = chartWindow(turn);
  /** @param {number} us */
  const place = (us) => Math.min(100, Math.max(0, ((us - shown.from_us) / (shown.to_us - shown.from_us)) * 100));
  const made = [...draftRow(turn), ...turn.spans.map((span) => spanRow(span, turn))];
  const rows = element("ol", { class: "rows" });
  for (const one of made.sort((a, b) => a.start_us - b.start_us)) rows.append(row(one, shown, place));
  const marks = element("div", { class: "marks", "aria-hidden": "true" });
  const origin = "text_received" in turn.marks_us ? "sent" : "you stopped";
  const sound = turn.response_us === null ? 100 : place(turn.response_us);
  marks.append(mark(place(0), sound - place(0) < LABEL_ROOM ? "" : origin, "origin"));
  if (turn.response_us !== null) marks.append(mark(sound, "first sound", "sound"));
  const fold = element(
    "details",
    { class: "timeline", "data-testid": "timeline" },
    element("summary", {}, "What ran when"),
    element("div", { class: "chart" }, element("div", { class: "marks-area" }, marks), rows),
  );
  if (WIDE.matches) fold.setAttribute("open", "");
  return fold;
}

/** @param {import("./stages.js").Span} span @param {TurnReport} turn @returns {Row} */
function spanRow({ name, start_us, end_us }, turn) {
  const { label, stage } = SPANS[name] ?? { label: name, stage: "other" };
  const figure = milliseconds(end_us - start_us);
  const blocks = [{ start_us, end_us, look: `stage-${stage}`, title: `${label}: ${figure}` }];
  const held = name === "voice_first_audio" ? hold(turn) : null;
  if (held) blocks.push(held);
  return { name, label, figure, start_us, words: held ? [held.title] : [], blocks };
}

/** The time for which the first sound was there and waited; null if it did not. @param {TurnReport} turn @returns {Block | null} */
function hold({ marks_us, drafts }) {
  const { tts_first_audio: start_us, audio_sent: end_us } = marks_us;
  if (start_us === undefined || end_us === undefined || end_us - start_us < SHORTEST_HOLD_US) return null;
  const until = drafts.some(isKept) ? "your turn was over" : "it was clear that you had no more to say";
  return { start_us, end_us, look: "held", title: `Held for ${milliseconds(end_us - start_us)}, until ${until}.` };
}

/** The answers that were begun before the turn was over, all in one row. @param {TurnReport} turn @returns {Row[]} */
function draftRow({ drafts }) {
  if (!drafts.length) return [];
  const blocks = drafts.map((draft) => ({
    start_us: draft.begun_us,
    end_us: draft.ended_us,
    look: isKept(draft) ? "draft" : "draft dropped",
    title: draftWords(draft),
  }));
  const kept = drafts.find(isKept);
  const last = drafts[drafts.length - 1];
  const figure = kept ? milliseconds(kept.ended_us - kept.begun_us) : "dropped";
  const words = blocks.map(({ title }) => title);
  return [{ name: "drafts", label: EARLY.label, figure, start_us: (kept ?? last).begun_us, words, blocks }];
}

/** @param {Row} one @param {Window} shown @param {(us: number) => number} place */
function row({ name, label, figure, words, blocks }, shown, place) {
  const track = element("span", { class: "track" });
  for (const { start_us, end_us, look, title } of blocks) {
    const block = element("span", { class: `block ${look}`, title });
    const left = place(start_us);
    block.style.left = `${left}%`;
    if (end_us <= shown.from_us) block.classList.add("before");
    else block.style.width = `${place(end_us) - left}%`;
    if (start_us < shown.from_us && end_us > shown.from_us) block.classList.add("from-before");
    if (end_us > shown.to_us) block.classList.add("goes-on");
    track.append(block);
  }
  const said = words.length ? element("span", { class: "hidden" }, ` ${words.join(" ")}`) : "";
  return element(
    "li",
    { class: "row", "data-span": name, title: [`${label}: ${figure}`, ...words].join("\n") },
    element("span", { class: "row-name" }, label, said),
    track,
    element("span", { class: "row-ms" }, figure),
  );
}

/** @param {number} at percent @param {string} words @param {string} kind */
function mark(at, words, kind) {
  const made = element("span", { class: `mark-line ${kind}` }, element("span", {}, words));
  made.style.left = `${at}%`;
  return made;
}
