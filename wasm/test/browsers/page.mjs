// A page that produces through a bridge.

import { Producer } from '/klamm/platform/browser.js';

import { work } from './work.mjs';

const { bridge, token, topic } = Object.fromEntries(new URLSearchParams(location.search));
let said;
try {
  said = await work(Producer, { bridge, token }, topic, location.origin);
} catch (error) {
  said = { error: `${error}` };
}
// The last word may meet a network that is not there yet.
while (!(await fetch(`/done?id=${topic}`, { method: 'POST', body: JSON.stringify(said) }).then(({ ok }) => ok, () => false)));
