// What Label, Verify and Bulk share: sign-in, the labelling session, the outbox, and the line that says how it stands.

import { othersWaiting, senderFor } from "/api/ui/outbox.js";
import { address, pause, post, signIn, workAs } from "/api/ui/server.js";

const CORRECTION_MS = 20_000;
const MOST_SIGN_INS = 3;
const FRESH_MS = 100_000; // the server takes a page's token for two minutes
const LONGEST_SECONDS = 300; // a longer screen was a break; as the server counts it

export class Work {
  // part(name) finds the component's elements "status", "problem", "note" and "rest"; tell(name, value) reaches the page.
  constructor(data, { part, tell, mode, inHand, goOn }) {
    Object.assign(this, { data, words: data.words, part, tell, mode, inHand, goOn });
    this.answers = 0;
    this.seconds = 0;
    this.today = 0;
    this.here = 0;
    this.resting = false;
    workAs(data.person);
    this.tokenAt = performance.now();
    const { sender, leave } = senderFor(data.scope, data.person, {
      onChange: () => this.show(),
      onProblem: (message) => this.problem(message),
      onNote: ({ message, image }) => (image === undefined ? this.note(message) : this.correct(message, image)),
    });
    this.sender = sender;
    this.leave = leave;
    this.woken = () => document.visibilityState === "visible" && !this.resting && this.goOn();
    document.addEventListener("visibilitychange", this.woken);
    this.timer = setInterval(this.woken, 60_000); // what is on the screen is leased anew
  }

  // The session goes on where it was, or a new one begins; null where the server refuses.
  async start({ tag = null, size = null } = {}) {
    try {
      if (performance.now() - this.tokenAt < FRESH_MS) await this.signIn();
      const begun = await this.signedIn(() => post("/api/sessions/begin", { mode: this.mode, tag, page_size: size }));
      Object.assign(this, { session: begun.session, answers: begun.answers, seconds: begun.seconds, today: begun.today });
      const others = othersWaiting(this.data.scope);
      if (others.length) this.note(fill(this.words.othersWaiting, others.join(", ")));
      this.rest(null);
      this.sender.flush();
      this.show();
      return begun;
    } catch (error) {
      this.problem(error.message);
      return null;
    }
  }

  // What `ask` answers, after a sign-in where the server does not know us; waits for a server that is away.
  async signedIn(ask) {
    for (let tried = 0; ; tried += 1) {
      try {
        return await ask();
      } catch (error) {
        if (error.status === 401 && tried < MOST_SIGN_INS) await this.signIn();
        else if (error.status) throw error;
        else await pause(1000);
      }
    }
  }

  // With the page's token; one that is too old is renewed by a run of the script.
  async signIn() {
    if (await signIn(this.data.token)) return;
    const old = this.data.token;
    this.tell("token", Date.now());
    for (let waited = 0; this.data.token === old; waited += 1) {
      if (waited > 100) throw new Error(this.words.reload);
      await pause(100);
    }
    if (!(await signIn(this.data.token))) throw new Error(this.words.reload);
  }

  // Streamlit calls again with new data on every rerun: only a token after a sign-out is of interest.
  renew(data) {
    const again = data.token !== this.data.token && this.sender.state === "signed out";
    if (data.token !== this.data.token) this.tokenAt = performance.now();
    this.data = data;
    if (again) signIn(data.token).then(() => this.sender.flush());
  }

  stop() {
    clearInterval(this.timer);
    document.removeEventListener("visibilitychange", this.woken);
    this.leave();
  }

  // labels: [[image, tag, state]]; began: performance.now() when they were shown; verdict: a reviewer's, without labels.
  // Returns what `undo` needs to take it back.
  push(labels, { tasks = [], tag = null, began, verdict }) {
    const seconds = Math.min(Math.round(performance.now() - began) / 1000, LONGEST_SECONDS);
    this.count(labels.length, seconds);
    const item = { labels, tasks, seconds, mode: this.mode, tag, session: this.session ?? null };
    const seq = this.sender.push(verdict ? { ...item, verdict } : item);
    return { seq, labels: labels.length, seconds };
  }

  undo({ seq, client = null, labels = 0, seconds = 0 }) {
    this.count(-labels, -seconds);
    const item = { labels: [], tasks: [], undo: seq, mode: this.mode, session: this.session ?? null };
    this.sender.push(client ? { ...item, undo_client: client } : item);
  }

  // What is tagged in bulk takes no time worth a pace, and a verdict is no answer.
  count(answers, seconds) {
    if (this.mode !== "bulk" && this.mode !== "review") {
      this.answers = Math.max(0, this.answers + answers);
      this.seconds = Math.max(0, this.seconds + seconds);
    }
    this.today = Math.max(0, this.today + answers);
  }

