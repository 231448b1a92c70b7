// Label: one picture, its suggested tags as chips, keys for everything. A key press never waits for the server:
// the next questions and their pictures are here before they are needed, answers go through the outbox.

import { makeChip, rank } from "/api/ui/chips.js";
import { claim, nothingLeft, picture, savedText, senderFor, signIn } from "/api/ui/outbox.js";

const AHEAD = 12; // questions kept in hand
const REFILL = 6;
const MOST_ASKED = 200;
const RETRY_MS = 1000;
const PRESENT = 1, ABSENT = 0, UNKNOWN = -1;
const NEXT = { [PRESENT]: ABSENT, [ABSENT]: PRESENT, [UNKNOWN]: PRESENT };
const MARK = { [PRESENT]: "✓", [ABSENT]: "", [UNKNOWN]: "?" };

export function mount(root, data) {
  return new Labeler(root, data);
}

class Labeler {
  constructor(root, data) {
    this.root = root;
    this.data = data;
    this.words = data.words;
    this.tags = new Map(data.tags.map((tag) => [tag.id, tag]));
    this.queue = [];
    this.pictures = new Map();
    this.done = []; // {seq, question, states}: for undo
    this.count = 0;
    this.began = performance.now();
    root.innerHTML = this.frame();
    this.part = (name) => root.querySelector(`[data-part="${name}"]`);
    this.onKey = (event) => this.key(event);
    root.addEventListener("keydown", this.onKey);
    root.addEventListener("click", (event) => this.click(event));
    this.outside = (event) => this.fromOutside(event);
    document.addEventListener("keydown", this.outside, true);
    const listeners = { onChange: () => this.saved(), onProblem: (message) => this.problem(message) };
    const { sender, leave } = senderFor(data.scope, listeners);
    this.sender = sender;
    this.leave = leave;
    this.typeAhead();
    this.start(data.token);
  }

  // Streamlit calls again with new data on every rerun: only the token is of interest, the work in hand stays.
  update(data) {
    if (data.token !== this.data.token && this.sender.state === "signed out") this.start(data.token);
    this.data = data;
  }

  unmount() {
    clearTimeout(this.retry);
    document.removeEventListener("keydown", this.outside, true);
    this.leave();
  }

  async start(token) {
    if (!(await signIn(token))) return this.problem(this.words.reload);
    this.sender.flush();
    await this.refill();
    this.show();
    this.focus();
  }

  frame() {
    const w = this.words;
    return `
<div class="label" role="group" aria-label="${w.label}">
  <div class="stage"><img data-part="picture" alt="" hidden><div class="empty" data-part="empty" role="status" hidden></div></div>
  <div class="panel">
    <p class="why" data-part="why" title="${w.why}"></p>
    <div class="chips" data-part="chips" role="group" aria-label="${w.tags}"></div>
    <div class="add"><input data-part="add" type="text" placeholder="${w.add}" aria-label="${w.add}" autocomplete="off"
      role="combobox" aria-expanded="false" aria-controls="matches"><ul id="matches" data-part="matches" role="listbox" hidden></ul></div>
    <div class="actions">
      <button type="button" class="primary" data-do="accept" aria-keyshortcuts="Enter">${w.accept}<kbd>Enter</kbd></button>
      <button type="button" data-do="nothing" aria-keyshortcuts="x">${w.nothing}<kbd>x</kbd></button>
      <button type="button" data-do="undo" aria-keyshortcuts="u Backspace">${w.undo}<kbd>u</kbd></button>
      <button type="button" data-do="help" aria-keyshortcuts="h">${w.keys}<kbd>h</kbd></button>
    </div>
    <p class="status" data-part="status" role="status" aria-live="polite"></p>
    <p class="problem" data-part="problem" role="alert" hidden></p>
    <dl class="help" data-part="help" hidden>${w.help.map(([key, what]) => `<dt><kbd>${key}</kbd></dt><dd>${what}</dd>`).join("")}</dl>
  </div>
</div>`;
  }

  get question() {
    return this.queue[0];
  }

  // Answers under way are still this person's questions for the server: as many more are asked for.
  async refill() {
    if (this.filling) return;
    this.filling = true;
    clearTimeout(this.retry);
    try {
      const found = await claim(null, Math.min(MOST_ASKED, AHEAD + this.sender.tasksWaiting));
      const known = new Set([...this.queue, ...this.done].map((entry) => (entry.question ?? entry).task));
      for (const question of found) if (!known.has(question.task)) this.queue.push(question);
      for (const question of this.queue.slice(0, AHEAD)) this.picture(question.image);
      this.exhausted = this.queue.length === 0 && this.sender.waiting === 0;
      this.problem("");
      if (this.queue.length === 0 && !this.exhausted) this.refillSoon();
    } catch (error) {
      this.problem(`${this.words.noQuestions} ${error.message}`);
      this.refillSoon();
    } finally {
      this.filling = false;
    }
  }

  refillSoon() {
    clearTimeout(this.retry);
    this.retry = setTimeout(() => this.refillAndShow(), RETRY_MS);
  }

