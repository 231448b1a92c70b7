// Review: one label in question at a time, with the votes, the model's score and the causes; keys for every verdict.
// A verdict goes through the outbox like an answer: it survives a reload, a lost network and a killed server.

import { isReserved, listen } from "/api/ui/keys.js";
import { address, post, tagDetails } from "/api/ui/server.js";
import { Stage } from "/api/ui/stage.js";
import { Thread } from "/api/ui/thread.js";
import { Work, element, fill, footer, nothingLeft, put } from "/api/ui/work.js";

const AHEAD = 24;
const LOW = 8; // items left at which more are fetched
const RETRY_MS = 1000;
const UNDONE = 200;
const MOST_HAVE = 500;
const PRESENT = 1, ABSENT = 0, UNKNOWN = -1;
const OPPOSITE = { [PRESENT]: ABSENT, [ABSENT]: PRESENT };
const TURNS = ["label wrong", "finer distinction", "major error"]; // the verdicts that turn the label round

export const mount = (root, data, tell) => new Reviewer(root, data, tell);

class Reviewer {
  constructor(root, data, tell) {
    Object.assign(this, { root, data, tell, words: data.words, items: [], done: [], seen: [], state: null, total: 0 });
    root.innerHTML = this.frame();
    const part = (this.part = (name) => root.querySelector(`[data-part="${name}"]`));
    this.stage = new Stage(part("stage"));
    this.thread = new Thread(part("thread"), this.words);
    const words = { ...this.words, answered: this.words.review.decided };
    this.work = new Work({ ...data, words }, {
      part, tell, mode: "review", inHand: () => [], goOn: (again) => again && this.start(),
    });
    this.letGo = listen(root, (event) => this.key(event));
    root.addEventListener("click", (event) => this.click(event));
    part("note-form").addEventListener("submit", (event) => this.say(event));
    part("note-form").addEventListener("keydown", (event) => this.writing(event));
    this.measure = () => root.style.setProperty("--top", `${root.getBoundingClientRect().top + scrollY}px`);
    addEventListener("resize", this.measure);
    this.measure();
    this.show();
    this.start();
  }

  update(data) {
    const other = JSON.stringify(data.filter) !== JSON.stringify(this.data.filter);
    this.data = data;
    this.work.renew(data);
    this.measure();
    if (other) this.reload();
  }

  unmount() {
    clearTimeout(this.retry);
    removeEventListener("resize", this.measure);
    this.letGo();
    this.work.stop();
  }

  async start() {
    if (await this.work.start()) await this.reload();
  }

  frame() {
    const w = this.words;
    const button = (name, key, kind = "") => `<button type="button" class="${kind}" data-do="${name}"
      aria-keyshortcuts="${key}"><span>${w.review[name]}</span><kbd>${key}</kbd></button>`;
    const state = (name, value, key) => `<button type="button" role="radio" data-state="${value}" aria-checked="false"
      aria-keyshortcuts="${key}"><span>${w.review[name]}</span><kbd>${key}</kbd></button>`;
    return `
<div class="label review" role="group" aria-label="${w.review.title}">
  <div class="stage" data-part="stage"><img data-part="picture" alt="" hidden>
    <div class="empty" data-part="empty" role="status" hidden></div>
    <div class="rest" data-part="rest" role="dialog" aria-label="${w.session}" hidden></div></div>
  <div class="panel" data-part="panel">
    <p class="left" data-part="left"></p>
    <div class="facts" tabindex="0" role="region" aria-label="${w.review.facts}">
    <div class="asked"><h2 data-part="tag"></h2><p class="definition" data-part="definition"></p>
      <div class="examples" data-part="examples" role="img" aria-label="${w.examples}" hidden></div></div>
    <ul class="causes" data-part="causes" aria-label="${w.review.causes}"></ul>
    <table class="votes"><tbody data-part="votes"></tbody></table>
    <div data-part="thread"></div></div>
    <div class="states" role="radiogroup" aria-label="${w.review.leaves}">
      ${state("present", PRESENT, "p")}${state("absent", ABSENT, "n")}${state("unsure", UNKNOWN, "?")}</div>
    <form data-part="note-form" class="note-form" hidden>
      <label><span data-part="note-label"></span><textarea data-part="note-text" rows="2" maxlength="2000"></textarea></label>
      <button type="submit" class="quiet">${w.review.send}</button></form>
    <div class="actions">
      ${button("accept", "Enter", "primary")}
      ${button("change", "c")}${button("also", "v")}${button("finer", "f")}${button("major", "m")}
      ${button("sendBack", "b")}${button("comment", "t")}${button("skip", "→")}${button("undo", "u")}${button("help", "h")}
    </div>
    ${footer(w)}
    <dl class="card help" data-part="help" tabindex="0" hidden>${w.review.keys.map(([key, what]) => `<dt><kbd>${key}</kbd></dt><dd>${what}</dd>`).join("")}</dl>
  </div>
</div>`;
  }

  // Items

  get item() {
    return this.items[0] ?? null;
  }

