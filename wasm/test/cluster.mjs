// A cluster of so many nodes, each with a port of its own: what a producer needs of Kafka's protocol, before versions became
// flexible. For what takes more brokers than a broker with files can be started for.

import { once } from 'node:events';
import { createServer } from 'node:net';

const [PRODUCE, METADATA, API_VERSIONS, INIT_PRODUCER_ID] = [0, 3, 18, 22];
/** The first and the last version of each. */
const VERSIONS = { [PRODUCE]: [7, 7], [METADATA]: [7, 7], [API_VERSIONS]: [0, 0], [INIT_PRODUCER_ID]: [0, 1] };
const [OK, NOT_LEADER, UNSUPPORTED_VERSION, OUT_OF_ORDER] = [0, 6, 35, 45];

export class Cluster {
  #servers = [];
  #sockets = new Set();
  #logs;
  topic = 'crowd';
  /** Requests of each node with records in them. */
  produced;

  /** Partition n is led by node n modulo their number. */
  static async start(nodes, partitions) {
    const cluster = new Cluster();
    cluster.produced = Array(nodes).fill(0);
    cluster.#logs = Array.from({ length: partitions }, () => ({ next: 0, values: [] }));
    for (let node = 0; node < nodes; node++) {
      const server = createServer({ noDelay: true }, (socket) => cluster.#serve(node, socket)).listen(0, '127.0.0.1');
      await once(server, 'listening');
      cluster.#servers.push(server);
    }
    return cluster;
  }

  #port = (node) => this.#servers[node].address().port;

  get bootstrap() {
    return `127.0.0.1:${this.#port(0)}`;
  }

  /** The values of a partition. */
  log = (partition) => this.#logs[partition].values;

  stop() {
    this.#sockets.forEach((socket) => socket.destroy());
    this.#servers.forEach((server) => server.close());
  }

  #serve(node, socket) {
    let rest = Buffer.alloc(0);
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
    // Whoever has what it wants goes.
    socket.on('error', () => {});
    socket.on('data', (bytes) => {
      rest = Buffer.concat([rest, bytes]);
      while (rest.length >= 4 && rest.length >= 4 + rest.readInt32BE(0)) {
        const end = 4 + rest.readInt32BE(0);
        socket.write(this.#answer(node, new Reader(rest.subarray(4, end))));
        rest = rest.subarray(end);
      }
    });
  }

  #answer(node, request) {
    const [api, version] = [request.i16(), request.i16()];
    const answer = new Writer().i32(request.i32());
    request.text();
    const [first, last] = VERSIONS[api];
    const isKnown = first <= version && version <= last;
    if (api === API_VERSIONS) return versions(answer, isKnown ? OK : UNSUPPORTED_VERSION).frame();
    if (!isKnown) throw new Error(`API ${api} has no version ${version}`);
    if (api === METADATA) return this.#metadata(request, answer).frame();
    if (api === INIT_PRODUCER_ID) return answer.i32(0).i16(OK).i64(1n).i16(0).frame();
    return this.#produce(node, request, answer).frame();
  }

  #metadata(request, answer) {
    const topics = request.array(() => request.text());
    answer.i32(0).array(this.#servers, (_, node) => answer.i32(node).text('127.0.0.1').i32(this.#port(node)).text(null));
    return answer.text(null).i32(0).array(topics, (topic) => {
      answer.i16(OK).text(topic).i8(0).array(this.#logs, (_, partition) => {
        const leader = this.#leader(partition);
        answer.i16(OK).i32(partition).i32(leader).i32(0);
        for (const replicas of [[leader], [leader], []]) answer.array(replicas, (replica) => answer.i32(replica));
      });
    });
  }

  #leader = (partition) => partition % this.#servers.length;

  #produce(node, request, answer) {
    this.produced[node]++;
    request.text();
    request.skip(2 + 4);
    const topics = request.array(() => [request.text(), request.array(() => [request.i32(), request.bytes()])]);
    answer.array(topics, ([topic, parts]) => {
      answer.text(topic).array(parts, ([partition, batch]) => {
        const [code, offset] = this.#leader(partition) === node ? this.#append(this.#logs[partition], batch) : [NOT_LEADER, -1];
        answer.i32(partition).i16(code).i64(BigInt(offset)).i64(-1n).i64(0n);
      });
    });
    return answer.i32(0);
  }

  /** In the order of the sequence numbers of the one producer that there is, or not at all. */
  #append(log, bytes) {
    const batch = new Reader(bytes);
    batch.skip(53);
    const [sequence, count] = [batch.i32(), batch.i32()];
    if (sequence !== log.next) return [OUT_OF_ORDER, -1];
    const offset = log.values.length;
    for (let n = 0; n < count; n++) log.values.push(batch.record());
    log.next += count;
    return [OK, offset];
  }
}

function versions(answer, code) {
  return answer.i16(code).array(Object.entries(VERSIONS), ([api, [first, last]]) => answer.i16(Number(api)).i16(first).i16(last));
}

class Reader {
  #at = 0;

  constructor(bytes) {
    this.buffer = bytes;
  }

  skip = (count) => ((this.#at += count), this.#at - count);
  i16 = () => this.buffer.readInt16BE(this.skip(2));
  i32 = () => this.buffer.readInt32BE(this.skip(4));
  #take = (length) => (length < 0 ? null : this.buffer.subarray(this.skip(length), this.#at));
  text = () => this.#take(this.i16())?.toString() ?? null;
  bytes = () => this.#take(this.i32());
  array = (read) => Array.from({ length: Math.max(this.i32(), 0) }, read);

  varint() {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.buffer[this.skip(1)];
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return (value >>> 1) ^ -(value & 1);
    }
  }

  /** The value of a record, as text. */
  record() {
    const end = this.varint() + this.#at;
    this.skip(1);
    this.varint();
    this.varint();
    this.#take(this.varint());
    const value = this.#take(this.varint()).toString();
    this.#at = end;
    return value;
  }
}

class Writer {
  #parts = [];

  #put(size, write) {
    const part = Buffer.alloc(size);
    write(part);
    this.#parts.push(part);
    return this;
  }

  i8 = (value) => this.#put(1, (part) => part.writeInt8(value));
  i16 = (value) => this.#put(2, (part) => part.writeInt16BE(value));
  i32 = (value) => this.#put(4, (part) => part.writeInt32BE(value));
  i64 = (value) => this.#put(8, (part) => part.writeBigInt64BE(value));

  text(value) {
    if (value === null) return this.i16(-1);
    this.i16(Buffer.byteLength(value));
    this.#parts.push(Buffer.from(value));
    return this;
  }

  array(values, write) {
    this.i32(values.length);
    values.forEach(write);
    return this;
  }

  frame() {
    const body = Buffer.concat(this.#parts);
    const head = Buffer.alloc(4);
    head.writeInt32BE(body.length);
    return Buffer.concat([head, body]);
  }
}
