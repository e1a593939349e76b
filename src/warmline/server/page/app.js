// @ts-check
/** The page: its elements, what they show and what pressing them does. */

import { element, find } from "./dom.js";
import { expose } from "./hooks.js";
import { Notices } from "./notices.js";
import { Orb } from "./orb.js";
import { Session } from "./session.js";
import { EARLY, STAGES } from "./stages.js";
import { micLabel, statusWords } from "./states.js";
import { Transcript } from "./transcript.js";
import { NOT_SERVED } from "./troubles.js";

/**
 * @typedef {object} Served what the server put into index.html
 * @property {string} token
 * @property {string[]} example_questions
 * @property {{name: string, files: number, passages: number}} documents
 * @property {string} recogniser_note
 * @property {string} problem what is wrong with a provider; empty if nothing is known to be
 * @property {number} max_session_s
 */

/** @returns {Served | null} */
function served() {
  try {
    return JSON.parse(document.getElementById("warmline-session")?.textContent ?? "");
  } catch {
    return null;
  }
}

const body = document.body;
const mic = find("mic", HTMLButtonElement);
const mute = find("mute", HTMLButtonElement);
const stop = find("stop", HTMLButtonElement);
const end = find("end", HTMLButtonElement);
const text = find("text", HTMLInputElement);
const send = find("send", HTMLButtonElement);
const glossary = find("glossary", HTMLDialogElement);
const note = find("note", HTMLDetailsElement);
const chips = find("chips", HTMLUListElement);

const orb = new Orb(find("orb", HTMLElement));
const notices = new Notices(find("notices", HTMLElement));
const transcript = new Transcript(find("log", HTMLElement), find("turns", HTMLElement), () => glossary.showModal());

/** @param {Served} settings */
function begin(settings) {
  const session = new Session(settings, { transcript, notices, changed: () => show(session) });
  expose(session);
  describe(settings);
  if (settings.problem) notices.show({ key: "provider", tone: "error", title: "Replies will fail", text: settings.problem });
  offer(settings.example_questions, session);
  wireButtons(session);
  wireKeys(session);
  wakeAtFirstTouch(session);
  setInterval(() => {
    orb.level = session.state === "speaking" ? session.stats.outputRms : session.stats.micRms;
  }, 50);
  show(session);
}

/** What is served: the documents, and how well the recogniser hears. @param {Served} settings */
function describe({ documents, recogniser_note }) {
  const files = documents.files === 1 ? "1 document" : `${documents.files} documents`;
  find("documents", HTMLElement).append(element("b", {}, documents.name), element("span", {}, files));
  find("invite-text", HTMLElement).textContent =
    `Answers come from “${documents.name}”. Talk as you would on the phone; you can interrupt at any time.`;
  note.hidden = !recogniser_note;
  find("note-text", HTMLElement).textContent = recogniser_note;
  for (const { label, meaning } of [EARLY, ...Object.values(STAGES)]) {
    find("glossary-list", HTMLElement).append(element("dt", {}, label), element("dd", {}, meaning));
  }
}

/** Example questions, in the invitation at first and above the text field from then on. @param {string[]} questions @param {Session} session */
function offer(questions, session) {
  for (const question of questions) {
    const chip = element("button", { type: "button", class: "chip", "data-testid": "chip" }, question);
    chip.onclick = () => void session.type(question);
    chips.append(element("li", {}, chip));
  }
  const invite = find("invite", HTMLElement);
  invite.append(chips);
  transcript.onBegun = () => {
    const suggestions = find("suggestions", HTMLElement);
    suggestions.append(chips);
    suggestions.hidden = questions.length === 0;
    invite.remove();
    note.open = false;
    body.classList.add("begun");
  };
}

/** @param {Session} session */
function show(session) {
  const { link, floor, state } = session;
  const { ear, refused } = session.hearing;
  const { title, hint } = statusWords(link, floor, ear, session.trouble);
  body.dataset.state = state;
  body.dataset.ear = ear;
  orb.state = state;
  setText(find("status-title", HTMLElement), title);
  setText(find("status-hint", HTMLElement), hint);
  setText(find("mic-label", HTMLElement), micLabel(link, refused));
  const heard = ear === "on" || ear === "muted";
  const open = link === "open" || link === "connecting";
  mic.hidden = heard;
  mic.disabled = ear === "asking" || link === "connecting";
  mute.hidden = !heard;
  mute.setAttribute("aria-pressed", String(ear === "muted"));
  setText(find("mute-label", HTMLElement), ear === "muted" ? "Unmute" : "Mute");
  document.getElementById("mute-icon")?.setAttribute("href", ear === "muted" ? "#icon-mic-off" : "#icon-mic");
  stop.hidden = state !== "speaking" && state !== "thinking";
  end.hidden = !open;
  send.disabled = link === "connecting";
}

/** Writing the same words again would have them read out again. @param {HTMLElement} place @param {string} words */
function setText(place, words) {
  if (place.textContent !== words) place.textContent = words;
}

/** @param {Session} session */
function wireButtons(session) {
  mic.onclick = () => void session.talk();
  mute.onclick = () => session.toggleMute();
  stop.onclick = () => session.stopReply();
  end.onclick = () => {
    session.end();
    mic.focus();
  };
  notices.onAction = (action) => {
    if (action === "reconnect") void session.reconnect();
    if (action === "reload") location.reload();
    if (action === "sound") session.wakePlayer();
  };
  find("composer", HTMLFormElement).onsubmit = async (event) => {
    event.preventDefault();
    const question = text.value.trim();
    if (!question || send.disabled) return;
    text.value = "";
    if (!(await session.type(question)) && !text.value) text.value = question;
  };
}

/** Esc stops the reply; M mutes, except where letters are typed. @param {Session} session */
function wireKeys(session) {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || glossary.open) return;
    if (event.key === "Escape") session.stopReply();
    const typing = event.target instanceof HTMLInputElement;
    if (event.key.toLowerCase() === "m" && !typing) session.toggleMute();
  });
}

/** By the time the first question is asked the loudspeaker runs. @param {Session} session */
function wakeAtFirstTouch(session) {
  const events = /** @type {const} */ (["pointerup", "keydown"]);
  const wake = () => {
    if (navigator.userActivation?.isActive === false) return;
    for (const name of events) document.removeEventListener(name, wake);
    session.wakePlayer();
  };
  for (const name of events) document.addEventListener(name, wake);
}

const settings = served();
if (settings) {
  begin(settings);
} else {
  notices.show(NOT_SERVED);
  for (const control of [mic, text, send]) control.disabled = true;
}
