// Verify: one tag, a page of thumbnails, a default for all of them; marks are the exceptions. Enter submits the page.

import { Cells } from "/api/ui/cells.js";
import { isReserved, listen } from "/api/ui/keys.js";
import { Relations } from "/api/ui/relations.js";
import { address, claim, pause, picture, post, tagDetails, tags } from "/api/ui/server.js";
import { SkipBox, tellSkip } from "/api/ui/skip_box.js";
import { TagBox } from "/api/ui/tag_box.js";
import { Work, element, fill, footer, nothingLeft, put } from "/api/ui/work.js";

const PRESENT = 1, ABSENT = 0, UNKNOWN = -1;
const NAMES = { [PRESENT]: "present", [ABSENT]: "absent", [UNKNOWN]: "unknown" };
const MARKS = { [PRESENT]: "✓", [ABSENT]: "✗", [UNKNOWN]: "?" };
const MOST_ASKED = 200;
const RETRY_MS = 1000;
const UNDONE_PAGES = 20; // that can be taken back
const TURN_MS = 1200;
const BELOW = 150; // pixels below the page of pictures: buttons and status

export const mount = (root, data, tell) => new Verify(root, data, tell);

class Verify {
  constructor(root, data, tell) {
    Object.assign(this, { root, data, tell, words: data.words, tag: null, size: data.size, unmarked: "proposed", exhausted: new Set() });
    this.clear();
    root.innerHTML = this.frame();
    const part = (this.part = (name) => root.querySelector(`[data-part="${name}"]`));
    this.cells = new Cells(part("cells"), {
      toggle: (place) => this.mark(place),
      like: (from, place) => this.markAs(place, this.page[from].marked),
      bottom: BELOW,
    });
    this.box = new TagBox(part("choose"), {
      label: this.words.chooseTag,
      onChoose: (tag) => this.choose(tag),
      onLeave: () => this.cells.focus(0),
    });
    this.skipBox = new SkipBox(part("skipping"), this.words, {
      onSkip: (reason, text) => this.giveUp(reason, text),
      onLeave: () => this.cells.focus(this.skipping ?? 0),
    });
    this.work = new Work(data, {
      part, tell, mode: "verify", inHand: () => this.inHand(), goOn: (again) => (again ? this.start() : this.keep()),
    });
    this.letGo = listen(root, (event) => this.key(event));
    root.addEventListener("click", (event) => this.click(event));
    const slider = part("size");
    slider.addEventListener("input", () => (part("count").textContent = slider.value));
    slider.addEventListener("change", () => this.resize(Number(slider.value)));
    part("unmarked").addEventListener("change", (event) => {
      this.unmarked = event.target.value;
      this.decideDefault();
      this.page.forEach((cell) => this.draw(cell));
    });
    this.turningUntil = data.turn ? performance.now() + TURN_MS : 0;
    this.drawWaiting();
    this.start();
  }

  // Nothing in hand: what a new tag begins with.
  clear() {
    this.page = [];
    this.next = [];
    this.done = [];
    this.answered = new Set(); // tasks handed to the outbox: the server may not know of it yet and offer them again
    this.turn = (this.turn ?? 0) + 1; // a page asked for before the tag changed must not be shown under the new tag
    this.defaultState = PRESENT;
  }

  // On the Work page another stretch may be about another tag.
  update(data) {
    const other = data.turn && data.tag !== this.data.tag;
    this.data = data;
    this.turningUntil = 0;
    this.work.renew(data);
    this.drawWaiting();
    if (other) this.chooseById(data.tag);
  }

  unmount() {
    this.turn += 1;
    this.letGo();
    this.cells.stop();
    this.work.stop();
  }

  async start() {
    this.turnLeft = this.data.turn?.pages ?? Infinity;
    const begun = await this.work.start({ tag: this.tag?.id ?? this.data.tag, size: this.data.chosenSize });
    if (!begun) return;
    try {
      const vocabulary = await tags();
      this.box.prepare();
      this.takeSize(begun.page_size ?? this.size);
      const wanted = begun.tag ?? this.data.waiting[0]?.id ?? vocabulary.tags[0]?.[0];
      const found = vocabulary.tags.find(([id]) => id === wanted) ?? vocabulary.tags[0];
      if (found) await this.take({ id: found[0], name: found[1] });
    } catch (error) {
      this.work.problem(error.message);
    }
  }