  // The decoded element itself is kept and put on the stage: nothing is fetched or decoded at the key press.
  picture(row) {
    if (!this.pictures.has(row)) {
      const image = picture(1280, row);
      image.decode?.().catch(() => {});
      this.pictures.set(row, image);
    }
    return this.pictures.get(row);
  }

  show() {
    const question = this.question;
    const empty = this.part("empty");
    empty.hidden = Boolean(question);
    this.part("chips").parentElement.classList.toggle("idle", !question);
    if (!question) {
      if (this.exhausted) empty.replaceChildren(nothingLeft(this.words, () => this.refillAndShow()));
      else empty.textContent = this.words.fetching;
      this.part("picture").replaceWith(this.blank());
      this.part("chips").replaceChildren();
      this.part("why").textContent = "";
      return this.saved();
    }
    question.states ??= this.initial(question);
    const image = this.picture(question.image);
    image.dataset.part = "picture";
    image.alt = question.name;
    image.className = this.zoomed ? "zoomed" : "";
    this.part("picture").replaceWith(image);
    this.part("why").textContent = question.reason;
    this.drawChips();
    this.began = performance.now();
    this.saved();
  }

  blank() {
    const image = new Image();
    image.dataset.part = "picture";
    image.alt = "";
    image.hidden = true;
    return image;
  }

  // Suggestions the model is sure of are marked beforehand, but not where the answer measures the model.
  initial(question) {
    const states = new Map();
    const measured = question.kind === "calibration" || question.kind === "audit";
    for (const { tag, score } of question.suggestions) {
      const answered = question.answered[tag];
      states.set(tag, answered ?? (!measured && score !== null && score >= 0.5 ? PRESENT : ABSENT));
    }
    return states;
  }

  drawChips() {
    const { suggestions, states, kind } = this.question;
    const shown = new Set(suggestions.map(({ tag }) => tag));
    const added = [...states.keys()].filter((tag) => !shown.has(tag)).map((tag) => ({ tag, score: null, origin: null }));
    this.order = [...suggestions, ...added].map(({ tag }) => tag);
    const quiet = kind === "calibration" || kind === "audit";
    const chips = [...suggestions, ...added].map(({ tag, score, origin }, place) => {
      const known = this.tags.get(tag) ?? { name: `#${tag}`, definition: "" };
      return makeChip({ tag, ...known, score: quiet ? null : score, origin, place });
    });
    this.part("chips").replaceChildren(...chips);
    for (const chip of chips) this.drawChip(chip);
  }

  drawChip(chip) {
    const state = this.question.states.get(Number(chip.dataset.tag));
    chip.setAttribute("aria-pressed", state === PRESENT ? "true" : state === UNKNOWN ? "mixed" : "false");
    chip.querySelector(".mark").textContent = MARK[state];
  }

  chip(tag) {
    return this.part("chips").querySelector(`[data-tag="${tag}"]`);
  }

  set(tag, state) {
    if (!this.question) return;
    this.question.states.set(tag, state);
    if (state === PRESENT) this.onlyOne(tag);
    if (!this.chip(tag)) this.drawChips();
    this.drawChip(this.chip(tag));
  }

  // In a group of which exactly one is present, choosing one takes back the other.
  onlyOne(tag) {
    for (const group of this.data.exactlyOne.filter((group) => group.includes(tag))) {
      for (const other of group) {
        if (other !== tag && this.question.states.get(other) === PRESENT) this.set(other, ABSENT);
      }
    }
  }

  toggle(tag) {
    if (this.question) this.set(tag, NEXT[this.question.states.get(tag) ?? ABSENT]);
  }

  accept() {
    const question = this.question;
    // What was not seen must not be answered: the picture has to be on the screen.
    if (!question) return;
    if (!this.picture(question.image).naturalWidth) return this.problem(this.words.notShown);
    this.problem("");
    const labels = [...question.states].map(([tag, state]) => [question.image, tag, state]);
    const seconds = Math.round(performance.now() - this.began) / 1000;
    const seq = this.sender.push({ labels, tasks: [question.task], seconds });
    this.done.push({ seq, question });
    this.count += 1;
    this.queue.shift();
    this.pictures.delete(this.done.at(-40)?.question.image);
    this.show();
    if (this.queue.length <= REFILL) this.refillAndShow();
    this.focus();
  }

  async refillAndShow() {
    if (!this.root.isConnected) return;
    const wasEmpty = !this.question;
    await this.refill();
    if (wasEmpty) this.show();
  }

  nothing() {
    if (!this.question) return;
    for (const tag of this.question.states.keys()) this.question.states.set(tag, ABSENT);
    this.drawChips();
  }

  undo() {
    const last = this.done.pop();
    if (!last) return;
    this.sender.push({ undo: last.seq, labels: [], tasks: [] });
    this.count -= 1;
    this.queue.unshift(last.question);
    this.show();
    this.focus();
  }

  zoom() {
    this.zoomed = !this.zoomed;
    this.part("picture").className = this.zoomed ? "zoomed" : "";
  }

