// @ts-check
/** The microphone: permission, capture and mute. */

const WANTED_HZ = 16000;
const HIGHEST_HZ = 48000;

/** The microphone could not be had; `kind` says what the person can do about it. */
export class MicrophoneError extends Error {
  /** @param {"denied" | "missing" | "busy" | "insecure" | "unusable"} kind @param {string} detail */
  constructor(kind, detail) {
    super(detail);
    this.kind = kind;
  }
}

/** @type {Record<string, "denied" | "missing" | "busy">} */
const KINDS = {
  NotAllowedError: "denied",
  SecurityError: "denied",
  NotFoundError: "missing",
  OverconstrainedError: "missing",
  NotReadableError: "busy",
  AbortError: "busy",
};

export class Microphone {
  #stream;
  #context;

  /** Samples a second of the frames it gives. */
  rateHz;

  /** @param {MediaStream} stream @param {AudioContext} context @param {number} rateHz */
  constructor(stream, context, rateHz) {
    this.#stream = stream;
    this.#context = context;
    this.rateHz = rateHz;
  }

  /** @param {boolean} muted whether it gives silence */
  mute(muted) {
    for (const track of this.#stream.getTracks()) track.enabled = !muted;
  }

  /** Let go of the device; no frame comes after this. */
  close() {
    for (const track of this.#stream.getTracks()) {
      track.onended = null;
      track.stop();
    }
    void this.#context.close();
  }
}

/**
 * Ask for the microphone and begin to capture.
 *
 * @param {(frame: ArrayBuffer, rms: number) => void} onFrame 20 ms of 16-bit samples, and their level 0..1
 * @param {() => void} onLost the device was unplugged or taken away
 * @returns {Promise<Microphone>}
 * @throws {MicrophoneError}
 */
export async function openMicrophone(onFrame, onLost) {
  if (!navigator.mediaDevices || !window.AudioWorkletNode) {
    throw new MicrophoneError("insecure", "this address is neither https nor localhost");
  }
  const stream = await askForMicrophone();
  try {
    const { context, source } = await listenTo(stream);
    const decimation = Math.ceil(context.sampleRate / HIGHEST_HZ);
    await context.audioWorklet.addModule("/page/capture-worklet.js");
    const capture = new AudioWorkletNode(context, "warmline-capture", {
      numberOfOutputs: 0,
      channelCount: 1,
      channelCountMode: "explicit",
      processorOptions: { decimation },
    });
    capture.port.onmessage = ({ data }) => onFrame(data.pcm, data.rms);
    source.connect(capture);
    await context.resume();
    stream.getAudioTracks()[0].onended = onLost;
    return new Microphone(stream, context, context.sampleRate / decimation);
  } catch (error) {
    for (const track of stream.getTracks()) track.stop();
    throw new MicrophoneError("unusable", String(error));
  }
}

async function askForMicrophone() {
  try {
    return await navigator.mediaDevices.getUserMedia({
      audio: { channelCount: 1, echoCancellation: true, noiseSuppression: true, autoGainControl: true },
    });
  } catch (error) {
    const name = error instanceof DOMException ? error.name : "";
    throw new MicrophoneError(KINDS[name] ?? "unusable", String(error));
  }
}

/**
 * Connect the stream to a context at the rate the recogniser wants, or, where the browser takes a
 * stream at its own rate only, at that.
 *
 * @param {MediaStream} stream
 */
async function listenTo(stream) {
  const wanted = new AudioContext({ sampleRate: WANTED_HZ });
  try {
    return { context: wanted, source: wanted.createMediaStreamSource(stream) };
  } catch {
    await wanted.close();
    const native = new AudioContext();
    return { context: native, source: native.createMediaStreamSource(stream) };
  }
}
