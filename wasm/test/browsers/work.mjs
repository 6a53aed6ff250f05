// What every runtime does: sends until it is told to stop, and says how far it is all the time.

/** Messages of a call, over so many keys. */
export const MESSAGES = 20;
export const KEYS = 5;
/** Milliseconds between two calls. */
export const PAUSE = 50;

export const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

export async function work(Producer, options, topic, control) {
  const producer = new Producer({ requestTimeoutMs: 2_000, reconnectBackoffMaxMs: 500, ...options });
  const sends = [];
  for (let number = 0; ; number += MESSAGES) {
    const messages = Array.from({ length: MESSAGES }, (_, n) => ({ key: `${n % KEYS}`, value: `${number + n}` }));
    sends.push(producer.send({ topic, messages }));
    const { delivered, notPersisted, unknown, connects } = producer.stats();
    if (await tell(control, { id: topic, topic, sent: number + MESSAGES, delivered, failed: notPersisted + unknown, connects })) break;
    await sleep(PAUSE);
  }
  const places = (await Promise.all(sends)).flat();
  await producer.close();
  // Of what was stored without an answer the place is not known.
  const known = places.filter(({ offset }) => offset !== undefined).map(({ partition, offset }) => `${partition}/${offset}`);
  return { sent: places.length, known: known.length, places: new Set(known).size, stats: producer.stats() };
}

/** Why there is no connection. */
export async function refused(Producer, options, topic) {
  const producer = new Producer(options);
  const why = new Promise((resolve) => producer.on('disconnected', ({ error }) => error && resolve(error)));
  const sent = producer.send({ topic, messages: [{ value: 'never' }] }).catch(({ code, persisted }) => ({ code, persisted }));
  const { code, message } = await why;
  await producer.close({ timeoutMs: 1 });
  return { code, message, sent: await sent };
}

/** Is it to stop? Without a network nobody says so. */
export async function tell(control, news) {
  try {
    const response = await fetch(`${control}/news`, { method: 'POST', body: JSON.stringify(news), signal: AbortSignal.timeout(1_000) });
    return (await response.text()) === 'stop';
  } catch {
    return false;
  }
}
