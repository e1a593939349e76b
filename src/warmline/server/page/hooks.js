// @ts-check
/** What the page lets tests and the curious read, as `window.warmline`. Instants are `performance.now()`. */

/**
 * @typedef {object} Stop
 * @property {string} responseId
 * @property {number} playedMs what the server was told
 * @property {number} receivedAtMs when the page was told to stop, or told itself
 * @property {number} receivedAtContextS the same on the playback context's clock
 * @property {number | null} silentAtContextS the first silent sample's time on that clock
 * @property {number} confirmedAtMs when the page knew that it is silent
 */

/**
 * @typedef {object} Resume
 * @property {string} responseId
 * @property {number} fromMs where in the reply's sound it goes on
 * @property {number | null} untilMs the length of that sound, if it was known
 * @property {number} receivedAtMs when the page was told
 */

/**
 * @typedef {object} Stats
 * @property {number} micFrames captured
 * @property {number} micFramesSent
 * @property {number} micFramesDropped because the connection was too slow
 * @property {number | null} micRateHz
 * @property {number} micRms 0..1
 * @property {number | null} outputRateHz
 * @property {number | null} outputLatencyMs
 * @property {number} playedSamples that were not silent, since the page was loaded
 * @property {number} renderedSamples silent or not
 * @property {number} underruns times a reply ran out of samples before it was over
 * @property {number} outputRms 0..1, over the last 50 ms
 * @property {number | null} stoppedAt when a reply was last told to stop
 * @property {number | null} lastPlayoutStartedAt when a reply's first sample was last heard
 * @property {Stop[]} stops
 * @property {Resume[]} resumes
 * @property {Record<string, number>} received events from the server, counted by type
 */

/** @returns {Stats} */
export function newStats() {
  return {
    micFrames: 0,
    micFramesSent: 0,
    micFramesDropped: 0,
    micRateHz: null,
    micRms: 0,
    outputRateHz: null,
    outputLatencyMs: null,
    playedSamples: 0,
    renderedSamples: 0,
    underruns: 0,
    outputRms: 0,
    stoppedAt: null,
    lastPlayoutStartedAt: null,
    stops: [],
    resumes: [],
    received: {},
  };
}

/** @param {import("./session.js").Session} session */
export function expose(session) {
  Object.defineProperty(window, "warmline", {
    value: Object.freeze({
      get state() {
        return session.state;
      },
      get floor() {
        return session.floor;
      },
      get turns() {
        return [...session.turns.values()];
      },
      get stats() {
        return session.stats;
      },
    }),
  });
}
