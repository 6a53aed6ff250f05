// Batches as they are seen on the wire: in flight, answered, or to be sent again.

import type { Batch } from '../model.ts';
import { answers, correlation, Frames, PRODUCE, type Produced, request, type Request } from './kafka.ts';
import type { Witness } from './wire.ts';

interface Flight {
  batch: Produced;
  state: 'flying' | 'again';
  tries: number;
  node: number | null;
  since: number;
}

const key = ({ partition, epoch, sequence }: Produced): string => `${partition}.${epoch}.${sequence}`;

export class Flights {
  readonly #flights = new Map<string, Flight>();
  readonly #latencies: number[] = [];
  readonly #fills: number[] = [];
  retries = 0;

  constructor(readonly batchSize: number) {}

  witness(host: string): Witness {
    return new Watcher(this, /\d+$/.test(host) ? Number(/\d+$/.exec(host)?.[0]) : null);
  }

  sent(batch: Produced, node: number | null): void {
    const before = this.#flights.get(key(batch));
    // Numbers begin again under a new epoch: what had the old ones is among what is sent now.
    for (const [name, flight] of this.#flights) {
      if (flight.batch.partition === batch.partition && flight.batch.epoch < batch.epoch) this.#flights.delete(name);
    }
    if (before) this.retries += 1;
    else this.#fills.push(Math.min(batch.bytes / this.batchSize, 1));
    const tries = (before?.tries ?? 0) + 1;
    this.#flights.set(key(batch), { batch, state: 'flying', tries, node, since: performance.now() });
  }

  answered(batch: Produced, code: number): void {
    const flight = this.#flights.get(key(batch));
    if (!flight) return;
    // 46: the broker had it already.
    if (code !== 0 && code !== 46) {
      flight.state = 'again';
      return;
    }
    this.#latencies.push(performance.now() - flight.since);
    // A success settles every batch before it.
    for (const [name, { batch: other }] of this.#flights) {
      if (other.partition === batch.partition && other.epoch === batch.epoch && other.sequence <= batch.sequence) this.#flights.delete(name);
    }
  }

  unanswered(batch: Produced): void {
    const flight = this.#flights.get(key(batch));
    if (flight) flight.state = 'again';
  }

  /** Records of a partition that were sent and have no outcome. */
  records(partition: number): number {
    let sum = 0;
    for (const { batch } of this.#flights.values()) if (batch.partition === partition) sum += batch.records;
    return sum;
  }

  /** A partition without records under way has no batches, whatever was seen. */
  clear(partition: number): void {
    for (const [name, { batch }] of this.#flights) if (batch.partition === partition) this.#flights.delete(name);
  }

  batches(partition: number): Batch[] {
    const here = [...this.#flights.values()].filter(({ batch }) => batch.partition === partition);
    here.sort((one, other) => one.batch.sequence - other.batch.sequence);
    return here.map(({ batch, state, tries, node }) => ({
      id: key(batch),
      state,
      records: batch.records,
      fill: Math.min(batch.bytes / this.batchSize, 1),
      epoch: batch.epoch,
      sequence: batch.sequence,
      tries,
      node,
    }));
  }

  get bytesInFlight(): number {
    let sum = 0;
    for (const { state, batch } of this.#flights.values()) if (state === 'flying') sum += batch.bytes;
    return sum;
  }

  /** Milliseconds, and a share, on average since it was asked for the last time. */
  takeAverages(): { latency: number | null; fill: number | null } {
    return { latency: average(this.#latencies.splice(0)), fill: average(this.#fills.splice(0)) };
  }
}

function average(values: number[]): number | null {
  return values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** One connection. Brokers answer in order. */
class Watcher implements Witness {
  readonly #up = new Frames();
  readonly #down = new Frames();
  #awaited: Request[] = [];

  constructor(
    readonly flights: Flights,
    readonly node: number | null,
  ) {}

  sent(bytes: Uint8Array): void {
    for (const frame of this.#up.push(bytes)) {
      const seen = request(frame);
      this.#awaited.push(seen);
      for (const batch of seen.batches) this.flights.sent(batch, this.node);
    }
  }

  received(bytes: Uint8Array): void {
    for (const frame of this.#down.push(bytes)) {
      const asked = this.#awaited.shift();
      if (!asked || asked.correlation !== correlation(frame)) continue;
      if (asked.api !== PRODUCE) continue;
      const given = answers(frame, asked.version);
      for (const batch of asked.batches) {
        const answer = given.find(({ partition }) => partition === batch.partition);
        this.flights.answered(batch, answer?.code ?? -1);
      }
    }
  }

  closed(): void {
    for (const { batches } of this.#awaited.splice(0)) batches.forEach((batch) => this.flights.unanswered(batch));
  }
}
