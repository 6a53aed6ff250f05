// What a producer does that has more brokers than connections.

/** Messages of each partition, in so many calls. */
export const [CALLS, EACH] = [10, 20];

/** `open`: what the runtime connects by. The answer: how many connections there were at a time, and places of messages. */
export async function crowd(Producer, options, open, topic, partitions) {
  let [now, most] = [0, 0];
  const transport = async (address, signal) => {
    now++;
    most = Math.max(most, now);
    const leave = once(() => now--);
    try {
      const { readable, writable, close } = await open(address, signal);
      return { readable, writable, close: () => (leave(), close()) };
    } catch (error) {
      leave();
      throw error;
    }
  };
  const producer = new Producer({ ...options, transport });
  const sends = [];
  for (let call = 0; call < CALLS; call++) {
    const messages = Array.from({ length: EACH * partitions }, (_, n) => ({ partition: n % partitions, value: `${call * EACH + Math.floor(n / partitions)}` }));
    sends.push(producer.send({ topic, messages }));
    // Requests are many, and not one for each broker.
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  const places = (await Promise.all(sends)).flat();
  await producer.close();
  return { most, open: now, places: new Set(places.map(({ partition, offset }) => `${partition}/${offset}`)).size };
}

function once(act) {
  let isDone = false;
  return () => {
    if (!isDone) act();
    isDone = true;
  };
}
