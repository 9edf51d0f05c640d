// State of the page, and what changes it: controls, keys and the address.
"use strict";

const page = JSON.parse(document.getElementById("page").textContent);
const form = document.getElementById("controls");
const at = (id) => document.getElementById(id);
const shardFolder = (shard) => `../../shard-${shard}`;

for (const name of [...page.shards.map((shard) => `cases-${shard}`), page.chain])
  if (window.reviewData?.[name] === undefined)
    at("message").textContent = "A part of this page is missing: copy the complete folder of the data set.";

const cases = page.shards.flatMap((shard) =>
  window.reviewData[`cases-${shard}`].map((each, place) => ({...each, shard, place})),
).sort((one, other) => one.number - other.number);
const numberOf = new Map(cases.map((each, number) => [each.name, number]));
const models = new Map([[page.chain, new Model(window.reviewData[page.chain], cases, page.definition)]]);

// Everything that the address keeps, with its value at first.
const state = {
  image: "", layout: "one", mode: page.definition.mode, threshold: "", fold: "all", other: "",
  show: "all", size: "", pathology: "", side: "", view: "", remarks: "", sort: "case",
  map: "50", low: "", high: "", invert: false, masses: true, outlines: true,
};
const first = {...state};

const mode = () => models.get(page.chain).modes[state.mode];
const otherMode = () => models.get(state.other)?.modes[state.mode];
const step = () => +at("threshold").value;

/** The other model is shown where it has as many false positives per image as this one. */
function otherStep() {
  const {falsePositives, images} = mode().counts("all");
  return otherMode().stepOfFpi(falsePositives[step()] / images);
}

// ---- counts and thumbnails -----------------------------------------------------------------------

const percent = (share) => `${(100 * share).toFixed(1)} %`;
const plural = (count, word) => `${count} ${word}${count === 1 ? "" : word.endsWith("s") ? "es" : "s"}`;

const rounded = (threshold) => (Number.isFinite(threshold) ? threshold.toFixed(4) : "none");

function showCounts() {
  const {hits, falsePositives, targets, images} = mode().counts(state.fold);
  const hit = hits[step()], wrong = falsePositives[step()], threshold = mode().threshold(step());
  const words = rounded(threshold);
  Object.assign(at("counts").dataset, {hits: hit, targets, falsePositives: wrong, images, threshold});
  at("value").textContent = words;
  at("hits").textContent = targets ? `${hit} of ${targets} masses (${percent(hit / targets)})` : "no mass";
  at("fps").textContent = `${wrong} on ${plural(images, "image")} (${(wrong / images).toFixed(2)} per image)`;
  at("threshold").setAttribute("aria-valuetext", `threshold ${words}, ${at("hits").textContent} found`);
  curve.move([wrong / images, targets ? hit / targets : 0], otherMode() ? otherPoint() : null);
}

function otherPoint() {
  const {hits, falsePositives, targets, images} = otherMode().counts(state.fold), place = otherStep();
  at("other-counts").textContent =
    `${models.get(state.other).label}: ${hits[place]} of ${targets} masses, ` +
    `${falsePositives[place]} false positives, threshold ${rounded(otherMode().threshold(place))}`;
  return [falsePositives[place] / images, targets ? hits[place] / targets : 0];
}

function fillTile(tile, number) {
  const shown = cases[number], {hits, missed, falsePositives} = mode().tally(number, step());
  const words = [
    shown.name,
    shown.lesions.length ? `${hits} of ${plural(shown.lesions.length, "mass")} found` : "no mass",
    plural(falsePositives, "false positive"),
  ];
  tile.setAttribute("aria-label", words.join(", "));
  tile.dataset.name = shown.name;
  const picture = document.createElement("div");
  picture.className = "picture";
  const thumbnail = window.reviewData[`thumbnails-${shown.shard}`]?.[shown.place];
  if (thumbnail) picture.style.backgroundImage = `url("data:image/jpeg;base64,${thumbnail}")`;
  const badges = [["hit", "✓", hits], ["missed", "✗", missed], ["false-positive", "!", falsePositives]]
    .filter(([, , count]) => count)
    .map(([kind, sign, count]) => badge(kind, `${sign}${count}`));
  const name = document.createElement("div");
  name.className = "name";
  name.append(shown.name, ...badges);
  tile.replaceChildren(picture, name);
}

