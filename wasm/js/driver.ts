// The run loop: lets the core have its turns, and does what it asks for.

import { protocolError } from './errors.js';
import { gzip } from './gzip.js';
import type { Actions, Engine, Report } from './engine.js';
import type { Dial, Link } from './link.js';

/** The longest that a timer can wait. */
const LONGEST = 2 ** 31 - 1;

/** What the driver's owner is told, and asked. */
export interface DriverEvents {
  /** Before each turn: hands records over. Has anything changed? */
  beforeTurn(): boolean;
  /** After the last turn for now; returns when to come back at the latest, by `performance.now()`. */
  afterTurns(): number;
  report(report: Report): void;
  connected(broker: string): void;
  throttled(broker: string, ms: number): void;
  disconnected(broker: string, error: Error | undefined): void;
  /** The module has failed: it is of no use any more. */
  broken(error: unknown): void;
}

interface Connection {
  link: Link | undefined;
  broker: string;
}

export class Driver implements Actions {
  readonly #engine: Engine;
  readonly #dial: Dial;
  readonly #events: DriverEvents;
  readonly #connections: (Connection | undefined)[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #timerDue = Infinity;
  #isScheduled = false;
  #isOver = false;

  constructor(engine: Engine, dial: Dial, events: DriverEvents) {
    this.#engine = engine;
    this.#dial = dial;
    this.#events = events;
  }

  /** A turn is due when what runs now has run: so calls of one turn of the event loop share it. */
  readonly schedule = (): void => {
    if (this.#isScheduled || this.#isOver) return;
    this.#isScheduled = true;
    queueMicrotask(this.#run);
  };

  readonly #run = (): void => {
    this.#isScheduled = false;
    if (this.#isOver) return;
    try {
      let again: boolean;
      do {
        const moved = this.#events.beforeTurn();
        again = this.#engine.turn(this) || moved;
      } while (again);
      const due = this.#events.afterTurns();
      if (!this.#isOver) this.#arm(Math.min(due, performance.now() + this.#engine.sleep));
    } catch (error) {
      this.stop();
      this.#events.broken(error);
    }
  };

  /** A timer that rings too early does no harm, so it is set anew only to ring earlier. */
  #arm(due: number): void {
    if (due >= this.#timerDue) return;
    clearTimeout(this.#timer);
    this.#timerDue = due;
    const wait = Math.min(Math.max(Math.ceil(due - performance.now()), 0), LONGEST);
    this.#timer = setTimeout(() => {
      this.#timerDue = Infinity;
      this.#run();
    }, wait);
  }

  connect(number: number, host: string, port: number): void {
    const broker = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
    const connection: Connection = { link: undefined, broker };
    this.#connections[number] = connection;
    const isMine = (): boolean => this.#connections[number] === connection && !this.#isOver;
    const lose = (error: unknown): void => {
      if (!isMine()) return;
      this.#connections[number] = undefined;
      this.#engine.disconnected(number);
      this.schedule();
      this.#events.disconnected(broker, error === undefined ? undefined : asError(error));
    };
    try {
      connection.link = this.#dial({ host, port }, {
        open: () => {
          if (!isMine()) return;
          this.#engine.connected(number);
          this.schedule();
        },
        data: (bytes) => {
          if (isMine()) this.#received(number, broker, bytes);
        },
        drain: () => {
          if (!isMine()) return;
          this.#engine.setBusy(number, false);
          this.schedule();
        },
        lost: lose,
      });
    } catch (error) {
      // Not now: the core is in the middle of a turn.
      queueMicrotask(() => lose(error));
    }
  }

  #received(number: number, broker: string, bytes: Uint8Array): void {
    const said = this.#engine.received(number, bytes);
    this.schedule();
    if ((said & 256) !== 0) this.#events.connected(broker);
    if (said >>> 9 > 0) this.#events.throttled(broker, said >>> 9);
    if ((said & 255) !== 0) this.#events.disconnected(broker, protocolError(said & 255, broker));
  }

  close(number: number): void {
    const connection = this.#connections[number];
    this.#connections[number] = undefined;
    connection?.link?.close();
  }

  transmit(number: number, bytes: Uint8Array): void {
    const link = this.#connections[number]?.link;
    if (link !== undefined && !link.write(bytes)) this.#engine.setBusy(number, true);
  }

  report(report: Report): void {
    this.#events.report(report);
  }

  compress(job: number, bytes: Uint8Array): void {
    const done = (small: Uint8Array | undefined): void => {
      if (this.#isOver) return;
      this.#engine.compressed(job, small !== undefined && small.length < bytes.length ? small : undefined);
      this.schedule();
    };
    // What cannot be compressed goes out as it is.
    gzip(bytes).then(done, () => done(undefined));
  }

  /** The end: no more turns. With `gently` what was written goes out first. */
  stop(gently = false): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearTimeout(this.#timer);
    for (const connection of this.#connections) {
      if (gently) connection?.link?.end();
      else connection?.link?.close();
    }
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
