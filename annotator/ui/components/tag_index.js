// Finds tags by what is typed: names, synonyms and words in them that begin with it, then those a typo away.
// Sorted keys and binary search; typos by a Levenshtein automaton walked over the same sorted keys. Made for 100,000 tags.

const TYPOS = [[8, 2], [3, 1]]; // from so many letters on, so many typos
const FAR = 99;
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
    const allowed = TYPOS.find(([letters]) => wanted.length >= letters)?.[1] ?? 0;
    for (let typos = 1; typos <= allowed && found.size < most; typos += 1) this.collectNear(found, wanted, typos);
    if (!found.size) this.collectInside(found, wanted, most);
    const best = smallest(found, most);
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
    const table = new Table(wanted, typos);
    let previous = "";
    let known = 0; // rows of the table that belong to the key at hand
    for (let at = 0; at < this.keys.length; ) {
      const key = this.keys[at];
      known = Math.min(known, shared(previous, key));
      previous = key;
      let next = at + 1;
      while (known < key.length) {
        known += 1;
        const least = table.fill(key, known);
        if (table.distance(known) <= typos) {
          next = this.past(key.slice(0, known), at);
          this.collect(found, at, next, table.closest(key, known));
          break;
        }
        if (least > typos) {
          next = this.past(key.slice(0, known), at);
          break;
        }
      }
      at = next;
    }
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
  upper(prefix) {
    return this.bisect(0, (key) => key > prefix && !key.startsWith(prefix));
  }

  // The same from a key on that begins with it: in growing steps, because most prefixes have few keys.
  past(prefix, from) {
    const { keys } = this;
    let step = 1;
    while (from + step < keys.length && keys[from + step].startsWith(prefix)) step *= 2;
    return this.bisect(from + (step >> 1), (key) => !key.startsWith(prefix), Math.min(keys.length, from + step));
  }

  bisect(low, isBeyond, high = this.keys.length) {
    while (low < high) {
      const middle = (low + high) >> 1;
      if (isBeyond(this.keys[middle])) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

// The `most` entries with the smallest values, without sorting thousands for the eight that are shown.
function smallest(found, most) {
  const best = [];
  for (const entry of found) {
    if (best.length === most && !isBefore(entry, best[most - 1])) continue;
    let at = best.length;
    while (at > 0 && isBefore(entry, best[at - 1])) at -= 1;
    best.splice(at, 0, entry);
    best.length = Math.min(best.length, most);
  }
  return best;
}

const isBefore = (a, b) => a[1] < b[1] || (a[1] === b[1] && a[0] < b[0]);

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

// Edit distances between prefixes of a key (rows) and of what is wanted (columns): insertion, deletion, replacement, and
// two letters swapped (Damerau 1964). Only columns near the diagonal can be within so many typos; the rest stays far.
class Table {
  constructor(wanted, typos) {
    this.wanted = wanted;
    this.typos = typos;
    const rows = wanted.length + 2 * typos + 2;
    this.rows = Array.from({ length: rows }, () => new Uint8Array(wanted.length + 1).fill(FAR));
    for (let column = 0; column <= wanted.length; column += 1) this.rows[0][column] = column;
  }

  // Row `depth` from the rows above it; its smallest distance.
  fill(key, depth) {
    if (depth >= this.rows.length) return FAR;
    const { wanted, typos, rows } = this;
    const [row, above] = [rows[depth], rows[depth - 1]];
    const letter = key[depth - 1];
    const [from, to] = [Math.max(1, depth - typos), Math.min(wanted.length, depth + typos)];
    row[0] = Math.min(depth, FAR);
    if (from > 1) row[from - 1] = FAR;
    let least = from > 1 ? FAR : row[0];
    for (let column = from; column <= to; column += 1) {
      const same = wanted[column - 1] === letter ? 0 : 1;
      let cost = Math.min(above[column] + 1, row[column - 1] + 1, above[column - 1] + same);
      const swapped = depth > 1 && column > 1 && wanted[column - 1] === key[depth - 2] && wanted[column - 2] === letter;
      if (swapped) cost = Math.min(cost, rows[depth - 2][column - 2] + 1);
      row[column] = Math.min(cost, FAR);
      if (cost < least) least = cost;
    }
    if (to < wanted.length) row[to + 1] = FAR;
    return least;
  }

  distance(depth) {
    return depth < this.rows.length ? this.rows[depth][this.wanted.length] : FAR;
  }

  // A letter or two further the distance may be smaller still ("bota" is two from "bo", one from "boat").
  closest(key, depth) {
    let best = this.distance(depth);
    for (let at = depth + 1; at <= Math.min(key.length, depth + this.typos); at += 1) {
      this.fill(key, at);
      best = Math.min(best, this.distance(at));
    }
    return best;
  }
}
