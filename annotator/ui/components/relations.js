// What follows from marks by the relations of the vocabulary, as the server works it out (annotator/vocabulary.py): a
// present tag brings all it implies and rules out what these exclude; an absent one takes along all that implies it.

import { put } from "/api/ui/work.js";

const PRESENT = 1, ABSENT = 0;
const MOST_ABSENT = 200; // where more would be absent, the server writes only what is present (annotator/services/implying.py)
const MOST_NAMED = 6;

export class Relations {
  // Pairs of tag ids. A vocabulary of an earlier server has none.
  constructor({ implies = [], excludes = [] } = {}) {
    this.up = neighbours(implies);
    this.down = neighbours(implies.map(([a, b]) => [b, a]));
    this.rivals = neighbours([...excludes, ...excludes.map(([a, b]) => [b, a])]);
  }

  get none() {
    return !this.up.size && !this.rivals.size;
  }

  // {states, because}: `states` with what follows filled in, and the tag it follows from, of each tag it was filled for.
  // What a person said (`said`, tags) stays as it is and counts before marks that are only likely.
  over(states, said) {
    const [all, because] = [new Map(states), new Map()];
    if (this.none) return { states: all, because };
    const fill = (tags, state, cause) => {
      for (const tag of tags) {
        if (tag === cause || said.has(tag) || because.has(tag)) continue;
        all.set(tag, state);
        because.set(tag, cause);
      }
    };
    // Of absent tags only those on the screen: there can be thousands, and the server writes them.
    const shown = (tags) => [...tags].filter((tag) => states.has(tag));
    const [told, likely] = [[], []];
    for (const [tag, state] of states) (said.has(tag) ? told : likely).push([tag, state]);
    for (const [tag, state] of [...told, ...likely]) {
      if (state === PRESENT && all.get(tag) === PRESENT) {
        fill(this.reached(tag, this.up), PRESENT, tag);
        fill(shown(this.ruledOut(tag)), ABSENT, tag);
      } else if (state === ABSENT && said.has(tag)) {
        fill(shown(this.reached(tag, this.down)), ABSENT, tag);
      }
    }
    return { states: all, because };
  }

  // What an answer about some tags writes of others, in words: "animal present, cat and 3 more absent"; "" for nothing.
  // `names` by id: what has none is in use no longer.
  inWords(tags, state, names, words) {
    const reach = (graph) => tags.flatMap((tag) => [...this.reached(tag, graph)]);
    const rivals = state === PRESENT ? tags.flatMap((tag) => [...this.ruledOut(tag)]) : reach(this.down);
    const named = (found) => [...new Set(found)].filter((tag) => names.has(tag) && !tags.includes(tag)).map((tag) => names.get(tag));
    const absent = named(rivals);
    return [
      listed(state === PRESENT ? named(reach(this.up)) : [], words.setsPresent, words),
      listed(absent.length > MOST_ABSENT ? [] : absent, words.setsAbsent, words),
    ].filter(Boolean).join(", ");
  }

  ruledOut(tag) {
    const found = new Set();
    for (const above of this.reached(tag, this.up)) {
      for (const rival of this.rivals.get(above) ?? []) this.reached(rival, this.down).forEach((one) => found.add(one));
    }
    return found;
  }

  reached(tag, graph) {
    const seen = new Set([tag]);
    for (const at of seen) for (const other of graph.get(at) ?? []) seen.add(other);
    return seen;
  }
}

function listed(names, form, words) {
  if (!names.length) return "";
  const more = names.length - MOST_NAMED;
  const few = names.slice(0, MOST_NAMED).join(", ");
  return put(form, { tags: more > 0 ? put(words.andMore, { tags: few, n: more }) : few });
}

function neighbours(pairs) {
  const found = new Map();
  for (const [a, b] of pairs) found.set(a, [...(found.get(a) ?? []), b]);
  return found;
}
