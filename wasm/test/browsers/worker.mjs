// For Cloudflare's Workers.

import { Producer } from 'klamm';

import { refused, work } from './work.mjs';

export default {
  async fetch(request) {
    const { options, topic, control } = Object.fromEntries(new URL(request.url).searchParams);
    const answer = control === 'refused' ? refused(Producer, JSON.parse(options), topic) : work(Producer, JSON.parse(options), topic, control);
    return Response.json(await answer);
  },
};
