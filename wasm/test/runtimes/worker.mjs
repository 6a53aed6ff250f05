// For Cloudflare's Workers.

import { Producer } from 'klamm';

import { work } from './work.mjs';

export default {
  async fetch(request) {
    const url = new URL(request.url);
    const [brokers, topic] = [url.searchParams.get('brokers'), url.searchParams.get('topic')];
    return Response.json(await work(Producer, { brokers }, topic));
  },
};
