// What the data files contain, and what is counted from it.
"use strict";

// ---- data files --------------------------------------------------------------------------------

const loading = new Map();

/** Value of a data file. It is a script: a page opened from a folder may not read files of other kinds. */
function load(path, name) {
  if (window.reviewData?.[name] !== undefined) return Promise.resolve(window.reviewData[name]);
  if (!loading.has(path)) loading.set(path, run(path).finally(() => loading.delete(path)));
  return loading.get(path).then(() => window.reviewData[name]);
}

function run(path) {
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = path;
    script.onload = resolve;
    script.onerror = () => reject(new Error(`${path} is not in this folder`));
    document.head.append(script);
  }).finally(() => document.head.querySelector(`script[src="${CSS.escape(path)}"]`)?.remove());
}

/** The typed array of `javascript.packed`. */
function unpacked({type, bytes}) {
  return new window[type](bytesOf(bytes).buffer);
}

function bytesOf(base64) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(base64);
  const text = atob(base64), bytes = new Uint8Array(text.length);
  for (let place = 0; place < text.length; place++) bytes[place] = text.charCodeAt(place);
  return bytes;
}

const unpackedAll = (columns) =>
  Object.fromEntries(Object.entries(columns).map(([name, column]) => [name, unpacked(column)]));

// ---- boxes of a model in one mode --------------------------------------------------------------

/**
 * Boxes, matches and FROC points. A step is a number of thresholds: at step 0 there is no box, at step k
 * those of the k-th highest threshold.
 */
class Mode {
  constructor(data, points, cases, definition) {
    this.cases = cases;
    this.definition = definition;
    this.thresholds = unpacked(data.thresholds);
    this.boxes = unpackedAll(data.boxes);
    this.matches = unpackedAll(data.matches);
    this.points = Object.fromEntries(Object.entries(points).map(([fold, each]) => [fold, unpackedAll(each)]));
    this.steps = this.thresholds.length;
    this.totals = new Map();
  }

