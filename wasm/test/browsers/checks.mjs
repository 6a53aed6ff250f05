// What is to be true in the end.

import assert from 'node:assert/strict';

/** It has noticed, goes on, and all that it has sent is there once, in the order of each key. */
export async function checkProducer({ topic, calm, done }, { control, kafka }) {
  await control.until(topic, 'connected again', ({ connects }) => connects > calm.connects);
  const { sent } = control.newsOf(topic);
  await control.until(topic, 'delivered what was sent meanwhile', ({ delivered }) => delivered > sent);
  control.stop(topic);
  const { error, ...said } = await done();
  assert.equal(error, undefined);
  assert.deepEqual({ places: said.places, delivered: said.stats.delivered }, { places: said.known, delivered: said.sent });
  const records = kafka.read(topic);
  checkOrder(records, (value) => [Number(value)]);
  assert.equal(records.length, said.sent);
}

/** Within a key numbers ascend, so there are none twice. */
export function checkOrder(records, numbersOf) {
  const lastOf = new Map();
  for (const { key, value } of records) {
    const [last, numbers] = [lastOf.get(`${key}`), numbersOf(`${value}`)];
    const differs = last === undefined ? 0 : numbers.findIndex((number, at) => number !== last[at]);
    assert(last === undefined || (differs >= 0 && numbers[differs] > last[differs]), `${value} after ${last}`);
    lastOf.set(`${key}`, numbers);
  }
}