  frame() {
    const w = this.words;
    const choice = (value, name) =>
      `<label><input type="radio" name="unmarked" value="${value}"${value === "proposed" ? " checked" : ""}>${name}</label>`;
    return `
<div class="verify" role="group" aria-label="${w.verify}">
  <div class="rest" data-part="rest" role="dialog" aria-label="${w.session}" hidden></div>
  <div class="head">
    <div class="about"><h2 class="question" data-part="question"></h2><p class="definition" data-part="definition"></p><p class="definition" data-part="follows" hidden></p></div>
    <div class="examples" data-part="examples" role="img" aria-label="${w.examples}"></div>
    <div class="controls">
      <div data-part="choose"></div>
      <label class="slider">${w.pageSize} <output data-part="count">${this.size}</output>
        <input type="range" data-part="size" min="12" max="100" step="1" value="${this.size}"></label>
      <fieldset data-part="unmarked"><legend>${w.unmarked}</legend>${choice("proposed", w.asProposed)}${choice("present", w.showIt)}${choice("absent", w.doNot)}</fieldset>
    </div>
  </div>
  <p class="waiting" data-part="waiting" hidden></p>
  <div data-part="cells" role="group" aria-label="${w.page}"></div>
  <div class="empty" data-part="empty" role="status" hidden></div>
  <div class="actions">
    <button type="button" class="primary" data-do="submit" aria-keyshortcuts="Enter"><span>${w.submit}</span><kbd>Enter</kbd></button>
    <button type="button" data-do="undo" aria-keyshortcuts="u Backspace"><span>${w.undoPage}</span><kbd>u</kbd></button>
    <button type="button" data-do="skipFor" aria-keyshortcuts="s"><span>${w.skipFor}</span><kbd>s</kbd></button>
    <button type="button" data-do="help" aria-keyshortcuts="h"><span>${w.help}</span><kbd>h</kbd></button>
    ${footer(w)}
  </div>
  <div class="card skipping" data-part="skipping" role="dialog" aria-label="${w.skipFor}" hidden></div>
  <dl class="card help" data-part="help" tabindex="0" hidden>${w.verifyKeys.map(([key, what]) => `<dt><kbd>${key}</kbd></dt><dd>${what}</dd>`).join("")}</dl>
</div>`;
  }

  // The tag

  // Audits among `cells` that were answered (1) or taken back (-1) since the page was made.
  countOff(cells, times = 1) {
    const answered = times * cells.filter(({ kind }) => kind === "audit").length;
    this.data.waiting = this.data.waiting.map((one) => (one.id === this.tag?.id ? { ...one, count: one.count - answered } : one));
    this.drawWaiting();
  }

  // Tags whose audits wait come with a button each: their answers settle the most.
  drawWaiting() {
    const waiting = this.data.waiting.filter(({ count }) => count > 0);
    const line = this.part("waiting");
    line.hidden = !waiting.length;
    line.replaceChildren(element("span", "", this.words.auditsWait));
    for (const { id, name, count } of waiting) {
      const button = element("button", "quiet", `${name} ${count}`);
      button.type = "button";
      button.addEventListener("click", () => this.choose({ id, name }));
      line.append(button);
    }
  }

  async chooseById(wanted) {
    const vocabulary = await tags().catch(() => ({ tags: [] }));
    const found = vocabulary.tags.find(([id]) => id === wanted);
    if (found) this.choose({ id: found[0], name: found[1] });
  }

  async choose(tag) {
    if (tag.id === this.tag?.id) return;
    // The questions of the tag before are free for others at once.
    const given = this.inHand();
    if (given.length) post("/api/release", { tasks: given }).catch(() => {});
    this.work.start({ tag: tag.id, size: this.size });
    await this.take(tag);
  }

  async take(tag) {
    this.tag = tag;
    this.clear();
    this.describe(tag);
    this.tellFollows(tag);
    await this.load();
  }