function badge(kind, text) {
  const element = document.createElement("span");
  element.className = `badge ${kind}`;
  element.textContent = text;
  return element;
}

// ---- filters and order ---------------------------------------------------------------------------

/** Which images are shown, by what is found on them. */
const SHOW = {
  all: () => () => true,
  missed: () => (number) => mode().tally(number, step()).missed > 0,
  found: () => (number) => mode().foundOn(number, step()).size > 0,
  "false-positives": () => (number) => mode().tally(number, step()).falsePositives > 0,
  masses: () => (number) => cases[number].lesions.length > 0,
  normal: () => (number) => cases[number].lesions.length === 0,
  "only-here": () => differing([mode(), step()], [otherMode(), otherStep()]),
  "only-there": () => differing([otherMode(), otherStep()], [mode(), step()]),
};

/** Images on which one model, at a step, finds a mass that another misses. */
function differing([finding, itsStep], [missing, otherStep]) {
  return (number) => {
    const found = missing.foundOn(number, otherStep);
    return [...finding.foundOn(number, itsStep)].some((lesion) => !found.has(lesion));
  };
}

/** Whether an image meets the conditions on itself and on its masses. */
function meets(number) {
  const shown = cases[number];
  const is = (key, value) => state[key] === "" || `${value}` === state[key];
  const ofMass = (lesion) => is("size", lesion.size) && is("pathology", lesion.pathology);
  return (
    (state.fold === "all" || `${shown.fold}` === state.fold) &&
    is("side", shown.side) &&
    is("view", shown.view) &&
    is("remarks", shown.flags.length ? "yes" : "no") &&
    ((state.size === "" && state.pathology === "") || shown.lesions.some(ofMass))
  );
}

const needsOther = (show) => show.startsWith("only-");

/** Order of images: by what, and whether the largest comes first; images without a value come last. */
const SORT = {
  case: () => (number) => number,
  "worst-false-positive": () => (number) => -mode().worst[number],
  "least-found-mass": () => (number) => (Number.isNaN(mode().least[number]) ? Infinity : mode().least[number]),
  "largest-mass": () => (number) => -Math.max(0, ...cases[number].lesions.map(({cm2}) => cm2 ?? 0)),
};

function showGallery() {
  const value = SORT[state.sort]();
  const shown = SHOW[needsOther(state.show) && !otherMode() ? "all" : state.show]();
  const items = [...cases.keys()].filter((number) => meets(number) && shown(number));
  gallery.show(items.sort((one, other) => value(one) - value(other) || one - other));
  at("shown").textContent = `${items.length} of ${plural(cases.length, "image")}`;
  at("empty").hidden = items.length > 0;
}

// ---- one image -----------------------------------------------------------------------------------

const panes = [];

/** The number before the first dash of a name. */
const patientOf = ({name}) => name.split("-")[0];

function pane(place) {
  if (!panes[place]) {
    const it = (panes[place] = new Pane(at(`pane-${place}`), at(`title-${place}`)));
    for (const event of ["zoom", "pan"]) it.viewer.addHandler(event, () => lead(it));
  }
  return panes[place];
}

let leading = false;

/** Two models show the same part of the image. */
function lead(it) {
  if (state.layout !== "models" || leading || !it.case) return;
  leading = true;
  for (const other of panes) if (other !== it && other.case === it.case) other.follow(it);
  leading = false;
}