  async reload() {
    this.items = [];
    this.seen = [];
    this.turn = (this.turn ?? 0) + 1;
    this.finished = false;
    this.show();
    await this.fetch();
  }

  async fetch() {
    const turn = this.turn;
    clearTimeout(this.retry);
    try {
      const held = this.items.map(pairOf);
      const have = [...this.seen.slice(-MOST_HAVE), ...held];
      const found = await this.work.signedIn(() => post("/api/review", { ...this.data.filter, count: AHEAD, have, held }));
      if (turn !== this.turn) return;
      const shown = new Set(this.items.map(keyOf));
      const was = this.item;
      this.items.push(...found.items.filter((one) => !shown.has(keyOf(one))));
      this.total = found.total + shown.size;
      this.finished = !this.items.length;
      this.stage.prefetch(this.items.slice(0, LOW).map((one) => one.image));
      if (!was || this.finished) this.show();
      else this.count();
    } catch (error) {
      if (turn !== this.turn) return;
      this.work.problem(error.message);
      if (error.status !== 403) this.retry = setTimeout(() => this.root.isConnected && this.fetch(), RETRY_MS);
    }
  }

  // What is on the screen

  show() {
    const item = this.item;
    const empty = this.part("empty");
    this.state = null;
    empty.hidden = Boolean(item);
    this.part("panel").classList.toggle("idle", !item);
    this.stage.show(item?.image ?? null, item?.name);
    this.ask(null);
    if (item) this.describe(item);
    else if (this.finished) empty.replaceChildren(nothingLeft({ ...this.words, nothingLeft: this.words.review.nothing }, () => this.reload()));
    else empty.textContent = this.words.fetching;
    this.thread.show(item, item?.comments ?? 0);
    this.began = performance.now();
    this.count();
    this.work?.show();
  }

  count() {
    this.part("left").textContent = fill(this.words.review.left, this.total.toLocaleString());
  }

  async describe(item) {
    const whole = item.tag === null;
    this.part("tag").textContent = whole ? this.words.review.whole : item.tag_name;
    this.part("causes").replaceChildren(...item.causes.map((one) => this.cause(one)));
    this.part("votes").replaceChildren(...this.votes(item));
    this.part("definition").textContent = "";
    this.part("examples").hidden = true;
    for (const name of ["change", "also", "finer", "major", "sendBack"]) this.button(name).disabled = whole;
    this.button("accept").firstElementChild.textContent = whole ? this.words.review.resolve : this.words.review.accept;
    this.drawState();
    if (whole) return;
    const found = await tagDetails(item.tag).catch(() => null);
    if (item !== this.item || !found) return;
    this.part("definition").textContent = found.definition || this.words.noDefinition;
    const others = found.examples.filter((row) => row !== item.image);
    this.part("examples").replaceChildren(...others.map(small));
    this.part("examples").hidden = !others.length;
  }

  cause({ cause, words }) {
    const line = element("li");
    line.append(element("strong", "", this.words.review.causeNames[cause] ?? cause), element("span", "", words));
    return line;
  }

  votes(item) {
    const rows = item.votes.map(({ person, state }) => this.row(person, this.named(state), state));
    if (item.score !== null && item.score !== undefined) {
      const percent = `${Math.round(item.score * 100)} %`;
      rows.push(this.row(this.words.review.model, percent, item.score >= 0.5 ? PRESENT : ABSENT));
    }
    if (item.tag !== null) {
      const by = item.decided_by ? ` (${item.decided_by})` : "";
      rows.push(this.row(this.words.review.stands + by, this.named(item.state), item.state));
    }
    const waits = item.waiting.join(", ");
    if (waits) rows.push(this.row(put(this.words.review.waits, { tag: waits }), "", UNKNOWN));
    return rows;
  }

  row(who, what, state) {
    const line = element("tr");
    const said = element("td", "", what);
    said.dataset.state = { [PRESENT]: "present", [ABSENT]: "absent" }[state] ?? "unknown";
    const name = element("th", "", who);
    name.scope = "row";
    line.append(name, said);
    return line;
  }

  named(state) {
    return { [PRESENT]: this.words.review.present, [ABSENT]: this.words.review.absent }[state] ?? this.words.review.unsure;
  }

  drawState() {
    for (const button of this.root.querySelectorAll(".states [data-state]")) {
      const chosen = this.item && Number(button.dataset.state) === (this.state ?? this.item.state);
      button.setAttribute("aria-checked", String(Boolean(chosen)));
      button.disabled = this.item?.tag === null;
    }
  }

  button(name) {
    return this.root.querySelector(`[data-do="${name}"]`);
  }

  // Verdicts

  choose(state) {
    if (!this.item || this.item.tag === null) return;
    this.state = state;
    this.drawState();
  }