  async describe(tag) {
    const [definition, examples] = [this.part("definition"), this.part("examples")];
    const found = await tagDetails(tag.id).catch(() => null);
    if (tag !== this.tag || !found) return;
    const synonyms = found.synonyms.length ? `${this.words.also} ${found.synonyms.join(", ")}` : "";
    definition.textContent = [found.definition, synonyms].filter(Boolean).join(" · ") || this.words.noDefinition;
    examples.replaceChildren(
      ...found.examples.map((row) => {
        const image = new Image();
        image.src = address(320, row);
        image.alt = "";
        return image;
      }),
    );
    examples.hidden = !found.examples.length;
  }

  // What answers about this tag also say of others, by the vocabulary's relations.
  async tellFollows(tag) {
    const vocabulary = await tags().catch(() => null);
    if (tag !== this.tag || !vocabulary) return;
    const [relations, names] = [new Relations(vocabulary), new Map(vocabulary.tags)];
    const told = [[PRESENT, this.words.ifPresent], [ABSENT, this.words.ifAbsent]].map(([state, form]) => {
      const what = relations.inWords([tag.id], state, names, this.words);
      return what && put(form, { what });
    });
    const line = this.part("follows");
    line.textContent = line.title = told.filter(Boolean).join(" · ");
    line.hidden = !line.textContent;
  }

  // Pages

  inHand() {
    return [...this.page, ...this.next].map((cell) => cell.task);
  }

  // The first page of a tag, or the one after all that were in hand.
  async load() {
    const turn = (this.turn += 1);
    this.page = [];
    this.next = [];
    this.finished = false;
    this.show();
    for (;;) {
      const found = await this.fetchPage();
      if (turn !== this.turn) return;
      this.newPage((found ?? []).slice(0, this.size));
      this.finished = found !== null && !found.length && !this.work.sender.waiting;
      this.show(found === null);
      if (this.page.length) return this.prefetch();
      if (this.finished) return;
      await pause(RETRY_MS);
      if (turn !== this.turn) return;
    }
  }

  // Cells for questions that are not in hand yet; null where the server did not answer.
  async fetchPage(size = this.size) {
    try {
      const have = [...this.inHand(), ...this.work.sender.tasksWaiting];
      const { questions, lost, closed, quota } = await claim(this.tag.id, Math.min(MOST_ASKED, size), have);
      this.closed = closed && put(this.words.closed[closed], { n: quota });
      this.drop(lost);
      const held = new Set(this.inHand());
      const pixels = this.cells.sizeFor(this.size);
      return questions
        .filter(({ task }) => !held.has(task) && !this.answered.has(task))
        .map((question) => ({ ...question, marked: null, picture: picture(pixels, question.image, this.page.length ? "low" : "auto") }));
    } catch (error) {
      this.work.problem(`${this.words.noQuestions} ${error.message}`);
      return null;
    }
  }

  // The page after this one is asked for while this one is looked at.
  async prefetch() {
    if (this.next.length >= this.size) return;
    const turn = this.turn;
    const found = await this.fetchPage(this.size - this.next.length);
    if (turn === this.turn && found) this.next.push(...found.filter(({ task }) => !this.answered.has(task)));
  }

  // What is on the screen is leased anew; what others took meanwhile goes.
  async keep() {
    if (this.tag && this.page.length) await this.fetchPage(0);
  }

  drop(tasks) {
    const lost = new Set(tasks);
    const gone = this.page.filter((cell) => lost.has(cell.task)).length;
    this.next = this.next.filter((cell) => !lost.has(cell.task));
    if (!gone) return;
    const focused = this.page[this.cells.focused()]?.task;
    this.page = this.page.filter((cell) => !lost.has(cell.task));
    this.work.note(fill(this.words.lost, gone));
    if (!this.page.length) this.newPage(this.next.splice(0, this.size));
    if (!this.page.length) return void this.load();
    this.show(true, this.page.findIndex((cell) => cell.task === focused));
  }

  takeSize(size) {
    this.size = size;
    this.part("size").value = this.part("count").textContent = String(size);
  }

  async resize(size) {
    const all = [...this.page, ...this.next];
    this.size = size;
    this.page = all.slice(0, size);
    this.next = all.slice(size);
    if (this.page.length < size && all.length) {
      const turn = this.turn;
      const more = await this.fetchPage(size - this.page.length);
      if (turn !== this.turn) return;
      const fitting = (more ?? []).filter((cell) => cell.expected === this.page[0]?.expected);
      this.page.push(...fitting);
    }
    this.show();
    this.prefetch();
  }

