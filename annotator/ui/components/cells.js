// A page of thumbnails as buttons: fitted into the window, moved over with arrows, marked by click, range and drag,
// enlarged by resting on one. What a mark means is the owner's.

import { address } from "/api/ui/server.js";
import { element } from "/api/ui/work.js";

const GAP = 6;
const SMALLEST = 104; // pixels: smaller thumbnails are no longer seen but guessed
const SHAPE = 3 / 4;
const REST_MS = 450; // a pointer that only passes by enlarges nothing
const SOFT = 400; // pixels from which the small size would look soft

export class Cells {
  // toggle(place): mark it or take the mark back; like(from, place): give it the mark of another one.
  constructor(place, { toggle, like, bottom = 0 }) {
    Object.assign(this, { place, toggle, like, bottom, items: [], last: null });
    place.classList.add("cells");
    this.preview = element("div", "preview");
    this.preview.hidden = true;
    place.after(this.preview);
    place.addEventListener("click", (event) => this.click(event));
    place.addEventListener("pointerdown", (event) => this.press(event));
    place.addEventListener("pointerover", (event) => this.over(event));
    place.addEventListener("pointerleave", () => this.unrest());
    this.release = () => (this.drag = null);
    addEventListener("pointerup", this.release);
    this.observer = new ResizeObserver(() => this.fit());
    this.observer.observe(place.parentElement);
  }

  stop() {
    removeEventListener("pointerup", this.release);
    this.observer.disconnect();
    this.enlarge(null);
  }

  // items: [{image, name, picture, caption}]; draw(item) then sets the look of item.button.
  show(items, draw) {
    this.items = items;
    this.last = null;
    this.enlarge(null);
    this.fit();
    this.place.replaceChildren(...items.map((item, at) => this.cell(item, at)));
    items.forEach(draw);
  }

  cell(item, at) {
    const button = element("button", "cell");
    button.type = "button";
    button.dataset.place = at;
    button.tabIndex = at === 0 ? 0 : -1;
    button.setAttribute("aria-label", item.caption ? `${item.name}, ${item.caption}` : item.name);
    button.append(item.picture, element("span", "mark"));
    if (item.caption) button.append(element("span", "caption", item.caption));
    item.button = button;
    return button;
  }

  // The largest cells with which all fit into what is left of the window; where none do, a page that scrolls.
  fit() {
    const count = this.items.length;
    if (!count) return;
    const width = this.place.clientWidth;
    const top = this.place.getBoundingClientRect().top + document.documentElement.scrollTop;
    const height = Math.max(200, innerHeight - Math.max(top, 0) - this.bottom);
    let columns = Math.max(3, Math.floor((width + GAP) / (SMALLEST + GAP)));
    for (let tried = Math.min(3, count); tried < columns; tried += 1) {
      const cell = ((width - GAP * (tried - 1)) / tried) * SHAPE;
      if (Math.ceil(count / tried) * (cell + GAP) - GAP <= height) columns = tried;
    }
    this.columns = columns;
    this.cellWidth = (width - GAP * (columns - 1)) / columns;
    this.place.style.gridTemplateColumns = `repeat(${columns}, minmax(0, 1fr))`;
  }

  // The size of pictures worth fetching for a page of so many.
  sizeFor(count) {
    const across = Math.ceil(Math.sqrt((count * this.place.clientWidth * SHAPE) / Math.max(innerHeight - 250, 200)));
    return (this.place.clientWidth / Math.max(across, 3)) * devicePixelRatio > SOFT ? 1280 : 320;
  }

  focused() {
    const cell = this.place.getRootNode().activeElement?.closest?.(".cell");
    return cell && this.place.contains(cell) ? Number(cell.dataset.place) : null;
  }

  focus(at) {
    const item = this.items[Math.max(0, Math.min(this.items.length - 1, at))];
    if (!item) return;
    for (const other of this.items) other.button.tabIndex = other === item ? 0 : -1;
    item.button.focus({ preventScroll: false });
    if (this.isEnlarged && !this.preview.dataset.resting) this.enlarge(item);
  }

  // Arrows move, with Shift they carry the mark of the cell they leave over all they pass. Whether the key was one.
  arrow(event) {
    const at = this.focused();
    const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: this.columns, ArrowUp: -this.columns };
    const step = steps[event.key];
    if (!step) return false;
    if (at === null) {
      this.focus(0);
      return true;
    }
    const to = Math.max(0, Math.min(this.items.length - 1, at + step));
    if (event.shiftKey) this.range(at, to);
    this.focus(to);
    return true;
  }

  range(from, to) {
    const step = to < from ? -1 : 1;
    for (let at = from; at !== to; at += step) this.like(from, at + step);
  }

  click(event) {
    const cell = event.target.closest(".cell");
    if (!cell || this.dragged) {
      this.dragged = false;
      return;
    }
    const at = Number(cell.dataset.place);
    this.toggle(at);
    // A range takes the state of the cell it ends on.
    if (event.shiftKey && this.last !== null) this.range(at, this.last);
    this.last = at;
    this.unrest();
  }

  // Pressing on one cell and moving over others marks them all as the first one gets marked.
  press(event) {
    const cell = event.target.closest(".cell");
    this.dragged = false;
    if (!cell || event.button !== 0 || event.pointerType === "touch" || event.shiftKey) return;
    this.drag = { from: Number(cell.dataset.place), begun: false };
  }

  over(event) {
    const cell = event.target.closest(".cell");
    if (!cell) return;
    const at = Number(cell.dataset.place);
    if (!this.drag) return this.restOn(at, event);
    if (at === this.drag.from) return;
    if (!this.drag.begun) this.toggle(this.drag.from);
    this.drag.begun = this.dragged = true;
    this.like(this.drag.from, at);
    this.last = at;
  }

  restOn(at, event) {
    this.unrest();
    if (event.pointerType !== "mouse") return;
    this.resting = setTimeout(() => {
      this.preview.dataset.resting = "yes";
      this.enlarge(this.items[at]);
    }, REST_MS);
  }

  unrest() {
    clearTimeout(this.resting);
    if (this.preview.dataset.resting) this.enlarge(null);
  }

  get isEnlarged() {
    return !this.preview.hidden;
  }

  // Space: the cell in focus, large, until Space or Escape; arrows go on to its neighbours.
  toggleLarge() {
    const at = this.focused();
    if (this.isEnlarged) this.enlarge(null);
    else if (at !== null) this.enlarge(this.items[at]);
  }

  // Beside the cell, never over it: what is marked next stays in sight.
  enlarge(item) {
    if (!item) {
      delete this.preview.dataset.resting;
      this.preview.hidden = true;
      return;
    }
    const box = item.button.getBoundingClientRect();
    this.preview.classList.toggle("left", box.left + box.width / 2 > innerWidth / 2);
    const image = new Image();
    image.src = address(1280, item.image);
    image.alt = item.name;
    this.preview.replaceChildren(image);
    this.preview.hidden = false;
  }
}
