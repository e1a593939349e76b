// @ts-check
/** Audio as the wire carries it: little-endian 16-bit samples in base64. */

/**
 * @param {ArrayBuffer} frame a few kilobytes at most: it becomes one call's arguments
 * @returns {string}
 */
export function encodeFrame(frame) {
  return btoa(String.fromCharCode.apply(null, /** @type {any} */ (new Uint8Array(frame))));
}

/**
 * @param {string} text
 * @returns {Int16Array} whole samples; an odd byte at the end is left out
 */
export function decodeSamples(text) {
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length & ~1);
  for (let i = 0; i < bytes.length; i += 1) bytes[i] = binary.charCodeAt(i);
  return new Int16Array(bytes.buffer);
}