  cannotTell() {
    const chip = this.root.getRootNode().activeElement?.closest?.(".chip") ?? this.part("chips").querySelector(".chip");
    if (chip) this.set(Number(chip.dataset.tag), UNKNOWN);
  }

  key(event) {
    event.stopPropagation(); // Streamlit's own hot keys look at letters typed here otherwise
    if (event.target.matches?.("input, [role=option]")) return;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.repeat ? event.key === "Enter" : this.act(event)) event.preventDefault(); // a key held down answers once
  }

  // Keys work without a click into the component first, but not while something else is being typed or chosen.
  fromOutside(event) {
    const inside = event.composedPath().includes(this.root);
    const target = event.composedPath()[0];
    const typing = target.matches?.("input, textarea, select, [contenteditable], [role=combobox], [role=radio], [role=slider]");
    const pressing = target.matches?.("button, a") && ["Enter", " "].includes(event.key);
    if (inside || typing || pressing || !this.root.isConnected) return;
    if (event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
    if (this.act(event)) {
      event.preventDefault();
      event.stopPropagation();
    }
  }

  act(event) {
    const number = Number(event.key);
    if (number >= 1 && number <= 9) {
      const tag = this.order?.[number - 1];
      if (tag !== undefined) this.toggle(tag);
      return true;
    }
    if (event.key === "Enter" && event.target.closest?.("a")) return false; // the browser follows it
    const button = event.target.closest?.("button:not(.chip)");
    const actions = {
      Enter: () => (button ? button.click() : this.accept()),
      Backspace: () => this.undo(),
      u: () => this.undo(),
      x: () => this.nothing(),
      z: () => this.zoom(),
      "?": () => this.cannotTell(),
      "/": () => this.part("add").focus(),
      h: () => this.help(),
      ArrowDown: () => this.move(1),
      ArrowRight: () => this.move(1),
      ArrowUp: () => this.move(-1),
      ArrowLeft: () => this.move(-1),
    };
    const action = actions[event.key];
    action?.();
    return Boolean(action) || "rc".includes(event.key);
  }

  move(step) {
    const chips = [...this.part("chips").children];
    const place = chips.indexOf(this.root.getRootNode().activeElement);
    chips[(place + step + chips.length) % chips.length]?.focus();
  }

  focus() {
    const active = this.root.getRootNode().activeElement;
    if (!active || !this.root.contains(active) || active.matches("button.primary")) {
      this.root.querySelector('[data-do="accept"]').focus({ preventScroll: true });
    }
  }

  help() {
    this.part("help").hidden = !this.part("help").hidden;
  }

  click(event) {
    const chip = event.target.closest(".chip");
    if (chip) return event.shiftKey ? this.set(Number(chip.dataset.tag), UNKNOWN) : this.toggle(Number(chip.dataset.tag));
    const option = event.target.closest("[role=option]");
    if (option) return this.choose(Number(option.dataset.tag));
    if (event.target.closest("[data-part=picture]")) return this.zoom();
    const action = event.target.closest("[data-do]")?.dataset.do;
    if (action) this[action]();
  }

  // Type-ahead: names and synonyms that begin with the text first, then those that contain it.
  typeAhead() {
    const input = this.part("add");
    input.addEventListener("input", () => this.match(input.value));
    input.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.leaveAdd();
      if (event.key === "Enter") {
        event.preventDefault(); // the focus moves to a button here, which must not be pressed by the same key
        if (this.matched?.length) this.choose(this.matched[this.chosen ?? 0].id);
      }
      if (event.key === "ArrowDown" || event.key === "ArrowUp") {
        this.chosen = Math.max(0, Math.min((this.matched?.length ?? 1) - 1, (this.chosen ?? 0) + (event.key === "ArrowDown" ? 1 : -1)));
        this.drawMatches();
        event.preventDefault();
      }
    });
  }

  match(text) {
    const wanted = text.trim().toLowerCase();
    const places = wanted ? this.data.tags.map((tag) => [rank(tag, wanted), tag]) : [];
    this.matched = places.filter(([place]) => place < 3).sort((a, b) => a[0] - b[0]).slice(0, 8).map(([, tag]) => tag);
    this.chosen = 0;
    this.drawMatches();
  }

  drawMatches() {
    const list = this.part("matches");
    list.hidden = !this.matched?.length;
    this.part("add").setAttribute("aria-expanded", String(!list.hidden));
    this.part("add").setAttribute("aria-activedescendant", list.hidden ? "" : `match-${this.chosen}`);
    list.replaceChildren(
      ...(this.matched ?? []).map((tag, place) => {
        const item = document.createElement("li");
        item.id = `match-${place}`;
        item.setAttribute("role", "option");
        item.setAttribute("aria-selected", String(place === this.chosen));
        item.dataset.tag = tag.id;
        item.textContent = tag.name;
        return item;
      }),
    );
  }

  choose(tag) {
    this.set(tag, PRESENT);
    this.leaveAdd();
  }

  leaveAdd() {
    this.part("add").value = "";
    this.matched = [];
    this.drawMatches();
    this.root.querySelector('[data-do="accept"]').focus({ preventScroll: true });
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
