// A page's script, as a user writes it.

import { init, Producer } from 'klamm';

const { bridge, token, topic, codecs, module } = Object.fromEntries(new URLSearchParams(location.search));
let said;
try {
  if (module) await init({ module, codecs: true });
  const offsets = [];
  for (const compressionType of codecs.split(',')) {
    const producer = new Producer({ bridge, token, compressionType });
    const [place] = await producer.send({ topic, messages: [{ value: `by ${compressionType}` }] });
    await producer.close();
    offsets.push(`${place.offset}`);
  }
  said = { offsets };
} catch (error) {
  said = { error: `${error}` };
}
await fetch(`/done?id=${topic}`, { method: 'POST', body: JSON.stringify(said) });