  // What an unmarked picture means is decided once, when a page comes up: it must not change under somebody's marks.
  newPage(cells) {
    this.page = cells;
    if (cells.length) this.exhausted.delete(this.tag?.id);
    this.decideDefault();
  }

  decideDefault() {
    this.defaultState = { present: PRESENT, absent: ABSENT }[this.unmarked] ?? this.proposed();
    const words = this.defaultState === PRESENT ? this.words.markAbsent : this.words.markPresent;
    const question = this.part("question");
    question.textContent = put(words, { tag: this.tag?.name ?? "" });
    question.dataset.unmarked = NAMES[this.defaultState];
  }

  // An audit's page is all of one sort. Pages of best guesses are taken as absent when fewer than half are likely.
  proposed() {
    if (this.page[0]?.expected === "absent") return ABSENT;
    if (this.page[0]?.kind !== "pick") return PRESENT;
    const likely = this.page.filter(({ suggestions }) => (suggestions[0]?.score ?? 0) >= 0.5);
    return 2 * likely.length >= this.page.length ? PRESENT : ABSENT;
  }

  stateOf(cell) {
    return cell.marked ?? this.defaultState;
  }

  show(keepProblem = false, focus = 0) {
    const empty = this.part("empty");
    empty.hidden = this.page.length > 0;
    if (this.finished && this.closed) empty.textContent = this.closed;
    else if (this.finished) this.showNothingLeft(empty);
    else empty.textContent = this.words.fetching;
    this.cells.show(this.page, (cell) => this.draw(cell));
    this.began = performance.now();
    if (!keepProblem) this.work?.problem("");
    this.work?.show();
    const active = this.root.getRootNode().activeElement;
    if (this.page.length && !active?.matches?.("input")) this.cells.focus(Math.max(0, focus));
  }

  // Nothing of this tag: on to the next one whose audits wait, by Enter.
  showNothingLeft(place) {
    place.replaceChildren(nothingLeft(this.words, () => this.load()));
    this.exhausted.add(this.tag?.id); // what still waits of it is in others' hands
    const next = this.data.waiting.find(({ id, count }) => count > 0 && !this.exhausted.has(id));
    if (!next) return;
    const button = element("button", "primary", put(this.words.nextTag, { tag: next.name, n: next.count }));
    button.type = "button";
    button.addEventListener("click", () => this.choose(next));
    place.querySelector(".links").prepend(button);
    if (!this.root.getRootNode().activeElement?.matches?.("input")) button.focus();
  }

  draw(cell) {
    const state = this.stateOf(cell);
    const exception = state !== this.defaultState;
    cell.button.dataset.state = NAMES[state];
    cell.button.classList.toggle("exception", exception);
    cell.button.setAttribute("aria-pressed", String(exception));
    cell.button.querySelector(".mark").textContent = exception ? MARKS[state] : "";
  }

  // Answers

  mark(place) {
    const other = this.defaultState === PRESENT ? ABSENT : PRESENT;
    const cell = this.page[place];
    if (cell) this.markAs(place, this.stateOf(cell) === this.defaultState ? other : null);
  }

  // `marked`: a state that holds whatever the default is, or null for the default.
  markAs(place, marked) {
    const cell = this.page[place];
    if (!cell) return;
    cell.marked = marked;
    this.draw(cell);
  }

