// @ts-check
/**
 * A turn's words are written for the person who spoke. Whoever looks at other people's turns is told of "they":
 * in English a verb has the same form after both, so nothing else of a sentence changes.
 */

/** @type {[RegExp, string][]} */
const CHANGES = [
  [/\bYou speaking\b/g, "The caller speaking"],
  [/\bThis browser\b/g, "Their browser"],
  [/\bthis browser\b/g, "their browser"],
  [/\bYour\b/g, "Their"],
  [/\byour\b/g, "their"],
  [/\bYou\b/g, "They"],
  [/\byou\b/g, "they"],
];

/** @param {string} text */
export function inThirdPerson(text) {
  return CHANGES.reduce((changed, [from, to]) => changed.replace(from, to), text);
}

/** Change an element's words and tips, and return it. @template {HTMLElement} T @param {T} made @returns {T} */
export function toldOfThem(made) {
  const walker = document.createTreeWalker(made, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) walker.currentNode.nodeValue = inThirdPerson(walker.currentNode.nodeValue ?? "");
  for (const one of made.querySelectorAll("[title]")) one.setAttribute("title", inThirdPerson(one.getAttribute("title") ?? ""));
  return made;
}
