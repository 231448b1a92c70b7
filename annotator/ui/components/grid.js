// Verify: one tag, a page of thumbnails, a default for all of them; marks are the exceptions. Enter submits the page.

import { claim, nothingLeft, pause, picture, savedText, senderFor, signIn } from "/api/ui/outbox.js";

const PRESENT = 1, ABSENT = 0, UNKNOWN = -1;
const MOST_ASKED = 200;
const RETRY_MS = 1000;

export function mount(root, data) {
  return new Grid(root, data);
}

class Grid {
  constructor(root, data) {
    this.root = root;
    this.data = data;
    this.words = data.words;
    this.page = [];
    this.next = [];
    this.done = [];
    this.answered = new Set(); // tasks handed to the outbox: the server may not know of it yet and offer them again
    this.turn = 0; // a page that was asked for before the tag changed must not be shown under the new tag
    this.count = 0;
    this.defaultState = PRESENT;
    root.innerHTML = this.frame();
    this.part = (name) => root.querySelector(`[data-part="${name}"]`);
    root.addEventListener("keydown", (event) => this.key(event));
    root.addEventListener("keyup", (event) => {
      if (event.key === " " && event.target.closest?.(".cell")) event.preventDefault(); // already marked at the key down
    });
    root.addEventListener("click", (event) => this.click(event));
    const { sender, leave } = senderFor(data.scope, {
      onChange: () => this.saved(),
      onProblem: (message) => this.problem(message),
    });
    this.sender = sender;
    this.leave = leave;
    this.start(data.token);
  }

  update(data) {
    const changed = data.tag.id !== this.data.tag.id || data.size !== this.data.size;
    const again = data.token !== this.data.token && this.sender.state === "signed out";
    const other = data.unmarked !== this.data.unmarked;
    this.data = data;
    if (other && !changed) this.show();
    if (changed) this.done = []; // a page can be taken back while its tag is on the screen
    if (again) this.start(data.token);
    else if (changed) this.load();
  }

  unmount() {
    this.turn += 1;
    this.leave();
  }

  async start(token) {
    if (!(await signIn(token))) return this.problem(this.words.reload);
    this.sender.flush();
    await this.load();
  }

  // The first page of a tag, or the one after all that were in hand.
  async load() {
    const turn = (this.turn += 1);
    this.page = [];
    this.next = [];
    for (;;) {
      const found = await this.fetchPage(this.data.size);
      if (turn !== this.turn) return;
      this.page = (found ?? []).slice(0, this.data.size);
      this.finished = found !== null && !found.length && !this.sender.waiting;
      this.show(found === null);
      if (this.page.length) return this.prefetch();
      if (this.finished) return;
      await pause(RETRY_MS);
      if (turn !== this.turn) return;
    }
  }

  frame() {
    const w = this.words;
    return `
<div class="verify" role="group" aria-label="${w.verify}">
  <p class="question" data-part="question"></p>
  <div class="cells" data-part="cells" role="group" aria-label="${w.page}"></div>
  <div class="empty" data-part="empty" role="status" hidden></div>
  <div class="actions">
    <button type="button" class="primary" data-do="submit" aria-keyshortcuts="Enter">${w.submit}<kbd>Enter</kbd></button>
    <button type="button" data-do="undo" aria-keyshortcuts="u Backspace">${w.undoPage}<kbd>u</kbd></button>
    <p class="status" data-part="status" role="status" aria-live="polite"></p>
  </div>
  <p class="hint">${w.gridHint}</p>
  <p class="problem" data-part="problem" role="alert" hidden></p>
</div>`;
  }

