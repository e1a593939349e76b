// @ts-check
/** What the page does on each event of the server; the ones it has no use for are not here. */

import { serverError, serverNotice } from "./troubles.js";

/** @typedef {import("./wire.js").WireEvent} WireEvent */

/**
 * @param {import("./session.js").Session} session
 * @param {import("./transcript.js").Transcript} transcript
 * @param {import("./notices.js").Notices} notices
 * @returns {Record<string, (event: WireEvent) => void>} by the event's type
 */
export function routes(session, transcript, notices) {
  /** @param {WireEvent} event */
  const words = ({ response_id, delta }) => transcript.reply(response_id).say(delta);
  return {
    // The person's turn.
    "input_audio_buffer.speech_started": ({ item_id }) => transcript.userSpeaking(item_id),
    "warmline.transcript.partial": ({ item_id, transcript: text }) => transcript.userPartial(item_id, text),
    "conversation.item.input_audio_transcription.completed": ({ item_id, transcript: text }) =>
      transcript.userFinal(item_id, text),
    "conversation.item.input_audio_transcription.failed": ({ item_id, error }) => {
      transcript.userFinal(item_id, "");
      notices.show(serverNotice({ code: "transcription", message: error.message }));
    },

    // The reply.
    "response.created": ({ response }) => {
      session.current = { id: response.id, itemId: "" };
      transcript.reply(response.id);
    },
    "response.output_item.added": ({ response_id, item }) => {
      session.current = { id: response_id, itemId: item.id };
    },
    "response.output_audio_transcript.delta": words,
    "response.output_text.delta": words,
    "response.output_audio.delta": ({ response_id, item_id, delta }) => session.playout?.receive(response_id, item_id, delta),
    "response.output_audio.done": ({ response_id, item_id }) => session.playout?.receivedAll(response_id, item_id),
    "response.done": ({ response }) => {
      const cut = response.status === "cancelled";
      if (cut) void session.playout?.stop(response.id, session.itemOf(response.id));
      else session.playout?.replyOver(response.id);
      const failed = response.status === "failed";
      transcript.reply(response.id).close(failed ? response.status_details?.error?.message || "The answer failed." : undefined);
    },
    "warmline.playout.stop": ({ response_id, item_id }) => void session.playout?.stop(response_id, item_id),
    "warmline.reply.resumed": ({ response_id, item_id, from_ms, until_ms }) =>
      session.playout?.resume(response_id, item_id, from_ms, until_ms),
    "warmline.reply.sources": ({ response_id, sources }) => transcript.reply(response_id).sources(sources),

    // The session.
    "warmline.floor": ({ floor }) => {
      session.floor = floor;
      if (floor === "open" || floor === "thinking") transcript.dropWordless();
    },
    "warmline.turn": ({ turn }) => {
      session.turns.set(turn.response_id ?? `turn ${turn.number}`, turn);
      transcript.report(turn);
    },
    "warmline.notice": (event) => notices.show(serverNotice(/** @type {any} */ (event))),
    "warmline.session.ended": ({ reason }) => {
      session.endReason = reason;
    },
    error: ({ error }) => {
      session.lastError = error.code ?? null;
      const trouble = serverError(error);
      if (trouble) notices.show(trouble);
    },
  };
}