/** What each pane shows: an image, a model, and a step of it. */
function wanted() {
  const number = numberOf.get(state.image), shown = cases[number];
  const own = {number, chain: page.chain, step: step()};
  if (state.layout === "models" && otherMode()) return [own, {number, chain: state.other, step: otherStep()}];
  if (state.layout !== "views") return [own];
  const next = cases.findIndex((each) => each !== shown && patientOf(each) === patientOf(shown) && each.side === shown.side &&
    each.fold === shown.fold && each.view !== shown.view);
  return next < 0 ? [own] : [own, {...own, number: next}];
}

let drawing = Promise.resolve();

/** Show the image that the state names, or the thumbnails. Calls follow each other, so that the last one stays. */
function showImage() {
  drawing = drawing.then(drawImage).catch((error) => say(error.message));
  return drawing;
}

async function drawImage() {
  const open = numberOf.has(state.image);
  const opened = open && at("viewer").hidden;
  at("viewer").hidden = !open;
  at("gallery").hidden = open;
  document.body.classList.toggle("open", open);
  if (!open) return;
  const shown = wanted();
  const divided = at("panes").dataset.count !== `${shown.length}`;
  at("panes").dataset.count = shown.length;
  at("probability").textContent = "";
  at("frame-1").hidden = shown.length < 2;
  for (const [place, each] of shown.entries()) await fillPane(place, each);
  if (divided) {
    // The viewers take their new size in the next frame, and keep a part of the image in view.
    for (const _ of [1, 2]) await new Promise(requestAnimationFrame);
    for (const it of panes) it.home();
  }
  showMarks();
  if (opened) at("close").focus();
}

async function fillPane(place, {number, chain}) {
  const it = pane(place), key = `${number} ${chain}`;
  if (it.key === key) return;
  const shown = cases[number];
  const [sources, grids] = await Promise.all([
    load(`${shardFolder(shown.shard)}/images.js`, `images-${shown.shard}`),
    load(`../../${chain.split("/").slice(1).join("/")}/maps.js`, `maps ${chain}`),
  ]);
  forget(shown.shard);
  await it.show(shown, sources[shown.place], new ProbabilityMap(grids[number]));
  it.key = key;
}

// Pictures of a few shards are kept in memory.
const inMemory = [];

function forget(shard) {
  const place = inMemory.indexOf(shard);
  if (place >= 0) inMemory.splice(place, 1);
  inMemory.push(shard);
  while (inMemory.length > 3) delete window.reviewData[`images-${inMemory.shift()}`];
}

/** Boxes, masses and captions of the open images at the present threshold. */
function showMarks() {
  if (!numberOf.has(state.image)) return;
  for (const [place, {number, chain, step}] of wanted().entries()) {
    const it = panes[place];
    if (it?.key !== `${number} ${chain}`) continue;
    const its = models.get(chain).modes[state.mode];
    it.mark(its.boxesOf(number, step), its.foundOn(number, step), state);
    it.title.textContent = caption(number, chain, step);
  }
  showWindow();
}

function caption(number, chain, step) {
  const shown = cases[number], its = models.get(chain);
  const {hits, falsePositives} = its.modes[state.mode].tally(number, step);
  const masses = shown.lesions.map(({cm2, pathology}) => [cm2 && `${cm2.toFixed(2)} cm²`, pathology].filter(Boolean).join(", "));
  return [
    `${shown.name}, fold ${shown.fold}`,
    its.label,
    shown.lesions.length ? `${hits} of ${plural(shown.lesions.length, "mass")} found (${masses.join("; ")})` : "no mass",
    plural(falsePositives, "false positive"),
    ...shown.flags,
  ].join(" · ");
}

function showWindow() {
  const [low, high] = cases[numberOf.get(state.image)].window.map((share) => 100 * share);
  if (state.low === "") at("low").value = low;
  if (state.high === "") at("high").value = high;
  for (const it of panes) {
    if (!it.case) continue;
    const own = it.case.window.map((share) => 100 * share);
    it.window(
      {low: state.low === "" ? own[0] : +state.low, high: state.high === "" ? own[1] : +state.high, invert: state.invert},
      state.map,
    );
  }
}

