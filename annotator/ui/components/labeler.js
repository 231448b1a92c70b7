// Label: one picture, its suggested tags as chips, keys for everything. A key press never waits for the server:
// the next questions and their pictures are here before they are needed, answers go through the outbox.

import { makeChip } from "/api/ui/chips.js";
import { isReserved, listen } from "/api/ui/keys.js";
import { Relations } from "/api/ui/relations.js";
import { claim, tagDetails, tags } from "/api/ui/server.js";
import { SkipBox, tellSkip } from "/api/ui/skip_box.js";
import { Stage } from "/api/ui/stage.js";
import { TagBox } from "/api/ui/tag_box.js";
import { Talk } from "/api/ui/thread.js";
import { Trail } from "/api/ui/trail.js";
import { Why } from "/api/ui/why.js";
import { Work, fill, footer, nothingLeft, put } from "/api/ui/work.js";

const FEWEST_AHEAD = 12; // questions kept in hand
const MOST_AHEAD = 160;
const SECONDS_AHEAD = 8; // of work at the present pace: a restarted server stops nobody
const PACE_SECONDS = 10;
const RETRY_MS = 1000;
const TURN_MS = 1200;
const PRESENT = 1, ABSENT = 0, UNKNOWN = -1;
const NEXT = { [PRESENT]: ABSENT, [ABSENT]: PRESENT, [UNKNOWN]: PRESENT };
const MARK = { [PRESENT]: "✓", [ABSENT]: "", [UNKNOWN]: "?" };
const PRESSED = { [PRESENT]: "true", [ABSENT]: "false", [UNKNOWN]: "mixed" };
const QUIET = ["calibration", "audit"]; // what measures the model must not be led by it

export const mount = (root, data, tell) => new Labeler(root, data, tell);

class Labeler {
  constructor(root, data, tell) {
    Object.assign(this, { root, data, tell, words: data.words, trail: new Trail(), names: new Map(), groups: [] });
    Object.assign(this, { relations: new Relations(), hotkeys: {}, keyOf: new Map(), colours: {}, because: new Map() });
    root.innerHTML = this.frame();
    const part = (this.part = (name) => root.querySelector(`[data-part="${name}"]`));
    this.stage = new Stage(part("stage"));
    this.why = new Why(part("why"), this.words);
    this.talk = new Talk(part("talk"), this.words, {
      onSent: () => this.work.note(this.words.thread.sent),
      onProblem: (message) => this.work.problem(message),
      onLeave: () => this.focus(true),
    });
    this.add = new TagBox(part("add"), {
      label: this.words.add,
      onChoose: ({ id, name }) => this.choose(id, name),
      onLeave: () => this.focus(true),
    });
    this.skipBox = new SkipBox(part("skipping"), this.words, {
      onSkip: (reason, text) => this.giveUp(reason, text),
      onLeave: () => this.focus(true),
    });
    this.skipped = new Set(); // given up here: the server may not know of it yet and offer them again
    this.work = new Work(data, {
      part, tell, mode: "label", inHand: () => this.inHand(), goOn: (again) => (again ? this.start() : this.refill()),
    });
    this.letGo = listen(root, (event) => this.key(event));
    root.addEventListener("click", (event) => this.click(event));
    root.addEventListener("focusin", (event) => this.describe(event.target));
    root.addEventListener("pointerover", (event) => this.describe(event.target));
    this.presses = [];
    this.turningUntil = data.turn ? performance.now() + TURN_MS : 0;
    this.measure = () => root.style.setProperty("--top", `${root.getBoundingClientRect().top + scrollY}px`);
    addEventListener("resize", this.measure);
    this.measure();
    this.start();
  }

  update(data) {
    this.data = data;
    this.turningUntil = 0;
    this.work.renew(data);
  }

  unmount() {
    clearTimeout(this.retry);
    removeEventListener("resize", this.measure);
    this.letGo();
    this.work.stop();
  }

  async start() {
    this.trail = new Trail();
    this.exhausted = false;
    this.show();
    this.turnLeft = this.data.turn?.answers ?? Infinity;
    const begun = await this.work.start();
    if (!begun) return;
    await this.learnNames();
    this.add.prepare();
    this.trail.remember(begun.recent.map((one) => ({ ...one, states: states(one.answered) })));
    await this.refill();
    this.show();
    this.focus(true);
  }

