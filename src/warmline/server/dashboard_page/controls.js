// @ts-check
/** The row of controls: window, group by, filters. */

import { element } from "/page/dom.js";
import { GROUPS, WINDOWS } from "./choices.js";
import { FACTS, factWords } from "./words.js";

/** @typedef {import("./choices.js").Choices} Choices */

export class Controls {
  #place;
  #choices;
  #changed;
  #filters = element("div", { class: "filters" });
  /** What stands in the filters, so that they are made anew only if that changes. */
  #shown = "";

  /** @param {HTMLElement} place @param {Choices} choices @param {() => void} changed */
  constructor(place, choices, changed) {
    this.#place = place;
    this.#choices = choices;
    this.#changed = changed;
    place.onsubmit = (event) => event.preventDefault();
    place.append(this.#windows(), this.#filters);
  }

  /** Show what can be chosen from. @param {Record<string, string[]>} facts */
  offer(facts) {
    const shown = JSON.stringify([facts, this.#choices.filters, this.#choices.group_by]);
    if (shown === this.#shown) return;
    this.#shown = shown;
    const focused = this.#place.contains(document.activeElement) ? document.activeElement?.id : "";
    const menus = [];
    const apart = GROUPS.filter((name) => worth(facts[name]) || this.#choices.group_by === name);
    if (apart.length) {
      const options = [{ value: "", label: "all together" }, ...apart.map((value) => ({ value, label: FACTS[value].toLowerCase() }))];
      menus.push(menu("group_by", "Compare by", options, this.#choices.group_by, (value) => {
        this.#choices.group_by = value;
        this.#changed();
      }));
    }
    for (const name of GROUPS) {
      const chosen = this.#choices.filters[name];
      if (!worth(facts[name]) && chosen === undefined) continue;
      const values = [...new Set([...(facts[name] ?? []), ...(chosen === undefined ? [] : [chosen])])];
      const options = [{ value: ANY, label: "any" }, ...values.map((value) => ({ value: `=${value}`, label: factWords(value) }))];
      menus.push(menu(name, FACTS[name], options, chosen === undefined ? ANY : `=${chosen}`, (value) => {
        if (value === ANY) delete this.#choices.filters[name];
        else this.#choices.filters[name] = value.slice(1);
        this.#changed();
      }));
    }
    if (Object.keys(this.#choices.filters).length) {
      const clear = element("button", { type: "button", class: "link", "data-testid": "clear-filters" }, "Clear the filters");
      clear.onclick = () => {
        this.#choices.filters = {};
        this.#changed();
      };
      menus.push(clear);
    }
    this.#filters.replaceChildren(...menus);
    if (focused) document.getElementById(focused)?.focus();
  }

  #windows() {
    const group = element("fieldset", { class: "segments" }, element("legend", { class: "hidden" }, "Window"));
    for (const [value, { label }] of Object.entries(WINDOWS)) {
      const input = /** @type {HTMLInputElement} */ (element("input", { type: "radio", name: "window", value, id: `window-${value}` }));
      input.checked = value === this.#choices.window;
      input.onchange = () => {
        this.#choices.window = value;
        this.#changed();
      };
      group.append(element("label", { class: "segment", "data-testid": `window-${value}` }, input, element("span", {}, label)));
    }
    return group;
  }
}

/** An option of its own: "" is a value as well, of turns of which the fact is not known. */
const ANY = "any";

/** Whether there is something to choose between. @param {string[] | undefined} values */
function worth(values) {
  return (values?.length ?? 0) > 1;
}

/**
 * @param {string} name
 * @param {string} label
 * @param {{value: string, label: string}[]} options
 * @param {string} chosen
 * @param {(value: string) => void} take
 */
export function menu(name, label, options, chosen, take) {
  const select = /** @type {HTMLSelectElement} */ (element("select", { id: `menu-${name}`, "data-testid": `menu-${name}` }));
  for (const { value, label: text } of options) select.append(element("option", { value }, text));
  select.value = chosen;
  select.onchange = () => take(select.value);
  return element("label", { class: "menu", for: `menu-${name}` }, element("span", {}, label), select);
}