  submit() {
    if (!this.page.length || this.work.resting || performance.now() < this.turningUntil) return;
    this.letGoOfBroken();
    // A picture that is not on the screen was not seen: it goes back instead of being answered.
    const seen = this.page.filter((cell) => cell.picture.naturalWidth);
    if (!seen.length) return this.work.problem(this.words.notShown);
    const labels = seen.map((cell) => [cell.image, this.tag.id, this.stateOf(cell)]);
    const given = this.work.push(labels, { tasks: seen.map((cell) => cell.task), tag: this.tag.id, began: this.began });
    for (const cell of seen) this.answered.add(cell.task);
    this.countOff(seen);
    this.done.push({ ...given, cells: seen, defaultState: this.defaultState, tag: this.tag.id });
    this.done.splice(0, this.done.length - UNDONE_PAGES);
    this.work.here += seen.length;
    const unseen = this.page.filter((cell) => !cell.picture.naturalWidth);
    // What is expected decides what an unmarked picture means: a page is all of one sort.
    const sort = [...unseen, ...this.next][0]?.expected;
    const fitting = [...unseen, ...this.next.filter((cell) => cell.expected === sort)];
    const others = this.next.filter((cell) => cell.expected !== sort);
    this.newPage(fitting.slice(0, this.size));
    this.next = [...fitting.slice(this.size), ...others];
    this.turnLeft -= 1;
    if (this.turnLeft <= 0) {
      this.turnLeft = this.data.turn.pages;
      this.turningUntil = performance.now() + TURN_MS;
      this.tell("turn", Date.now());
    }
    if (!this.page.length) return this.load();
    this.show();
    this.prefetch();
  }

  // A picture that cannot be shown must not hold up the others.
  letGoOfBroken() {
    const broken = this.page.filter((cell) => cell.picture.broken);
    if (!broken.length) return;
    for (const cell of broken) this.answered.add(cell.task);
    this.page = this.page.filter((cell) => !cell.picture.broken);
    post("/api/release", { tasks: broken.map((cell) => cell.task) }).catch(() => {});
    this.work.note(fill(this.words.brokenLeftOut, broken.length));
  }

  // The picture in focus, or the one that was in focus last.
  skipFor() {
    this.skipping = this.cells.focused() ?? this.skipping ?? 0;
    if (this.page[this.skipping]) this.skipBox.open();
  }

  // For good: others get it, and it does not come back.
  async giveUp(reason = "", text = "") {
    const place = this.cells.focused() ?? this.skipping;
    const cell = this.page[place];
    if (!cell || this.work.resting) return;
    this.answered.add(cell.task);
    this.page = this.page.filter((other) => other !== cell);
    if (!this.page.length) this.newPage(this.next.splice(0, this.size));
    if (this.page.length) this.show(true, Math.min(place, this.page.length - 1));
    else this.load();
    const refused = await tellSkip(cell.task, reason, text);
    if (refused) this.work.problem(refused);
  }

  undo() {
    const last = this.done.pop();
    if (!last) return this.work.note(this.words.nothingToUndo);
    this.work.undo(last);
    for (const cell of last.cells) this.answered.delete(cell.task);
    if (last.tag === this.tag?.id) this.countOff(last.cells, -1);
    this.work.here = Math.max(0, this.work.here - last.cells.length);
    this.turn += 1; // a page under way is asked for again
    this.finished = false;
    this.next = [...this.page.map((cell) => ({ ...cell, marked: null })), ...this.next];
    // The marks as they were, also where the default is another one by now.
    this.newPage(last.cells.map((cell) => ({ ...cell, marked: cell.marked ?? last.defaultState })));
    this.show();
  }

  // Keys and clicks

  key(event) {
    const pressing = event.key === "Enter" || event.key === " ";
    if (this.work.resting || (pressing && event.target.closest?.("a, .links button"))) return false;
    const place = this.cells.focused();
    const button = event.target.closest?.("button:not(.cell)");
    if (this.skipBox.isOpen) return !button && this.skipBox.key(event);
    const actions = {
      Enter: () => (button ? button.click() : this.submit()),
      u: () => this.undo(),
      Backspace: () => this.undo(),
      s: () => this.skipFor(),
      S: () => place !== null && ((this.skipping = place), this.giveUp()),
      h: () => this.help(),
      "/": () => this.box.focus(),
      Escape: () => this.escape(),
      " ": () => (button ? button.click() : this.cells.toggleLarge()),
      x: () => place !== null && this.mark(place),
      "?": () => place !== null && this.markAs(place, UNKNOWN),
    };
    const action = actions[event.key];
    if (action) action();
    else if (!this.cells.arrow(event)) return isReserved(event);
    return true;
  }

  help() {
    this.part("help").hidden = !this.part("help").hidden;
  }

  escape() {
    this.part("help").hidden = true;
    this.cells.enlarge(null);
  }

  click(event) {
    const action = event.target.closest("[data-do]")?.dataset.do;
    if (action === "pause" || action === "end") this.work.leaveSession(action);
    else if (action) this[action]();
  }
}
