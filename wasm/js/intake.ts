// The way in: from calls, over the staging area, into the core. What there is no room for waits here, bounded in bytes
// and in time.

import type { Call } from './call.js';
import { KlammError, brokerError, refusal, topicError } from './errors.js';
import type { Engine } from './engine.js';
import { asMessageError, checkPartition, serialized } from './serialized.js';
import { Staging } from './staging.js';
import { Topic, type Waiting } from './topic.js';
import type { Tracker } from './tracker.js';
import type { AnyOptions, Message } from './types.js';

/** Errors of a topic that time does not heal: INVALID_TOPIC_EXCEPTION and TOPIC_AUTHORIZATION_FAILED. */
const FINAL = [17, 29];

/** What happens to messages on their way. */
export interface IntakeEvents {
  /** So many messages of this call are the core's, or refused. */
  passed(call: Call, count: number): void;
  /** These messages get no further; the first one's place in its call. */
  refused(call: Call, place: number, messages: readonly Message[], error: KlammError): void;
}

export class Intake {
  /** Messages that wait or are staged. */
  queued = 0;
  queuedBytes = 0;
  /** The core had no room for what is staged. */
  isBlocked = false;
  /** By the core's handles. */
  readonly topics: Topic[] = [];
  readonly #byName = new Map<string, Topic>();
  /** Those with messages that wait. */
  readonly #pending = new Set<Topic>();
  #engine: Engine | undefined;
  #staging: Staging | undefined;
  #blockedSince = 0;

  constructor(
    readonly options: AnyOptions,
    readonly tracker: Pick<Tracker, 'add'>,
    readonly events: IntakeEvents,
  ) {}

