// Answers on their way to the server: kept in the browser until they are acknowledged, sent in order, counted once.
//
// push(item) stores first and returns at once. One request is in flight at a time. The server writes each
// (client, seq) once and acknowledges the highest seq without a hole; what is acknowledged leaves the store.
// Each page load is a client of its own (a duplicated tab would copy the numbers); outboxes that a closed tab left
// behind are adopted and sent under their own client.

const PREFIX = "annotator-outbox:";
const MOST_AT_ONCE = 200;
const FIRST_WAIT = 250;
const LONGEST_WAIT = 5000;
const TIMEOUT = 10000;

const uuid = () =>
  globalThis.crypto?.randomUUID?.() ??
  Array.from({ length: 16 }, () => Math.floor(Math.random() * 256).toString(16).padStart(2, "0")).join("");

class Outbox {
  constructor(client, scope) {
    this.client = client;
    this.key = `${PREFIX}${scope}:${client}`;
    this.items = JSON.parse(localStorage.getItem(this.key) ?? "[]");
    this.seq = this.items.reduce((highest, item) => Math.max(highest, item.seq), 0);
  }
  add(item) {
    this.items.push({ ...item, seq: ++this.seq });
    this.keep();
    return this.seq;
  }
  acknowledge(acked) {
    this.items = this.items.filter((item) => item.seq > acked);
    this.keep();
  }
  keep() {
    try {
      if (this.items.length) localStorage.setItem(this.key, JSON.stringify(this.items));
      else localStorage.removeItem(this.key);
    } catch {
      // The browser's store is full or switched off: the items are still here and are sent from here.
    }
  }
}

export class Sender {
  // `scope` names the workspace and the person, so that two workspaces on one address never mix.
  constructor(scope, { onChange, onProblem }) {
    this.scope = scope;
    this.onChange = onChange;
    this.onProblem = onProblem;
    this.own = new Outbox(uuid(), scope);
    this.adopted = [];
    this.state = "saved"; // saved, sending, waiting (no server), signed out
    this.busy = false;
    this.wait = FIRST_WAIT;
    this.timer = null;
    this.hold(this.own.client);
    queueMicrotask(() => this.adopt()); // after those who listen have joined
    addEventListener("online", () => this.flush());
    addEventListener("pagehide", () => this.lastChance());
    addEventListener("beforeunload", (event) => {
      if (this.waiting && this.state !== "sending") event.preventDefault();
    });
  }

  get waiting() {
    return [this.own, ...this.adopted].reduce((count, box) => count + box.items.length, 0);
  }

  get tasksWaiting() {
    return this.own.items.reduce((count, item) => count + (item.tasks?.length ?? 0), 0);
  }

  push(item) {
    const seq = this.own.add(item);
    this.onChange();
    this.flush();
    return seq;
  }

  // A lock says that this page load is alive; without locks (no secure address) nothing is adopted from the living,
  // because only boxes of earlier visits are looked at, once, at the start.
  hold(client) {
    navigator.locks?.request(`${PREFIX}${client}`, () => new Promise(() => {}));
  }

  async adopt() {
    const start = `${PREFIX}${this.scope}:`;
    const held = new Set([this.own, ...this.adopted].map((box) => box.client));
    let living = false;
    for (const key of Object.keys(localStorage).filter((key) => key.startsWith(start))) {
      const client = key.slice(start.length);
      if (held.has(client)) continue;
      if (navigator.locks) {
        await navigator.locks.request(`${PREFIX}${client}`, { ifAvailable: true }, (lock) => {
          if (!lock) {
            living = true;
            return;
          }
          this.adopted.push(new Outbox(client, this.scope));
          this.hold(client);
        });
      } else {
        this.adopted.push(new Outbox(client, this.scope));
      }
    }
    if (living) setTimeout(() => this.adopt(), LONGEST_WAIT); // a page being closed may hold its lock a moment longer
    this.onChange();
    this.flush();
  }

  async flush() {
    if (this.busy) return;
    clearTimeout(this.timer); // one attempt ahead, however many answers were given while the server was away
    const box = [...this.adopted, this.own].find((box) => box.items.length);
    if (!box) return this.settle("saved");
    this.busy = true;
    this.settle("sending");
    try {
      const response = await fetch("/api/answers", this.request(box, AbortSignal.timeout(TIMEOUT)));
      if (response.status === 401) return this.later("signed out");
      if (!response.ok) return this.later("waiting");
      const { acked, problems } = await response.json();
      box.acknowledge(acked);
      problems.forEach((problem) => this.onProblem(problem.message));
      this.wait = FIRST_WAIT;
      this.busy = false;
      this.onChange();
      this.flush();
    } catch {
      this.later("waiting");
    }
  }

  later(state) {
    this.busy = false;
    this.settle(state);
    this.timer = setTimeout(() => this.flush(), this.wait);
    this.wait = Math.min(LONGEST_WAIT, this.wait * 2);
  }

  settle(state) {
    this.state = state;
    this.onChange();
  }

  lastChance() {
    for (const box of [...this.adopted, this.own]) {
      if (box.items.length) fetch("/api/answers", { ...this.request(box), keepalive: true }).catch(() => {});
    }
  }

  request(box, signal) {
    return {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ client: box.client, answers: box.items.slice(0, MOST_AT_ONCE) }),
      signal,
    };
  }
}

// One sender per person and workspace for the whole page: it outlives a change of page.
const senders = new Map();

export function senderFor(scope, listeners) {
  if (!senders.has(scope)) {
    const all = new Set();
    const tell = (name) => (value) => all.forEach((listener) => listener[name](value));
    senders.set(scope, { sender: new Sender(scope, { onChange: tell("onChange"), onProblem: tell("onProblem") }), all });
  }
  const { sender, all } = senders.get(scope);
  all.add(listeners);
  return { sender, leave: () => all.delete(listeners) };
}

// True when signed in, false when the page is too old for it; waits for a server that does not answer.
export async function signIn(token) {
  for (;;) {
    try {
      const response = await fetch("/api/session", {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ token }),
      });
      return response.ok;
    } catch {
      await pause(1000);
    }
  }
}

export const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

// An image element that tries again when its picture did not arrive, because nothing unseen may be answered.
export function picture(size, row) {
  const image = new Image();
  let wait = FIRST_WAIT;
  image.addEventListener("error", () => {
    setTimeout(() => (image.src = `/api/pictures/${size}/${row}`), wait);
    wait = Math.min(LONGEST_WAIT, wait * 2);
  });
  image.src = `/api/pictures/${size}/${row}`;
  image.alt = "";
  image.draggable = false;
  return image;
}

// What is shown when no question is left: where to go on.
export function nothingLeft(words, again) {
  const box = document.createDocumentFragment();
  const text = document.createElement("span");
  text.textContent = words.nothingLeft;
  const links = document.createElement("span");
  links.className = "links";
  for (const [address, name] of words.elsewhere) {
    const link = document.createElement("a");
    link.href = address;
    link.textContent = name;
    links.append(link);
  }
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = words.lookAgain;
  button.addEventListener("click", again);
  links.append(button);
  box.append(text, links);
  return box;
}

export async function claim(tag, count) {
  const response = await fetch("/api/claim", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ tag, count }),
  });
  const body = await response.json();
  if (!response.ok) throw new Error(body.error);
  return body.questions;
}

// The state of saving in words, for the status line of every component.
export function savedText(sender, words) {
  if (sender.state === "signed out") return words.signedOut.replace("{n}", sender.waiting);
  if (!sender.waiting) return words.saved;
  return (sender.state === "waiting" ? words.offline : words.saving).replace("{n}", sender.waiting);
}
