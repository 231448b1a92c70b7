// One tag as a button, and how well a tag fits typed text.

// {tag, name, definition, score (null: not shown), origin, place}
export function makeChip({ tag, name, definition, score, origin, place }) {
  const chip = document.createElement("button");
  const shown = score === null ? "" : Math.round(score * 100);
  chip.type = "button";
  chip.className = "chip";
  chip.dataset.tag = tag;
  chip.title = [definition, score === null ? "" : `${origin}, ${shown} %`].filter(Boolean).join("\n");
  const bar = part("span", "bar", "");
  bar.style.inlineSize = score === null ? "0" : `${shown}%`;
  chip.append(
    part("kbd", "", place < 9 ? place + 1 : ""),
    part("span", "name", name),
    part("span", "source", score === null ? "" : `${origin} ${shown}`),
    part("span", "mark", ""),
    bar,
  );
  return chip;
}

function part(kind, className, text) {
  const element = document.createElement(kind);
  element.className = className;
  element.textContent = text;
  return element;
}

// 0: a name begins with the text, 1: a word of one does, 2: one contains it, 3: none.
export function rank(tag, wanted) {
  const names = [tag.name, ...tag.synonyms].map((name) => name.toLowerCase());
  if (names.some((name) => name.startsWith(wanted))) return 0;
  if (names.some((name) => name.split(" ").some((word) => word.startsWith(wanted)))) return 1;
  return names.some((name) => name.includes(wanted)) ? 2 : 3;
}
