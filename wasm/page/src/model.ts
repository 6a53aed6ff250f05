// What both modes draw. Of the playground it is `frame.rs` of the crate; live it is put together from the wire.

export type State = 'open' | 'sealed' | 'flying' | 'again' | 'failed';

/** A batch without an outcome. */
export interface Batch {
  id: string;
  state: State;
  records: number;
  /** From 0 to 1. */
  fill: number;
  epoch: number | null;
  sequence: number | null;
  tries: number;
  node: number | null;
}

/** A batch in the log. */
export interface Logged {
  /** The batch it was on its way. */
  id: string;
  offset: number;
  records: number;
  epoch: number;
  sequence: number;
  /** Does the producer know? */
  acknowledged: boolean;
}

export interface Lane {
  partition: number;
  leader: number | null;
  in_sync: number[];
  /** Records in the log, all in all. */
  end: number;
  batches: Batch[];
  log: Logged[];
}

/** In records. */
export interface Counts {
  accepted: number;
  delivered: number;
  failed: number;
  unknown: number;
  buffered: number;
  /** Read from the logs, as are the two that follow; null where they cannot be read. */
  stored: number | null;
  lost: number | null;
  twice: number | null;
}

/** What the charts are drawn from. */
export interface Sample {
  /** Seconds. */
  at: number;
  delivered: number;
  /** Milliseconds. */
  latency: number | null;
  /** Per cent. */
  fill: number | null;
  /** Bytes. */
  inFlight: number;
}

export interface Line {
  /** Milliseconds. */
  at: number;
  tone: 'plain' | 'fault' | 'warn' | 'bad';
  text: string;
}