  show() {
    const status = this.part("status");
    const pace = this.seconds > 0 ? Math.round((60 * this.answers) / this.seconds) : null;
    const parts = [this.saved(), fill(this.words.answered, this.here)];
    parts.push(fill(this.words.today, this.today.toLocaleString()));
    if (pace !== null) parts.push(fill(this.words.pace, pace));
    status.textContent = parts.join(" · ");
    status.dataset.state = this.sender.waiting ? this.sender.state : "saved";
    if (this.sender.state === "signed out" && !this.asked) this.tell("token", Date.now()); // the page signs in anew
    this.asked = this.sender.state === "signed out";
  }

  saved() {
    const { state, waiting } = this.sender;
    if (state === "signed out") return fill(this.words.signedOut, waiting);
    if (!waiting) return this.words.saved;
    if (this.sender.unkept) return fill(this.words.unkept, waiting);
    return fill(state === "waiting" ? this.words.offline : this.words.saving, waiting);
  }

  problem(message) {
    say(this.part("problem"), message);
  }

  note(message, milliseconds = 8000) {
    say(this.part("note"), message);
    clearTimeout(this.noted);
    if (message) this.noted = setTimeout(() => say(this.part("note"), ""), milliseconds);
  }

  // What is known of a picture that was answered otherwise, with the picture, until the next one or a while.
  correct(message, row) {
    this.note(put(this.words.known, { what: message }), CORRECTION_MS);
    const image = new Image();
    image.src = address(320, row);
    image.alt = "";
    image.className = "known";
    this.part("note").prepend(image);
  }

  // Pause and end: the report takes the place of the work until the person goes on.
  async leaveSession(how) {
    if (!this.session || this.resting) return;
    for (let waited = 0; this.sender.waiting && waited < 30; waited += 1) await pause(100); // the report counts them too
    try {
      const report = await post(`/api/sessions/${how}`, { session: this.session, tasks: this.inHand() });
      this.resting = true;
      this.rest(reportView(report, how, this.words, () => this.resume()));
    } catch (error) {
      this.problem(error.message);
    }
  }

  resume() {
    this.resting = false;
    this.rest(null);
    this.here = 0;
    this.goOn(true);
  }

  rest(view) {
    const place = this.part("rest");
    place.hidden = !view;
    place.replaceChildren(...(view ? [view] : []));
    for (const other of around(place)) other.inert = Boolean(view);
    place.querySelector("button")?.focus();
  }
}

export const fill = (words, n) => put(words, { n });

// "{name}" in words by values; a function, because "$&" in a tag's name would mean something to replace().
export const put = (words, values) => words.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);

// Everything of a component beside `place`: behind a report nothing can be reached.
function around(place) {
  const found = [];
  for (let at = place; at.parentElement; at = at.parentElement) {
    found.push(...[...at.parentElement.children].filter((other) => other !== at));
  }
  return found;
}

function say(line, message) {
  line.textContent = message;
  line.hidden = !message;
}

function reportView(report, how, words, goOn) {
  const box = element("div", "report");
  box.append(element("h2", "", fill(how === "pause" ? words.paused : words.ended, report.session)));
  const list = document.createElement("dl");
  const rows = [
    [words.reportPictures, report.pictures.toLocaleString()],
    [words.reportAnswers, report.answers.toLocaleString()],
    [words.reportStates, `${report.present} / ${report.absent} / ${report["cannot tell"]}`],
    [words.reportTaken, report["taken back"]],
    [words.reportMinutes, report.active_minutes.toFixed(1)],
    [words.reportPace, report.answers_per_minute ?? "–"],
  ];
  for (const [name, value] of rows) list.append(element("dt", "", name), element("dd", "", String(value)));
  const links = element("p", "links");
  const button = element("button", "primary", how === "pause" ? words.goOn : words.newSession);
  button.type = "button";
  button.addEventListener("click", goOn);
  const link = element("a", "", words.allSessions);
  link.href = "/sessions";
  links.append(button, link);
  box.append(list, links);
  return box;
}

export function element(kind, className = "", text = "") {
  const made = document.createElement(kind);
  if (className) made.className = className;
  if (text) made.textContent = text;
  return made;
}

// What is shown when no question is left: where to go on.
export function nothingLeft(words, again) {
  const box = document.createDocumentFragment();
  const links = element("span", "links");
  for (const [address, name] of words.elsewhere.filter(([address]) => address !== location.pathname)) {
    const link = element("a", "", name);
    link.href = address;
    links.append(link);
  }
  const button = element("button", "", words.lookAgain);
  button.type = "button";
  button.addEventListener("click", again);
  links.append(button);
  box.append(element("span", "", words.nothingLeft), links);
  return box;
}

// The status line, its buttons and the place for messages: the same below every component.
export const footer = (words) => `
  <div class="foot">
    <p class="status" data-part="status" role="status" aria-live="polite"></p>
    <button type="button" class="quiet" data-do="pause">${words.pause}</button>
    <button type="button" class="quiet" data-do="end">${words.end}</button>
  </div>
  <p class="note" data-part="note" role="status" hidden></p>
  <p class="problem" data-part="problem" role="alert" hidden></p>`;
