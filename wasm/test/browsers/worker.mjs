// For Cloudflare's Workers.

import { Producer } from 'klamm';

import { work } from './work.mjs';

export default {
  async fetch(request) {
    const { options, topic, control } = Object.fromEntries(new URL(request.url).searchParams);
    return Response.json(await work(Producer, JSON.parse(options), topic, control));
  },
};
