// @ts-check
/** What was decided in a turn, and what went wrong, in words. Pure. */

import { milliseconds } from "./stages.js";

/** @typedef {import("./stages.js").TurnReport} TurnReport */
/** @typedef {import("./stages.js").Draft} Draft */
/** @typedef {import("./stages.js").Setback} Setback */

/** @type {Record<string, string>} what a draft was begun on */
export const TRIGGERS = {
  partial: "on your words so far",
  final: "on your words, which were certain",
  "eager end": "on a hint that you were done",
};

/** @type {Record<string, {kept: boolean, words: string}>} how a draft ended */
export const OUTCOMES = {
  "the turn was committed, and it fits": { kept: true, words: "kept: you were done, and it fitted your words" },
  "the turn was committed with other words": { kept: false, words: "dropped: your words turned out to be others" },
  "the user went on": { kept: false, words: "dropped: you went on" },
  "the words were recognised otherwise": { kept: false, words: "dropped: your words were understood otherwise" },
  "the turn was given up": { kept: false, words: "dropped: the turn was given up" },
  "a provider failed": { kept: false, words: "dropped: it could not be made" },
  "the session ended": { kept: false, words: "dropped: the conversation ended" },
};

/** @type {Record<string, string>} what a note is about; its reason follows */
export const NOTES = {
  draft_waits: "No early answer yet",
  draft_begun: "An answer was begun early",
  draft_adopted: "The early answer was kept",
  draft_dropped: "The early answer was dropped",
  debounce_changed: "Pauses before an early answer were changed",
  retrieval_reused: "The passages were known already",
  retrieval_late: "Answered without passages",
  retrieval_failed: "Looking in the documents failed",
  false_interruption: "A sound was no interruption, and the answer went on",
  underrun: "The sound ran out for a moment",
  tool_called: "A tool was used",
  setback: "Something went wrong",
};

/** @type {Record<string, string>} what a provider did wrong */
export const SETBACKS = {
  late: "was late",
  stalled: "stopped in the middle",
  cut: "broke off",
  unavailable: "failed",
  refused: "refused",
  skipped: "was known to be down",
  slow: "was slow",
};

/** @type {Record<string, string>} what a provider that takes over does, by its role */
const DOES = { stt: "listened", llm: "answered", tts: "spoke" };
const SHORTEST_LOSS_S = 0.05;

/** @param {Draft} draft */
export function isKept(draft) {
  return OUTCOMES[draft.outcome]?.kept ?? false;
}

/** One guess that the turn was over, as a sentence. @param {Draft} draft */
export function draftWords(draft) {
  const trigger = TRIGGERS[draft.trigger] ?? `on ${draft.trigger}`;
  const outcome = OUTCOMES[draft.outcome]?.words ?? draft.outcome;
  return `Begun ${when(draft.begun_us)}, ${trigger}; ${[outcome, wasteWords(draft)].filter(Boolean).join(", ")}.`;
}

/** What a dropped draft cost; "" for nothing. @param {Draft} draft */
export function wasteWords({ waste }) {
  const tokens = waste.prompt_tokens + waste.tokens;
  const parts = [
    tokens ? `about ${tokens} tokens` : "",
    waste.characters ? `${waste.characters} characters of speech` : "",
  ].filter(Boolean);
  return parts.length ? `wasted ${parts.join(" and ")}` : "";
}

/** @param {number} us from the turn's origin */
function when(us) {
  return `${milliseconds(Math.abs(us))} ${us < 0 ? "before" : "after"} your last word`;
}

/** An instant for a column of them. @param {number} us from the turn's origin */
export function instant(us) {
  return us < 0 ? `−${milliseconds(-us)}` : `+${milliseconds(us)}`;
}

/**
 * What went wrong with providers, a sentence each.
 *
 * @param {Setback[]} setbacks oldest first
 */
export function setbackWords(setbacks) {
  return setbacks.map((setback, index) => {
    const { role, leg, kind, lost_s } = setback;
    const lost = lost_s >= SHORTEST_LOSS_S && kind !== "skipped" ? ` after ${lost_s.toFixed(1)} s` : "";
    const later = setbacks.slice(index + 1);
    const failedToo = later.some((one) => one.role === role && one.leg === setback.taken_by);
    const remedy = remedyWords(setback, failedToo);
    return `${leg} ${SETBACKS[kind] ?? kind}${lost}${remedy && `; ${remedy}`}.`;
  });
}

/** @param {Setback} setback @param {boolean} failedToo whether who took over failed in turn */
function remedyWords({ role, leg, remedy, taken_by }, failedToo) {
  const another = taken_by !== leg;
  switch (remedy) {
    case "hedge":
      return another ? `${taken_by} was asked as well` : "it was asked a second time";
    case "replay":
      return another ? `${taken_by} was sent your words once more` : "it was sent your words once more";
    case "continuation":
    case "retry": {
      if (!another) return remedy === "retry" ? "it was asked again" : "it was asked for the rest";
      if (failedToo) return `${taken_by} was asked`;
      return remedy === "retry" ? `${taken_by} ${DOES[role] ?? "took over"}` : `${taken_by} went on`;
    }
    default:
      return "";
  }
}

/** How often and how long the sound ran out; "" if it did not. @param {TurnReport} turn */
export function underrunWords({ underruns, underrun_us }) {
  if (!underruns) return "";
  const often = ["once", "twice"][underruns - 1] ?? `${underruns} times`;
  return `The sound ran out ${often}, for ${milliseconds(underrun_us)} in all, before more of it was made.`;
}
