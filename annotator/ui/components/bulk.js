// Bulk: pictures found by a search or in a cluster; a selection of them gets tags at once, after a confirmation that
// names the number, and loses them again in one step.

import { Cells } from "/api/ui/cells.js";
import { isReserved, listen } from "/api/ui/keys.js";
import { Relations } from "/api/ui/relations.js";
import { picture, tags } from "/api/ui/server.js";
import { TagBox } from "/api/ui/tag_box.js";
import { Work, element, footer, put } from "/api/ui/work.js";

const PRESENT = 1, ABSENT = 0;
const MOST_LABELS = 5000; // in one item of the outbox
const BELOW = 90;

export const mount = (root, data, tell) => new Bulk(root, data, tell);

class Bulk {
  constructor(root, data, tell) {
    Object.assign(this, { root, data, tell, words: data.words, chosen: new Map(), selected: new Set(), done: [] });
    Object.assign(this, { relations: new Relations(), names: new Map() });
    root.innerHTML = this.frame();
    const part = (this.part = (name) => root.querySelector(`[data-part="${name}"]`));
    this.cells = new Cells(part("cells"), {
      toggle: (place) => this.select(place, !this.selected.has(this.items[place])),
      like: (from, place) => this.select(place, this.selected.has(this.items[from])),
      bottom: BELOW,
    });
    this.box = new TagBox(part("choose"), {
      label: this.words.bulkTag,
      onChoose: ({ id, name }) => this.choose(id, name),
      onLeave: () => this.cells.focus(0),
    });
    this.work = new Work(data, { part, tell, mode: "bulk", inHand: () => [], goOn: (again) => again && this.work.start() });
    this.letGo = listen(root, (event) => this.key(event), () => this.selectAll(true));
    root.addEventListener("click", (event) => this.click(event));
    this.show();
    this.start();
  }

  async start() {
    await this.work.start();
    const vocabulary = await tags().catch(() => ({ tags: [] }));
    this.relations = new Relations(vocabulary);
    this.names = new Map(vocabulary.tags);
    this.box.prepare();
    const proposed = vocabulary.tags.find(([id]) => id === this.data.tag);
    if (proposed) this.choose(proposed[0], proposed[1]);
  }

  // A search or another cluster: the selection belongs to what was on the screen.
  update(data) {
    const changed = JSON.stringify(data.items) !== JSON.stringify(this.data.items);
    this.data = data;
    this.work.renew(data);
    if (changed) this.show();
  }

  unmount() {
    this.letGo();
    this.cells.stop();
    this.work.stop();
  }

  frame() {
    const w = this.words;
    return `
<div class="verify bulk" role="group" aria-label="${w.bulk}">
  <div class="rest" data-part="rest" role="dialog" aria-label="${w.session}" hidden></div>
  <div class="head">
    <div class="chosen" data-part="chosen"></div>
    <div data-part="choose"></div>
    <div class="actions">
      <button type="button" data-do="present" aria-keyshortcuts="p"><span>${w.setPresent}</span><kbd>p</kbd></button>
      <button type="button" data-do="absent" aria-keyshortcuts="a"><span>${w.setAbsent}</span><kbd>a</kbd></button>
      <button type="button" data-do="all" aria-keyshortcuts="Control+A"><span>${w.selectAll}</span><kbd>Ctrl A</kbd></button>
      <button type="button" data-do="none" aria-keyshortcuts="Escape"><span>${w.selectNone}</span><kbd>Esc</kbd></button>
      <button type="button" data-do="like" aria-keyshortcuts="m"><span>${w.moreLike}</span><kbd>m</kbd></button>
      <button type="button" data-do="undo" aria-keyshortcuts="u Backspace"><span>${w.undo}</span><kbd>u</kbd></button>
    </div>
    <p class="count" data-part="count" role="status" aria-live="polite"></p>
  </div>
  <div class="confirm" data-part="confirm" role="alertdialog" aria-label="${w.confirm}" hidden>
    <p data-part="sentence"></p>
    <button type="button" class="primary" data-do="yes" aria-keyshortcuts="Enter"><span>${w.confirmYes}</span><kbd>Enter</kbd></button>
    <button type="button" data-do="no" aria-keyshortcuts="Escape"><span>${w.confirmNo}</span><kbd>Esc</kbd></button>
  </div>
  <div data-part="cells" role="group" aria-label="${w.found}"></div>
  ${footer(w)}
</div>`;
  }

  show() {
    this.selected.clear();
    const pixels = this.cells.sizeFor(this.data.items.length);
    this.items = this.data.items.map((item) => ({ ...item, picture: picture(pixels, item.image) }));
    this.cells.show(this.items, (item) => this.draw(item));
    this.closeConfirm();
    this.drawCount();
  }

  draw(item) {
    const selected = this.selected.has(item);
    item.button.classList.toggle("selected", selected);
    item.button.setAttribute("aria-pressed", String(selected));
    item.button.querySelector(".mark").textContent = selected ? "✓" : "";
  }

