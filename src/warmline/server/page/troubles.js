// @ts-check
/** What can go wrong, in the person's words, with what to do. Pure. */

/** @typedef {"reconnect" | "reload" | "sound" | "dismiss"} Action */
/**
 * @typedef {object} Trouble
 * @property {string} key one notice at a time for each key
 * @property {"error" | "info"} tone
 * @property {string} title
 * @property {string} text
 * @property {{label: string, action: Action}} [button]
 */

const RECONNECT = /** @type {const} */ ({ label: "Reconnect", action: "reconnect" });
const TRY_AGAIN = /** @type {const} */ ({ label: "Try again", action: "reconnect" });
const START_AGAIN = /** @type {const} */ ({ label: "Start again", action: "reconnect" });
const DISMISS = /** @type {const} */ ({ label: "Dismiss", action: "dismiss" });

/** @type {Record<import("./microphone.js").MicrophoneError["kind"] | "lost", Trouble>} */
export const MICROPHONE = {
  denied: {
    key: "microphone",
    tone: "error",
    title: "Microphone blocked",
    text: "Allow it with the icon to the left of this page’s address, then press the microphone button. Or type your question below: you will hear the answer all the same.",
  },
  missing: {
    key: "microphone",
    tone: "error",
    title: "No microphone found",
    text: "Plug one in and press the microphone button. Or type your question below: you will hear the answer all the same.",
  },
  busy: {
    key: "microphone",
    tone: "error",
    title: "Microphone in use",
    text: "Another program seems to have it. Close that program and press the microphone button, or type your question below.",
  },
  insecure: {
    key: "microphone",
    tone: "error",
    title: "No sound at this address",
    text: "Browsers allow the microphone and live sound only at https addresses and at localhost. You can type your question below and read the answer.",
  },
  unusable: {
    key: "microphone",
    tone: "error",
    title: "Microphone not working",
    text: "This browser could not start it. Try another microphone or browser, or type your question below.",
  },
  lost: {
    key: "microphone",
    tone: "error",
    title: "Microphone disconnected",
    text: "Plug it in again and press the microphone button, or go on by typing.",
  },
};

/** @type {Trouble} */
export const SLOW_UPLINK = {
  key: "uplink",
  tone: "info",
  title: "Your connection is slow",
  text: "Some of what you say may not arrive. Moving closer to your router may help, or type instead.",
  button: DISMISS,
};

/** @type {Trouble} */
export const SOUND_HELD = {
  key: "sound",
  tone: "info",
  title: "Your browser is holding back the sound",
  text: "Press the button to hear the answer.",
  button: { label: "Turn sound on", action: "sound" },
};

/** @type {Trouble} */
export const ALMOST_OVER = {
  key: "expiry",
  tone: "info",
  title: "One minute left",
  text: "This conversation ends in a minute. You can start another right after.",
  button: DISMISS,
};

/** @type {Trouble} */
export const NOT_SERVED = {
  key: "page",
  tone: "error",
  title: "This page has no session",
  text: "It works only when warmline serves it: run “warmline serve” and open the address that it prints.",
};

/** @type {Record<string, {title: string, text?: string}>} the server's words are used where there are none here */
const ERRORS = {
  string_above_max_length: { title: "That message is too long", text: "Please ask in fewer words." },
  message_too_large: { title: "That was too much at once" },
};

/** Errors that a quick finger causes: the reply was over before it could be stopped. */
const HARMLESS = new Set(["response_cancel_not_active", "input_audio_buffer_commit_empty"]);

/** @param {{code?: string, message: string}} error of an `error` event @returns {Trouble | null} null: not worth a word */
export function serverError({ code = "error", message }) {
  if (HARMLESS.has(code)) return null;
  const words = ERRORS[code] ?? { title: "That did not work" };
  return { key: code, tone: "info", title: words.title, text: words.text ?? message, button: DISMISS };
}

/** @param {{code: string, message: string}} notice of a `warmline.notice` event @returns {Trouble} */
export function serverNotice({ code, message }) {
  return { key: code, tone: "info", title: "One moment", text: message, button: DISMISS };
}

/**
 * Why a connection closed, as far as it can be known.
 *
 * @param {object} closing
 * @param {number} closing.code of the WebSocket
 * @param {boolean} closing.opened whether the server had accepted the session
 * @param {string | null} closing.reason of `warmline.session.ended`
 * @param {string | null} closing.error code of the last `error` event
 * @param {boolean} closing.serverThere whether the server still serves this page
 * @returns {{link: "ended" | "failed", trouble: Trouble | null}}
 */
export function whyClosed({ code, opened, reason, error, serverThere }) {
  if (error === "too_many_sessions" || code === 1013) {
    return failed("All lines are busy", "As many people are talking as this server takes. Try again in a moment.", TRY_AGAIN);
  }
  if (reason === "expired" || error === "session_expired") {
    return {
      link: "ended",
      trouble: {
        key: "link",
        tone: "info",
        title: "Time is up",
        text: "This conversation reached its longest time. You can start another right away.",
        button: START_AGAIN,
      },
    };
  }
  if (reason === "idle") {
    return {
      link: "ended",
      trouble: {
        key: "link",
        tone: "info",
        title: "Nobody was there",
        text: "Nothing was heard or typed for a while, so the conversation was ended. You can start another right away.",
        button: START_AGAIN,
      },
    };
  }
  if (reason === "goodbye" || reason === "hung_up") return { link: "ended", trouble: null };
  if (reason === "shutdown") {
    return failed("The server is stopping", "The conversation ended because warmline is being shut down. Reconnect once it is back.", RECONNECT);
  }
  if (reason === "failed") {
    return failed("The conversation broke off", "Something it depends on failed. What you see here is kept; reconnect to begin a new one.", RECONNECT);
  }
  if (error === "message_too_large" || code === 1009) {
    return failed("That was too much at once", "The server takes shorter messages only. Reconnect and ask in fewer words.", RECONNECT);
  }
  if (code === 1008 && opened) {
    return failed("Your connection could not keep up", "The sound arrived faster than your connection takes it. Reconnect to go on.", RECONNECT);
  }
  if (!opened && serverThere) {
    return failed("Page out of date", "The server did not accept this page, most likely because it was restarted. Reload to get a fresh page.", {
      label: "Reload",
      action: "reload",
    });
  }
  return opened
    ? failed("Connection lost", "What you see here is kept. Reconnect to begin a new conversation.", RECONNECT)
    : failed("The server does not answer", "Check that warmline is running and that you are online, then reconnect.", RECONNECT);
}

/** @param {string} title @param {string} text @param {{label: string, action: Action}} button */
function failed(title, text, button) {
  return { link: /** @type {const} */ ("failed"), trouble: { key: "link", tone: /** @type {const} */ ("error"), title, text, button } };
}
