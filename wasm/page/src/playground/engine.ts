// The simulator's module, and the pictures that it gives.

import type { Counts, Lane, Line } from '../model.ts';

/** As `frame.rs` writes it. */
export interface Frame {
  now: number;
  counts: Counts & { refused: number };
  gauges: {
    retries: number;
    duplicates: number;
    in_flight: number;
    used: number;
    memory: number;
    batch: number;
    /** Answers to Produce so far, and the sum of the milliseconds they took. */
    answers: number;
    answer_time: number;
    producer_id: number | null;
    connections: number;
  };
  nodes: { id: number; up: boolean; cut: boolean; connected: boolean }[];
  lanes: Lane[];
  news: Line[];
  broken: string | null;
  audit: string | null;
  full: boolean;
}

/** What wasm-bindgen makes of `lib.rs`. */
export interface Engine {
  run(milliseconds: number): void;
  step(): void;
  setRate(rate: number): void;
  setChaos(on: boolean): void;
  send(partition: number, records: number): void;
  fault(name: string, target: number): void;
  heal(): void;
  finish(): void;
  frame(): string;
  free(): void;
}

interface Glue {
  default(options: { module_or_path: URL }): Promise<unknown>;
  Playground: new (seed: number, idempotent: boolean) => Engine;
}

/** Begins a run. */
export type Make = (seed: number, idempotent: boolean) => Engine;

/** Loads the module; what is returned starts runs. */
export async function load(): Promise<Make> {
  // @ts-ignore: it is made by wasm-bindgen, beside the bundle.
  const glue = (await import('./simulator/klamm_playground.js')) as Glue;
  await glue.default({ module_or_path: new URL('./simulator/klamm_playground_bg.wasm', import.meta.url) });
  return (seed, idempotent) => new glue.Playground(seed, idempotent);
}

export const picture = (engine: Engine): Frame => JSON.parse(engine.frame()) as Frame;
