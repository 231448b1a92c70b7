// Why: what each source says of the picture on the screen, and the labelled pictures nearest to it.

import { address, get } from "/api/ui/server.js";
import { element } from "/api/ui/work.js";

export class Why {
  constructor(place, words) {
    this.place = place;
    this.words = words;
    this.row = null;
  }

  get isOpen() {
    return !this.place.hidden;
  }

  // `quiet`: a picture that measures the sources, which then must not be heard.
  toggle(row, quiet) {
    this.place.hidden = this.isOpen;
    if (this.isOpen) this.show(row, quiet);
  }

  close() {
    this.place.hidden = true;
  }

  async show(row, quiet) {
    if (!this.isOpen) return;
    this.row = row;
    this.place.replaceChildren(element("p", "quiet", this.words.whyLooking));
    try {
      const found = await get(`/api/why/${row}`);
      if (row === this.row) this.place.replaceChildren(...this.view(quiet ? { ...found, sources: null } : found));
    } catch (error) {
      if (row === this.row) this.place.replaceChildren(element("p", "", error.message));
    }
  }

  view({ sources, neighbours }) {
    const shown = [element("h3", "", this.words.whySources)];
    if (!sources) shown.push(element("p", "quiet", this.words.whyMeasured));
    else if (!sources.length) shown.push(element("p", "quiet", this.words.whySilent));
    for (const { origin, tags } of sources ?? []) {
      const line = element("p");
      line.append(element("strong", "", `${origin}: `), tags.map(({ tag, score }) => `${tag} ${score}`).join(", "));
      shown.push(line);
    }
    shown.push(element("h3", "", this.words.whyNeighbours));
    if (!neighbours.length) shown.push(element("p", "quiet", this.words.whyAlone));
    const list = element("ul", "neighbours");
    for (const { image, score, tags } of neighbours) {
      const item = element("li");
      const picture = new Image();
      picture.src = address(320, image);
      picture.alt = "";
      item.append(picture, element("span", "", `${score.toFixed(2)} · ${tags.join(", ") || this.words.whyNoTags}`));
      list.append(item);
    }
    shown.push(list);
    return shown;
  }
}
