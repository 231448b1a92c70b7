// One tag as a button.

import { element } from "/api/ui/work.js";

// {tag, name, score (null: not shown), origin, place, group (one of an "exactly one" group), hotkey, colour}
export function makeChip({ tag, name, score, origin, place, group, hotkey, colour }) {
  const chip = element("button", group ? "chip one-of" : "chip");
  const shown = score === null ? "" : Math.round(score * 100);
  chip.type = "button";
  chip.dataset.tag = tag;
  chip.title = score === null ? "" : `${origin}, ${shown} %`;
  const keys = [place < 9 ? String(place + 1) : "", hotkey ?? ""].filter(Boolean);
  if (keys.length) chip.setAttribute("aria-keyshortcuts", keys.join(" "));
  if (colour) chip.style.setProperty("--own", colour);
  const bar = element("span", "bar");
  bar.style.inlineSize = score === null ? "0" : `${shown}%`;
  chip.append(
    element("kbd", "", hotkey ?? keys[0] ?? ""),
    element("span", "name", name),
    element("span", "source", score === null ? "" : `${origin} ${shown}`),
    element("span", "mark"),
    bar,
  );
  return chip;
}
