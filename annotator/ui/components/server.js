// What the components ask the server for: sign-in, questions, pictures, tags. Answers go through the outbox.

const FIRST_WAIT = 250;
const LONGEST_WAIT = 5000;
const TIMEOUT = 15000;
const MOST_TRIES = 60; // about five minutes: a server that starts again, or a network, is back by then

export const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

// Who this page is for. The cookie says who signed in last in this browser, which another tab may have changed: the
// server refuses a request whose two names differ, and the page signs in anew.
let person = "";

export const workAs = (name) => (person = name);

export const asPerson = (name = person) => ({ "X-Annotator-Person": encodeURIComponent(name) });

// The decoded answer; an Error with the server's own words where it refuses.
export async function post(address, body) {
  const response = await fetch(address, {
    method: "POST",
    headers: { "Content-Type": "application/json", ...asPerson() },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(TIMEOUT),
  });
  return read(response);
}

export async function get(address) {
  return read(await fetch(address, { headers: asPerson(), signal: AbortSignal.timeout(TIMEOUT) }));
}

async function read(response) {
  const body = await response.json();
  if (response.ok) return body;
  const error = new Error(body.error);
  error.status = response.status;
  throw error;
}

// True when signed in, false when the page is too old for it; waits for a server that does not answer.
export async function signIn(token) {
  for (;;) {
    try {
      await post("/api/sign-in", { token });
      return true;
    } catch (error) {
      if (error.status === 401) return false;
      await pause(1000);
    }
  }
}

export const claim = (tag, count, have) => post("/api/claim", { tag, count, have });

export const address = (size, row) => `/api/pictures/${size}/${row}`;

// An image element that tries again when its picture did not arrive, because nothing unseen may be answered. After
// some tries it is `broken`: its file is gone.
export function picture(size, row, priority = "auto") {
  const image = new Image();
  let wait = FIRST_WAIT;
  let tries = 0;
  image.addEventListener("error", () => {
    tries += 1;
    image.broken = tries >= MOST_TRIES;
    if (!image.broken) setTimeout(() => (image.src = address(size, row)), wait);
    wait = Math.min(LONGEST_WAIT, wait * 2);
  });
  image.fetchPriority = priority;
  image.alt = "";
  image.draggable = false;
  image.src = address(size, row);
  image.decode().catch(() => {});
  return image;
}

// The vocabulary is fetched once a page load; the browser asks only whether it changed.
let vocabulary = null;

export function tags() {
  vocabulary ??= get("/api/tags").catch((error) => {
    vocabulary = null;
    throw error;
  });
  return vocabulary;
}

const details = new Map();

// Definition, synonyms, parent and example pictures of one tag.
export function tagDetails(id) {
  if (!details.has(id)) {
    const asked = get(`/api/tags/${id}`);
    asked.catch(() => details.delete(id));
    details.set(id, asked);
  }
  return details.get(id);
}
