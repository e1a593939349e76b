// @ts-check
/** Tables, in one call. On a phone a row becomes a card: each cell says its column's name there. */

import { element } from "/page/dom.js";

/** @typedef {Node | string} Content */
/** @typedef {{name: string, figure?: boolean}} Column `figure`: of numbers, which stand at the right */

/**
 * @param {string} caption for those who do not see what stands around it
 * @param {Column[]} columns the first one names the row
 * @param {(Content | {heading: string})[][]} rows a row of one heading begins a group
 * @param {string} [kind]
 */
export function table(caption, columns, rows, kind = "") {
  const head = element("tr", {});
  for (const { name, figure } of columns) head.append(element("th", { scope: "col", class: figure ? "figure" : "" }, name));
  const body = element("tbody", {});
  for (const cells of rows) {
    const [first] = cells;
    if (typeof first === "object" && !(first instanceof Node)) {
      const heading = element("th", { scope: "rowgroup", colspan: String(columns.length) }, element("span", {}, first.heading));
      body.append(element("tr", { class: "group" }, heading));
    } else {
      body.append(row(columns, /** @type {Content[]} */ (cells)));
    }
  }
  return element("div", { class: "table-room", tabindex: "0", role: "region", "aria-label": caption },
    element("table", { class: `table ${kind}` }, element("caption", { class: "hidden" }, caption), element("thead", {}, head), body));
}

/** @param {Column[]} columns @param {Content[]} cells */
export function row(columns, cells) {
  const made = element("tr", {});
  cells.forEach((cell, index) => {
    const { name, figure } = columns[index];
    const attributes = { class: figure ? "figure" : "", "data-column": name };
    made.append(index ? element("td", attributes, cell) : element("th", { ...attributes, scope: "row" }, cell));
  });
  return made;
}
