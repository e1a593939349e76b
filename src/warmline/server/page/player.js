// @ts-check
/** The loudspeaker: the playback context, its worklet, and when what was rendered is heard. */

const RATE_HZ = 24000;
const HIGHEST_HZ = 48000;
const STOP_ANSWER_MS = 250;
const LONGEST_S = 1;
const USUAL_LATENCY_S = 0.04;

/**
 * What happens to a reply's sound.
 *
 * @typedef {object} Listener
 * @property {(id: string, heardAtMs: number) => void} started its first sample was rendered, and is heard at `heardAtMs`
 * @property {(id: string, samples: number) => void} progress
 * @property {(id: string, samples: number, heardAtMs: number) => void} drained its last sample was rendered
 * @property {(id: string) => void} underrun
 * @property {(level: {rms: number, audible: number, rendered: number}) => void} level
 * @property {() => void} stateChanged the context began or ceased to run
 */

/** @typedef {{samples: number | null, silentAtContextS: number | null}} Stopped `samples` is null if it is not known */

export class Player {
  #context;
  /** @type {AudioWorkletNode | null} */
  #node = null;
  /** @type {Map<string, (stopped: Stopped) => void>} */
  #stopping = new Map();
  #listener;
  #latencyS = 0;

  /** Settles when sound can be queued. */
  ready;

  /**
   * Call it from a click or a key press, or the browser may keep it silent.
   *
   * @param {Listener} listener
   * @throws where there is no AudioWorklet: a page that is neither https nor localhost
   */
  constructor(listener) {
    if (!window.AudioWorkletNode) throw new Error("this address is neither https nor localhost");
    this.#listener = listener;
    this.#context = new AudioContext({ sampleRate: RATE_HZ, latencyHint: "interactive" });
    this.#context.onstatechange = () => listener.stateChanged();
    this.ready = this.#load();
  }

  async #load() {
    await this.#context.audioWorklet.addModule("/page/playback-worklet.js");
    this.#node = new AudioWorkletNode(this.#context, "warmline-playback", {
      numberOfInputs: 0,
      outputChannelCount: [1],
    });
    this.#node.port.onmessage = ({ data }) => this.#told(data);
    this.#node.connect(this.#context.destination);
  }

  get rateHz() {
    return Math.min(this.#context.sampleRate, HIGHEST_HZ);
  }

  get isRunning() {
    return this.#context.state === "running";
  }

  /** The context's clock; in steps of what the browser renders at once. */
  get contextTimeS() {
    return this.#context.currentTime;
  }

  /** From rendering a sample to hearing it, as measured when the last reply started. */
  get latencyS() {
    return this.#latencyS;
  }

  /** Begin to run; does nothing more than ask if it was not called from a click or a key press. */
  resume() {
    return this.#context.resume().catch(() => {});
  }

  /** @param {string} id @param {Int16Array} samples handed over, not to be used again */
  enqueue(id, samples) {
    this.#node?.port.postMessage({ type: "enqueue", id, samples }, [samples.buffer]);
  }

  /** No more samples will come for this reply. @param {string} id */
  end(id) {
    this.#node?.port.postMessage({ type: "end", id });
  }

  /**
   * Silence a reply and drop what is queued of it.
   *
   * @param {string} id
   * @returns {Promise<Stopped>} once it is silent
   */
  stop(id) {
    return new Promise((resolve) => {
      /** @param {Stopped} stopped */
      const settle = (stopped) => {
        clearTimeout(late);
        this.#stopping.delete(id);
        resolve(stopped);
      };
      // A context that does not run does not answer, and plays nothing either.
      const late = setTimeout(() => settle({ samples: null, silentAtContextS: null }), STOP_ANSWER_MS);
      this.#stopping.set(id, settle);
      this.#node?.port.postMessage({ type: "stop", id });
    });
  }

  /** @param {any} data */
  #told(data) {
    switch (data.type) {
      case "started":
        this.#latencyS = outputLatencyS(this.#context);
        return this.#listener.started(data.id, this.#heardAtMs(data.atS));
      case "progress":
        return this.#listener.progress(data.id, data.played);
      case "drained":
        return this.#listener.drained(data.id, data.played, this.#heardAtMs(data.atS));
      case "stopped":
        return this.#stopping.get(data.id)?.({ samples: data.played, silentAtContextS: data.atS });
      case "underrun":
        return this.#listener.underrun(data.id);
      case "level":
        return this.#listener.level(data);
    }
  }

  /**
   * When a sample rendered at `atS` of the context's clock leaves the loudspeaker, on the clock of
   * `performance.now`; not before now.
   *
   * @param {number} atS
   */
  #heardAtMs(atS) {
    const delayS = atS - this.contextTimeS + this.#latencyS;
    return performance.now() + Math.max(0, delayS) * 1000;
  }
}

/**
 * The time from rendering a sample to hearing it.
 *
 * Firefox asks the sound server while the page waits, and with PulseAudio the answer may never
 * come; so where there is no base latency, which is Firefox, a usual value is taken instead.
 *
 * @param {AudioContext} context
 */
function outputLatencyS(context) {
  if (!context.baseLatency) return USUAL_LATENCY_S;
  const stamp = context.getOutputTimestamp?.();
  if (stamp?.contextTime && stamp.performanceTime) {
    const heardS = stamp.contextTime + (performance.now() - stamp.performanceTime) / 1000;
    const latencyS = context.currentTime - heardS;
    if (latencyS >= 0 && latencyS < LONGEST_S) return latencyS;
  }
  return context.outputLatency || context.baseLatency;
}
