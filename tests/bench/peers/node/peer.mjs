// What the producers in Node share: arguments, values, the loop, and the answer, as those in Rust have them (../src/params.rs,
// ../src/lib.rs). Each client has a file, which exports `start`; `mode` is a way of sending of its own.

import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

/** Messages of a call, where the client takes many. */
const PER_CALL = 5_000;

const args = Object.fromEntries(process.argv.slice(3).map((argument) => argument.split(/=(.*)/s).slice(0, 2)));
const options = {
  bootstrap: args.bootstrap.split(','),
  topic: args.topic,
  id: args.id ?? 'bench',
  linger: Number(args.linger ?? 5),
  compression: args.compression ?? 'none',
  mode: args.mode ?? '',
};
const { version, start } = await import(pathToFileURL(process.argv[2]).href);
const size = Number(args.size);
const bytes = readFileSync(args.values);
const values = Array.from({ length: Math.floor(bytes.length / size) }, (_, n) => bytes.subarray(n * size, (n + 1) * size));

const client = await start(options);
const warmup = Number(args.warmup ?? 0);
const warm = warmup > 0 ? await run(warmup) : { acked: 0 };
const [cpu, begin] = [process.cpuUsage(), performance.now()];
const { acked, failed } = await run(Number(args.records));
const seconds = (performance.now() - begin) / 1_000;
const { user, system } = process.cpuUsage(cpu);
const [, peak] = /VmHWM:\s*(\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8'));
const answer = { version, warmup: warm.acked, acked, failed, seconds, cpu_user: user / 1e6, cpu_system: system / 1e6, peak_rss: Number(peak) * 1_024, latency_us: [0, 0, 0, 0], idle_cpu: null };
console.log(JSON.stringify(answer));
await client.close();
process.exit(0);

/** Sends so many records, and waits for the outcome of all. */
async function run(records) {
  const tally = { acked: 0, failed: 0 };
  let next = 0;
  const message = () => client.message(values[next++ % values.length]);
  if (client.post !== undefined) {
    await client.post(records, message, tally);
    return tally;
  }
  // As many callers as the client has calls in flight, each with its next call when the last has its outcome.
  const caller = async () => {
    while (next < records) {
      const messages = [];
      for (let left = Math.min(PER_CALL, records - next); left > 0; left--) messages.push(message());
      try {
        await client.send(messages);
        tally.acked += messages.length;
      } catch (error) {
        console.error(error.message);
        tally.failed += messages.length;
      }
    }
  };
  await Promise.all(Array.from({ length: client.inFlight }, caller));
  return tally;
}