  // Cells for questions that are not in hand yet; null where the server did not answer.
  async fetchPage(size) {
    try {
      const wanted = size + this.page.length + this.sender.tasksWaiting;
      const questions = await claim(this.data.tag.id, Math.min(MOST_ASKED, wanted));
      const held = new Set([...this.page, ...this.next].map((cell) => cell.task));
      const fresh = questions.filter(({ task }) => !held.has(task) && !this.answered.has(task));
      return fresh.map((question) => ({ ...question, state: null, picture: picture(320, question.image) }));
    } catch (error) {
      this.problem(`${this.words.noQuestions} ${error.message}`);
      return null;
    }
  }

  // The page after this one is asked for while this one is looked at: what is held twice over is left out.
  async prefetch() {
    const turn = this.turn;
    const found = await this.fetchPage(this.data.size);
    if (turn !== this.turn || !found) return;
    const held = new Set([...this.page, ...this.next].map((cell) => cell.task));
    this.next.push(...found.filter(({ task }) => !held.has(task) && !this.answered.has(task)));
  }

  // An audit's page is all of one sort. Pages of best guesses are taken as absent when fewer than half are likely.
  proposed() {
    if (this.page[0]?.expected === "absent") return ABSENT;
    if (this.page[0]?.kind !== "pick") return PRESENT;
    const likely = this.page.filter(({ suggestions }) => (suggestions[0]?.score ?? 0) >= 0.5);
    return 2 * likely.length >= this.page.length ? PRESENT : ABSENT;
  }

  // Unmarked pictures mean what the page was proposed as, unless the person chose otherwise.
  takeDefault() {
    const proposed = this.proposed();
    const chosen = { present: PRESENT, absent: ABSENT }[this.data.unmarked] ?? proposed;
    for (const cell of this.page) if (cell.state === null || cell.state === this.defaultState) cell.state = chosen;
    this.defaultState = chosen;
    const words = chosen === PRESENT ? this.words.markAbsent : this.words.markPresent;
    this.part("question").textContent = words.replace("{tag}", this.data.tag.name);
  }

  show(keepProblem = false) {
    this.takeDefault();
    this.last = undefined;
    const empty = this.part("empty");
    empty.hidden = this.page.length > 0;
    this.part("question").hidden = !this.page.length;
    if (this.finished) empty.replaceChildren(nothingLeft(this.words, () => this.load()));
    else empty.textContent = this.words.fetching;
    this.part("cells").replaceChildren(...this.page.map((cell, place) => this.cell(cell, place)));
    this.began = performance.now();
    if (!keepProblem) this.problem("");
    this.saved();
    (this.part("cells").firstElementChild ?? this.root.querySelector('[data-do="submit"]')).focus({ preventScroll: true });
  }

