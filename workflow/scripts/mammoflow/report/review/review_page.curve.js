// The FROC curve of the study, with a dot where the slider stands.
"use strict";

const SVG = "http://www.w3.org/2000/svg";

function svg(name, attributes, ...children) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

class Curve {
  static SIZE = {width: 280, height: 190, left: 38, right: 8, top: 8, bottom: 32};

  constructor(element) {
    this.element = element;
  }

  /** Draw the evaluation's points of a fold, or of "all", and make room for the dot. */
  draw(points, widest = 8) {
    const {threshold, hits, targets, false_positives, images} = points ?? {threshold: []};
    const rates = Array.from(threshold, (_, row) => [false_positives[row] / images[row], hits[row] / targets[row]]);
    this.widest = Math.max(0.5, Math.min(widest, Math.ceil(Math.max(0, ...rates.map(([fpi]) => fpi)))));
    const line = [[0, 0], ...rates].map(([fpi, tpr]) => this.#place(fpi, tpr).join(",")).join(" ");
    this.dot = svg("circle", {r: 5, class: "dot"});
    this.mark = svg("circle", {r: 4, class: "dot other", visibility: "hidden"});
    const {width, height, left, right, top, bottom} = Curve.SIZE;
    const frame = {x: left, y: top, width: width - left - right, height: height - top - bottom};
    const inside = svg("clipPath", {id: "inside"}, svg("rect", frame));
    this.element.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.element.replaceChildren(
      inside,
      ...this.#axes(),
      svg("polyline", {points: line, class: "curve", "clip-path": "url(#inside)"}),
      this.mark,
      this.dot,
    );
  }

  /** Put the dot, and the mark of another model, where they belong; null hides the mark. */
  move([fpi, tpr], other = null) {
    this.#put(this.dot, fpi, tpr);
    this.mark.setAttribute("visibility", other ? "visible" : "hidden");
    if (other) this.#put(this.mark, ...other);
  }

  #put(dot, fpi, tpr) {
    const [x, y] = this.#place(Math.min(fpi, this.widest), tpr);
    dot.setAttribute("cx", x);
    dot.setAttribute("cy", y);
  }

  #place(fpi, tpr) {
    const {width, height, left, right, top, bottom} = Curve.SIZE;
    return [left + ((width - left - right) * fpi) / this.widest, top + (height - top - bottom) * (1 - tpr)];
  }

  #axes() {
    const {height, bottom, left} = Curve.SIZE;
    const steps = [0, 0.25, 0.5, 0.75, 1];
    const across = steps.map((share) => {
      const [x, y] = this.#place(share * this.widest, 0);
      return svg("text", {x, y: y + 12, "text-anchor": "middle"}, `${+(share * this.widest).toFixed(2)}`);
    });
    const up = steps.flatMap((tpr) => {
      const [x, y] = this.#place(0, tpr), [end] = this.#place(this.widest, tpr);
      return [
        svg("line", {x1: x, y1: y, x2: end, y2: y, class: "grid"}),
        svg("text", {x: x - 4, y: y + 3, "text-anchor": "end"}, `${tpr}`),
      ];
    });
    const [middle] = this.#place(this.widest / 2, 0), [, half] = this.#place(0, 0.5);
    return [
      ...up,
      ...across,
      svg("text", {x: middle, y: height - bottom + 27, "text-anchor": "middle"}, "false positives per image"),
      svg("text", {transform: `translate(${left - 28} ${half}) rotate(-90)`, "text-anchor": "middle"}, "TPR"),
    ];
  }
}
