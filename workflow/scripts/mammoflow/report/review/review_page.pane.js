// One image with its layers: masses, probability map and boxes, in a viewer that zooms and pans.
"use strict";

const COLOURS = ["#000004", "#1b0c41", "#4a0c6b", "#781c6d", "#a52c60", "#cf4446", "#ed6925", "#fb9b06", "#f7d13d", "#fcffa4"]
  .map((colour) => [1, 3, 5].map((place) => parseInt(colour.slice(place, place + 2), 16)));

// Longest side of the drawn map in pixels; opacity of a pixel of probability 1.
const MAP_SIZE = 600, MAP_OPACITY = 0.75;

class Pane {
  constructor(element, title) {
    this.title = title;
    this.viewer = OpenSeadragon({
      element,
      drawer: "canvas",
      showNavigationControl: false,
      gestureSettingsMouse: {clickToZoom: false, dblClickToZoom: true},
      maxZoomPixelRatio: 8,
      animationTime: matchMedia("(prefers-reduced-motion: reduce)").matches ? 0 : 0.4,
      tabIndex: -1,
    });
    this.viewer.innerTracker.keyHandler = null;
    this.viewer.innerTracker.keyDownHandler = null;
    this.map = document.createElement("canvas");
    this.map.className = "map";
    this.map.setAttribute("aria-hidden", "true");
    this.marks = svg("svg", {class: "marks", "aria-hidden": "true"});
    this.viewer.addHandler("update-viewport", () => this.#size());
  }

  /** Show an image: `source` is its JPEG in Base64; `grid` its probability map, or null. */
  async show(shown, source, grid) {
    this.case = shown;
    this.grid = grid;
    const before = this.url;
    this.url = URL.createObjectURL(new Blob([bytesOf(source)], {type: "image/jpeg"}));
    await this.#open(this.url);
    if (before) URL.revokeObjectURL(before);
    this.#drawMap();
    this.marks.setAttribute("viewBox", `0 0 ${shown.columns} ${shown.rows}`);
    const place = new OpenSeadragon.Rect(0, 0, 1, shown.rows / shown.columns);
    for (const element of [this.map, this.marks]) this.viewer.addOverlay({element, location: place});
  }

  #open(url) {
    return new Promise((resolve, reject) => {
      this.viewer.addOnceHandler("open", resolve);
      this.viewer.addOnceHandler("open-failed", () => reject(new Error("the image cannot be decoded")));
      this.viewer.open({type: "image", url, buildPyramid: false});
    });
  }

  /** Draw masses and boxes; `boxes` are those of `Mode.boxesOf`, `found` the lesions that are hit. */
  mark(boxes, found, {masses, outlines}) {
    this.marks.replaceChildren(
      ...(masses ? this.case.contours.map((polygon) => svg("polygon", {points: polygon.join(" "), class: "contour"})) : []),
      ...(masses ? this.case.lesions.filter((_, lesion) => !found.has(lesion)).map((each) => rectangle(each.box, "missed")) : []),
      ...(outlines ? boxes.map(({box, verdict}) => rectangle(box, verdict)) : []),
      ...(outlines ? boxes.filter(({verdict}) => verdict !== "duplicate").map((box) => this.#score(box)) : []),
    );
    this.#size();
  }

  #score({box: [y0, x0], score, verdict}) {
    return svg("text", {x: x0, y: y0, class: `score ${verdict}`}, score.toFixed(2));
  }

  /** Grey values between `low` and `high`, in percent, from black to white; the reverse if `invert`. */
  window({low, high, invert}, opacity) {
    const [black, white] = [low / 100, Math.max(high, low + 1) / 100];
    const canvas = this.viewer.drawer?.canvas;
    if (canvas)
      canvas.style.filter =
        `brightness(${1 / (white + black)}) contrast(${(white + black) / (white - black)})` + (invert ? " invert(1)" : "");
    this.map.style.opacity = opacity / 100;
  }

  /** Text is as large on the screen at every zoom. */
  #size() {
    const item = this.viewer.world.getItemAt(0);
    if (!item) return;
    const zoom = item.viewportToImageZoom(this.viewer.viewport.getZoom(true));
    this.marks.style.setProperty("--pixel", `${1 / zoom}px`);
  }

  /** The map in colours, the more opaque the more probable, inside the breast. */
  #drawMap() {
    const {rows, columns, outline} = this.case;
    const scale = Math.min(1, MAP_SIZE / Math.max(rows, columns));
    const height = Math.max(1, Math.round(rows * scale)), width = Math.max(1, Math.round(columns * scale));
    Object.assign(this.map, {width, height});
    if (!this.grid) return;
    const context = this.map.getContext("2d");
    const picture = context.createImageData(width, height);
    for (let y = 0, pixel = 0; y < height; y++)
      for (let x = 0; x < width; x++, pixel += 4) {
        const probability = this.grid.at((y + 0.5) / scale, (x + 0.5) / scale);
        picture.data.set(COLOURS[Math.round(probability * (COLOURS.length - 1))], pixel);
        picture.data[pixel + 3] = 255 * MAP_OPACITY * probability;
      }
    context.putImageData(picture, 0, 0);
    context.globalCompositeOperation = "destination-in";
    context.fill(new Path2D(outline.map((polygon) => `M${polygon.map(([x, y]) => [x * scale, y * scale]).join("L")}Z`).join("")));
  }

  /** Probability under the pointer, or null outside the image. */
  probabilityAt(event) {
    const item = this.viewer.world.getItemAt(0);
    if (!item || !this.grid) return null;
    const {left, top} = this.viewer.element.getBoundingClientRect();
    const {x, y} = item.viewerElementToImageCoordinates(new OpenSeadragon.Point(event.clientX - left, event.clientY - top));
    return x >= 0 && y >= 0 && x < this.case.columns && y < this.case.rows ? this.grid.at(y, x) : null;
  }

  zoom(factor) {
    this.viewer.viewport?.zoomBy(factor).applyConstraints();
  }

  home() {
    this.viewer.viewport?.goHome();
  }

  /** Show the same part of the image as another pane. */
  follow(other) {
    const {viewport} = this.viewer;
    if (!viewport || !other.viewer.viewport) return;
    viewport.zoomTo(other.viewer.viewport.getZoom(), null, true);
    viewport.panTo(other.viewer.viewport.getCenter(), true);
  }
}

function rectangle([y0, x0, y1, x1], verdict) {
  return svg("rect", {x: x0, y: y0, width: x1 - x0, height: y1 - y0, class: `box ${verdict}`});
}
