// The questions of a Label screen in their order: answered ones behind, those in hand ahead, and what can be undone.
// No page, no server: what the keys mean.

const REMEMBERED = 200; // answered pictures that can be gone back to

export class Trail {
  constructor() {
    this.questions = [];
    this.at = 0;
    this.done = []; // answers that can be taken back, the latest last
  }

  get question() {
    return this.questions[this.at] ?? null;
  }

  // Questions that are not answered yet, from the one on the screen on, then those skipped before it.
  get open() {
    return [...this.questions.slice(this.at), ...this.questions.slice(0, this.at)].filter((one) => one.seq === null);
  }

  // Pictures answered before this page was loaded: they can be gone back to and taken back.
  remember(questions) {
    const known = questions.map((one) => ({
      ...one, steps: [], said: new Set(), states: new Map(one.states), given: new Map(one.states),
    }));
    this.questions.unshift(...known);
    this.at += known.length;
    this.done.unshift(...known.map((question) => ({
      question, seq: question.seq, client: question.client, labels: question.states.size, before: none,
    })));
  }

  // New questions behind all others; those that are here already are left out.
  add(questions) {
    const here = new Set(this.questions.map((one) => one.task));
    const fresh = questions.filter((one) => !here.has(one.task));
    this.questions.push(...fresh.map((one) => ({ ...one, seq: null, client: null, given: null, steps: [], said: new Set() })));
    return fresh.length;
  }

  // Questions that others hold now; the one on the screen goes as well. How many went.
  drop(tasks) {
    const lost = new Set(tasks);
    const gone = this.questions.filter((one) => one.seq === null && lost.has(one.task));
    const shown = this.question;
    this.questions = this.questions.filter((one) => !gone.includes(one));
    const place = this.questions.indexOf(shown);
    if (place >= 0) this.at = place;
    else this.goToOpen(Math.min(this.at, this.questions.length));
    return gone.length;
  }

  // Several tags at once are one step. What a person set is said; all else may follow from it.
  setAll(entries) {
    const { states, steps, said } = this.question;
    steps.push({ states: [...states], said: [...said] });
    for (const [tag, state] of entries) {
      states.set(tag, state);
      said.add(tag);
    }
  }

  // The question on the screen was answered as item `seq`; the next open one follows.
  answered({ seq, labels, seconds }) {
    const question = this.question;
    const before = { seq: question.seq, client: question.client, given: question.given };
    this.done.push({ question, seq, client: null, labels, seconds, before });
    Object.assign(question, { seq, client: null, given: new Map(question.states), steps: [], said: new Set() });
    this.forget();
    this.goToOpen(this.at + 1);
  }

  // One step back: the last change on the screen, or else the last answer, which is returned to be taken back.
  undo() {
    const question = this.question;
    if (question?.steps.length) {
      const { states, said } = question.steps.pop();
      Object.assign(question, { states: new Map(states), said: new Set(said) });
      return null;
    }
    const last = this.done.pop();
    if (!last) return undefined;
    Object.assign(last.question, last.before);
    this.at = this.questions.indexOf(last.question);
    return last;
  }

  back() {
    this.leave();
    if (this.at > 0) this.at -= 1;
  }

  // A change of an answered picture that was not accepted is no answer: coming back shows what is stored.
  leave() {
    const question = this.question;
    if (question?.given) Object.assign(question, { states: new Map(question.given), steps: [], said: new Set() });
  }

  // On to the next picture without an answer; after the last one to what was skipped.
  forward() {
    this.leave();
    if (this.at + 1 < this.questions.length) this.at += 1;
    else this.goToOpen(0);
  }

  goToOpen(from) {
    const after = this.questions.findIndex((one, place) => place >= from && one.seq === null);
    const before = this.questions.findIndex((one) => one.seq === null);
    this.at = after >= 0 ? after : before >= 0 ? before : this.questions.length;
  }

  forget() {
    while (this.done.length > REMEMBERED) {
      const { question } = this.done.shift();
      if (this.done.some((entry) => entry.question === question)) continue;
      const place = this.questions.indexOf(question);
      this.questions.splice(place, 1);
      if (place < this.at) this.at -= 1;
    }
  }
}

const none = { seq: null, client: null, given: null };
