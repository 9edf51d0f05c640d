// The thumbnails: only those in view exist in the page.
"use strict";

class Gallery {
  static TILE = {width: 124, height: 192};

  /** `fill(element, item)` shows an item on a tile; `open(item)` is called for the item that is chosen. */
  constructor(element, fill, open) {
    this.element = element;
    this.fill = fill;
    this.open = open;
    this.items = [];
    this.current = 0;
    this.tiles = new Map();
    this.sheet = document.createElement("div");
    this.sheet.setAttribute("role", "presentation");
    element.append(this.sheet);
    element.addEventListener("scroll", () => this.#draw(), {passive: true});
    element.addEventListener("keydown", (event) => this.#key(event));
    new ResizeObserver(() => this.#layout()).observe(element);
  }

  /** Show other items; the chosen one stays chosen if it is still among them. */
  show(items) {
    if (items.length === this.items.length && items.every((item, place) => item === this.items[place]))
      return this.refresh();
    const chosen = this.items[this.current];
    this.items = items;
    this.current = Math.max(0, items.indexOf(chosen));
    for (const tile of this.tiles.values()) tile.remove();
    this.tiles.clear();
    this.#layout();
  }

  /** Fill the tiles in view again, because what they state has changed. */
  refresh() {
    for (const [place, tile] of this.tiles) this.fill(tile, this.items[place]);
  }

  /** Choose an item, and bring it into view. */
  choose(place, focus = false) {
    if (!this.items.length) return;
    this.tiles.get(this.current)?.setAttribute("aria-selected", "false");
    this.current = Math.min(Math.max(place, 0), this.items.length - 1);
    const top = Math.floor(this.current / this.across) * Gallery.TILE.height;
    const {scrollTop, clientHeight} = this.element;
    if (top < scrollTop) this.element.scrollTop = top;
    else if (top + Gallery.TILE.height > scrollTop + clientHeight)
      this.element.scrollTop = top + Gallery.TILE.height - clientHeight;
    this.#draw();
    const tile = this.tiles.get(this.current);
    this.#mark();
    if (focus) tile?.focus({preventScroll: true});
  }

  #layout() {
    this.across = Math.max(1, Math.floor(this.element.clientWidth / Gallery.TILE.width));
    this.sheet.style.height = `${Math.ceil(this.items.length / this.across) * Gallery.TILE.height}px`;
    for (const [place, tile] of this.tiles) this.#put(tile, place);
    this.#draw();
  }

  #draw() {
    const {scrollTop, clientHeight} = this.element, {height} = Gallery.TILE;
    const first = Math.max(0, Math.floor(scrollTop / height) - 1) * this.across;
    const last = Math.min(this.items.length, (Math.ceil((scrollTop + clientHeight) / height) + 1) * this.across);
    const free = [];
    for (const [place, tile] of this.tiles)
      if (place < first || place >= last) {
        this.tiles.delete(place);
        free.push(tile);
      }
    for (let place = first; place < last; place++)
      if (!this.tiles.has(place)) this.tiles.set(place, this.#tile(free.pop(), place));
    for (const tile of free) tile.remove();
    this.#mark();
  }

  /** A tile, new or used before, for the item at a place. */
  #tile(tile, place) {
    if (!tile) {
      tile = document.createElement("div");
      tile.className = "tile";
      tile.setAttribute("role", "option");
      tile.addEventListener("click", () => {
        this.choose(+tile.dataset.place);
        this.open(this.items[this.current]);
      });
      this.sheet.append(tile);
    }
    tile.dataset.place = place;
    tile.setAttribute("aria-posinset", place + 1);
    tile.setAttribute("aria-setsize", this.items.length);
    this.#put(tile, place);
    this.fill(tile, this.items[place]);
    return tile;
  }

  #put(tile, place) {
    const {width, height} = Gallery.TILE;
    tile.style.transform = `translate(${(place % this.across) * width}px, ${Math.floor(place / this.across) * height}px)`;
  }

  /** One tile can be reached by the tabulator: the chosen one, else the first in view. */
  #mark() {
    const reached = this.tiles.has(this.current) ? this.current : Math.min(...this.tiles.keys());
    for (const [place, tile] of this.tiles) {
      tile.tabIndex = place === reached ? 0 : -1;
      tile.setAttribute("aria-selected", `${place === this.current}`);
    }
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const page = Math.max(1, Math.floor(this.element.clientHeight / Gallery.TILE.height)) * this.across;
    const moves = {
      ArrowLeft: -1,
      ArrowRight: 1,
      ArrowUp: -this.across,
      ArrowDown: this.across,
      PageUp: -page,
      PageDown: page,
      Home: -this.items.length,
      End: this.items.length,
    };
    if (event.key in moves) this.choose(this.current + moves[event.key], true);
    else if (event.key === "Enter" || event.key === " ") this.open(this.items[this.current]);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
}
