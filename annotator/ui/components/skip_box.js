// Why a question is given up: a small box with a list of reasons and a line for one's own words. A digit or a press on a
// reason skips at once, Enter skips with what is written, or without a reason.

import { pause, post } from "/api/ui/server.js";
import { element } from "/api/ui/work.js";

const MOST_TRIES = 60;

export class SkipBox {
  // onSkip(reason, text) when the person decided; onLeave() when the box closes either way.
  constructor(place, words, { onSkip, onLeave }) {
    Object.assign(this, { place, words, onSkip, onLeave });
    const list = element("div", "reasons");
    words.skipReasons.forEach(([reason, name], at) => {
      const button = element("button", "quiet");
      button.type = "button";
      button.append(element("kbd", "", String(at + 1)), ` ${name}`);
      button.addEventListener("click", () => this.choose(reason));
      list.append(button);
    });
    this.input = element("input");
    this.input.maxLength = 300;
    this.input.setAttribute("aria-label", words.skipWords);
    this.input.placeholder = words.skipWords;
    this.input.addEventListener("keydown", (event) => {
      event.stopPropagation();
      this.key(event);
    });
    place.replaceChildren(element("p", "", words.skipWhy), list, this.input);
  }

  get isOpen() {
    return !this.place.hidden;
  }

  open() {
    this.place.hidden = false;
    this.input.value = "";
    this.input.focus();
  }

  key(event) {
    const reason = this.words.skipReasons[Number(event.key) - 1];
    if (event.key === "Escape") this.close();
    else if (event.key === "Enter") this.choose(this.input.value.trim() ? "other" : "");
    else if (reason && !this.input.value) this.choose(reason[0]);
    else return false;
    event.preventDefault();
    return true;
  }

  choose(reason) {
    const text = this.input.value.trim();
    this.close();
    this.onSkip(reason, text);
  }

  close() {
    this.place.hidden = true;
    this.onLeave();
  }
}

// Tells the server, also one that is away for a while; the reason why not, where it refuses.
export async function tellSkip(task, reason, text) {
  for (let tried = 0; tried < MOST_TRIES; tried += 1) {
    try {
      await post("/api/skip", { task, reason, text });
      return "";
    } catch (error) {
      if (error.status) return error.message;
      await pause(1000);
    }
  }
  return "";
}
