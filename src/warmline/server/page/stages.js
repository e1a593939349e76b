// @ts-check
/** What the stages of a turn are called, what they mean, and figures that add up. Pure. */

/** @typedef {{name: string, duration_us: number}} Contribution */
/** @typedef {{name: string, start_us: number, end_us: number}} Span */
/** @typedef {{dns_s: number, tcp_s: number, tls_s: number, upgrade_s: number}} OpenCost */
/** @typedef {{endpoint: string, line_id: string, reused: boolean, age_s: number, waited_s: number, cost: OpenCost, region?: string}} LineUse */
/** @typedef {{at_us: number, kind: string, text: string}} Note from the turn's origin */
/** @typedef {{prompt_tokens: number, tokens: number, characters: number}} Waste */
/** @typedef {{trigger: string, outcome: string, begun_us: number, ended_us: number, waste: Waste}} Draft from the turn's origin */
/** @typedef {{role: string, leg: string, kind: string, remedy: string, taken_by: string, lost_s: number, detail: string}} Setback */
/**
 * @typedef {object} TurnReport
 * @property {number} number
 * @property {string | null} response_id
 * @property {"playing" | "completed" | "interrupted" | "cancelled" | "failed"} status
 * @property {string} user_text
 * @property {string} reply_text
 * @property {string} heard_text
 * @property {"reported" | "reckoned" | "timed_out"} playout
 * @property {number | null} response_us
 * @property {Contribution[]} contributions sum to response_us
 * @property {LineUse[]} lines the connections it was given
 * @property {Span[]} spans
 * @property {Record<string, number>} marks_us
 * @property {Note[]} notes what was decided, oldest first
 * @property {Draft[]} drafts answers that were begun before the turn was over, oldest first
 * @property {Setback[]} setbacks what went wrong with providers, oldest first
 * @property {number} underruns how often the sound ran out
 * @property {number} underrun_us
 */
/** @typedef {{name: string, duration_us: number, shown_ms: number}} Figure */

/** @type {Record<string, {label: string, meaning: string}>} */
export const STAGES = {
  endpointing: {
    label: "Making sure you had finished",
    meaning: "A short silence is waited for, in case you only paused for breath. Called endpointing.",
  },
  transcription: { label: "Understanding your words", meaning: "Your speech is turned into text. Called transcription." },
  commit: { label: "Taking the turn", meaning: "The decision that your turn is over and will be answered." },
  retrieval: { label: "Looking in the documents", meaning: "The passages that fit your question are found. Called retrieval." },
  prompt: { label: "Putting the question", meaning: "Your question and the passages are laid before the model that answers." },
  model: { label: "Finding the first words", meaning: "The model that answers begins its answer." },
  clause: { label: "Completing the first phrase", meaning: "Enough of the answer is there to start saying it." },
  dispatch: { label: "Handing it to the voice", meaning: "The first phrase reaches the voice that will say it." },
  voice: { label: "Making the first sound", meaning: "The voice turns the first phrase into sound. Called synthesis." },
  send: { label: "Sending the sound", meaning: "The sound leaves the server." },
  delivery: { label: "Reaching your loudspeaker", meaning: "The sound travels to your browser and out of your loudspeaker." },
  other: { label: "Everything else", meaning: "Stages that took less than a thousandth of a second each, together." },
};

export const EARLY = {
  label: "Answer begun early",
  meaning:
    "While you might still go on, an answer is begun on a guess, up to its first sound, which is held until your turn is over. " +
    "A striped one was dropped, since you went on or your words turned out to be others. Called a draft.",
};

/** @type {Record<string, {label: string, stage: string}>} what a span is called and whose colour it has */
export const SPANS = {
  speech: { label: "You speaking", stage: "speech" },
  endpointing: { label: "Making sure you had finished", stage: "endpointing" },
  transcription: { label: "Understanding your words", stage: "transcription" },
  retrieval: { label: "Looking in the documents", stage: "retrieval" },
  model_first_text: { label: "Finding the first words", stage: "model" },
  model: { label: "Writing the whole answer", stage: "prompt" },
  first_clause: { label: "Completing the first phrase", stage: "clause" },
  voice_first_audio: { label: "Making the first sound", stage: "voice" },
  voice: { label: "Making all of the sound", stage: "dispatch" },
  delivery: { label: "Reaching your loudspeaker", stage: "delivery" },
  playout: { label: "Playing the answer", stage: "speech" },
};

/** @type {Record<string, {text: string, title: string}>} how a turn ended, where that is worth a word */
export const ENDINGS = {
  playing: { text: "Speaking", title: "The answer is being played; its figures are not final." },
  interrupted: { text: "Interrupted", title: "You spoke before the answer was over. Words you did not hear are dimmed." },
  cancelled: { text: "Stopped", title: "You stopped the answer. Words you did not hear are dimmed." },
  failed: { text: "Failed", title: "Something went wrong while the answer was made." },
};

const FOLD_BELOW_US = 1000;
const NARROWEST_US = 50_000;

/**
 * The figures of a waterfall: stages of at least a millisecond, the rest as "other", in whole
 * milliseconds that sum to the whole milliseconds of the total.
 *
 * @param {Contribution[]} contributions
 * @returns {{figures: Figure[], total_ms: number}}
 */
export function figures(contributions) {
  const kept = contributions.filter((stage) => stage.duration_us >= FOLD_BELOW_US);
  const folded_us = sum(contributions) - sum(kept);
  if (folded_us > 0) kept.push({ name: "other", duration_us: folded_us });
  const total_ms = Math.round(sum(kept) / 1000);
  const shown = kept.map((stage) => ({ ...stage, shown_ms: Math.floor(stage.duration_us / 1000) }));
  // The milliseconds lost by rounding down go to those who lost most, as seats go to parties.
  const by_remainder = [...shown].sort((a, b) => (b.duration_us % 1000) - (a.duration_us % 1000));
  const missing = total_ms - shown.reduce((all, stage) => all + stage.shown_ms, 0);
  for (const stage of by_remainder.slice(0, missing)) stage.shown_ms += 1;
  return { figures: shown, total_ms };
}

/** @param {Contribution[]} contributions */
function sum(contributions) {
  return contributions.reduce((all, stage) => all + stage.duration_us, 0);
}

/**
 * The part of a turn's time that its chart shows: the wait and a little on either side, however
 * long the person spoke before it and the reply lasted after it. An answer that was begun earlier
 * widens it, up to the wait's own length.
 *
 * @param {TurnReport} turn
 * @returns {{from_us: number, to_us: number}}
 */
export function chartWindow(turn) {
  const wait_us = turn.response_us ?? Math.max(0, ...turn.spans.map((span) => span.end_us));
  const shown_us = Math.max(wait_us, NARROWEST_US);
  const margin_us = shown_us * 0.18;
  const begun = turn.drafts.map((draft) => -draft.begun_us).filter((us) => us > 0 && us <= shown_us);
  const before_us = Math.max(margin_us, ...begun.map((us) => us + shown_us * 0.06));
  const spoke = turn.spans.some((span) => span.start_us < 0);
  return { from_us: spoke ? -before_us : 0, to_us: shown_us + margin_us };
}

/** @param {number} us */
export function milliseconds(us) {
  if (us >= 999_500) return `${(us / 1e6).toFixed(us < 9_995_000 ? 2 : 1)} s`;
  if (us >= 9950 || us === 0) return `${Math.round(us / 1000)} ms`;
  return us < 50 ? "<0.1 ms" : `${(us / 1000).toFixed(1)} ms`;
}
