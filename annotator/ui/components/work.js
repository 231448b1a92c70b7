// What Label, Verify and Bulk share: sign-in, the labelling session, the outbox, and the line that says how it stands.

import { senderFor } from "/api/ui/outbox.js";
import { post, signIn } from "/api/ui/server.js";

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
    const { sender, leave } = senderFor(data.scope, {
      onChange: () => this.show(),
      onProblem: (message) => this.problem(message),
      onNote: (message) => this.note(message),
    });
    this.sender = sender;
    this.leave = leave;
    this.woken = () => document.visibilityState === "visible" && !this.resting && this.goOn();
    document.addEventListener("visibilitychange", this.woken);
    this.timer = setInterval(this.woken, 60_000); // what is on the screen is leased anew
  }

  // True when the server knows the person; the session goes on where it was.
  async start({ tag = null, size = null } = {}) {
    if (!(await signIn(this.data.token))) {
      this.problem(this.words.reload);
      return null;
    }
    this.sender.flush();
    const begun = await post("/api/sessions/begin", { mode: this.mode, tag, page_size: size }).catch((error) => {
      this.problem(error.message);
      return null;
    });
    if (begun) {
      Object.assign(this, { session: begun.session, answers: begun.answers, seconds: begun.seconds, today: begun.today });
    }
    this.rest(null);
    this.show();
    return begun;
  }

  // Streamlit calls again with new data on every rerun: only a token after a sign-out is of interest.
  renew(data) {
    const again = data.token !== this.data.token && this.sender.state === "signed out";
    this.data = data;
    if (again) signIn(data.token).then(() => this.sender.flush());
  }

  stop() {
    clearInterval(this.timer);
    document.removeEventListener("visibilitychange", this.woken);
    this.leave();
  }

  // labels: [[image, tag, state]]; began: performance.now() when they were shown.
  push(labels, { tasks = [], tag = null, began }) {
    const seconds = Math.round(performance.now() - began) / 1000;
    this.count(labels.length, Math.min(seconds, LONGEST_SECONDS));
    return this.sender.push({ labels, tasks, seconds, mode: this.mode, tag, session: this.session ?? null });
  }

  undo({ seq, client = null, labels, seconds = 0 }) {
    this.count(-labels, -seconds);
    const item = { labels: [], tasks: [], undo: seq, mode: this.mode, session: this.session ?? null };
    this.sender.push(client ? { ...item, undo_client: client } : item);
  }

  count(answers, seconds) {
    this.answers = Math.max(0, this.answers + answers);
    this.seconds = Math.max(0, this.seconds + seconds);
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
    return fill(state === "waiting" ? this.words.offline : this.words.saving, waiting);
  }

  problem(message) {
    say(this.part("problem"), message);
  }

  note(message) {
    say(this.part("note"), message);
    clearTimeout(this.noted);
    if (message) this.noted = setTimeout(() => say(this.part("note"), ""), 8000);
  }

  // Pause and end: the report takes the place of the work until the person goes on.
  async leaveSession(how) {
    if (!this.session) return;
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
    place.querySelector("button")?.focus();
  }
}

export const fill = (words, n) => words.replace("{n}", n);

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
  for (const [address, name] of words.elsewhere) {
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
