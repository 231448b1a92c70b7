// An input with a list of matching tags below it: type, arrows, Enter. The pattern is ARIA's combobox.

import { tags } from "/api/ui/server.js";
import { TagIndex } from "/api/ui/tag_index.js";

const SHOWN = 8;
const whenIdle = globalThis.requestIdleCallback ?? ((work) => setTimeout(work, 50));

// One index for all boxes of a page.
let index = null;

function makeIndex() {
  index ??= tags().then(({ tags }) => new Promise((done) => whenIdle(() => done(new TagIndex(tags)))));
  index.catch(() => (index = null));
  return index;
}

let boxes = 0;

export class TagBox {
  // onChoose({id, name}) when a tag is chosen; onLeave() after that and on Escape.
  constructor(place, { label, onChoose, onLeave = () => {} }) {
    this.onChoose = onChoose;
    this.onLeave = onLeave;
    const list = `tags-${(boxes += 1)}`;
    place.classList.add("tag-box");
    place.innerHTML = `<input type="text" autocomplete="off" spellcheck="false" role="combobox" aria-expanded="false"
      aria-autocomplete="list" aria-controls="${list}"><ul id="${list}" role="listbox" hidden></ul>`;
    [this.input, this.list] = place.children;
    this.input.placeholder = label;
    this.input.setAttribute("aria-label", label);
    this.list.setAttribute("aria-label", label);
    this.matches = [];
    this.chosen = 0;
    this.input.addEventListener("input", () => this.match());
    this.input.addEventListener("keydown", (event) => this.key(event));
    this.input.addEventListener("blur", () => setTimeout(() => this.close(), 150)); // after a click on the list
    this.list.addEventListener("pointerdown", (event) => event.preventDefault()); // the focus stays in the input
    this.list.addEventListener("click", (event) => {
      const option = event.target.closest("[role=option]");
      if (option) this.choose(this.matches[Number(option.dataset.place)]);
    });
  }

  // Make the list ready before it is needed; the server has to know the person by then.
  prepare() {
    makeIndex().catch(() => {});
  }

  focus() {
    this.input.focus();
  }

  async match() {
    const text = this.input.value;
    const found = (await makeIndex()).search(text, SHOWN);
    if (text !== this.input.value) return; // typed on meanwhile
    this.matches = found;
    this.chosen = 0;
    this.draw();
  }

  key(event) {
    event.stopPropagation(); // Streamlit's own hot keys look at letters typed here otherwise
    if (event.key === "Escape") {
      this.clear();
      this.leave();
    } else if (event.key === "Enter") {
      // The focus moves to a button here, which must not be pressed by the same key.
      event.preventDefault();
      if (this.matches.length) this.choose(this.matches[this.chosen]);
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      const step = event.key === "ArrowDown" ? 1 : -1;
      this.chosen = Math.max(0, Math.min(this.matches.length - 1, this.chosen + step));
      this.draw();
      event.preventDefault();
    }
  }

  choose(tag) {
    this.clear();
    this.onChoose(tag);
    this.leave();
  }

  // Out of the input first: where onLeave finds nothing to focus, the next letters are keys again all the same.
  leave() {
    this.input.blur();
    this.onLeave();
  }

  clear() {
    this.input.value = "";
    this.close();
  }

  close() {
    this.matches = [];
    this.draw();
  }

  draw() {
    this.list.hidden = !this.matches.length;
    this.input.setAttribute("aria-expanded", String(!this.list.hidden));
    const active = this.list.hidden ? "" : `${this.list.id}-${this.chosen}`;
    this.input.setAttribute("aria-activedescendant", active);
    this.list.replaceChildren(
      ...this.matches.map((tag, place) => {
        const item = document.createElement("li");
        item.id = `${this.list.id}-${place}`;
        item.setAttribute("role", "option");
        item.setAttribute("aria-selected", String(place === this.chosen));
        item.dataset.place = place;
        item.textContent = tag.name;
        return item;
      }),
    );
  }
}