  async learnNames() {
    try {
      const vocabulary = await tags();
      this.names = new Map(vocabulary.tags.map(([id, name]) => [id, name]));
      this.groups = vocabulary.exactly_one;
      this.relations = new Relations(vocabulary);
      this.hotkeys = vocabulary.hotkeys ?? {};
      this.keyOf = new Map(Object.entries(this.hotkeys).map(([key, tag]) => [tag, key]));
      this.colours = vocabulary.colours ?? {};
    } catch (error) {
      this.work.problem(error.message);
    }
  }

  frame() {
    const w = this.words;
    const button = (name, key, keys, kind = "", more = "") => `<button type="button" class="${kind}" data-do="${name}"
      aria-keyshortcuts="${keys}"><span>${w[name]}</span>${more}<kbd>${key}</kbd></button>`;
    return `
<div class="label" role="group" aria-label="${w.label}">
  <div class="stage" data-part="stage"><img data-part="picture" alt="" hidden>
    <div class="empty" data-part="empty" role="status" hidden></div>
    <div class="rest" data-part="rest" role="dialog" aria-label="${w.session}" hidden></div></div>
  <div class="panel">
    <p class="reason" data-part="reason" title="${w.reason}"></p>
    <div class="chips" data-part="chips" role="group" aria-label="${w.tags}"></div>
    <div data-part="add"></div>
    <div class="actions">
      ${button("accept", "Enter", "Enter", "primary", '<span class="counts" data-part="counts"></span>')}
      ${button("nothing", "n", "n")}${button("undo", "u", "u Backspace")}
      ${button("skip", "→", "ArrowRight")}${button("skipFor", "s", "s")}${button("explain", "e", "e")}${button("help", "h", "h")}
    </div>
    ${footer(w)}
    <div class="card skipping" data-part="skipping" role="dialog" aria-label="${w.skipFor}" hidden></div>
    <form class="card talk" data-part="talk" hidden></form>
    <div class="card" data-part="why" role="region" tabindex="0" aria-label="${w.explain}" hidden></div>
    <dl class="card help" data-part="help" tabindex="0" hidden>${w.labelKeys.map(([key, what]) => `<dt><kbd>${key}</kbd></dt><dd>${what}</dd>`).join("")}</dl>
  </div>
</div>`;
  }

  // Questions and pictures

  inHand() {
    return this.trail.open.map((one) => one.task);
  }

  // Enough for some seconds at the present pace, so that fast work does not run dry while the server is away.
  ahead() {
    const since = performance.now() - PACE_SECONDS * 1000;
    this.presses = this.presses.filter((at) => at > since);
    const wanted = Math.ceil((this.presses.length / PACE_SECONDS) * SECONDS_AHEAD);
    return Math.max(FEWEST_AHEAD, Math.min(MOST_AHEAD, wanted));
  }

  async refill() {
    if (this.filling || this.work.resting) return;
    this.filling = true;
    clearTimeout(this.retry);
    const wasEmpty = !this.trail.question;
    try {
      const open = this.inHand();
      const found = await claim(null, Math.max(0, this.ahead() - open.length), [...open, ...this.work.sender.tasksWaiting]);
      const shown = this.trail.question;
      const lost = this.trail.drop(found.lost);
      if (lost) this.work.note(fill(this.words.lost, lost));
      this.closed = found.closed && put(this.words.closed[found.closed], { n: found.quota });
      this.trail.add(found.questions.filter(({ task }) => !this.skipped.has(task)));
      this.exhausted = !this.trail.open.length && !this.work.sender.waiting;
      if (this.offline) this.work.problem("");
      this.offline = false;
      if (wasEmpty && this.trail.open.length) this.trail.goToOpen(this.trail.at);
      this.prefetch();
      if (wasEmpty || this.trail.question !== shown) this.show();
      if (!this.trail.open.length && !this.exhausted) this.refillSoon();
    } catch (error) {
      this.offline = true;
      this.work.problem(`${this.words.noQuestions} ${error.message}`);
      this.refillSoon();
    } finally {
      this.filling = false;
    }
  }

  refillSoon() {
    clearTimeout(this.retry);
    this.retry = setTimeout(() => this.root.isConnected && this.refill(), RETRY_MS);
  }

