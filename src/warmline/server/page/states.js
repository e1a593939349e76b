// @ts-check
/** What state the page is in, and the words for it. Pure. */

/** @typedef {"idle" | "connecting" | "open" | "ended" | "failed"} Link how things stand with the server */
/** @typedef {"open" | "user" | "endpointing" | "thinking" | "agent" | "closed"} Floor */
/** @typedef {"off" | "asking" | "on" | "muted"} Ear how things stand with the microphone */
/** @typedef {"ready" | "connecting" | "listening" | "thinking" | "speaking" | "ended" | "error"} PageState */

/**
 * The one state that the page shows, from the three things it depends on.
 *
 * @param {Link} link
 * @param {Floor} floor
 * @param {Ear} ear
 * @returns {PageState}
 */
export function pageState(link, floor, ear) {
  if (link === "failed") return "error";
  if (link === "ended") return "ended";
  if (link === "connecting" || ear === "asking") return "connecting";
  if (link === "idle") return "ready";
  if (floor === "thinking") return "thinking";
  if (floor === "agent") return "speaking";
  return ear === "on" ? "listening" : "ready";
}

/**
 * A title and what the person can do now.
 *
 * @param {Link} link
 * @param {Floor} floor
 * @param {Ear} ear
 * @param {string} trouble the title of the error that is shown, if any
 * @returns {{title: string, hint: string}}
 */
export function statusWords(link, floor, ear, trouble) {
  switch (pageState(link, floor, ear)) {
    case "error":
      return { title: trouble || "Something went wrong", hint: "The message says what to do." };
    case "ended":
      return { title: "Conversation ended", hint: "Talk or type to begin a new one." };
    case "connecting":
      return ear === "asking"
        ? { title: "Allow the microphone", hint: "Your browser is asking you now." }
        : { title: "Connecting", hint: "This takes a moment." };
    case "thinking":
      return { title: "Thinking", hint: "Looking for the answer." };
    case "speaking":
      return ear === "on"
        ? { title: "Speaking", hint: "Just start talking to interrupt." }
        : { title: "Speaking", hint: "Stop or Esc cuts it short." };
    case "listening":
      if (floor === "user") return { title: "Listening", hint: "I can hear you." };
      if (floor === "endpointing") return { title: "Listening", hint: "Making sure you have finished." };
      return { title: "Listening", hint: "Ask your question." };
    case "ready":
      if (ear === "muted") return { title: "Muted", hint: "Nothing you say is sent. Press M to unmute." };
      if (link === "open") return { title: "Ready", hint: "Type, or use the microphone." };
      return { title: "Ready", hint: "Your browser will ask for the microphone once." };
  }
}

/**
 * What the microphone button says.
 *
 * @param {Link} link
 * @param {boolean} refused whether the microphone could not be had the last time
 */
export function micLabel(link, refused) {
  if (link === "open") return "Use the microphone";
  if (refused) return "Try again";
  return link === "ended" ? "Start again" : "Start talking";
}
