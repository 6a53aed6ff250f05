// A bridge as it is built with KafkaJS: `http-bridge.mjs BROKER PORT`. A POST of lines of JSON is a `send`, its answer
// says where they are. It checks no more than it has to: no tokens, no rates.

import { createServer } from 'node:http';

import { Kafka, logLevel } from 'kafkajs';

const [broker, port] = process.argv.slice(2);
const producer = new Kafka({ brokers: [broker], logLevel: logLevel.ERROR }).producer();
await producer.connect();

const server = createServer((request, response) => {
  const pieces = [];
  request.on('data', (piece) => pieces.push(piece));
  request.on('end', async () => {
    try {
      const lines = Buffer.concat(pieces).toString().split('\n').filter((line) => line !== '');
      const messages = lines.map((line) => JSON.parse(line));
      const placed = await producer.send({ topic: request.url.slice('/topics/'.length), messages });
      // KafkaJS says where each partition's first is; more precisely it is not answered.
      const records = messages.map((_, n) => ({ partition: placed[n % placed.length].partition, offset: Number(placed[n % placed.length].baseOffset) }));
      const body = JSON.stringify({ records });
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }).end(body);
    } catch (error) {
      response.writeHead(500).end(`${error}`);
    }
  });
});
server.keepAliveTimeout = 60_000;
server.listen(Number(port), '127.0.0.1', () => console.log('ready'));
