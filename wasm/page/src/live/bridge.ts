// What a bridge started with --dev offers besides: tokens, its broker's switch, and what is in the broker's logs.

/** A record in a log. */
export interface Stored {
  offset: number;
  epoch: number;
  sequence: number;
  /** Which batch of the log it is in. */
  batch: number;
  value: string;
}

export interface LogPart {
  /** The offset behind the last record. */
  end: number;
  records: Stored[];
}

export class Bridge {
  constructor(readonly base: URL) {}

  async token(): Promise<string> {
    const { token } = (await this.#get('dev/token')) as { token: string };
    return token;
  }

  /** Stops the broker, or starts it with the logs it had. */
  async power(on: boolean): Promise<void> {
    const response = await fetch(new URL(`dev/broker/${on ? 'start' : 'stop'}`, this.base), { method: 'POST' });
    if (!response.ok) throw new Error(`the bridge answers ${response.status}`);
  }

  async log(topic: string, partition: number, offset: number): Promise<LogPart> {
    return (await this.#get(`dev/log/${topic}/${partition}?offset=${offset}`)) as LogPart;
  }

  async #get(path: string): Promise<unknown> {
    const response = await fetch(new URL(path, this.base), { cache: 'no-store' });
    if (!response.ok) throw new Error(`${path}: the bridge answers ${response.status}`);
    return response.json();
  }
}
