// Whose records a report is about, also where a batch is reported in pieces (a split batch, which a broker in the
// other tests never asks for).

import assert from 'node:assert/strict';
import { it } from 'node:test';

import { Tracker } from '../pkg/tracker.js';

it('pieces of a batch, in any order, tell each message once', () => {
  const pieces = [[0, 3], [3, 1], [4, 4], [8, 2]];
  for (let seed = 0; seed < 24; seed++) {
    const tracker = new Tracker();
    const [a, b] = ['a', 'b'].map((name) => ({ name, isOne: false }));
    // Messages 5 to 9 of one call, then 0 to 2 of another, then 10 and 11 of the first.
    tracker.add(7, 0, a, 5, 2);
    tracker.add(7, 2, a, 7, 3);
    tracker.add(7, 5, b, 0, 3);
    tracker.add(7, 8, a, 10, 2);
    const told = [];
    const left = [...pieces];
    for (let rest = seed; left.length > 0; rest = Math.floor(rest / (left.length + 1))) {
      const [[first, records]] = left.splice(rest % left.length, 1);
      tracker.settle(7, first, records, (call, message, count, offset) => {
        for (let n = 0; n < count; n++) told.push(`${call.name}${message + n}@${first + offset + n}`);
      });
    }
    const expected = ['a5@0', 'a6@1', 'a7@2', 'a8@3', 'a9@4', 'b0@5', 'b1@6', 'b2@7', 'a10@8', 'a11@9'];
    assert.deepEqual(told.sort(), expected.sort());
    tracker.settleAll(() => assert.fail('everything was told'));
  }
});

it('what has no outcome is told at the end', () => {
  const tracker = new Tracker();
  const call = { isOne: false };
  tracker.add(0, 0, call, 0, 4);
  tracker.settle(0, 1, 2, () => {});
  const told = [];
  tracker.settleAll((_, first, count) => told.push([first, count]));
  assert.deepEqual(told, [[0, 1], [3, 1]]);
});