  // The state that is chosen holds; without one the verdict turns the label round or leaves it.
  judge(what, more = {}) {
    const item = this.item;
    if (!item || this.work.resting) return;
    if (!this.stage.isPainted(item.image)) {
      return this.work.problem(this.stage.of(item.image).broken ? this.words.gone : this.words.notShown);
    }
    const turned = TURNS.includes(what) ? OPPOSITE[item.state] : item.state;
    const state = this.state ?? turned ?? null;
    if (TURNS.includes(what) && state === null) return this.work.problem(this.words.review.sayState);
    this.work.problem("");
    const verdict = { image: item.image, tag: item.tag, what, state, ...more };
    const given = this.work.push([], { tag: item.tag, began: this.began, verdict });
    this.work.here += 1;
    this.next({ ...given, item });
  }

  next(entry) {
    this.items.shift();
    this.done.push(entry);
    this.done.splice(0, this.done.length - UNDONE);
    this.seen.push(pairOf(entry.item));
    this.total = Math.max(0, this.total - 1);
    this.show();
    this.stage.prefetch(this.items.slice(0, LOW).map((one) => one.image));
    if (this.items.length <= LOW) this.fetch();
  }

  accept() {
    if (this.item?.tag === null) return this.judge("resolve");
    const other = this.state !== null && this.state !== this.item?.state;
    this.judge(other ? "label wrong" : "accepted");
  }

  change() {
    if (this.item?.tag !== null) this.judge("label wrong");
  }

  also() {
    if (this.item?.tag !== null) this.judge("also valid");
  }

  finer() {
    if (this.item?.tag !== null) this.judge("finer distinction");
  }

  major() {
    if (this.item?.tag !== null) this.judge("major error");
  }

  skip() {
    if (this.item) this.next({ item: this.item, seq: null });
  }

  undo() {
    const last = this.done.pop();
    if (!last) return this.work.note(this.words.nothingToUndo);
    if (last.seq !== null) {
      this.work.undo(last);
      this.work.here = Math.max(0, this.work.here - 1);
    }
    this.seen = this.seen.filter((pair) => pair.join() !== pairOf(last.item).join());
    this.items = [last.item, ...this.items.filter((one) => keyOf(one) !== keyOf(last.item))];
    this.total += 1;
    this.show();
  }

  sendBack() {
    if (this.item?.tag !== null) this.ask("sendBack");
  }

  comment() {
    this.ask("comment");
  }

  // A line to write in: why it goes back, or what is to be said. `what` null closes it.
  ask(what) {
    this.asking = this.item ? what : null;
    this.part("note-form").hidden = !this.asking;
    this.part("note-text").value = "";
    if (!this.asking) return;
    this.part("note-label").textContent = this.words.review[`${what}Label`];
    this.part("note-text").focus();
  }

  writing(event) {
    event.stopPropagation(); // what is written here are no keys of the page
    if (event.key === "Escape") this.ask(null);
    else if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      this.part("note-form").requestSubmit();
    }
  }

  async say(event) {
    event.preventDefault();
    const text = this.part("note-text").value.trim();
    if (!text) return;
    if (this.asking === "sendBack") return this.judge("send back", { comment: text });
    const item = this.item;
    this.ask(null);
    try {
      await this.thread.add(item, text);
    } catch (error) {
      this.work.problem(error.message);
    }
  }

  // Keys and clicks

  key(event) {
    if (this.work.resting) return false;
    if (event.key === "Enter" && event.target.closest?.("a")) return false; // the browser follows it
    const button = event.target.closest?.("button");
    const zoomed = this.stage.zoomed;
    const actions = {
      Enter: () => (button ? button.click() : this.accept()),
      a: () => this.accept(), c: () => this.change(), v: () => this.also(), f: () => this.finer(),
      m: () => this.major(), b: () => this.sendBack(), t: () => this.comment(), s: () => this.skip(),
      u: () => this.undo(), Backspace: () => this.undo(), h: () => this.help(), z: () => this.stage.toggle(),
      p: () => this.choose(PRESENT), n: () => this.choose(ABSENT), "?": () => this.choose(UNKNOWN),
      Escape: () => this.escape(),
      ArrowRight: () => (zoomed ? this.stage.step(1, 0) : this.skip()),
      ArrowLeft: () => zoomed && this.stage.step(-1, 0),
      ArrowUp: () => zoomed && this.stage.step(0, -1),
      ArrowDown: () => zoomed && this.stage.step(0, 1),
    };
    const action = actions[event.key];
    action?.();
    return Boolean(action) || isReserved(event);
  }

  help() {
    this.part("help").hidden = !this.part("help").hidden;
  }

  escape() {
    this.part("help").hidden = true;
    this.ask(null);
    this.stage.rest();
  }

  click(event) {
    const state = event.target.closest(".states [data-state]")?.dataset.state;
    if (state !== undefined) return this.choose(Number(state));
    const action = event.target.closest("[data-do]")?.dataset.do;
    if (action === "pause" || action === "end") this.work.leaveSession(action);
    else if (action) this[action]();
  }
}

const pairOf = (item) => [item.image, item.tag];
const keyOf = (item) => `${item.image} ${item.tag}`;

function small(row) {
  const image = new Image();
  image.src = address(320, row);
  image.alt = "";
  return image;
}