  drawCount() {
    const counts = { n: this.selected.size, all: this.items.length };
    this.part("count").textContent = put(this.words.selected, counts);
  }

  select(place, selected) {
    const item = this.items[place];
    if (!item || this.work.resting) return;
    if (selected) this.selected.add(item);
    else this.selected.delete(item);
    this.draw(item);
    this.drawCount();
    this.closeConfirm();
  }

  selectAll(selected) {
    this.items.forEach((_, place) => this.select(place, selected));
  }

  choose(id, name) {
    this.chosen.set(id, name);
    this.closeConfirm();
    this.drawChosen();
  }

  drawChosen() {
    this.part("chosen").replaceChildren(
      ...[...this.chosen].map(([id, name]) => {
        const button = element("button", "quiet chosen-tag", `${name} ×`);
        button.type = "button";
        button.dataset.remove = id;
        button.setAttribute("aria-label", put(this.words.removeTag, { tag: name }));
        return button;
      }),
    );
  }

  // Setting tags: the number is named first

  ask(state) {
    if (!this.chosen.size) {
      this.work.note(this.words.bulkNoTag);
      return this.box.focus();
    }
    // What is not on the screen was not seen. What is confirmed is what is written: both are fixed here.
    const items = this.items.filter((item) => this.selected.has(item) && item.picture.naturalWidth);
    if (!items.length) return this.work.note(this.words.bulkNone);
    this.asked = { state, items, tags: [...this.chosen.keys()] };
    const words = state === PRESENT ? this.words.confirmPresent : this.words.confirmAbsent;
    const named = { tags: [...this.chosen.values()].join(", "), n: items.length };
    const what = this.relations.inWords(this.asked.tags, state, this.names, this.words);
    const also = what && put(this.words.alsoSets, { what });
    this.part("sentence").textContent = [put(words, named), also].filter(Boolean).join(" ");
    this.part("confirm").hidden = false;
    this.part("confirm").querySelector("[data-do=yes]").focus();
  }

  closeConfirm() {
    this.part("confirm").hidden = true;
    this.asked = null;
  }

  yes() {
    if (!this.asked) return;
    const { state, items, tags } = this.asked;
    const labels = items.flatMap((item) => tags.map((tag) => [item.image, tag, state]));
    const tag = tags.length === 1 ? tags[0] : null;
    const sent = [];
    for (let start = 0; start < labels.length; start += MOST_LABELS) {
      sent.push(this.work.push(labels.slice(start, start + MOST_LABELS), { tag, began: performance.now() }));
    }
    this.done.push({ sent, pictures: items.length });
    this.work.here += items.length;
    this.closeConfirm();
    this.selectAll(false);
    this.work.show();
    this.work.note(put(this.words.bulkDone, { n: items.length }));
    this.cells.focus(0);
  }

  undo() {
    const last = this.done.pop();
    if (!last) return this.work.note(this.words.nothingToUndo);
    for (const given of [...last.sent].reverse()) this.work.undo(given);
    this.work.here = Math.max(0, this.work.here - last.pictures);
    this.work.show();
    this.work.note(this.words.bulkUndone);
  }

  like() {
    const place = this.cells.focused() ?? this.items.findIndex((item) => this.selected.has(item));
    if (this.items[place]) this.tell("like", this.items[place].image);
    else this.work.note(this.words.bulkNone);
  }

  // Keys and clicks

  key(event) {
    if (this.work.resting || event.target.closest?.("a, .links button")) return false;
    const place = this.cells.focused();
    const button = event.target.closest?.("button:not(.cell)");
    const actions = {
      Enter: () => (button ?? this.items[place]?.button)?.click(),
      " ": () => (button ?? this.items[place]?.button)?.click(),
      p: () => this.ask(PRESENT),
      a: () => this.ask(ABSENT),
      m: () => this.like(),
      u: () => this.undo(),
      Backspace: () => this.undo(),
      "/": () => this.box.focus(),
      z: () => this.cells.toggleLarge(),
      Escape: () => this.escape(),
    };
    const action = actions[event.key];
    if (action) action();
    else if (!this.cells.arrow(event)) return isReserved(event);
    return true;
  }

  escape() {
    if (this.cells.isEnlarged) this.cells.enlarge(null);
    else if (this.asked) this.closeConfirm();
    else this.selectAll(false);
  }

  click(event) {
    const remove = event.target.closest("[data-remove]");
    if (remove) {
      this.chosen.delete(Number(remove.dataset.remove));
      this.closeConfirm();
      return this.drawChosen();
    }
    const action = event.target.closest("[data-do]")?.dataset.do;
    const actions = {
      present: () => this.ask(PRESENT),
      absent: () => this.ask(ABSENT),
      all: () => this.selectAll(true),
      none: () => this.selectAll(false),
      no: () => this.closeConfirm(),
      pause: () => this.work.leaveSession("pause"),
      end: () => this.work.leaveSession("end"),
    };
    if (action) (actions[action] ?? (() => this[action]()))();
  }
}
