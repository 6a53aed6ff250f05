// A bridge's tickets, and one WebSocket to it: with a class that only notes what is done to it.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { Tickets } from '../pkg/tickets.js';
import { overWebSocket } from '../pkg/websocket.js';

const text = (ticket) => JSON.stringify({ ticket });
const said = (ticket, id = '7') => JSON.stringify({ ticket, producer_id: id });

describe('tickets', () => {
  it('are shown on every connection, those that were kept first', () => {
    const told = [];
    const tickets = new Tickets(['kept', 'later'], (event) => told.push(event));
    const [first, second, gone] = [[], [], []];
    const says = [first, second, gone].map((list) => (words) => list.push(words));
    tickets.join(says[0]);
    tickets.join(says[2]);
    tickets.leave(says[2]);
    assert(tickets.take(said('new', '9007199254740993')));
    tickets.join(says[1]);
    assert.deepEqual(first, [text('kept'), text('later'), text('new')], 'also where it was open before');
    assert.deepEqual(gone, [text('kept'), text('later')]);
    assert.deepEqual(second, first);
    assert.deepEqual(told, [{ ticket: 'new', producerId: 9007199254740993n }]);
  });

  it('are at most so many as a bridge looks at: the oldest goes', () => {
    const tickets = new Tickets(Array.from({ length: 60 }, (_, n) => `${n}`), () => {});
    for (let n = 60; n < 100; n++) tickets.take(said(`${n}`));
    const shown = [];
    tickets.join((words) => shown.push(words));
    assert.deepEqual(shown, Array.from({ length: 64 }, (_, n) => text(`${36 + n}`)));
  });

  it('are not what else somebody may say', () => {
    const tickets = new Tickets(undefined, () => assert.fail('told'));
    for (const words of ['', 'null', '{}', '[]', '{"ticket":"x"}', '{"ticket":"x","producer_id":"y"}', '{"ticket":5,"producer_id":"5"}', '{"producer_id":"5"}']) {
      assert.equal(tickets.take(words), false, words);
    }
    tickets.join(() => assert.fail('kept'));
  });
});

/** The last one that was made. */
let made;
class Noted {
  OPEN = 1;
  readyState = 0;
  bufferedAmount = 0;
  sent = [];
  isClosed = false;
  constructor(url, protocols) {
    Object.assign(this, { url, protocols });
    made = this;
  }
  send(data) {
    this.sent.push(data);
  }
  close() {
    this.isClosed = true;
  }
  opens() {
    this.readyState = 1;
    this.onopen();
  }
}

/** A connection to the host, and what it has told. */
async function connection(options = {}, host = 'bootstrap') {
  made = undefined;
  const events = [];
  const note = (name) => (what) => events.push([name, what]);
  const dial = overWebSocket({ bridge: 'wss://example.org', webSocket: Noted, ...options }, note('ticket'));
  const link = dial({ host, port: 1 }, { open: () => events.push(['open', made.sent.length]), data: note('data'), drain: note('drain'), lost: note('lost') });
  await sleep(0);
  return { link, events, socket: made };
}

describe('a WebSocket to the bridge', () => {
  it('has the path of its broker below the bridge’s, and the token among its protocols', async () => {
    for (const [bridge, host, url] of [
      ['wss://example.org', 'bootstrap', 'wss://example.org/v1/kafka/bootstrap'],
      ['https://example.org/kafka/', 'broker-12', 'wss://example.org/kafka/v1/kafka/12'],
      [new URL('http://localhost:8080/a/b'), 'node3', 'ws://localhost:8080/a/b/v1/kafka/3'],
    ]) {
      const { socket } = await connection({ bridge, token: 'abc' }, host);
      assert.equal(socket.url, url);
      assert.deepEqual(socket.protocols, ['klamm.v1', 'tickets', 'bearer.abc']);
    }
    assert.deepEqual((await connection({ token: async () => 'from a function' })).socket.protocols.at(-1), 'bearer.from a function');
    assert.deepEqual((await connection()).socket.protocols, ['klamm.v1', 'tickets']);
    await assert.rejects(connection({}, 'nobody'), { code: 'PROTOCOL' });
  });

  it('shows tickets before anything else, and takes new ones', async () => {
    const { link, events, socket } = await connection({ ticket: 'kept' });
    socket.opens();
    link.write(new Uint8Array(3));
    socket.onmessage({ data: said('new') });
    socket.onmessage({ data: new Uint8Array([1, 2]).buffer });
    assert.deepEqual(socket.sent, [text('kept'), new Uint8Array(3), text('new')]);
    assert.deepEqual(events, [['open', 1], ['ticket', { ticket: 'new', producerId: 7n }], ['data', new Uint8Array([1, 2])]]);
  });

  it('ends on a text that is no ticket', async () => {
    const { events, socket } = await connection();
    socket.opens();
    socket.onmessage({ data: 'hello' });
    assert.equal(events.at(-1)[1].code, 'PROTOCOL');
    assert(socket.isClosed);
  });

  it('cuts what is written, and takes no more while too much waits', async () => {
    const { link, events, socket } = await connection();
    socket.opens();
    assert(link.write(new Uint8Array(150_000)));
    assert.deepEqual(socket.sent.map(({ length }) => length), [65_536, 65_536, 18_928]);
    socket.bufferedAmount = 262_145;
    assert.equal(link.write(new Uint8Array(1)), false);
    socket.bufferedAmount = 65_537;
    await sleep(50);
    assert.equal(events.length, 1, 'not yet');
    socket.bufferedAmount = 65_536;
    await sleep(50);
    assert.deepEqual(events.slice(1), [['drain', undefined]]);
    socket.readyState = 2;
    assert(link.write(new Uint8Array(1)));
    assert.equal(socket.sent.length, 4, 'it is closing, and says so in a moment');
  });

  it('says why it was closed, once', async () => {
    for (const [code, reason, word] of [[4401, 'expired', 'TOKEN'], [4403, 'topics', 'TOKEN'], [4502, '', 'CONNECTION'], [1006, '', 'CONNECTION']]) {
      const { events, socket } = await connection();
      const { onclose } = socket;
      onclose({ code, reason });
      onclose({ code, reason });
      assert.equal(events.length, 1);
      assert.equal(events[0][1].code, word);
      assert.match(events[0][1].message, new RegExp(`example.org/v1/kafka/bootstrap: closed \\(${code}${reason && `, ${reason}`}\\)`));
    }
    const { events } = await connection({ token: () => Promise.reject(new Error('no token today')) });
    assert.match(`${events[0][1]}`, /no token today/);
  });

  it('is not opened for who has left before the token came', async () => {
    let come;
    const { link, events } = await connection({ token: () => new Promise((resolve) => (come = resolve)) });
    link.close();
    come('late');
    await sleep(0);
    assert.equal(made, undefined);
    assert.deepEqual(events, []);
  });

  it('is told of no more once it was closed', async () => {
    const { link, events, socket } = await connection();
    socket.opens();
    const { onclose } = socket;
    link.close();
    assert(socket.isClosed);
    assert.deepEqual([socket.onopen, socket.onmessage, socket.onclose], [null, null, null]);
    onclose({ code: 1000, reason: '' });
    assert.deepEqual(events, [['open', 0]]);
  });
});
