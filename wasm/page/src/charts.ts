// Four small charts of the last half minute.

import uPlot from 'uplot';

import { grouped, h, setText } from './dom.ts';
import type { Sample } from './model.ts';
import { colour } from './theme.ts';

/** Seconds. */
const SPAN = 30;
const HEIGHT = 84;

interface Kind {
  name: string;
  unit: string;
  colour: string;
  of: (sample: Sample, before: Sample | undefined) => number | null;
  max?: number;
}

const KINDS: Kind[] = [
  {
    name: 'Delivered',
    unit: 'records/s',
    colour: '--ok',
    of: (sample, before) =>
      before && sample.at > before.at ? (sample.delivered - before.delivered) / (sample.at - before.at) : null,
  },
  { name: 'Latency', unit: 'ms', colour: '--fly', of: (sample) => sample.latency },
  { name: 'Batch fill', unit: '%', colour: '--sealed', of: (sample) => sample.fill, max: 100 },
  { name: 'In flight', unit: 'bytes', colour: '--fly', of: (sample) => sample.inFlight },
];

interface Chart {
  kind: Kind;
  plot: uPlot;
  host: HTMLElement;
  value: HTMLElement;
}

export class Charts {
  readonly element = h('div', { class: 'charts' });
  #samples: Sample[] = [];
  #charts: Chart[] = [];

  constructor() {
    new ResizeObserver(() => this.#resize()).observe(this.element);
  }

  clear(): void {
    this.#samples = [];
  }

  /** Draws with the colours of now. */
  restyle(): void {
    this.#charts.forEach((chart) => chart.plot.destroy());
    this.#charts = [];
    this.element.replaceChildren();
    this.#draw();
  }

  add(sample: Sample): void {
    this.#samples.push(sample);
    while ((this.#samples[0]?.at ?? 0) < sample.at - SPAN - 2) this.#samples.shift();
    this.#draw();
  }

  #draw(): void {
    if (this.element.clientWidth === 0) return;
    if (this.#charts.length === 0) this.#charts = KINDS.map((kind) => this.#make(kind));
    const times = this.#samples.map((sample) => sample.at);
    for (const { kind, plot, value } of this.#charts) {
      const values = this.#samples.map((sample, index) => kind.of(sample, this.#samples[index - 4]));
      plot.setData([times, values]);
      const last = values.findLast((number) => number !== null) ?? 0;
      setText(value, `${grouped(Math.round(last))} ${kind.unit}`);
    }
  }

  #make(kind: Kind): Chart {
    const value = h('span', { class: 'value' });
    const host = h('div', { class: 'plot', 'aria-hidden': true });
    this.element.append(h('figure', {}, h('figcaption', {}, h('span', {}, kind.name), value), host));
    const line = colour(kind.colour);
    const plot = new uPlot(
      {
        width: Math.max(host.clientWidth, 80),
        height: HEIGHT,
        legend: { show: false },
        cursor: { show: false },
        padding: [6, 0, 8, 0],
        scales: {
          x: { time: false, range: (_, __, max) => [max - SPAN, max] },
          y: { range: (_, __, max) => [0, kind.max ?? Math.max(2, max * 1.15)] },
        },
        axes: [
          { show: false },
          {
            side: 1,
            size: 40,
            stroke: colour('--muted'),
            font: '11px ui-monospace, monospace',
            grid: { stroke: colour('--line'), width: 1 },
            ticks: { show: false },
            splits: (_, __, min, max) => [min, (min + max) / 2, max],
            values: (_, splits) => splits.map(short),
          },
        ],
        series: [{}, { stroke: line, width: 1.5, fill: `${line}22`, points: { show: false } }],
      },
      [[], []],
      host,
    );
    return { kind, plot, host, value };
  }

  #resize(): void {
    if (this.#charts.length === 0) this.#draw();
    for (const { plot, host } of this.#charts) {
      if (host.clientWidth > 0) plot.setSize({ width: host.clientWidth, height: HEIGHT });
    }
  }
}

/** 1.2k */
function short(value: number): string {
  return value >= 1000 ? `${(value / 1000).toFixed(1)}k` : String(Math.round(value));
}