  prefetch() {
    const { at, questions } = this.trail;
    const next = this.trail.open.slice(0, MOST_AHEAD);
    this.stage.prefetch([...next, ...questions.slice(Math.max(0, at - 2), at)].map((one) => one.image));
  }

  // What is on the screen

  show() {
    const question = this.trail.question;
    const empty = this.part("empty");
    empty.hidden = Boolean(question);
    this.part("chips").parentElement.classList.toggle("idle", !question);
    this.talk.close();
    this.stage.show(question?.image ?? null, question?.name);
    this.part("reason").textContent = question?.reason ?? "";
    if (question) {
      question.states ??= this.initial(question);
      this.drawChips();
      if (this.why.isOpen) this.why.show(question.image, QUIET.includes(question.kind));
      this.part("stage").scrollIntoView({ block: "nearest" }); // on a phone the button is a screen below
    } else {
      if (this.closed && this.exhausted) empty.textContent = this.closed;
      else if (this.exhausted) empty.replaceChildren(nothingLeft(this.words, () => this.refill()));
      else empty.textContent = this.words.fetching;
      this.part("chips").replaceChildren();
      this.part("counts").textContent = "";
      this.why.close();
    }
    this.began = performance.now();
    this.work.show();
  }

  // Suggestions the model is sure of are marked beforehand, but not where the answer measures the model.
  initial(question) {
    const found = new Map();
    const led = !QUIET.includes(question.kind);
    const said = states(question.answered);
    const isTaken = (tag) => this.rivals(tag).some((other) => found.get(other) === PRESENT || said.get(other) === PRESENT);
    for (const { tag, score } of question.suggestions) {
      const likely = led && score !== null && score >= 0.5 && !isTaken(tag);
      found.set(tag, said.get(tag) ?? (likely ? PRESENT : ABSENT));
    }
    return found;
  }

  // The other tags of the group of which exactly one is present.
  rivals(tag) {
    return (this.groups.find((group) => group.includes(tag)) ?? []).filter((other) => other !== tag);
  }

  // What is marked, with what follows from it.
  marked() {
    const { states, said } = this.trail.question;
    const found = this.relations.over(states, said);
    this.because = found.because;
    return new Map([...found.states].filter(([tag]) => states.has(tag) || this.names.has(tag)));
  }

  drawChips() {
    const { suggestions, kind } = this.trail.question;
    const states = this.marked();
    const shown = new Set(suggestions.map(({ tag }) => tag));
    const added = [...states.keys()].filter((tag) => !shown.has(tag)).map((tag) => ({ tag, score: null, origin: null }));
    const all = [...suggestions, ...added];
    this.order = all.map(({ tag }) => tag);
    const quiet = QUIET.includes(kind);
    const chips = all.map(({ tag, score, origin }, place) =>
      makeChip({
        tag, name: this.names.get(tag) ?? `#${tag}`, score: quiet ? null : score, origin, place,
        group: this.rivals(tag).length > 0, hotkey: this.keyOf.get(tag), colour: this.colours[tag],
      }),
    );
    const focused = this.focusedChip()?.dataset.tag;
    const place = this.part("chips");
    place.replaceChildren(...chips);
    chips.forEach((chip) => this.drawChip(chip, states));
    place.style.setProperty("--rows", Math.ceil(chips.length / 2));
    place.classList.remove("many");
    place.classList.toggle("many", place.scrollHeight > place.clientHeight); // what is answered has to be on the screen
    this.drawCounts(states);
    if (focused) this.chip(focused)?.focus();
  }

  drawChip(chip, states) {
    const tag = Number(chip.dataset.tag);
    const state = states.get(tag);
    const cause = this.because.get(tag);
    chip.setAttribute("aria-pressed", PRESSED[state]);
    chip.querySelector(".mark").textContent = MARK[state];
    chip.classList.toggle("implied", cause !== undefined);
    if (cause !== undefined) {
      chip.title = put(this.words.follows, { tag: this.names.get(cause) ?? `#${cause}` });
      chip.querySelector(".source").textContent = chip.title;
    }
  }

  // Unmarked tags are answered too: as absent.
  drawCounts(states) {
    const count = (state) => [...states.values()].filter((one) => one === state).length;
    const words = count(UNKNOWN) ? this.words.countsUnsure : this.words.counts;
    this.part("counts").textContent = put(words, { present: count(PRESENT), absent: count(ABSENT), unsure: count(UNKNOWN) });
  }

