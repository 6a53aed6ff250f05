// A page that stores first, and sends through a bridge, until it is told to stop, or gone. Each load is a life, with
// numbers of its own; lives of a tab follow each other.

import { Outbox } from '/klamm/outbox/browser.js';

import { KEYS, MESSAGES, PAUSE, sleep, tell } from './work.mjs';

const { bridge, token, topic, tab } = Object.fromEntries(new URLSearchParams(location.search));
const id = `${topic}/${tab}`;
const life = Math.round(performance.timeOrigin);
const news = { id, topic, life, stored: 0, delivered: 0, leads: false, connects: 0, doubtful: 0, failed: 0 };

const outbox = new Outbox({ name: topic, bridge, token, requestTimeoutMs: 2_000, reconnectBackoffMaxMs: 500 });
outbox.on('delivered', () => news.delivered++);
outbox.on('possiblyDuplicated', () => news.doubtful++);
outbox.on('failed', () => news.failed++);
outbox.on('leading', () => (news.leads = true));
outbox.on('connected', () => news.connects++);
const errors = [];
outbox.on('error', (error) => errors.push(`${error}`));

for (;;) {
  const messages = Array.from({ length: MESSAGES }, (_, n) => ({ key: `${tab}-${n % KEYS}`, value: `${tab} ${life} ${news.stored + n}` }));
  await outbox.send({ topic, messages });
  news.stored += MESSAGES;
  if (await tell(location.origin, news)) break;
  await sleep(PAUSE);
}
await outbox.flush();
await fetch(`/done?id=${id}`, { method: 'POST', body: JSON.stringify({ ...news, errors, left: (await outbox.usage()).records }) });