  /** There is a core now. */
  start(engine: Engine): void {
    this.#engine = engine;
    this.#staging = new Staging(engine);
    for (const topic of this.#byName.values()) this.#register(topic);
  }

  topic(name: string): Topic {
    let topic = this.#byName.get(name);
    if (topic === undefined) {
      topic = new Topic(name);
      if (this.#engine !== undefined) this.#register(topic);
      // Else a program that makes up names would fill the memory.
      if (topic.handle >= 0 || this.#engine === undefined) this.#byName.set(name, topic);
    }
    return topic;
  }

  #register(topic: Topic): void {
    const handle = this.#engine!.topic(topic.name);
    topic.handle = handle;
    if (handle >= 0) this.topics[handle] = topic;
  }

  /** Takes a call's messages: stages them, and keeps what there is no room for. */
  take(call: Call, messages: readonly Message[], codec: number): void {
    this.queued += messages.length;
    const { topic } = call;
    const waiting = { call, messages, next: 0, codec, deadline: 0, bytes: 0 };
    if (topic.partitions > 0 && topic.waiting.length === 0 && !this.isBlocked && this.#stage(waiting)) return;
    waiting.deadline = performance.now() + (this.options.maxBlockMs ?? 60_000);
    for (let n = waiting.next; n < messages.length; n++) waiting.bytes += size(messages[n]!);
    this.queuedBytes += waiting.bytes;
    topic.waiting.push(waiting);
    this.#pending.add(topic);
  }

  /** Moves what can move. Has anything been handed to the core? */
  pump(): boolean {
    if (this.#engine === undefined) return false;
    let moved = this.#handOver();
    for (const topic of this.#pending) {
      if (!this.#isReady(topic)) continue;
      for (let head = topic.waiting.head; head !== undefined && !this.isBlocked; head = topic.waiting.head) {
        if (!this.#stage(head)) break;
        // A listener may have aborted the call meanwhile.
        if (topic.waiting.head === head) this.#forget(topic.waiting.shift()!);
      }
      if (topic.waiting.length === 0) this.#pending.delete(topic);
      if (this.isBlocked) break;
    }
    moved = this.#handOver() || moved;
    return moved;
  }

  #isReady(topic: Topic): boolean {
    const engine = this.#engine!;
    if (topic.handle < 0) {
      this.#fail(topic, refusal(-topic.handle, 0, 0, topic.name));
      this.#byName.delete(topic.name);
      return false;
    }
    if (topic.partitions === 0) {
      topic.partitions = engine.partitions(topic.handle);
      const error = topic.partitions > 0 ? 0 : engine.topicError(topic.handle);
      if (FINAL.includes(error)) this.#fail(topic, topicError(topic.name, error));
    }
    return topic.partitions > 0;
  }

  /** Stages a call's messages. Are all of them? */
  #stage(waiting: Waiting): boolean {
    const { call, messages, codec } = waiting;
    while (waiting.next < messages.length) {
      if (this.#staging!.isFull) this.#handOver();
      try {
        const staged = () => this.#put(call, messages, waiting.next, codec);
        if (this.isBlocked || (!staged() && !(this.#handOver() && !this.isBlocked && staged()))) return false;
        waiting.next++;
      } catch (error) {
        // First: whoever is told may abort the call.
        this.#refuse(call, messages, waiting.next++, 1, error);
      }
    }
    return true;
  }

  #put(call: Call, messages: readonly Message[], place: number, codec: number): boolean {
    const message = messages[place]!;
    const { name: topic, handle } = call.topic;
    const { partitioner } = this.options;
    let { partition } = message;
    if (partition === undefined && typeof partitioner === 'function') {
      partition = partitioner({ topic, partitions: this.#engine!.partitions(handle), leader: (n) => this.#engine!.leader(handle, n), message });
    }
    checkPartition(partition, topic);
    const [key, value] = serialized(message, topic, this.options);
    return this.#staging!.put(call, messages, place, key, value, partition ?? -1, codec);
  }

  /** Gives what is staged to the core. Has it taken anything? */
  #handOver(): boolean {
    const staging = this.#staging!;
    let moved = false;
    this.isBlocked = false;
    while (staging.end > 0) {
      const [at, end] = this.#engine!.append(staging.end);
      const words = this.#engine!.words;
      const [records, bytes, stopped] = [words[at]!, words[at + 1]!, words[at + 2]!];
      this.#sort(words, at + 4, end, records);
      staging.consume(bytes, records);
      moved ||= records > 0;
      if (stopped === 1) {
        if (moved || this.#blockedSince === 0) this.#blockedSince = performance.now();
        this.isBlocked = true;
        return moved;
      }
      if (stopped !== 0) throw new KlammError('INTERNAL', 'staged bytes are no record');
    }
    this.#blockedSince = 0;
    return moved;
  }

  /** Says to whom the records belong that were handed over: both lists are in order. */
  #sort(words: Int32Array, at: number, end: number, records: number): void {
    const segments = this.#staging!.segments;
    let [segment, used, record] = [0, 0, 0];
    for (; at < end; at += 5) {
      const batch = words[at + 1]!;
      let count = batch === -1 ? 1 : words[at + 3]!;
      let index = words[at + 2]!;
      record += count;
      while (count > 0) {
        const { call, messages, first, count: size } = segments[segment]!;
        const part = Math.min(count, size - used);
        if (batch === -1) this.#refuse(call, messages, first + used, 1, refusal(words[at + 2]!, words[at + 3]!, words[at + 4]!, call.topic.name));
        else {
          this.tracker.add(batch, index, call, first + used, part);
          this.#pass(call, part);
        }
        index += part;
        count -= part;
        used += part;
        if (used === size) [segment, used] = [segment + 1, 0];
      }
    }
    if (record !== records) throw new KlammError('INTERNAL', `${records} records were handed over, ${record} accounted for`);
  }

  #pass(call: Call, count: number): void {
    this.queued -= count;
    this.events.passed(call, count);
  }

  #refuse(call: Call, messages: readonly Message[], place: number, count: number, error: unknown): void {
    this.#pass(call, count);
    this.events.refused(call, place, messages.slice(place, place + count), asMessageError(error, call.topic.name));
  }

  #forget(waiting: Waiting): void {
    this.queuedBytes -= waiting.bytes;
  }

  /** Refuses all that waits for the topic. */
  #fail(topic: Topic, error: KlammError): void {
    // No more than there are: whoever is told may hand over others.
    for (let left = topic.waiting.length; left > 0 && topic.waiting.length > 0; left--) this.#drop(topic.waiting.shift()!, error);
    if (topic.waiting.length === 0) this.#pending.delete(topic);
  }

  #drop(waiting: Waiting, error: KlammError): void {
    const { call, next, messages } = waiting;
    this.#forget(waiting);
    waiting.next = messages.length;
    if (next < messages.length) this.#refuse(call, messages, next, messages.length - next, error);
  }

  /** Gives up what is not staged of a call. */
  abort(call: Call, error: KlammError): void {
    const waiting = call.topic.waiting.take(call);
    if (waiting !== undefined) this.#drop(waiting, error);
  }

  /** Gives up what has waited too long; says when that is to be looked at again, by `performance.now()`. */
  expire(): number {
    const now = performance.now();
    let next = Infinity;
    const limit = this.options.maxBlockMs ?? 60_000;
    for (const topic of this.#pending) {
      const { waiting } = topic;
      while ((waiting.head?.deadline ?? Infinity) <= now) this.#drop(waiting.shift()!, this.#late(topic));
      if (waiting.length === 0) this.#pending.delete(topic);
      else next = Math.min(next, waiting.head!.deadline);
    }
    if (this.isBlocked && this.#blockedSince + limit <= now) this.#unstage(new KlammError('TIMED_OUT', `no memory for ${limit} ms (maxBlockMs): see bufferMemory`));
    return this.isBlocked ? Math.min(next, this.#blockedSince + limit) : next;
  }

  #late(topic: Topic): KlammError {
    const details = { topic: topic.name, brokerCode: this.#engine?.topicError(topic.handle) ?? 0 };
    const why = topic.partitions > 0 ? 'no memory (bufferMemory)' : `no metadata${details.brokerCode === 0 ? '' : `, last error: ${brokerError(details.brokerCode)}`}`;
    return new KlammError('TIMED_OUT', `topic ${topic.name}: ${why} for ${this.options.maxBlockMs ?? 60_000} ms (maxBlockMs)`, details);
  }

  #unstage(error: KlammError): void {
    const staging = this.#staging!;
    const segments = [...staging.segments];
    staging.consume(staging.end, Infinity);
    this.isBlocked = false;
    this.#blockedSince = 0;
    for (const { call, messages, first, count } of segments) this.#refuse(call, messages, first, count, error);
  }

  /** Gives up everything that is not the core's. */
  clear(error: KlammError): void {
    for (const topic of [...this.#byName.values(), ...this.#pending]) this.#fail(topic, error);
    if (this.#staging !== undefined) this.#unstage(error);
  }
}

/** About what a message takes; objects are as large as their serializer makes them. */
function size(message: Message): number {
  const of = (content: unknown): number => {
    const { length, byteLength } = (content ?? '') as { length?: number; byteLength?: number };
    return byteLength ?? length ?? 64;
  };
  return 32 + of(message.key) + of(message.value);
}
