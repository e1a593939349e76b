// @ts-check
/** The form that asks for the server's key. */

import { find } from "/page/dom.js";

const key = find("key", HTMLInputElement);
const problem = find("problem", HTMLElement);

find("login", HTMLFormElement).onsubmit = async (event) => {
  event.preventDefault();
  problem.textContent = "";
  try {
    const answer = await fetch("/dashboard/login", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ key: key.value }),
    });
    if (answer.ok) {
      location.reload();
      return;
    }
    problem.textContent = `${(await answer.json()).error.message}.`;
  } catch {
    problem.textContent = "The server does not answer. Is it running?";
  }
  key.select();
};