  /** Of each image, the highest threshold at which it has a false positive; -1 if there is none. */
  get worst() {
    return (this.worstOfAll ??= this.cases.map((_, number) => this.#worst(number)));
  }

  /** Of each image, the highest threshold at which its hardest mass is found: -1 never, NaN without a mass. */
  get least() {
    return (this.leastOfAll ??= this.cases.map((_, number) => this.#least(number)));
  }

  threshold(step) {
    return step ? this.thresholds[step - 1] : Infinity;
  }

  /** The step whose threshold is nearest to one. */
  stepAt(threshold) {
    if (!Number.isFinite(threshold)) return 0;
    let best = 0;
    this.thresholds.forEach((each, place) => {
      if (!best || Math.abs(each - threshold) < Math.abs(this.thresholds[best - 1] - threshold)) best = place + 1;
    });
    return best;
  }

  /** The first step with the most hits among those with at most so many false positives per image. */
  stepOfFpi(fpi, fold = "all") {
    let best = 0;
    const {hits, falsePositives, images} = this.counts(fold);
    for (let step = 0; step <= this.steps; step++)
      if (falsePositives[step] <= fpi * images + 1e-6 && hits[step] > hits[best]) best = step;
    return best;
  }

  /** The step with nearly as many false positives per image; of such steps, the first with the most hits. */
  stepLike(fpi, fold = "all") {
    let best = 0;
    const {hits, falsePositives, images} = this.counts(fold);
    const off = (step) => Math.abs(falsePositives[step] - fpi * images);
    for (let step = 1; step <= this.steps; step++)
      if (off(step) < off(best) || (off(step) === off(best) && hits[step] > hits[best])) best = step;
    return best;
  }

  /** Boxes of an image at a step, each with its verdict and the lesion that it is the hit of. */
  boxesOf(number, step) {
    const {offsets, y0, x0, y1, x1, score, start, stop, on_lesion} = this.boxes;
    const matched = this.#matchesOf(number, step);
    const found = [];
    for (let row = offsets[number]; row < offsets[number + 1]; row++) {
      if (start[row] >= step || stop[row] < step) continue;
      const box = [y0[row], x0[row], y1[row], x1[row]];
      const place = on_lesion[row] ? matched.findIndex((match) => `${match.box}` === `${box}`) : -1;
      const lesion = place < 0 ? -1 : matched.splice(place, 1)[0].lesion;
      found.push({box, score: score[row], lesion, verdict: this.#verdict(lesion, on_lesion[row])});
    }
    return found;
  }

  #verdict(lesion, onLesion) {
    if (lesion >= 0) return "hit";
    return onLesion && this.definition.duplicates === "ignore" ? "duplicate" : "false-positive";
  }

  #matchesOf(number, step) {
    const {offsets, y0, x0, y1, x1, lesion, start, stop} = this.matches;
    const found = [];
    for (let row = offsets[number]; row < offsets[number + 1]; row++)
      if (start[row] < step && step <= stop[row])
        found.push({lesion: lesion[row], box: [y0[row], x0[row], y1[row], x1[row]]});
    return found;
  }

  /** Lesions of an image that are found at a step. */
  foundOn(number, step) {
    return new Set(this.#matchesOf(number, step).map((match) => match.lesion));
  }

  /** Numbers of hits, misses and false positives on an image. */
  tally(number, step) {
    const hits = this.foundOn(number, step).size;
    const {offsets, start, stop, on_lesion} = this.boxes;
    const ignored = this.definition.duplicates === "ignore";
    let alive = 0;
    for (let row = offsets[number]; row < offsets[number + 1]; row++)
      if (start[row] < step && step <= stop[row] && !(ignored && on_lesion[row])) alive++;
    const falsePositives = ignored ? alive : alive - hits;
    return {hits, missed: this.cases[number].lesions.length - hits, falsePositives};
  }

  /** Whether false positives on an image count. */
  counted(number) {
    const {fpi_over} = this.definition;
    return fpi_over === "all" || (fpi_over === "mass") === this.cases[number].lesions.length > 0;
  }

  /** Hits and false positives at every step, and what they are divided by; of one fold, or of "all". */
  counts(fold = "all") {
    if (!this.totals.has(fold)) this.totals.set(fold, this.#count(fold));
    return this.totals.get(fold);
  }

  #count(fold) {
    const numbers = [...this.cases.keys()].filter((n) => fold === "all" || `${this.cases[n].fold}` === fold);
    const hits = new Int32Array(this.steps + 2), falsePositives = new Int32Array(this.steps + 2);
    const ignored = this.definition.duplicates === "ignore";
    for (const number of numbers) {
      addLifetimes(this.matches, number, 1, hits);
      if (!this.counted(number)) continue;
      addLifetimes(this.boxes, number, 1, falsePositives, ignored && this.boxes.on_lesion);
      if (!ignored) addLifetimes(this.matches, number, -1, falsePositives);
    }
    for (const each of [hits, falsePositives])
      for (let step = 1; step < each.length; step++) each[step] += each[step - 1];
    return {
      hits,
      falsePositives,
      targets: numbers.reduce((total, number) => total + this.cases[number].lesions.length, 0),
      images: numbers.filter((number) => this.counted(number)).length,
    };
  }

  #worst(number) {
    const {offsets, start, on_lesion} = this.boxes;
    let first = this.steps;
    for (let row = offsets[number]; row < offsets[number + 1]; row++)
      if (!on_lesion[row] && start[row] < first) first = start[row];
    return first < this.steps ? this.thresholds[first] : -1;
  }

  #least(number) {
    const {offsets} = this.matches, best = this.cases[number].lesions.map(() => -1);
    for (let row = offsets[number]; row < offsets[number + 1]; row++) {
      const lesion = this.matches.lesion[row];
      best[lesion] = Math.max(best[lesion], this.thresholds[this.matches.start[row]]);
    }
    return best.length ? Math.min(...best) : NaN;
  }
}

/** Where the rows of an image begin and end to live, for a sum over steps; less those that are left out. */
function addLifetimes({offsets, start, stop}, number, weight, into, leftOut) {
  for (let row = offsets[number]; row < offsets[number + 1]; row++) {
    if (leftOut && leftOut[row]) continue;
    into[start[row] + 1] += weight;
    into[stop[row] + 1] -= weight;
  }
}

class Model {
  constructor(data, cases, definition) {
    this.chain = data.chain;
    this.label = data.label;
    this.modes = {};
    for (const [mode, each] of Object.entries(data.modes)) {
      let made;
      const make = () => (made ??= new Mode(each, data.points[mode], cases, definition));
      Object.defineProperty(this.modes, mode, {get: make, enumerable: true});
    }
  }
}

// ---- maps --------------------------------------------------------------------------------------

/** Probabilities on the grid of an image, interpolated between the centres of the windows. */
class ProbabilityMap {
  constructor({y, x, levels}) {
    this.y = unpacked(y);
    this.x = unpacked(x);
    this.levels = unpacked(levels);
  }

  /** Probability at a place in stored pixels, where pixel 0 has its centre at 0.5. */
  at(y, x) {
    if (!this.levels.length) return 0;
    const [row, down] = between(this.y, y - 0.5), [column, right] = between(this.x, x - 0.5);
    const rows = Math.min(row + 1, this.y.length - 1), columns = Math.min(column + 1, this.x.length - 1);
    const value = (i, j) => this.levels[i * this.x.length + j];
    const upper = value(row, column) * (1 - right) + value(row, columns) * right;
    const lower = value(rows, column) * (1 - right) + value(rows, columns) * right;
    return (upper * (1 - down) + lower * down) / 255;
  }
}

/** The last centre at or before a place, and how far the place is on the way to the next; clamped. */
function between(centres, place) {
  let low = 0, high = centres.length - 1;
  if (place <= centres[low]) return [low, 0];
  if (place >= centres[high]) return [high, 0];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (centres[middle] <= place) low = middle;
    else high = middle;
  }
  return [low, (place - centres[low]) / (centres[high] - centres[low])];
}
