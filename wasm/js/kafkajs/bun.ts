// `klamm/kafkajs` in Bun, which has Node's sockets and files.

export * from './node.js';
export { default } from './node.js';
