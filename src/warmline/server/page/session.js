// @ts-check
/** One conversation after another: the only place where ear, wire, player and page meet. */

import { routes } from "./events.js";
import { Hearing } from "./hearing.js";
import { newStats } from "./hooks.js";
import { MicrophoneError } from "./microphone.js";
import { Player } from "./player.js";
import { Playout } from "./playout.js";
import { pageState } from "./states.js";
import { ALMOST_OVER, MICROPHONE, SLOW_UPLINK, SOUND_HELD, whyClosed } from "./troubles.js";
import { Wire, isServerThere } from "./wire.js";

const WARNING_S = 60;
const UNASKED_RATE_HZ = 24000;

/** @typedef {{token: string, max_session_s: number}} Settings */
/** @typedef {{transcript: import("./transcript.js").Transcript, notices: import("./notices.js").Notices, changed: () => void}} View */

export class Session {
  /** @type {import("./states.js").Link} */
  link = "idle";
  /** The title of what ended the conversation, for the status. */
  trouble = "";

  /** The latest report of every turn by its response. @type {Map<string, import("./stages.js").TurnReport>} */
  turns = new Map();
  stats = newStats();

  /** The reply being made or played, if any. @type {{id: string, itemId: string} | null} */
  current = null;
  /** @type {Playout | null} null in a conversation that is read, not heard */
  playout = null;
  /** @type {string | null} */
  endReason = null;
  /** @type {string | null} */
  lastError = null;

  #settings;
  #view;
  /** @type {import("./states.js").Floor} */
  #floor = "open";
  /** @type {Wire | null} */
  #wire = null;
  /** @type {Promise<boolean> | null} */
  #connecting = null;
  /** @type {Player | null} */
  #player = null;
  #listensAgain = false;
  #warning = 0;

  /** @param {Settings} settings @param {View} view `changed` is called when anything it shows may have changed */
  constructor(settings, view) {
    this.#settings = settings;
    this.#view = view;
    this.hearing = new Hearing(this.stats, {
      changed: () => view.changed(),
      lost: () => this.#loseMicrophone(),
      slow: () => view.notices.show(SLOW_UPLINK),
    });
  }