// ---- changes -------------------------------------------------------------------------------------

const PICTURE = ["map", "low", "high", "invert", "masses", "outlines"];

/** Take a change of the state to wherever it shows. */
async function change(changes) {
  say("");
  Object.assign(state, changes);
  const keys = Object.keys(changes);
  if (state.other && !models.has(state.other)) await loadOther();
  if (keys.some((key) => ["mode", "fold"].includes(key))) showMode();
  fillControls();
  keepAddress();
  if (keys.every((key) => PICTURE.includes(key))) return showMarks();
  showCounts();
  if (!keys.every((key) => ["image", "layout"].includes(key))) showGallery();
  return showImage();
}

async function loadOther() {
  try {
    const data = await load(`../../${state.other.split("/").slice(1).join("/")}/model.js`, state.other);
    models.set(state.other, new Model(data, cases, page.definition));
  } catch (error) {
    state.other = "";
    say(error.message);
  }
}

/** Slider and curve of the mode and fold; the threshold stays, or is that of one false positive per image. */
function showMode() {
  const slider = at("threshold");
  slider.max = mode().steps;
  slider.value = state.threshold === "" ? mode().stepOfFpi(1) : mode().stepAt(+state.threshold);
  curve.draw(mode().points[state.fold]);
}

function moveThreshold(to) {
  const place = Math.min(Math.max(to, 0), mode().steps);
  at("threshold").value = place;
  return change({threshold: words(mode(), place)});
}

// The kind of boxes that was left, its threshold, and the one that the other kind was then given.
let left = {};

/** The other kind of boxes, at as many false positives per image; at once back again, as it was. */
function switchMode(name) {
  const {falsePositives, images} = mode().counts("all"), other = models.get(page.chain).modes[name];
  const own = words(mode(), step());
  const given = left.mode === name && left.given === own
    ? left.own
    : words(other, other.stepLike(falsePositives[step()] / images));
  left = {mode: state.mode, own, given};
  return change({mode: name, threshold: given});
}

/** A threshold as the address has it. */
const words = (mode, step) => `${+mode.threshold(step).toPrecision(9)}`;

function fillControls() {
  for (const control of form.elements) {
    if (!(control.name in state)) continue;
    if (control.type === "checkbox") control.checked = state[control.name];
    else if (control.type === "radio") control.checked = control.value === state[control.name];
    else control.value = state[control.name];
  }
  at("other-counts").hidden = !state.other;
  for (const option of at("show").options) option.disabled = needsOther(option.value) && !state.other;
  for (const button of document.querySelectorAll("[data-layout]"))
    button.setAttribute("aria-pressed", `${button.dataset.layout === state.layout}`);
}

function say(words) {
  at("message").textContent = words;
}

// ---- the address ---------------------------------------------------------------------------------

let writing;

/** Browsers allow few changes of the address in a second: only the last of several is written. */
function keepAddress() {
  clearTimeout(writing);
  writing = setTimeout(() => {
    const words = Object.entries(state).filter(([key, value]) => value !== first[key]);
    history.replaceState(null, "", `#${new URLSearchParams(words)}`);
  }, 200);
}

function readAddress() {
  const words = new URLSearchParams(location.hash.slice(1));
  const changes = {...first};
  for (const [key, value] of words)
    if (key in first) changes[key] = typeof first[key] === "boolean" ? value === "true" : value;
  if (!page.definition.modes.includes(changes.mode)) changes.mode = first.mode;
  return changes;
}

// ---- controls and keys ---------------------------------------------------------------------------

/** Open the image before or after this one, in the order of the thumbnails. */
function next(by) {
  const place = gallery.items.indexOf(numberOf.get(state.image)) + by;
  if (place < 0 || place >= gallery.items.length) return;
  gallery.choose(place);
  change({image: cases[gallery.items[place]].name});
}

