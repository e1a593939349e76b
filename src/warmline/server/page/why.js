// @ts-check
/** Beside a turn's chart: what went wrong, in plain sight, and what was decided, for who wants to know. */

import { NOTES, instant, setbackWords, underrunWords, wasteWords } from "./decisions.js";
import { element } from "./dom.js";

/** @typedef {import("./stages.js").TurnReport} TurnReport */

/** What went wrong with providers and with the sound; null if nothing did. @param {TurnReport} turn */
export function troubles(turn) {
  const items = setbackWords(turn.setbacks).map((words, index) => {
    const { detail, remedy } = turn.setbacks[index];
    return element("li", { class: remedy === "none" ? "unmended" : "", title: detail }, words);
  });
  const underruns = underrunWords(turn);
  if (underruns) items.push(element("li", { class: "unmended" }, underruns));
  if (!items.length) return null;
  return element("ul", { class: "setbacks", "aria-label": "What went wrong", "data-testid": "setbacks" }, ...items);
}

/** The turn's decisions, folded; null if there was none. @param {TurnReport} turn */
export function decisions({ notes, drafts }) {
  if (!notes.length) return null;
  const list = element("ol", { class: "notes" });
  for (const { at_us, kind, text } of notes) {
    const dropped = kind === "draft_dropped" && drafts.find((draft) => draft.ended_us === at_us);
    const reason = [text, dropped ? wasteWords(dropped) : ""].filter(Boolean).join(", ");
    list.append(
      element(
        "li",
        { "data-note": kind },
        element("span", { class: "note-at" }, instant(at_us)),
        element("span", { class: "note-words" }, NOTES[kind] ?? kind, reason && element("span", {}, reason)),
      ),
    );
  }
  return element("details", { class: "why", "data-testid": "why" }, element("summary", {}, "What was decided"), list);
}
