// @ts-check
/** Asking the server; errors are in words that can be shown. */

/** What went wrong, for people. */
export class Trouble extends Error {}

/**
 * @param {string} path beneath /dashboard/api/
 * @param {Record<string, string>} [parameters]
 * @returns {Promise<any>}
 */
export async function ask(path, parameters = {}) {
  const query = new URLSearchParams(parameters).toString();
  let answer;
  try {
    answer = await fetch(`/dashboard/api/${path}${query && `?${query}`}`, { headers: { accept: "application/json" } });
  } catch {
    throw new Trouble("The server does not answer. It is asked again every few seconds.");
  }
  if (answer.status === 401) {
    // Whoever was logged in is not any more: the page is the form that asks for the key then.
    location.reload();
    return new Promise(() => {});
  }
  let body;
  try {
    body = await answer.json();
  } catch {
    throw new Trouble(`The server answered with an error (${answer.status}), and its log says more.`);
  }
  if (!answer.ok) throw new Trouble(`${body.error.message}.`);
  return body;
}

export async function logOut() {
  await fetch("/dashboard/logout", { method: "POST" });
  location.reload();
}

/**
 * Be told of what changes, for as long as the page is open.
 *
 * @param {Record<string, (body: any) => void>} take by the event's name
 * @param {(state: "open" | "lost") => void} onLink
 */
export function listen(take, onLink) {
  const source = new EventSource("/dashboard/api/live");
  source.onopen = () => onLink("open");
  source.onerror = () => {
    onLink("lost");
    // A refusal is final to the browser: ask for the page, which says why, or is there again.
    if (source.readyState === EventSource.CLOSED) {
      setTimeout(() => {
        ask("now").then(() => listen(take, onLink), () => listen(take, onLink));
      }, 3000);
    }
  };
  for (const [name, handle] of Object.entries(take)) {
    source.addEventListener(name, (event) => handle(JSON.parse(event.data)));
  }
}
