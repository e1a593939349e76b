// @ts-check
/** Notices above the conversation: what happened, what to do, and a button that does it. */

import { element } from "./dom.js";

/** @typedef {import("./troubles.js").Trouble} Trouble */
/** @typedef {import("./troubles.js").Action} Action */

export class Notices {
  #place;
  /** @type {Map<string, HTMLElement>} */
  #shown = new Map();

  /** Called when a notice's button is pressed, after the notice is gone. @type {(action: Action) => void} */
  onAction = () => {};

  /** @param {HTMLElement} place */
  constructor(place) {
    this.#place = place;
  }

  /** @param {Trouble} trouble replaces the notice with its key */
  show({ key, tone, title, text, button }) {
    this.remove(key);
    const notice = element(
      "div",
      { class: `notice ${tone}`, "data-testid": "notice", "data-key": key },
      element("div", { class: "notice-words" }, element("strong", {}, title), element("p", {}, text)),
    );
    if (button) {
      const press = element("button", { type: "button", class: "button small", "data-testid": `notice-${button.action}` }, button.label);
      press.onclick = () => {
        this.remove(key);
        this.onAction(button.action);
      };
      notice.append(press);
    }
    this.#shown.set(key, notice);
    this.#place.append(notice);
  }

  /** @param {string} key */
  remove(key) {
    this.#shown.get(key)?.remove();
    this.#shown.delete(key);
  }

  clear() {
    for (const key of [...this.#shown.keys()]) this.remove(key);
  }
}
