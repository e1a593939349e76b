// @ts-check
/** The conversation as it is read: what was said, what was answered, from where, and how fast. */

import { element } from "./dom.js";
import { waterfall } from "./waterfall.js";

/** @typedef {import("./stages.js").TurnReport} TurnReport */
/** @typedef {{title: string, source: string, text: string, score: number}} Source */

const MARGIN_PX = 16;

export class Transcript {
  #turns;
  #explain;
  #followEnd;
  /** @type {Map<string, HTMLElement>} the person's turns by item, while they may still change */
  #growing = new Map();
  /** @type {Map<string, Reply>} */
  #replies = new Map();

  /** Called when the first turn is there. */
  onBegun = () => {};

  /** @param {HTMLElement} log scrolls @param {HTMLElement} turns grows in it @param {() => void} explain */
  constructor(log, turns, explain) {
    this.#turns = turns;
    this.#explain = explain;
    this.#followEnd = keepEndInView(log, turns);
  }

  /** @param {HTMLElement} turn */
  #add(turn) {
    if (!this.#turns.querySelector(".turn")) this.onBegun();
    this.#turns.append(turn);
    if (turn.matches(".user")) this.#followEnd();
  }

  /** The person began to speak. @param {string} itemId */
  userSpeaking(itemId) {
    if (this.#growing.has(itemId)) return;
    // Its words change under the reader: they are announced when they are final.
    const turn = userTurn("", { class: "words growing", "aria-live": "off" });
    turn.dataset.itemId = itemId;
    this.#growing.set(itemId, turn);
    this.#add(turn);
  }

  /** @param {string} itemId @param {string} text the words so far, all of them */
  userPartial(itemId, text) {
    this.userSpeaking(itemId);
    const words = this.#growing.get(itemId)?.querySelector(".words");
    if (words) words.textContent = text;
  }

  /** @param {string} itemId @param {string} text the last word on it; "" takes the turn back */
  userFinal(itemId, text) {
    this.userPartial(itemId, text);
    const turn = this.#growing.get(itemId);
    this.#growing.delete(itemId);
    if (!text.trim()) return turn?.remove();
    const words = turn?.querySelector(".words");
    words?.classList.remove("growing");
    words?.removeAttribute("aria-live");
  }

  /** Take back turns without a word: a cough, a door. */
  dropWordless() {
    for (const [itemId, turn] of this.#growing) {
      if (turn.querySelector(".words")?.textContent) continue;
      turn.remove();
      this.#growing.delete(itemId);
    }
  }

  /** @param {string} text */
  userTyped(text) {
    this.#add(userTurn(text, { class: "words" }));
  }

  /** The reply with this id, made if it is new. @param {string} id @returns {Reply} */
  reply(id) {
    let reply = this.#replies.get(id);
    if (!reply) {
      reply = new Reply(id, this.#explain);
      this.#replies.set(id, reply);
      this.#add(reply.turn);
    }
    return reply;
  }

  /** @param {TurnReport} report */
  report(report) {
    if (!report.response_id) return;
    for (const [id, reply] of this.#replies) if (id !== report.response_id) reply.foldFigures();
    this.reply(report.response_id).report(report);
  }

  /** Mark where one conversation ended and another begins. */
  divide() {
    for (const reply of this.#replies.values()) reply.close();
    this.#growing.clear();
    this.#replies.clear();
    if (this.#turns.querySelector(".turn")) {
      this.#turns.append(element("p", { class: "divider", role: "separator" }, "New conversation"));
    }
  }
}

class Reply {
  /** @type {HTMLDetailsElement | null} */
  #figures = null;
  #words = element("p", { class: "words waiting", "aria-busy": "true" });
  #explain;

  /** @param {string} id @param {() => void} explain */
  constructor(id, explain) {
    this.#explain = explain;
    this.turn = element(
      "article",
      { class: "turn agent", "data-testid": "agent-turn", "data-response-id": id },
      element("h2", { class: "hidden" }, "warmline"),
      this.#words,
    );
  }

  /** @param {string} delta */
  say(delta) {
    this.#words.classList.remove("waiting");
    this.#words.append(delta);
  }

  /** No more words will come. @param {string} [problem] what went wrong, in words for people */
  close(problem) {
    if (!this.#words.hasAttribute("aria-busy")) return;
    this.#words.classList.remove("waiting");
    this.#words.removeAttribute("aria-busy");
    if (problem) this.turn.append(element("p", { class: "problem" }, problem));
    else if (!this.#words.textContent) this.#words.append(element("span", { class: "unheard" }, "No answer."));
  }

  /** @param {Source[]} sources */
  sources(sources) {
    this.turn.querySelector(".sources")?.remove();
    if (!sources.length) return;
    const list = element("ol");
    for (const { title, source, text, score } of sources) {
      list.append(
        element(
          "li",
          { title: `How well it fits: ${score.toFixed(2)}` },
          element("p", { class: "source-title" }, element("b", {}, title), " ", element("span", {}, source)),
          element("blockquote", {}, text),
        ),
      );
    }
    const count = sources.length === 1 ? "1 source" : `${sources.length} sources`;
    this.#words.after(element("details", { class: "sources", "data-testid": "sources" }, element("summary", {}, count), list));
  }

  /** @param {TurnReport} report */
  report(report) {
    const made = waterfall(report, this.#explain);
    if (this.#figures) replaceFolds(this.#figures, made);
    else this.turn.append(made);
    this.#figures = made;
    if (report.status === "interrupted" || report.status === "cancelled") this.#dimUnheard(report);
  }

  foldFigures() {
    if (this.#figures) this.#figures.open = false;
  }

  /** @param {TurnReport} report */
  #dimUnheard({ reply_text, heard_text }) {
    if (!reply_text || !reply_text.startsWith(heard_text) || heard_text === reply_text) return;
    const rest = reply_text.slice(heard_text.length).trimStart();
    const unheard = element("span", { class: "unheard", title: "You did not hear this" }, rest);
    this.#words.classList.remove("waiting");
    this.#words.replaceChildren(reply_text.slice(0, reply_text.length - rest.length), unheard);
  }
}

/** @param {string} text @param {Record<string, string>} attributes of its words */
function userTurn(text, attributes) {
  return element(
    "article",
    { class: "turn user", "data-testid": "user-turn" },
    element("h2", { class: "hidden" }, "You"),
    element("p", attributes, text),
  );
}

/**
 * Put new figures in the place of old ones, with the same folds open and the same one focused.
 *
 * @param {HTMLDetailsElement} old
 * @param {HTMLDetailsElement} made
 */
function replaceFolds(old, made) {
  let focused = null;
  for (const fold of [old, ...old.querySelectorAll("details")]) {
    const same = fold === old ? made : made.querySelector(`details.${fold.className}`);
    if (!(same instanceof HTMLDetailsElement)) continue;
    same.open = fold.open;
    if (fold.firstElementChild === document.activeElement) focused = same.querySelector("summary");
  }
  old.replaceWith(made);
  focused?.focus({ preventScroll: true });
}

/**
 * Follow the conversation's end, unless the person has scrolled away from it. Where the last turn
 * is taller than the log its beginning is kept in view: the words come before the figures.
 *
 * @param {HTMLElement} log
 * @param {HTMLElement} turns
 * @returns {() => void} follows it again
 */
function keepEndInView(log, turns) {
  let following = true;
  let height = 0;
  log.addEventListener("scroll", () => {
    if (log.scrollHeight !== height) return; // The conversation grew or shrank; nobody scrolled.
    following = log.scrollHeight - log.scrollTop - log.clientHeight < 48;
  });
  log.addEventListener("click", (event) => {
    if (event.target instanceof Element && event.target.closest("summary")) following = false;
  });
  const follow = new ResizeObserver(() => {
    height = log.scrollHeight;
    const last = turns.lastElementChild;
    if (!following || !last?.matches(".turn, .divider")) return;
    const above = last.getBoundingClientRect().top - log.getBoundingClientRect().top;
    log.scrollTop = Math.min(log.scrollHeight, log.scrollTop + above - MARGIN_PX);
  });
  follow.observe(turns);
  follow.observe(log);
  return () => {
    following = true;
  };
}
