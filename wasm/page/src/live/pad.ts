// Where the pointer moves: a canvas with the path, its points grey until the broker has them.

import { h, isCalm } from '../dom.ts';
import { colour } from '../theme.ts';

interface Point {
  number: number;
  x: number;
  y: number;
  at: number;
  isStored: boolean;
}

/** Milliseconds for which a point is to be seen. */
const LIFE = 4_000;
/** How far an arrow key goes. */
const STEP = 0.03;

export type Moved = (x: number, y: number) => number | undefined;

export class Pad {
  readonly element: HTMLElement;
  readonly #canvas = h('canvas', {});
  readonly #points: Point[] = [];
  readonly #open = new Map<number, Point>();
  #cursor = { x: 0.5, y: 0.5 };

  /** `moved` gets places from 0 to 1, and returns the record's number if there is one. */
  constructor(
    readonly moved: Moved,
    readonly bands: number,
  ) {
    this.element = h(
      'div',
      { class: 'pad', tabindex: 0, role: 'application', 'aria-label': 'Move the pointer here, or use the arrow keys' },
      this.#canvas,
      h('p', { class: 'hint' }, 'Move the pointer here'),
    );
    this.element.addEventListener('pointermove', (event) => {
      const events = event.getCoalescedEvents?.() ?? [];
      for (const each of events.length > 0 ? events : [event]) this.#pointer(each);
    });
    this.element.addEventListener('keydown', (event) => this.#key(event));
  }

  /** From a pointer, a motion, or the page itself. */
  move(x: number, y: number): void {
    this.#cursor = { x, y };
    const number = this.moved(x, y);
    if (number === undefined) return;
    const point = { number, x, y, at: performance.now(), isStored: false };
    this.#points.push(point);
    this.#open.set(number, point);
    this.element.classList.add('used');
  }

  /** The broker has this record. */
  stored(number: number): void {
    const point = this.#open.get(number);
    if (point) point.isStored = true;
    this.#open.delete(number);
  }

  draw(): void {
    const { clientWidth: width, clientHeight: height } = this.element;
    const ratio = devicePixelRatio;
    if (this.#canvas.width !== Math.round(width * ratio) || this.#canvas.height !== Math.round(height * ratio)) {
      this.#canvas.width = Math.round(width * ratio);
      this.#canvas.height = Math.round(height * ratio);
    }
    const context = this.#canvas.getContext('2d');
    if (!context) return;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    this.#drawBands(context, width, height);
    const now = performance.now();
    while (this.#points[0] && now - this.#points[0].at > LIFE && this.#points[0].isStored) this.#points.shift();
    if (this.#points.length > 4_000) this.#points.splice(0, this.#points.length - 4_000);
    const [stored, waiting] = [colour('--ok'), colour('--again')];
    for (const point of this.#points) {
      const age = isCalm() || !point.isStored ? 0 : Math.min((now - point.at) / LIFE, 1);
      context.globalAlpha = Math.max(1 - age, 0.05);
      context.fillStyle = point.isStored ? stored : waiting;
      context.beginPath();
      context.arc(point.x * width, point.y * height, point.isStored ? 2.5 : 3.5, 0, 2 * Math.PI);
      context.fill();
    }
    context.globalAlpha = 1;
  }

  #drawBands(context: CanvasRenderingContext2D, width: number, height: number): void {
    context.strokeStyle = colour('--line');
    context.fillStyle = colour('--muted');
    context.font = '12px ui-monospace, monospace';
    for (let band = 0; band < this.bands; band += 1) {
      const x = (band * width) / this.bands;
      if (band > 0) {
        context.beginPath();
        context.moveTo(x, 0);
        context.lineTo(x, height);
        context.stroke();
      }
      context.fillText(`partition ${band}`, x + 10, height - 12);
    }
  }

  #pointer(event: PointerEvent): void {
    const box = this.element.getBoundingClientRect();
    const x = (event.clientX - box.left) / box.width;
    const y = (event.clientY - box.top) / box.height;
    if (x >= 0 && x < 1 && y >= 0 && y < 1) this.move(x, y);
  }

  #key(event: KeyboardEvent): void {
    const ways: Record<string, [number, number]> = {
      ArrowLeft: [-STEP, 0],
      ArrowRight: [STEP, 0],
      ArrowUp: [0, -STEP],
      ArrowDown: [0, STEP],
    };
    const way = ways[event.key];
    if (!way) return;
    event.preventDefault();
    const within = (value: number) => Math.min(Math.max(value, 0), 0.999);
    this.move(within(this.#cursor.x + way[0]), within(this.#cursor.y + way[1]));
  }
}