  chip(tag) {
    return this.part("chips").querySelector(`[data-tag="${tag}"]`);
  }

  focusedChip() {
    return this.root.getRootNode().activeElement?.closest?.(".chip");
  }

  // A chip's definition is fetched when somebody looks at it: a large vocabulary does not come with all of them.
  async describe(target) {
    const chip = target.closest?.(".chip");
    if (!chip || chip.dataset.described) return;
    chip.dataset.described = "yes";
    const { definition } = await tagDetails(Number(chip.dataset.tag)).catch(() => ({}));
    if (definition) chip.title = [definition, chip.title].filter(Boolean).join("\n");
  }

  // Answers

  set(...entries) {
    if (!this.trail.question) return;
    const all = entries.flatMap(([tag, state]) => {
      const others = state === PRESENT ? this.rivals(tag).filter((one) => this.trail.question.states.get(one) === PRESENT) : [];
      return [...others.map((one) => [one, ABSENT]), [tag, state]];
    });
    const drawn = this.relations.none && all.every(([tag]) => this.chip(tag));
    this.trail.setAll(all);
    if (!drawn) return this.drawChips(); // what follows changes with it
    all.forEach(([tag]) => this.drawChip(this.chip(tag), this.trail.question.states));
    this.drawCounts(this.trail.question.states);
  }

  toggle(tag) {
    if (this.trail.question) this.set([tag, NEXT[this.marked().get(tag) ?? ABSENT]]);
  }

  choose(id, name) {
    this.names.set(id, name);
    this.set([id, PRESENT]);
  }

  // A group of which exactly one is present, with several marked, or none marked and none left open.
  unfinishedGroup() {
    const states = this.marked();
    return this.groups.find((group) => {
      const said = group.map((tag) => states.get(tag)).filter((state) => state !== undefined);
      const present = said.filter((state) => state === PRESENT).length;
      return said.length && (present > 1 || (present === 0 && !said.includes(UNKNOWN)));
    });
  }

  accept({ evenNone = false } = {}) {
    const question = this.trail.question;
    if (!question || this.work.resting || this.isTurning()) return;
    // What was not seen must not be answered: the picture has to be on the screen.
    if (!this.stage.isPainted(question.image)) {
      return this.work.problem(this.stage.of(question.image).broken ? this.words.gone : this.words.notShown);
    }
    const group = evenNone ? null : this.unfinishedGroup();
    if (group) {
      const names = group.map((tag) => this.names.get(tag)).join(", ");
      this.work.problem(put(this.words.exactlyOne, { tags: names }));
      return this.chip(group.find((tag) => this.chip(tag)))?.focus();
    }
    this.work.problem("");
    question.states = this.marked(); // all of it was on the screen
    const labels = [...question.states].map(([tag, state]) => [question.image, tag, state]);
    const again = question.seq !== null;
    const given = this.work.push(labels, { tasks: [question.task], began: this.began });
    this.work.here += again ? 0 : 1;
    this.presses.push(performance.now());
    this.trail.answered(given);
    this.show();
    if (this.trail.open.length <= this.ahead() / 2) this.refill();
    this.focus();
    this.turnLeft -= 1;
    if (this.turnLeft > 0) return;
    this.turnLeft = this.data.turn.answers; // the script runs once a stretch, not at every key from here on
    this.turningUntil = performance.now() + TURN_MS;
    this.tell("turn", Date.now());
  }

  // While the page may turn to another way of working, and just after it did, a key meant for the old one does nothing.
  isTurning() {
    return performance.now() < this.turningUntil;
  }

  nothing() {
    if (!this.trail.question) return;
    this.reject();
    this.accept({ evenNone: true });
  }

  // The chip in focus, and on to the next one; without one all that is marked.
  reject() {
    const chip = this.focusedChip();
    if (chip && this.trail.question) {
      this.set([Number(chip.dataset.tag), ABSENT]);
      return this.move(1);
    }
    this.set(...[...this.marked().keys()].map((tag) => [tag, ABSENT]));
  }

  // The chip in focus; without one the whole picture.
  cannotTell() {
    const chip = this.focusedChip();
    if (chip) this.set([Number(chip.dataset.tag), UNKNOWN]);
    else this.set(...[...this.marked().keys()].map((tag) => [tag, UNKNOWN]));
  }

