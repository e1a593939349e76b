// @ts-check
/** The warm line: calm at rest, waving with whoever speaks. Decoration; the status says the same in words. */

const WAVES = [
  { height: 1, length: 1.15, speed: 1 },
  { height: 0.62, length: 1.7, speed: -0.72 },
  { height: 0.4, length: 2.35, speed: 1.35 },
];
const POINTS = 40;
const SIZE = 120;
const TALLEST = 38;
const MARGIN = 20;
const REST = 0.14;

export class Orb {
  #place;
  #paths;
  #still = matchMedia("(prefers-reduced-motion: reduce)");
  #level = 0;
  #shown = REST;
  #phase = 0;
  #frame = 0;

  /** @param {HTMLElement} place holds an SVG with a path for each wave */
  constructor(place) {
    this.#place = place;
    this.#paths = [...place.querySelectorAll("path")];
    this.#draw();
  }

  /** @param {number} rms 0..1 of whoever is to be seen speaking */
  set level(rms) {
    this.#level = Math.min(1, Math.sqrt(rms) * 1.9);
  }

  /** @param {import("./states.js").PageState} state */
  set state(state) {
    const lively = state === "listening" || state === "thinking" || state === "speaking" || state === "connecting";
    if (!lively) this.#level = 0;
    this.#place.dataset.state = state;
    if (!this.#frame) this.#frame = requestAnimationFrame(() => this.#move());
  }

  #move() {
    const state = this.#place.dataset.state;
    const waiting = state === "thinking" || state === "connecting";
    const target = Math.max(REST, waiting ? 0.16 : this.#level);
    this.#shown += (target - this.#shown) * (target > this.#shown ? 0.35 : 0.12);
    if (!this.#still.matches) this.#phase += waiting ? 0.11 : 0.07;
    this.#draw();
    const lively = waiting || state === "listening" || state === "speaking";
    const settled = this.#shown - target < 0.004;
    this.#frame = !lively && settled ? 0 : requestAnimationFrame(() => this.#move());
  }

  #draw() {
    this.#place.style.setProperty("--level", this.#shown.toFixed(3));
    this.#paths.forEach((path, i) => path.setAttribute("d", line(WAVES[i], this.#shown, this.#phase)));
  }
}

/** @param {{height: number, length: number, speed: number}} wave @param {number} level @param {number} phase */
function line({ height, length, speed }, level, phase) {
  let path = "";
  for (let i = 0; i <= POINTS; i += 1) {
    const along = i / POINTS;
    const swell = Math.sin(Math.PI * along) ** 2;
    const wave = Math.sin(along * length * 2 * Math.PI + phase * speed);
    const y = SIZE / 2 + wave * swell * level * height * TALLEST;
    path += `${i ? "L" : "M"}${(MARGIN + along * (SIZE - 2 * MARGIN)).toFixed(1)} ${y.toFixed(1)}`;
  }
  return path;
}
