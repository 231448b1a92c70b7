// The talk about a picture and its tags: read it, add a line, end it. Anybody who labels may.

import { get, post } from "/api/ui/server.js";
import { element } from "/api/ui/work.js";

export class Thread {
  constructor(place, words) {
    this.place = place;
    this.words = words.thread;
    this.about = null;
    place.classList.add("thread");
    place.hidden = true;
  }

  // `about`: {image, tag}, or null. Nothing is fetched where nothing was said (`count` 0).
  show(about, count) {
    this.about = about;
    this.place.hidden = true;
    this.place.replaceChildren();
    if (about && count) this.load();
  }

  async load() {
    const about = this.about;
    const { comments } = await get(`/api/comments/${about.image}`).catch(() => ({ comments: [] }));
    if (about !== this.about) return;
    this.place.replaceChildren(...comments.map((one) => this.line(one)));
    this.place.hidden = !comments.length;
  }

  line({ person, text, tag, tag_name: name, open }) {
    const line = element("p", open ? "open" : "resolved");
    line.append(element("strong", "", name ? `${person}, ${name}: ` : `${person}: `), text);
    if (open) {
      const button = element("button", "quiet", this.words.resolve);
      button.type = "button";
      button.addEventListener("click", () => this.resolve(tag));
      line.append(" ", button);
    }
    return line;
  }

  // A line about `tag`, or the whole picture where that is null.
  async add({ image, tag }, text) {
    await post("/api/comments", { image, tag, text });
    if (this.about?.image === image) await this.load();
  }

  async resolve(tag) {
    await post("/api/comments/resolve", { image: this.about.image, tag });
    await this.load();
  }
}

// The thread of the picture on the screen, with a line to write in: what Label shows at a key.
export class Talk {
  constructor(place, words, { onSent, onProblem, onLeave }) {
    Object.assign(this, { place, onSent, onProblem, onLeave });
    place.innerHTML = `<div></div><label>${words.thread.add}<textarea rows="2" maxlength="2000"></textarea></label>
      <button type="submit" class="quiet">${words.thread.send}</button>`;
    this.thread = new Thread(place.firstElementChild, words);
    this.text = place.querySelector("textarea");
    place.addEventListener("submit", (event) => this.send(event));
    place.addEventListener("keydown", (event) => this.key(event));
  }

  open(image) {
    this.place.hidden = false;
    this.text.value = "";
    this.thread.show({ image, tag: null }, 1);
    this.text.focus();
  }

  close() {
    this.place.hidden = true;
  }

  key(event) {
    event.stopPropagation(); // what is written here are no keys of the page
    if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      this.place.requestSubmit();
    } else if (event.key === "Escape") {
      this.close();
      this.onLeave();
    }
  }

  async send(event) {
    event.preventDefault();
    const text = this.text.value.trim();
    if (!text) return;
    try {
      await this.thread.add(this.thread.about, text);
      this.close();
      this.onLeave();
      this.onSent();
    } catch (error) {
      this.onProblem(error.message);
    }
  }
}