  get state() {
    return pageState(this.link, this.#floor, this.hearing.ear);
  }

  get floor() {
    return this.#floor;
  }

  set floor(floor) {
    this.#floor = floor;
    if (floor === "open") this.current = null;
    this.#checkSound();
  }

  /** @param {string} responseId @returns {string} "" if it is not known */
  itemOf(responseId) {
    return this.current?.id === responseId ? this.current.itemId : "";
  }

  /** Talk: take the microphone, and connect if need be. Call it from a click or a key press. */
  async talk() {
    if (this.hearing.ear !== "off") return;
    this.wakePlayer();
    this.#view.notices.remove("microphone");
    try {
      if (!(await this.hearing.open())) return;
    } catch (error) {
      const trouble = MICROPHONE[error instanceof MicrophoneError ? error.kind : "unusable"];
      this.#view.notices.show(trouble);
      if (this.link === "open") return;
      this.trouble = trouble.title;
      this.#setLink("failed");
      return;
    }
    if (this.link === "open") this.#declareInput();
    else await this.#connect();
  }

  /**
   * Say something by typing it. Call it from a click or a key press.
   *
   * @param {string} text
   * @returns {Promise<boolean>} whether it was sent
   */
  async type(text) {
    this.wakePlayer();
    if (!(await this.#connect())) return false;
    this.#view.transcript.userTyped(text);
    this.#wire?.send({ type: "warmline.text", text });
    return true;
  }

  toggleMute() {
    const { ear } = this.hearing;
    if (ear !== "on" && ear !== "muted") return;
    const muted = ear === "on";
    // Without frames the server would wait for the silence that ends the turn.
    if (muted) this.#endSpokenTurn();
    this.hearing.mute(muted);
  }

  /** Cut the reply short, here at once and at the server. */
  stopReply() {
    if (!this.current || (this.#floor !== "agent" && this.#floor !== "thinking")) return;
    const { id, itemId } = this.current;
    void this.playout?.stop(id, itemId);
    this.#wire?.send({ type: "response.cancel", response_id: id });
  }

  /** End the conversation. */
  end() {
    this.#wire?.close();
    this.#over("ended", null);
    this.#listensAgain = false;
  }

  /** Begin a new conversation in the manner of the one that broke off. */
  async reconnect() {
    this.wakePlayer();
    if (this.#listensAgain) await this.talk();
    else await this.#connect();
  }

  /** Start the loudspeaker before there is any sound: it takes a while. Call it from a click or a key press. */
  wakePlayer() {
    try {
      this.#player ??= this.#newPlayer();
      void this.#player.resume();
    } catch {
      this.#player = null; // Without sound the answers can still be read.
    }
  }

  #newPlayer() {
    return new Player({
      started: (id, heardAtMs) => {
        this.stats.outputLatencyMs = (this.#player?.latencyS ?? 0) * 1000;
        this.playout?.started(id, heardAtMs);
      },
      progress: (id, samples) => this.playout?.progressed(id, samples),
      drained: (id, samples, heardAtMs) => this.playout?.drained(id, samples, heardAtMs),
      underrun: () => {
        this.stats.underruns += 1;
      },
      level: ({ rms, audible, rendered }) => {
        this.stats.outputRms = rms;
        this.stats.playedSamples = audible;
        this.stats.renderedSamples = rendered;
      },
      stateChanged: () => this.#checkSound(),
    });
  }

  /** @returns {Promise<boolean>} whether the conversation is open */
  #connect() {
    if (this.link === "open") return Promise.resolve(true);
    this.#connecting ??= this.#open().finally(() => {
      this.#connecting = null;
    });
    return this.#connecting;
  }

  async #open() {
    const { notices, transcript } = this.#view;
    notices.clear();
    this.#floor = "open";
    this.current = this.endReason = this.lastError = null;
    this.#setLink("connecting");
    const table = routes(this, transcript, notices);
    const wire = new Wire(
      this.#settings.token,
      (event) => {
        this.stats.received[event.type] = (this.stats.received[event.type] ?? 0) + 1;
        if (Object.hasOwn(table, event.type)) table[event.type](event);
        this.#view.changed();
      },
      (closing) => void this.#closed(wire, closing),
    );
    this.#wire = wire;
    try {
      await Promise.all([wire.opened, this.#player?.ready.catch(() => this.#giveUpSound())]);
    } catch {
      return false;
    }
    this.turns.clear();
    transcript.divide();
    this.#greet(wire);
    this.#warnInTime();
    this.#setLink("open");
    return true;
  }

  /** Tell the server what this page plays and hears. @param {Wire} wire */
  #greet(wire) {
    const player = this.#player;
    wire.send({ type: "warmline.hello", reports_playout: player !== null });
    this.playout = player && new Playout(player, (event) => wire.send(event), this.stats);
    this.stats.outputRateHz = player && player.rateHz;
    const input = { format: { type: "audio/pcm", rate: this.hearing.rateHz ?? UNASKED_RATE_HZ } };
    const session = player
      ? { type: "realtime", audio: { input, output: { format: { type: "audio/pcm", rate: player.rateHz } } } }
      : { type: "realtime", output_modalities: ["text"], audio: { input } };
    wire.send({ type: "session.update", session });
    this.hearing.sendTo(wire);
  }

  /** The microphone came after the conversation began. */
  #declareInput() {
    const wire = this.#wire;
    if (!wire) return;
    const input = { format: { type: "audio/pcm", rate: this.hearing.rateHz } };
    wire.send({ type: "session.update", session: { type: "realtime", audio: { input } } });
    this.hearing.sendTo(wire);
  }

  #warnInTime() {
    const afterS = this.#settings.max_session_s - WARNING_S;
    if (afterS > 0) this.#warning = setTimeout(() => this.#view.notices.show(ALMOST_OVER), afterS * 1000);
  }

  #loseMicrophone() {
    this.#endSpokenTurn();
    this.#view.notices.show(MICROPHONE.lost);
  }

  #endSpokenTurn() {
    if (this.#floor === "user" || this.#floor === "endpointing") this.#wire?.send({ type: "input_audio_buffer.commit" });
  }

  #giveUpSound() {
    this.#player = null;
    this.#view.notices.show(MICROPHONE.insecure);
  }

  /** @param {Wire} wire @param {import("./wire.js").Closing} closing */
  async #closed(wire, { code, opened }) {
    const known = opened || this.lastError !== null || this.endReason !== null;
    const serverThere = known || (await isServerThere());
    if (this.#wire !== wire) return; // Ended or begun anew meanwhile.
    const { link, trouble } = whyClosed({ code, opened, reason: this.endReason, error: this.lastError, serverThere });
    this.#over(link, trouble);
  }

  /** @param {"ended" | "failed"} link @param {import("./troubles.js").Trouble | null} trouble */
  #over(link, trouble) {
    clearTimeout(this.#warning);
    this.#listensAgain = this.hearing.ear !== "off";
    this.#wire = null;
    this.playout?.silence();
    this.playout = null;
    this.current = null;
    this.hearing.close();
    this.#floor = "closed";
    this.#view.notices.clear();
    this.#view.transcript.dropWordless();
    if (trouble) this.#view.notices.show(trouble);
    this.trouble = trouble?.title ?? "";
    this.#setLink(link);
  }

  /** Browsers hold sound back until the person does something with the page. */
  #checkSound() {
    const held = this.playout && !this.#player?.isRunning && (this.#floor === "thinking" || this.#floor === "agent");
    if (held) this.#view.notices.show(SOUND_HELD);
    else this.#view.notices.remove(SOUND_HELD.key);
  }

  /** @param {import("./states.js").Link} link */
  #setLink(link) {
    this.link = link;
    this.#view.changed();
  }
}