function close() {
  const number = numberOf.get(state.image);
  change({image: ""}).then(() => gallery.choose(Math.max(0, gallery.items.indexOf(number)), true));
}

const toggle = (key) => () => change({[key]: !state[key]});
const layout = (name) => () => change({layout: state.layout === name ? "one" : name});
const others = page.models.filter(({chain}) => chain !== page.chain);

function compare() {
  if (!others.length) return say("the study has no other model");
  return change({other: state.other || others[0].chain, layout: state.layout === "models" ? "one" : "models"});
}

const KEYS = {
  ArrowRight: () => next(1), ArrowLeft: () => next(-1), n: () => next(1), p: () => next(-1),
  "]": () => moveThreshold(step() + 1), "[": () => moveThreshold(step() - 1),
  "}": () => moveThreshold(step() + 20), "{": () => moveThreshold(step() - 20),
  m: () => switchMode(page.definition.modes.find((each) => each !== state.mode)),
  v: layout("views"), c: compare,
  b: toggle("outlines"), a: toggle("masses"), i: toggle("invert"),
  h: () => change({map: +state.map ? "0" : first.map}),
  r: () => change({low: "", high: "", invert: false}),
  "+": () => panes.forEach((it) => it.zoom(1.4)), "-": () => panes.forEach((it) => it.zoom(1 / 1.4)),
  0: () => panes.forEach((it) => it.home()),
  Escape: () => state.image && close(),
  "?": () => at("help").showModal(),
};

function onKey(event) {
  const field = event.target.closest("input, select, textarea, dialog");
  if (event.ctrlKey || event.metaKey || event.altKey || (field && field.type !== "range" && field.type !== "checkbox" && field.type !== "radio"))
    return;
  if (field && event.key.startsWith("Arrow")) return;
  if (!(event.key in KEYS)) return;
  event.preventDefault();
  KEYS[event.key]();
}

function listen() {
  // Some controls of the form stand elsewhere in the page.
  document.addEventListener("input", ({target}) => {
    if (target.id === "threshold") moveThreshold(step());
    else if (target.name === "mode") switchMode(target.value);
    else if (target.name in state) change({[target.name]: target.type === "checkbox" ? target.checked : target.value});
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  addEventListener("keydown", onKey);
  addEventListener("hashchange", () => restore());
  for (const [id, act] of Object.entries({
    close, previous: () => next(-1), next: () => next(1), compare, keys: KEYS["?"], reset: KEYS.r,
    views: layout("views"), clear,
  }))
    at(id).addEventListener("click", act);
  at("panes").addEventListener("pointermove", (event) => {
    const it = panes.find((each) => each.viewer.element.contains(event.target));
    const probability = it?.probabilityAt(event);
    at("probability").textContent = probability == null ? "" : `map ${probability.toFixed(2)}`;
  });
  at("panes").addEventListener("pointerleave", () => {
    at("probability").textContent = "";
  });
}

/** All images again; what is looked at, and with which model it is compared, stays. */
async function clear() {
  const {mode, threshold, image, layout, other} = state;
  await change({...first, mode, threshold, image, layout, other});
  gallery.choose(gallery.items.indexOf(numberOf.get(image)));
}

async function restore() {
  await change(readAddress());
  const place = gallery.items.indexOf(numberOf.get(state.image));
  if (place >= 0) gallery.choose(place);
}

if (matchMedia("(max-width: 720px)").matches) document.querySelector(".filters").open = false;
const curve = new Curve(at("curve"));
const gallery = new Gallery(at("gallery"), fillTile, (number) => change({image: cases[number].name}));
listen();
const ready = restore().then(() => {
  document.documentElement.dataset.ready = Math.round(performance.now());
});
for (const shard of page.shards)
  load(`${shardFolder(shard)}/thumbnails.js`, `thumbnails-${shard}`)
    .then(() => gallery.refresh())
    .catch((error) => say(error.message));
