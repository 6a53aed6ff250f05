// Connections to the bridge: WebSockets that can be cut, and that are looked at on their way.

/** What the package asks of a transport. */
export interface Transport {
  readable: ReadableStream<Uint8Array>;
  writable: WritableStream<Uint8Array>;
  close(): void;
}

/** Sees the bytes of one connection. */
export interface Witness {
  sent(bytes: Uint8Array): void;
  received(bytes: Uint8Array): void;
  closed(): void;
}

const HIGH_WATER = 256 * 1024;
/** Milliseconds between two looks at what a WebSocket keeps. */
const LOOK = 5;

/** A network of which the page pulls the plug. */
export class Wire {
  #isCut = false;
  readonly #open = new Set<Connection>();
  #mended: (() => void)[] = [];

  constructor(
    readonly base: URL,
    readonly token: () => Promise<string>,
    readonly witness: (host: string) => Witness,
  ) {}

  get isCut(): boolean {
    return this.#isCut;
  }

  /** Nothing arrives any more, and nobody is told; mended, connections that lost something are reset. */
  set isCut(cut: boolean) {
    this.#isCut = cut;
    if (cut) return;
    for (const connection of this.#open) if (connection.lostSomething) connection.reset();
    this.#mended.splice(0).forEach((go) => go());
  }

  readonly transport = async ({ host }: { host: string; port: number }, signal: AbortSignal): Promise<Transport> => {
    while (this.#isCut) await this.#untilMended(signal);
    const url = new URL(this.base);
    url.pathname += `v1/kafka/${host === 'bootstrap' ? host : (/\d+$/.exec(host)?.[0] ?? host)}`;
    const socket = new WebSocket(url, ['klamm.v1', `bearer.${await this.token()}`]);
    socket.binaryType = 'arraybuffer';
    await opened(socket, signal);
    const connection = new Connection(socket, this, this.witness(host));
    this.#open.add(connection);
    socket.addEventListener('close', () => this.#open.delete(connection));
    return connection.transport;
  };

  #untilMended(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#mended.push(resolve);
      signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
    });
  }
}

class Connection {
  lostSomething = false;
  readonly transport: Transport;
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;

  constructor(
    readonly socket: WebSocket,
    wire: Wire,
    witness: Witness,
  ) {
    const readable = new ReadableStream<Uint8Array>({ start: (controller) => (this.#controller = controller) });
    socket.addEventListener('message', ({ data }: MessageEvent<ArrayBuffer>) => {
      if (wire.isCut) {
        this.lostSomething = true;
        return;
      }
      const bytes = new Uint8Array(data);
      witness.received(bytes);
      this.#controller?.enqueue(bytes);
    });
    socket.addEventListener('close', () => {
      witness.closed();
      this.#end();
    });
    const writable = new WritableStream<Uint8Array>({
      write: async (bytes) => {
        witness.sent(bytes);
        // Chromium notes in the console what is sent into a connection that is closing.
        if (wire.isCut || socket.readyState !== WebSocket.OPEN) {
          this.lostSomething = true;
          return;
        }
        socket.send(bytes as Uint8Array<ArrayBuffer>);
        while (socket.readyState === WebSocket.OPEN && socket.bufferedAmount > HIGH_WATER) await sleep(LOOK);
      },
      close: () => socket.close(),
      abort: () => socket.close(),
    });
    this.transport = { readable, writable, close: () => socket.close() };
  }

  reset(): void {
    this.socket.close();
    this.#end();
  }

  #end(): void {
    try {
      this.#controller?.close();
    } catch {
      // It was closed, or nobody reads it any more.
    }
    this.#controller = undefined;
  }
}

function opened(socket: WebSocket, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.addEventListener('open', () => resolve(), { once: true });
    socket.addEventListener('close', ({ code }) => reject(new Error(`closed before it was open (${code})`)), { once: true });
    signal.addEventListener('abort', () => socket.close(), { once: true });
  });
}

const sleep = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));
