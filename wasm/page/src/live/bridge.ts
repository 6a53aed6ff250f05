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
  /** Is the broker running? */
  on: boolean;
  records: Stored[];
}

/** Milliseconds before its end from which on a token is not used. */
const MARGIN = 10_000;

export class Bridge {
  #token: string | undefined;

  /** `name`: who the page is. A producer id belongs to whoever got it, so all its tokens are for one name. */
  constructor(
    readonly base: URL,
    readonly name: string,
  ) {}

  async token(): Promise<string> {
    if (this.#token === undefined || ends(this.#token) - Date.now() < MARGIN) {
      this.#token = ((await this.#get(`dev/token?name=${this.name}`)) as { token: string }).token;
    }
    return this.#token;
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

/** When a token ends, in milliseconds since 1970. */
function ends(token: string): number {
  const claims = token.split('.')[1]?.replaceAll('-', '+').replaceAll('_', '/') ?? '';
  return Number((JSON.parse(atob(claims)) as { exp: number }).exp) * 1_000;
}
