// @ts-check
/** The page's ear: the microphone, whether it is muted, and where its frames go. */

import { openMicrophone } from "./microphone.js";
import { Uplink } from "./uplink.js";

/**
 * @typedef {object} Listener
 * @property {() => void} changed `ear` is another
 * @property {() => void} lost the microphone was unplugged or taken away
 * @property {() => void} slow frames had to be dropped, for the first time
 */

/**
 * What changes here: `ear`, and only in `#become`.
 */
export class Hearing {
  /** @type {import("./states.js").Ear} */
  ear = "off";
  /** Whether the microphone could not be had the last time it was asked for. */
  refused = false;

  #stats;
  #listener;
  /** @type {import("./microphone.js").Microphone | null} */
  #microphone = null;
  /** @type {Uplink | null} null while nobody listens */
  #uplink = null;

  /** @param {import("./hooks.js").Stats} stats @param {Listener} listener */
  constructor(stats, listener) {
    this.#stats = stats;
    this.#listener = listener;
  }

  /** Samples a second of its frames; null while there is no microphone. */
  get rateHz() {
    return this.#microphone && this.#microphone.rateHz;
  }

  /**
   * Ask for the microphone.
   *
   * @returns {Promise<boolean>} whether it is on; not if `close` was called meanwhile
   * @throws {import("./microphone.js").MicrophoneError}
   */
  async open() {
    this.#become("asking");
    try {
      const microphone = await openMicrophone(
        (frame, rms) => this.#hear(frame, rms),
        () => this.#lose(),
      );
      if (this.ear !== "asking") {
        microphone.close();
        return false;
      }
      this.#microphone = microphone;
    } catch (error) {
      this.refused = true;
      this.#become("off");
      throw error;
    }
    this.refused = false;
    this.#stats.micRateHz = this.#microphone.rateHz;
    this.#become("on");
    return true;
  }

  /** @param {boolean} muted nothing is sent, and the microphone gives silence */
  mute(muted) {
    this.#microphone?.mute(muted);
    this.#become(muted ? "muted" : "on");
  }

  /** Let go of the microphone. */
  close() {
    this.#microphone?.close();
    this.#microphone = null;
    this.#uplink = null;
    this.#stats.micRms = 0;
    this.#become("off");
  }

  /** Send frames from now on; the server must know their rate. @param {import("./wire.js").Wire} wire */
  sendTo(wire) {
    if (!this.#microphone) return;
    this.#uplink = new Uplink(wire, this.#microphone.rateHz, (frames) => {
      if (!this.#stats.micFramesDropped) this.#listener.slow();
      this.#stats.micFramesDropped += frames;
    });
  }

  /** @param {ArrayBuffer} frame @param {number} rms */
  #hear(frame, rms) {
    this.#stats.micFrames += 1;
    this.#stats.micRms = rms;
    if (this.ear === "on" && this.#uplink) this.#stats.micFramesSent += this.#uplink.push(frame);
  }

  #lose() {
    this.close();
    this.refused = true;
    this.#listener.lost();
  }

  /** @param {import("./states.js").Ear} ear */
  #become(ear) {
    this.ear = ear;
    this.#listener.changed();
  }
}
