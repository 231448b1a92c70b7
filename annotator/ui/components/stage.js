// The one picture of Label: as large as the window allows, zoomed and panned without moving anything else.

import { address, picture } from "/api/ui/server.js";

const SHARP = 1600; // pixels of a stage from which the middle size would look soft
const STEP = 1.25;
const CLOSE = 2.5;
const CLOSEST = 12;

export class Stage {
  constructor(element) {
    this.element = element;
    this.kept = new Map(); // row → the decoded element itself: nothing is fetched or decoded at a key press
    this.rest();
    element.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    element.addEventListener("pointerdown", (event) => this.grab(event));
    element.addEventListener("pointermove", (event) => this.drag(event));
    element.addEventListener("pointerup", (event) => this.drop(event));
    element.addEventListener("pointercancel", () => (this.held = null));
  }

  get zoomed() {
    return this.scale > 1;
  }

  size() {
    const pixels = Math.max(this.element.clientWidth, this.element.clientHeight) * devicePixelRatio;
    return pixels > SHARP ? "full" : 1280;
  }

  // Have the pictures of `rows` at hand, the first ones first, and let go of all others.
  prefetch(rows) {
    const wanted = new Set(rows);
    for (const row of this.kept.keys()) if (!wanted.has(row) && row !== this.row) this.kept.delete(row);
    rows.forEach((row, place) => this.of(row, place < 2 ? "high" : "low"));
  }

  of(row, priority = "high") {
    if (!this.kept.has(row)) this.kept.set(row, picture(this.size(), row, priority));
    return this.kept.get(row);
  }

  isPainted(row) {
    return this.of(row).naturalWidth > 0;
  }

  show(row, name) {
    const image = row === null ? blank() : this.of(row);
    image.dataset.part = "picture";
    if (row !== null) image.alt = name;
    const before = this.element.querySelector("[data-part=picture]");
    if (before !== image) {
      before.style.transform = "";
      before.replaceWith(image);
    }
    this.row = row;
    this.rest();
  }

  rest() {
    [this.scale, this.x, this.y] = [1, 0, 0];
    this.draw();
  }

  toggle(event) {
    if (this.zoomed) this.rest();
    else this.zoom(CLOSE, event);
  }

  // Zoom by a factor around a point of the screen, or the middle.
  zoom(factor, at) {
    const box = this.element.getBoundingClientRect();
    const [px, py] = at ? [at.clientX - box.left - box.width / 2, at.clientY - box.top - box.height / 2] : [0, 0];
    const scale = Math.max(1, Math.min(CLOSEST, this.scale * factor));
    const change = scale / this.scale;
    this.x = px - (px - this.x) * change;
    this.y = py - (py - this.y) * change;
    this.scale = scale;
    this.sharpen();
    this.draw();
  }

  pan(dx, dy) {
    this.x += dx;
    this.y += dy;
    this.draw();
  }

  // Pan by a share of the stage: arrow keys.
  step(right, down) {
    this.pan((-right * this.element.clientWidth) / 6, (-down * this.element.clientHeight) / 6);
  }

  draw() {
    const image = this.element.querySelector("[data-part=picture]");
    if (!image) return;
    const [width, height] = [this.element.clientWidth, this.element.clientHeight];
    const [mostX, mostY] = [((this.scale - 1) * width) / 2, ((this.scale - 1) * height) / 2];
    this.x = Math.max(-mostX, Math.min(mostX, this.x));
    this.y = Math.max(-mostY, Math.min(mostY, this.y));
    image.style.transform = this.zoomed ? `translate(${this.x}px, ${this.y}px) scale(${this.scale})` : "";
    this.element.classList.toggle("zoomed", this.zoomed);
  }

  // Close up, the middle size is too coarse: the full one takes its place when it is there.
  sharpen() {
    const image = this.element.querySelector("[data-part=picture]");
    if (this.row === null || image.src.includes("/full/") || image.dataset.sharper) return;
    image.dataset.sharper = "yes";
    const full = new Image();
    full.src = address("full", this.row);
    full.decode().then(() => (image.src = full.src), () => delete image.dataset.sharper);
  }

  wheel(event) {
    if (this.row === null) return;
    event.preventDefault();
    this.zoom(event.deltaY < 0 ? STEP : 1 / STEP, event);
  }

  grab(event) {
    if (event.button !== 0 || this.row === null || event.target.closest(".rest, .empty")) return;
    this.held = { x: event.clientX, y: event.clientY, moved: false };
    this.element.setPointerCapture(event.pointerId);
  }

  drag(event) {
    if (!this.held || !this.zoomed) return;
    const [dx, dy] = [event.clientX - this.held.x, event.clientY - this.held.y];
    if (Math.abs(dx) + Math.abs(dy) < 3) return;
    this.held = { x: event.clientX, y: event.clientY, moved: true };
    this.pan(dx, dy);
  }

  // A click zooms; the end of a drag does not.
  drop(event) {
    if (this.held && !this.held.moved) this.toggle(event);
    this.held = null;
  }
}

function blank() {
  const image = new Image();
  image.alt = "";
  image.hidden = true;
  return image;
}
