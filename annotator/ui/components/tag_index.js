// Finds tags by what is typed: names, synonyms and words in them that begin with it, then those a typo away.
// Sorted keys and binary search; typos by a Levenshtein automaton walked over the same sorted keys. Made for 100,000 tags.

const TYPOS = [[8, 2], [3, 1]]; // from so many letters on, so many typos
const NAME = 0, SYNONYM = 1, WORD = 2, INSIDE = 3;

export const fold = (text) =>
  text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase().replace(/[\s_\-/,.]+/gu, " ").trim();

export class TagIndex {
  // tags: [[id, name, [synonym, …]], …]
  constructor(tags) {
    this.tags = tags;
    const entries = [];
    tags.forEach(([, name, synonyms], place) => {
      addKeys(entries, fold(name), place, NAME);
      for (const synonym of synonyms) addKeys(entries, fold(synonym), place, SYNONYM);
    });
    entries.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : a.place - b.place));
    this.keys = entries.map((entry) => entry.key);
    this.places = Int32Array.from(entries, (entry) => entry.place);
    this.kinds = Uint8Array.from(entries, (entry) => entry.kind);
  }

  // The `most` best tags for `text`: [{id, name}], best first.
  search(text, most = 8) {
    const wanted = fold(text);
    if (!wanted) return [];
    const found = new Map(); // place of the tag → how well it fits, smaller is better
    this.collect(found, this.lower(wanted), this.upper(wanted), 0);
    const typos = TYPOS.find(([letters]) => wanted.length >= letters)?.[1] ?? 0;
    if (found.size < most && typos) this.collectNear(found, wanted, typos);
    if (!found.size) this.collectInside(found, wanted, most);
    const best = [...found].sort((a, b) => a[1] - b[1] || a[0] - b[0]).slice(0, most);
    return best.map(([place]) => ({ id: this.tags[place][0], name: this.tags[place][1] }));
  }

  // Fewer typos first, then names before synonyms before inner words, then shorter ones.
  collect(found, from, to, typos) {
    for (let at = from; at < to; at += 1) {
      const fit = typos * 1e6 + this.kinds[at] * 1e4 + Math.min(this.keys[at].length, 9999);
      const place = this.places[at];
      if (!(found.get(place) <= fit)) found.set(place, fit);
    }
  }

  // The rows of the edit-distance table belong to prefixes: keys that share a prefix share them, and a prefix that is
  // too far from `wanted` ends the walk for all keys below it.
  collectNear(found, wanted, typos) {
    const rows = [Uint8Array.from({ length: wanted.length + 1 }, (_, column) => column)];
    let previous = "";
    for (let at = 0; at < this.keys.length; ) {
      const key = this.keys[at];
      let depth = shared(previous, key);
      previous = key;
      rows.length = Math.min(rows.length, depth + 1);
      depth = rows.length - 1;
      let next = at + 1;
      while (depth < key.length) {
        depth += 1;
        rows.push(nextRow(rows, wanted, key, depth));
        const distance = rows[depth][wanted.length];
        if (distance <= typos) {
          next = this.upper(key.slice(0, depth), at);
          this.collect(found, at, next, this.closest(rows, wanted, key, depth, distance));
          break;
        }
        if (Math.min(...rows[depth]) > typos) {
          next = this.upper(key.slice(0, depth), at);
          break;
        }
      }
      at = next;
    }
  }

  // One letter further the distance may be smaller still ("bota" is two from "bo", one from "boat").
  closest(rows, wanted, key, depth, distance) {
    const further = [...rows];
    for (let at = depth + 1; at <= Math.min(key.length, depth + distance); at += 1) {
      further.push(nextRow(further, wanted, key, at));
      distance = Math.min(distance, further[at][wanted.length]);
    }
    return distance;
  }

  collectInside(found, wanted, most) {
    for (let at = 0; at < this.keys.length && found.size < 20 * most; at += 1) {
      if (this.kinds[at] < WORD && this.keys[at].includes(wanted)) {
        found.set(this.places[at], INSIDE * 1e4 + this.keys[at].length);
      }
    }
  }

  // The first key that is not before `prefix`.
  lower(prefix) {
    return this.bisect(0, (key) => key >= prefix);
  }

  // The first key after all that begin with `prefix`.
  upper(prefix, from = 0) {
    return this.bisect(from, (key) => key > prefix && !key.startsWith(prefix));
  }

  bisect(low, isBeyond) {
    let high = this.keys.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (isBeyond(this.keys[middle])) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

function addKeys(entries, text, place, kind) {
  entries.push({ key: text, place, kind });
  for (let at = text.indexOf(" "); at >= 0; at = text.indexOf(" ", at + 1)) {
    entries.push({ key: text.slice(at + 1), place, kind: WORD });
  }
}

function shared(a, b) {
  const most = Math.min(a.length, b.length);
  let count = 0;
  while (count < most && a[count] === b[count]) count += 1;
  return count;
}

// One more letter of `key`: insertion, deletion, replacement, and two letters swapped (Damerau 1964).
function nextRow(rows, wanted, key, depth) {
  const above = rows[depth - 1];
  const row = new Uint8Array(wanted.length + 1);
  const letter = key[depth - 1];
  row[0] = depth;
  for (let column = 1; column <= wanted.length; column += 1) {
    const same = wanted[column - 1] === letter ? 0 : 1;
    let cost = Math.min(above[column] + 1, row[column - 1] + 1, above[column - 1] + same);
    const swapped = depth > 1 && column > 1 && wanted[column - 1] === key[depth - 2] && wanted[column - 2] === letter;
    if (swapped) cost = Math.min(cost, rows[depth - 2][column - 2] + 1);
    row[column] = cost;
  }
  return row;
}
