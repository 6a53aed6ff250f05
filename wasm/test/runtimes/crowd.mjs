// Sends in a Worker, and counts how many connections it has at a time.

import { connect } from 'cloudflare:sockets';
import { Producer } from 'klamm';

import { crowd } from './crowded.mjs';

async function open({ host, port }) {
  const socket = connect({ hostname: host, port });
  await socket.opened;
  return socket;
}

export default {
  async fetch(request) {
    const { brokers, topic, partitions } = Object.fromEntries(new URL(request.url).searchParams);
    return Response.json(await crowd(Producer, { brokers }, open, topic, Number(partitions)));
  },
};