  undo() {
    const last = this.trail.undo();
    if (last === undefined) return this.work.note(this.words.nothingToUndo);
    if (last) {
      this.work.undo(last);
      this.work.here = Math.max(0, this.work.here - (last.before.seq === null ? 1 : 0));
    }
    this.show();
    this.focus();
  }

  skipFor() {
    if (this.trail.question?.seq === null) this.skipBox.open();
  }

  // For good: others get it, and it does not come back.
  async giveUp(reason = "", text = "") {
    const question = this.trail.question;
    if (!question || question.seq !== null || this.work.resting) return;
    this.skipped.add(question.task);
    this.trail.drop([question.task]);
    this.show();
    this.focus();
    if (this.trail.open.length <= FEWEST_AHEAD / 2) this.refill();
    const refused = await tellSkip(question.task, reason, text);
    if (refused) this.work.problem(refused);
  }

  go(where) {
    this.trail[where]();
    this.show();
    this.prefetch();
    if (this.trail.open.length <= FEWEST_AHEAD / 2) this.refill();
  }

  // Keys and clicks

  key(event) {
    if (this.work.resting) return false;
    if (this.skipBox.isOpen && !(event.key === "Enter" && event.target.closest?.("button"))) return this.skipBox.key(event);
    const number = Number(event.key);
    if (number >= 1 && number <= 9) {
      const tag = this.order?.[number - 1];
      if (tag !== undefined) this.toggle(tag);
      return true;
    }
    const own = this.hotkeys[event.key];
    if (own !== undefined) {
      if (this.trail.question) this.toggle(own);
      return true;
    }
    if (event.key === "Enter" && event.target.closest?.("a")) return false; // the browser follows it
    const button = event.target.closest?.("button:not(.chip)");
    const zoomed = this.stage.zoomed;
    const actions = {
      Enter: () => (button ? button.click() : this.accept()),
      Backspace: () => this.undo(),
      u: () => this.undo(),
      x: () => this.trail.question && this.reject(),
      n: () => this.nothing(),
      z: () => this.stage.toggle(),
      s: () => this.skipFor(),
      S: () => this.giveUp(),
      e: () => this.explain(),
      "?": () => this.trail.question && this.cannotTell(),
      "/": () => this.add.focus(),
      c: () => this.comment(),
      h: () => this.help(),
      Escape: () => this.escape(),
      ArrowDown: () => (zoomed ? this.stage.step(0, 1) : this.move(1)),
      ArrowUp: () => (zoomed ? this.stage.step(0, -1) : this.move(-1)),
      ArrowRight: () => (zoomed ? this.stage.step(1, 0) : this.go("forward")),
      ArrowLeft: () => (zoomed ? this.stage.step(-1, 0) : this.go("back")),
    };
    const action = actions[event.key];
    action?.();
    return Boolean(action) || isReserved(event);
  }

  move(step) {
    const chips = [...this.part("chips").children];
    const place = chips.indexOf(this.focusedChip());
    chips[place < 0 ? (step > 0 ? 0 : chips.length - 1) : (place + step + chips.length) % chips.length]?.focus();
  }

  focus(always = false) {
    const active = this.root.getRootNode().activeElement;
    if (always || !active || !this.root.contains(active) || active.matches("button")) {
      this.root.querySelector('[data-do="accept"]').focus({ preventScroll: true });
    }
  }

  explain() {
    this.part("help").hidden = true;
    const question = this.trail.question;
    if (question) this.why.toggle(question.image, QUIET.includes(question.kind));
  }

  comment() {
    if (this.trail.question) this.talk.open(this.trail.question.image);
  }

  help() {
    this.why.close();
    this.part("help").hidden = !this.part("help").hidden;
  }

  escape() {
    this.part("help").hidden = true;
    this.why.close();
    this.talk.close();
    this.stage.rest();
    this.focus(true);
  }

  click(event) {
    const chip = event.target.closest(".chip");
    if (chip) return event.shiftKey ? this.set([Number(chip.dataset.tag), UNKNOWN]) : this.toggle(Number(chip.dataset.tag));
    const action = event.target.closest("[data-do]")?.dataset.do;
    if (action === "pause" || action === "end") this.work.leaveSession(action);
    else if (action === "skip") this.go("forward");
    else if (action) this[action]();
  }
}

const states = (answered) => new Map(Object.entries(answered).map(([tag, state]) => [Number(tag), state]));
