// What every runtime does: calls until the broker was killed twice, which happens meanwhile.

/** At least. */
export const ROUNDS = 10;
export const PER_ROUND = 50;

/** Sends, and says how many places in the log there are for how many messages. */
export async function work(Producer, options, topic) {
  const producer = new Producer({ requestTimeoutMs: 2_000, ...options });
  const sends = [producer.send({ topic, messages: [{ key: '0', value: '-1' }] })];
  await sends[0];
  const calm = producer.stats().connects;
  const reconnects = () => producer.stats().connects - calm;
  for (let round = 0; round < ROUNDS || reconnects() < 2; round++) {
    const messages = Array.from({ length: PER_ROUND }, (_, n) => ({ key: `${n % 5}`, value: `${round * PER_ROUND + n}` }));
    sends.push(producer.send({ topic, messages }));
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const places = (await Promise.all(sends)).flat();
  await producer.close();
  const different = new Set(places.map(({ partition, offset }) => `${partition}/${offset}`));
  return { messages: places.length, places: different.size, stats: producer.stats(), reconnects: reconnects() };
}