  cell(cell, place) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "cell";
    button.dataset.place = place;
    button.tabIndex = place === 0 ? 0 : -1;
    button.setAttribute("aria-label", cell.name);
    const mark = document.createElement("span");
    mark.className = "mark";
    button.append(cell.picture, mark);
    cell.button = button;
    this.draw(cell);
    return button;
  }

  draw(cell) {
    const exception = cell.state !== this.defaultState;
    cell.button.dataset.state = { [PRESENT]: "present", [ABSENT]: "absent", [UNKNOWN]: "unknown" }[cell.state];
    cell.button.classList.toggle("exception", exception);
    cell.button.setAttribute("aria-pressed", String(exception));
    cell.button.querySelector(".mark").textContent = exception ? { [PRESENT]: "✓", [ABSENT]: "✗", [UNKNOWN]: "?" }[cell.state] : "";
  }

  mark(place, state) {
    const cell = this.page[place];
    if (!cell) return;
    const other = this.defaultState === PRESENT ? ABSENT : PRESENT;
    cell.state = state ?? (cell.state === this.defaultState ? other : this.defaultState);
    this.draw(cell);
  }

  // With Shift the arrows carry the state of the cell they leave over all they pass.
  markLike(from, to) {
    const state = this.page[from].state;
    for (let place = Math.min(from, to); place <= Math.max(from, to); place += 1) this.mark(place, state);
  }

  // A range takes the state of the cell it ends on.
  markRange(from, to) {
    this.mark(to);
    this.markLike(to, from);
  }

  submit() {
    // A picture that is not on the screen was not seen: it goes back instead of being answered.
    const seen = this.page.filter((cell) => cell.picture.naturalWidth);
    if (!this.page.length) return;
    if (!seen.length) return this.problem(this.words.notShown);
    const seq = this.sender.push({
      labels: seen.map((cell) => [cell.image, this.data.tag.id, cell.state]),
      tasks: seen.map((cell) => cell.task),
      seconds: Math.round(performance.now() - this.began) / 1000,
    });
    for (const cell of seen) this.answered.add(cell.task);
    this.done.push({ seq, cells: seen, defaultState: this.defaultState });
    this.count += seen.length;
    const unseen = this.page.filter((cell) => !cell.picture.naturalWidth);
    // What is expected decides what an unmarked picture means: a page is all of one sort.
    const sort = [...unseen, ...this.next][0]?.expected;
    const fitting = [...unseen, ...this.next.filter((cell) => cell.expected === sort)];
    this.page = fitting.slice(0, this.data.size);
    this.next = fitting.slice(this.data.size);
    if (!this.page.length) return this.load();
    this.show();
    this.prefetch();
  }

  undo() {
    const last = this.done.pop();
    if (!last) return;
    this.sender.push({ undo: last.seq, labels: [], tasks: [] });
    for (const cell of last.cells) this.answered.delete(cell.task);
    this.count -= last.cells.length;
    this.turn += 1; // a page under way is asked for again
    this.next = [...this.page.map((cell) => ({ ...cell, state: null })), ...this.next];
    this.page = last.cells;
    this.defaultState = last.defaultState;
    this.show();
  }

  key(event) {
    event.stopPropagation();
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest?.("a, .links button")) return;
    if (event.repeat && !event.key.startsWith("Arrow")) return event.preventDefault(); // a key held down submits once
    const place = Number(event.target.closest?.(".cell")?.dataset.place ?? -1);
    const moves = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: this.columns(), ArrowUp: -this.columns() };
    if (event.key in moves && place >= 0) this.focusCell(place + moves[event.key], event.shiftKey ? place : null);
    else if (event.key === "Enter") (event.target.closest?.("[data-do]") ?? this.root.querySelector('[data-do="submit"]')).click();
    else if (event.key === "u" || event.key === "Backspace") this.undo();
    else if (event.key === "?" && place >= 0) this.mark(place, UNKNOWN);
    else if ((event.key === "x" || event.key === " ") && place >= 0) this.mark(place);
    else return;
    event.preventDefault();
  }

  focusCell(place, marking) {
    const cell = this.page[Math.max(0, Math.min(this.page.length - 1, place))];
    if (!cell) return;
    if (marking !== null) this.markLike(marking, this.page.indexOf(cell));
    for (const other of this.page) other.button.tabIndex = other === cell ? 0 : -1;
    cell.button.focus();
  }

  columns() {
    const cells = [...this.part("cells").children];
    const top = cells[0]?.offsetTop;
    const second = cells.findIndex((cell) => cell.offsetTop !== top);
    return second < 0 ? cells.length || 1 : second;
  }

  click(event) {
    const cell = event.target.closest(".cell");
    if (cell) {
      const place = Number(cell.dataset.place);
      if (event.shiftKey && this.last !== undefined) this.markRange(this.last, place);
      else this.mark(place);
      this.last = place;
      return;
    }
    const action = event.target.closest("[data-do]")?.dataset.do;
    if (action) this[action]();
  }

  saved() {
    const status = this.part("status");
    status.textContent = `${savedText(this.sender, this.words)} · ${this.words.answered.replace("{n}", this.count)}`;
    status.dataset.state = this.sender.waiting ? this.sender.state : "saved";
  }

  problem(message) {
    const line = this.part("problem");
    line.textContent = message;
    line.hidden = !message;
  }
}
