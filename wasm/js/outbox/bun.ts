// The outbox in Bun, which has Node's sockets and files.

export * from './node.js';
