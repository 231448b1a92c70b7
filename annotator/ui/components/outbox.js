// Answers on their way to the server: kept in the browser until they are acknowledged, sent in order, counted once.
//
// push(item) stores first and returns at once. One request is in flight at a time. The server writes each
// (client, seq) once and acknowledges the highest seq without a hole; what is acknowledged leaves the store.
// Each page load is a client of its own (a duplicated tab would copy the numbers); outboxes that a closed tab left
// behind are adopted and sent under their own client.

import { asPerson } from "/api/ui/server.js";

const PREFIX = "annotator-outbox:";
const MOST_AT_ONCE = 200;
const MOST_LETTERS = 1_000_000; // of one request: the server refuses more than four times as many
const MOST_FAREWELL = 60_000; // a browser sends no more behind a page that is gone
const FIRST_WAIT = 250;
const LONGEST_WAIT = 5000;
const TIMEOUT = 10000;

const uuid = () =>
  globalThis.crypto?.randomUUID?.() ??
  Array.from({ length: 16 }, () => Math.floor(Math.random() * 256).toString(16).padStart(2, "0")).join("");

// One entry of the browser's store an item: storing the next one costs the same however many wait.
class Outbox {
  constructor(client, scope) {
    this.client = client;
    this.start = `${PREFIX}${scope}:${client}:`;
    this.items = Object.keys(localStorage)
      .filter((key) => key.startsWith(this.start))
      .map((key) => JSON.parse(localStorage.getItem(key)))
      .sort((a, b) => a.seq - b.seq);
    this.seq = this.items.at(-1)?.seq ?? 0;
  }
  add(item) {
    const numbered = { ...item, seq: ++this.seq };
    this.items.push(numbered);
    try {
      localStorage.setItem(this.start + numbered.seq, JSON.stringify(numbered));
    } catch {
      this.unkept = true; // the browser's store is full or switched off: sent from here, lost with the page
    }
    return numbered.seq;
  }
  // How many the server has now and this box lets go of.
  acknowledge(acked, received) {
    const isSafe = (item) => item.seq <= acked || received.includes(item.seq);
    const safe = this.items.filter(isSafe);
    for (const item of safe) localStorage.removeItem(this.start + item.seq);
    this.items = this.items.filter((item) => !isSafe(item));
    if (!this.items.length) this.unkept = false;
    return safe.length;
  }
}

export class Sender {
  // `scope` names the workspace and the person, so that two workspaces on one address never mix.
  constructor(scope, person, { onChange, onProblem, onNote }) {
    this.scope = scope;
    this.person = person;
    this.onChange = onChange;
    this.onProblem = onProblem;
    this.onNote = onNote;
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

  // Whether some of what waits is in this page only.
  get unkept() {
    return this.own.unkept && this.own.items.length > 0;
  }

  // Questions answered here of which the server may not know yet.
  get tasksWaiting() {
    return [this.own, ...this.adopted].flatMap((box) => box.items).flatMap((item) => item.tasks ?? []);
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
    const keys = Object.keys(localStorage).filter((key) => key.startsWith(start));
    const clients = new Set(keys.map((key) => key.slice(start.length).split(":")[0]));
    let living = false;
    for (const client of [...clients].filter((client) => !held.has(client))) {
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
      if (!response.ok) {
        if (response.status < 500) this.onProblem((await response.json()).error);
        return this.later("waiting");
      }
      const { acked, received, problems, notes } = await response.json();
      if (!box.acknowledge(acked, received)) return this.later("waiting");
      problems.forEach((problem) => this.onProblem(problem.message));
      notes.forEach((note) => this.onNote(note));
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
      if (!box.items.length) continue;
      fetch("/api/answers", { ...this.request(box, undefined, MOST_FAREWELL), keepalive: true }).catch(() => {});
    }
  }

  request(box, signal, most = MOST_LETTERS) {
    const texts = [];
    let letters = 0;
    for (const item of box.items.slice(0, MOST_AT_ONCE)) {
      const text = JSON.stringify(item);
      letters += text.length;
      if (texts.length && letters > most) break;
      texts.push(text);
    }
    return {
      method: "POST",
      headers: { "Content-Type": "application/json", ...asPerson(this.person) },
      body: `{"client":${JSON.stringify(box.client)},"answers":[${texts.join(",")}]}`,
      signal,
    };
  }
}

// Names under which answers of this workspace wait in this browser, other than the one at work: only they can send them.
export function othersWaiting(scope) {
  const workspace = `${PREFIX}${scope.split(":")[0]}:`;
  const own = `${PREFIX}${scope}:`;
  const keys = Object.keys(localStorage).filter((key) => key.startsWith(workspace) && !key.startsWith(own));
  return [...new Set(keys.map((key) => decodeURIComponent(key.slice(workspace.length).split(":")[0])))];
}

// One sender per person and workspace for the whole page: it outlives a change of page.
const senders = new Map();

export function senderFor(scope, person, listeners) {
  if (!senders.has(scope)) {
    const all = new Set();
    const tell = (name) => (value) => all.forEach((listener) => listener[name]?.(value));
    const told = { onChange: tell("onChange"), onProblem: tell("onProblem"), onNote: tell("onNote") };
    senders.set(scope, { sender: new Sender(scope, person, told), all });
  }
  const { sender, all } = senders.get(scope);
  all.add(listeners);
  return { sender, leave: () => all.delete(listeners) };
}
