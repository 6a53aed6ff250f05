/* klamm: an Apache Kafka producer in memory that the caller owns. No libc, heap, thread or callback.
 *
 * Written by cbindgen from the crate klamm-c: do not edit. To write it again, after a change of the crate:
 *     KLAMM_HEADER=write cargo test -p klamm-c --test header
 *
 * The program moves bytes and time, in a loop (examples/posix/produce.c is a whole one):
 *
 *     klamm_handle_timeout(p, now);
 *     for (c = 0; c < klamm_connections(p); c++)
 *         switch (klamm_demand_of(p, c)) {
 *         case KLAMM_DEMAND_CONNECT:  klamm_address, klamm_handle_dialing, dial; then klamm_handle_connected
 *                                     or klamm_handle_disconnected
 *         case KLAMM_DEMAND_TRANSMIT: klamm_transmit, write, klamm_transmitted; and as RECEIVE
 *         case KLAMM_DEMAND_RECEIVE:  read, klamm_handle_received
 *         case KLAMM_DEMAND_CLOSE:    close, klamm_handle_disconnected
 *         }
 *     while (klamm_poll_report(p, &report)) ...
 *     sleep until klamm_next_deadline(p), or until a socket is ready, or a record was sent
 *
 * A socket that breaks or is closed by the peer: close it and call klamm_handle_disconnected, whatever the demand is.
 *
 * Rules for all functions:
 * - Calls may come in any order, at any time, and none blocks.
 * - A producer is used by one thread at a time. With several, take a mutex around every call. Different producers know
 *   nothing of each other. No call from an interrupt that may have interrupted another one.
 * - A pointer is null or valid for what it is said to point to, during the call. Null is noticed, and refused or ignored.
 *   A producer is a pointer that klamm_init gave, or null; one that klamm_deinit gave back is refused.
 * - What is handed in is copied: nothing needs to live longer than the call, but the memory of klamm_init.
 * - Texts that are handed in end with a zero byte and are UTF-8.
 * - `now_us` is a monotonic clock of microseconds with any start. Going back counts as standing still.
 * - Fields of enumerations are of 32 bits, whatever -fshort-enums says.
 */

#ifndef KLAMM_H
#define KLAMM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__cplusplus)
#define KLAMM_RECORD klamm_record{0, KLAMM_ANY_PARTITION, nullptr, 0, nullptr, 0, nullptr, 0, KLAMM_NOW}
#else
/* A record with nothing but a partition and a time to be chosen: `klamm_record record = KLAMM_RECORD;` */
#define KLAMM_RECORD {0, KLAMM_ANY_PARTITION, NULL, 0, NULL, 0, NULL, 0, KLAMM_NOW}
#endif

#ifdef __cplusplus
extern "C" {
#endif
/* To be defined by a program for a bare target; the libraries for operating systems do not call it. An invariant of the
 * library does not hold: a bug in it, and to go on could lose or double records. Do not return: reset, or stop. */
void klamm_panicked(void);
#ifdef __cplusplus
}
#endif

// `partitioner`: keys by murmur2, as Java's producer; records without a key stick to a partition for about a batch.
#define KLAMM_PARTITIONER_JAVA 0

// `partitioner`: keys by CRC-32, as librdkafka's default `consistent_random`.
#define KLAMM_PARTITIONER_LIBRDKAFKA 1

// `partitioner`: keys are ignored, partitions take turns.
#define KLAMM_PARTITIONER_ROUND_ROBIN 2

// `enable_idempotence`: where the broker offers it and `acks` is -1.
#define KLAMM_IDEMPOTENCE_PREFERRED 0

// `enable_idempotence`: always; a broker that does not offer it gets nothing.
#define KLAMM_IDEMPOTENCE_REQUIRED 1

// `enable_idempotence`: never. A retry may write a record twice.
#define KLAMM_IDEMPOTENCE_OFF 2

// `partition` of a record: the partitioner chooses.
#define KLAMM_ANY_PARTITION -1

// `timestamp_ms` of a record: the time of klamm_send, by klamm_set_clock.
#define KLAMM_NOW -1

// The most headers that a record may have.
#define KLAMM_HEADERS_MAX 16

// klamm_next_deadline: nothing is waited for.
#define KLAMM_NEVER UINT64_MAX

// `base_offset` and `log_append_time_ms` of a report: not known.
#define KLAMM_UNKNOWN -1

// What a function answers: 0, or why nothing was done.
enum klamm_status
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // Done.
    KLAMM_STATUS_OK = 0,
    // A pointer is null, a handle is not this producer's, a text is not UTF-8, or a length cannot be.
    KLAMM_STATUS_ARGUMENT = -1,
    // The program was compiled with the header of another version of the library.
    KLAMM_STATUS_VERSION = -2,
    // The memory, or the text's place, is too small.
    KLAMM_STATUS_MEMORY = -3,
    // An option is out of its range or conflicts with another; `klamm_fault` says which.
    KLAMM_STATUS_CONFIG = -4,
    // klamm_send: all record memory is in use. Take reports, and try again.
    KLAMM_STATUS_FULL = -5,
    // klamm_send: the record can never be sent, for it is larger than the record memory or `max_request_size` allow.
    KLAMM_STATUS_TOO_LARGE = -6,
    // klamm_send: the number of partitions is not known yet. Try again when metadata has come; with a partition
    // number in the record there is no need to wait.
    KLAMM_STATUS_TOPIC_PENDING = -7,
    // klamm_send: a broker answered with an error for the topic; klamm_topic_error says which.
    KLAMM_STATUS_TOPIC = -8,
    // klamm_topic: the name is empty, longer than 64 bytes, or has other characters than letters, digits, `.`, `_`,
    // `-`.
    KLAMM_STATUS_INVALID_TOPIC = -9,
    // `topics` or `partitions` of klamm_limits are used up.
    KLAMM_STATUS_NO_SLOT = -10,
    // klamm_send: the topic has no such partition.
    KLAMM_STATUS_NO_SUCH_PARTITION = -11,
    // klamm_close was called, or the producer has stopped.
    KLAMM_STATUS_CLOSED = -12,
    // klamm_handle_received: the peer is no Kafka broker or breaks the protocol. Close the connection.
    KLAMM_STATUS_PROTOCOL = -13,
    // klamm_handle_received: the peer speaks TLS, and the connection does not. Close the connection.
    KLAMM_STATUS_TLS = -14,
    // klamm_handle_received: the connection is not open.
    KLAMM_STATUS_NOT_CONNECTED = -15,
    // An error that this version of the header has no number for.
    KLAMM_STATUS_OTHER = -99,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum klamm_status klamm_status;
#else
typedef int32_t klamm_status;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// What a connection wants. A level, not an event: ask as often as you like.
enum klamm_demand
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // Nothing: there is no connection, or it is being dialed.
    KLAMM_DEMAND_NOTHING = 0,
    // Call klamm_address, dial there, and call klamm_handle_dialing.
    KLAMM_DEMAND_CONNECT = 1,
    // Read from the socket when it has something, and hand it to klamm_handle_received.
    KLAMM_DEMAND_RECEIVE = 2,
    // The same, and there is something to write: klamm_transmit.
    KLAMM_DEMAND_TRANSMIT = 3,
    // Close the socket, then call klamm_handle_disconnected.
    KLAMM_DEMAND_CLOSE = 4,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum klamm_demand klamm_demand;
#else
typedef int32_t klamm_demand;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// What became of records. Every accepted record gets exactly one of these.
enum klamm_outcome
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // In the log, as durable as `acks` asked for.
    KLAMM_OUTCOME_DELIVERED = 0,
    // Certainly not in the log: may be sent again.
    KLAMM_OUTCOME_NOT_PERSISTED = 1,
    // May be in the log, once at most, or not.
    KLAMM_OUTCOME_UNKNOWN = 2,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum klamm_outcome klamm_outcome;
#else
typedef int32_t klamm_outcome;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// Why a record was not delivered, or why that is not known.
enum klamm_reason
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // It was delivered.
    KLAMM_REASON_NONE = 0,
    // A broker refused the batch; `error` says why.
    KLAMM_REASON_REJECTED = 1,
    // `delivery_timeout_ms` passed; `error` is what was last heard.
    KLAMM_REASON_TIMED_OUT = 2,
    // Another record of the batch was invalid; this one may be sent again.
    KLAMM_REASON_NEIGHBOUR = 3,
    // The broker lost the producer's state or acknowledged data.
    KLAMM_REASON_DATA_LOSS = 4,
    // Retries were used up; `error` is the last one.
    KLAMM_REASON_RETRIES = 5,
    // klamm_purge was called.
    KLAMM_REASON_PURGED = 6,
    // One record alone is larger than the broker allows.
    KLAMM_REASON_TOO_LARGE = 7,
    // The topic has fewer partitions than klamm_expect_partitions said.
    KLAMM_REASON_NO_SUCH_PARTITION = 8,
    // Something that this version of the header has no number for.
    KLAMM_REASON_OTHER = 99,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum klamm_reason klamm_reason;
#else
typedef int32_t klamm_reason;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// A producer, in the memory that klamm_init was given.
typedef struct klamm_producer klamm_producer;

// How much of everything a producer has memory for. Begin with klamm_limits_init.
typedef struct klamm_limits {
    // Set by klamm_limits_init.
    uint32_t struct_size;
    // Bytes of record memory, 175 for each batch included. At least two batches. Default 6,300: four of 1,400.
    uint32_t buffer_memory;
    // Bytes of a batch: header of 61, then records. The memory is cut into pieces of this and 175 bytes more. Larger
    // records take several pieces. Default 1,400: with the request's head a TCP segment.
    uint32_t batch_size;
    // Partitions that are written to, over all topics. Default 4.
    uint16_t partitions;
    // Topics. Default 2.
    uint16_t topics;
    // Brokers that can be known at once, bootstrap servers included. Default 8.
    uint8_t brokers;
    // Connections that are open at once. Default 2: leaders of more brokers take turns.
    uint8_t connections;
} klamm_limits;

// Options, named as Java's properties with `_` for `.`. Begin with klamm_config_init. klamm_init copies what it needs.
typedef struct klamm_config {
    // Set by klamm_config_init.
    uint32_t struct_size;
    // Where to ask for the cluster first: `host:port`, separated by commas; `[::1]:9092` for IPv6. No default.
    const char *bootstrap_servers;
    // The name that brokers log; at most 64 bytes. Default `klamm`.
    const char *client_id;
    // -1: all in-sync replicas have the record before it counts as delivered; 1: the leader has it; 0: it was written
    // to the socket (feature `full`). Default -1.
    int8_t acks;
    // KLAMM_IDEMPOTENCE_*. Default KLAMM_IDEMPOTENCE_PREFERRED: exactly once and in order.
    uint8_t enable_idempotence;
    // KLAMM_PARTITIONER_*. Default KLAMM_PARTITIONER_JAVA; others need the feature `full`.
    uint8_t partitioner;
    // Requests in flight to a broker, 1 to 5. Default 5.
    uint8_t max_in_flight_requests_per_connection;
    // Not 0: asking for a topic may create it. Default 1.
    uint8_t allow_auto_create_topics;
    // Not 0: after a broker lost data no record is accepted any more. Default 0.
    uint8_t stop_on_data_loss;
    // Not 0: all brokers are reached through the bootstrap servers, over one connection. Default 0.
    uint8_t single_address;
    // Records at which a batch is full, 1 to 65,535. Default 65,535.
    uint16_t batch_records;
    // How long a batch waits for more records; UINT32_MAX: until it is full or flushed. Default 5 ms.
    uint32_t linger_ms;
    // Bytes at which a batch is full. Default 16,384; never more than klamm_limits' `batch_size`.
    uint32_t batch_size;
    // The largest batch and request, in bytes. Default 1,048,576.
    uint32_t max_request_size;
    // How often a batch is sent again after an error. Default UINT32_MAX: until `delivery_timeout_ms`.
    uint32_t retries;
    // Before the first retry, then doubled. Default 100 ms.
    uint32_t retry_backoff_ms;
    // At most. Default 1,000 ms.
    uint32_t retry_backoff_max_ms;
    // Before a broker is dialed again, then doubled. Default 50 ms.
    uint32_t reconnect_backoff_ms;
    // At most. Default 1,000 ms.
    uint32_t reconnect_backoff_max_ms;
    // From a request to its answer; longer closes the connection. Default 30,000 ms.
    uint32_t request_timeout_ms;
    // From a batch's first record to its report. At least `linger_ms` + `request_timeout_ms`; UINT32_MAX: for ever.
    // Default 120,000 ms.
    uint32_t delivery_timeout_ms;
    // From dialing to an open connection, doubled on failures. Default 10,000 ms.
    uint32_t socket_connection_setup_timeout_ms;
    // At most. Default 30,000 ms.
    uint32_t socket_connection_setup_timeout_max_ms;
    // An idle connection is closed after this. Default 540,000 ms.
    uint32_t connections_max_idle_ms;
    // Metadata is asked for again after this. Default 300,000 ms.
    uint32_t metadata_max_age_ms;
    // How long records without a timestamp wait for klamm_set_clock before they go out with the time since start.
    // Default UINT32_MAX: until the clock is set, or `delivery_timeout_ms`.
    uint32_t clock_wait_ms;
} klamm_config;

// Which option klamm_init refused.
typedef struct klamm_fault {
    // The option's name, `option_len` bytes without a zero byte: print it with `%.*s`. Never freed.
    const char *option;
    // Bytes of the name.
    size_t option_len;
    // The least value allowed; 0 where that is not the fault.
    uint32_t min;
    // The largest value or length allowed; 0 where that is not the fault.
    uint32_t max;
} klamm_fault;

// A header of a record.
typedef struct klamm_header {
    // The name: UTF-8, with a zero byte behind it.
    const char *key;
    // The value; null is Kafka's null.
    const void *value;
    // Bytes of the value.
    size_t value_len;
} klamm_header;

// A record. Begin with KLAMM_RECORD, and set what you need.
typedef struct klamm_record {
    // From klamm_topic.
    uint16_t topic;
    // From 0, or KLAMM_ANY_PARTITION.
    int32_t partition;
    // The key; null is Kafka's null, which is not the same as one of 0 bytes.
    const void *key;
    // Bytes of the key.
    size_t key_len;
    // The value; null is Kafka's null, a tombstone on a compacted topic.
    const void *value;
    // Bytes of the value.
    size_t value_len;
    // Headers in order; null for none.
    const struct klamm_header *headers;
    // How many, at most KLAMM_HEADERS_MAX.
    size_t header_count;
    // Milliseconds since 1970, or KLAMM_NOW.
    int64_t timestamp_ms;
} klamm_record;

// Which record it is: its batch, and its place in that. The same three numbers come back in a klamm_report.
typedef struct klamm_record_id {
    // The batch's slot.
    uint16_t slot;
    // Tells a batch from the one before in the same slot.
    uint16_t generation;
    // The record's place in the batch, from 0.
    uint16_t index;
} klamm_record_id;

// Counters since the start. `accepted` = `delivered` + `not_persisted` + `unknown` + `buffered`, after every call.
typedef struct klamm_stats {
    // Records that klamm_send accepted.
    uint64_t accepted;
    // Records delivered.
    uint64_t delivered;
    // Records certainly not in the log.
    uint64_t not_persisted;
    // Records of which that is not known.
    uint64_t unknown;
    // Records that have no outcome yet.
    uint64_t buffered;
    // Produce requests sent.
    uint64_t requests;
    // Batches sent, retries included.
    uint64_t batches;
    // Batches sent again.
    uint64_t retries;
    // Times that a broker was found to have lost data or the producer's state.
    uint64_t data_losses;
    // Connections that became ready.
    uint64_t connects;
} klamm_stats;

// The outcome of `records` records of a batch, from `first` on. A batch may have several reports.
typedef struct klamm_report {
    // The batch's slot, as in klamm_record_id.
    uint16_t slot;
    // Its generation, as in klamm_record_id.
    uint16_t generation;
    // `index` of the first record that this is about.
    uint16_t first;
    // How many records it is about, at least 1.
    uint16_t records;
    // Where they were to go.
    uint16_t topic;
    // How often the batch was sent again.
    uint16_t retries;
    // Where they were to go.
    int32_t partition;
    // What became of them.
    klamm_outcome outcome;
    // Why, if they were not delivered.
    klamm_reason reason;
    // A broker's error code, for klamm_error_text; 0 for none.
    int16_t error;
    // Offset of the first record, the next ones follow; KLAMM_UNKNOWN with `acks` 0, if they were not delivered, and
    // where only a later success proved it.
    int64_t base_offset;
    // The broker's time of the append, on topics with LogAppendTime; else KLAMM_UNKNOWN.
    int64_t log_append_time_ms;
} klamm_report;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// Sets all limits to their defaults, which suit a device of 64 KiB. Null is ignored.
void klamm_limits_init(struct klamm_limits *limits);

// Sets all options to their defaults, and `bootstrap_servers` to null. Null is ignored.
void klamm_config_init(struct klamm_config *config);

// Bytes of memory that klamm_init needs for these limits; 0 for null, for limits that klamm_limits_init did not
// begin, and for more than the machine can address.
size_t klamm_size(const struct klamm_limits *limits);

// Makes a producer in `memory`, `len` bytes that are the library's until klamm_deinit: of any alignment, and any
// content, which is overwritten. `seed` feeds all randomness: give each device and each start another one.
// `fault` may be null.
//
// KLAMM_STATUS_MEMORY: `len` is below klamm_size. KLAMM_STATUS_CONFIG: see `fault`. KLAMM_STATUS_ARGUMENT: a null
// pointer, or a text that is not UTF-8. KLAMM_STATUS_VERSION: compile the program again.
klamm_status klamm_init(void *memory,
                        size_t len,
                        const struct klamm_limits *limits,
                        const struct klamm_config *config,
                        uint64_t seed,
                        uint64_t now_us,
                        struct klamm_producer **producer,
                        struct klamm_fault *fault);

// Gives the memory back. Nothing is sent or reported any more; klamm_close and waiting for the reports come before.
// Later calls with this producer are refused, as long as the memory is not used for other things.
void klamm_deinit(struct klamm_producer *producer);

// The handle of a topic, the same for the same name: at most 64 bytes, with a zero byte behind them.
//
// KLAMM_STATUS_INVALID_TOPIC, KLAMM_STATUS_NO_SLOT, KLAMM_STATUS_CLOSED, KLAMM_STATUS_ARGUMENT.
klamm_status klamm_topic(struct klamm_producer *producer,
                         const char *name,
                         uint16_t *topic);

// How many partitions the topic has; 0 while metadata has not said so, and for a wrong handle.
int32_t klamm_partition_count(const struct klamm_producer *producer, uint16_t topic);

// Says how many partitions the topic has, so that keyed records are accepted before the first metadata. False if that
// does not count: metadata has said it, `count` is below 1, or the handle is wrong.
bool klamm_expect_partitions(struct klamm_producer *producer,
                             uint16_t topic,
                             int32_t count);

// The last error that a broker gave for the topic, for klamm_error_text; 0 for none.
int16_t klamm_topic_error(const struct klamm_producer *producer, uint16_t topic);

// Accepts a record: copies it into the open batch of its partition. From then on there is exactly one report that
// counts it. `id` may be null.
//
// KLAMM_STATUS_FULL, KLAMM_STATUS_TOPIC_PENDING: try again later. KLAMM_STATUS_TOO_LARGE, KLAMM_STATUS_TOPIC,
// KLAMM_STATUS_NO_SUCH_PARTITION, KLAMM_STATUS_NO_SLOT, KLAMM_STATUS_CLOSED. KLAMM_STATUS_ARGUMENT: a null pointer
// with a length, a wrong topic, a partition below -1, too many headers, a header's name that is not UTF-8. The record
// is not accepted then, and nothing has changed.
klamm_status klamm_send(struct klamm_producer *producer,
                        const struct klamm_record *record,
                        uint64_t now_us,
                        struct klamm_record_id *id);

// Stops waiting for more records: all that was accepted so far is sent as soon as it can be. Returns a ticket for
// klamm_is_flushed.
uint32_t klamm_flush(struct klamm_producer *producer,
                     uint64_t now_us);

// Has every record that was accepted before klamm_flush gave this ticket an outcome? Its report may still be unread.
bool klamm_is_flushed(const struct klamm_producer *producer,
                      uint32_t ticket);

// Accepts no more records, and flushes. What is under way goes on until its outcome.
void klamm_close(struct klamm_producer *producer, uint64_t now_us);

// Gives up every record that has no outcome: those that were never sent are reported as not persisted, the others as
// unknown. Connections with requests in flight are to be closed.
void klamm_purge(struct klamm_producer *producer,
                 uint64_t now_us);

// Says that at `now_us` it is `wall_ms` milliseconds since 1970-01-01 UTC. Records without a timestamp take it from
// here, also those that were accepted before the first call.
void klamm_set_clock(struct klamm_producer *producer,
                     int64_t wall_ms,
                     uint64_t now_us);

// Copies the counters to `stats`; all 0 for what is no producer.
void klamm_get_stats(const struct klamm_producer *producer, struct klamm_stats *stats);

// Bytes of record memory that no batch has: for programs that slow down before klamm_send answers
// KLAMM_STATUS_FULL.
uint32_t klamm_free_bytes(const struct klamm_producer *producer);

// How many connections there are, `connections` of klamm_limits. They are numbered from 0.
uint8_t klamm_connections(const struct klamm_producer *producer);

// What a connection wants now.
klamm_demand klamm_demand_of(const struct klamm_producer *producer, uint8_t connection);

// Where a connection should go: writes a host name or IP address (without brackets) and a zero byte to `host`, and
// the TCP port to `port`. 65 bytes are always enough.
//
// KLAMM_STATUS_MEMORY: `capacity` is too small. KLAMM_STATUS_NOT_CONNECTED: the connection has no broker now.
// KLAMM_STATUS_ARGUMENT: a null pointer or a wrong connection.
klamm_status klamm_address(const struct klamm_producer *producer,
                           uint8_t connection,
                           char *host,
                           size_t capacity,
                           uint16_t *port);

// KLAMM_DEMAND_CONNECT is taken up: call it before dialing. Starts the setup timeout.
void klamm_handle_dialing(struct klamm_producer *producer, uint8_t connection, uint64_t now_us);

// The connection is open.
void klamm_handle_connected(struct klamm_producer *producer, uint8_t connection, uint64_t now_us);

// The connection is closed, or could not be made. No byte of it will be written any more.
void klamm_handle_disconnected(struct klamm_producer *producer,
                               uint8_t connection,
                               uint64_t now_us);

// The next bytes to be written on a connection, where they lie in the producer's memory: write any number of them, and
// say how many with klamm_transmitted. They may be read until the next call with this producer. `*len` is 0, and
// `*data` null, while there is nothing to write.
//
// KLAMM_STATUS_ARGUMENT: a null pointer or a wrong connection.
klamm_status klamm_transmit(struct klamm_producer *producer,
                            uint8_t connection,
                            uint64_t now_us,
                            const uint8_t **data,
                            size_t *len);

// So many of the bytes that klamm_transmit gave have been written, or are in a socket's buffer.
//
// KLAMM_STATUS_ARGUMENT: those are more than klamm_transmit gave since the last call, or the connection is wrong.
// Nothing has changed then.
klamm_status klamm_transmitted(struct klamm_producer *producer,
                               uint8_t connection,
                               size_t len,
                               uint64_t now_us);

// Hands in bytes from the peer: any number, split anywhere. They are always taken all, and not needed afterwards.
//
// KLAMM_STATUS_PROTOCOL, KLAMM_STATUS_TLS: the demand is KLAMM_DEMAND_CLOSE now. KLAMM_STATUS_NOT_CONNECTED: the
// connection is not open. KLAMM_STATUS_ARGUMENT: a null pointer or a wrong connection.
klamm_status klamm_handle_received(struct klamm_producer *producer,
                                   uint8_t connection,
                                   const void *data,
                                   size_t len,
                                   uint64_t now_us);

// Lets time pass: call it when klamm_next_deadline has come. Harmless to call too early or too often.
void klamm_handle_timeout(struct klamm_producer *producer,
                          uint64_t now_us);

// When klamm_handle_timeout is due, in microseconds as in `now_us`; KLAMM_NEVER while nothing is waited for. It may
// change with every call.
uint64_t klamm_next_deadline(const struct klamm_producer *producer);

// Takes the next report, and frees its records' memory. False if there is none; `report` is not written then.
// With a null `report` nothing is taken.
bool klamm_poll_report(struct klamm_producer *producer,
                       struct klamm_report *report);

// The version of the library, as `0.1.0`.
const char *klamm_version(void);

// A few words about a klamm_status.
const char *klamm_status_name(int32_t status);

// A word about a klamm_outcome.
const char *klamm_outcome_name(int32_t outcome);

// A few words about a klamm_reason.
const char *klamm_reason_name(int32_t reason);

// Writes a few words about a broker's error code and a zero byte to `text`; what does not fit into `capacity` bytes is
// cut off. Returns how long it is without the zero byte: at most 63.
size_t klamm_error_text(int16_t error,
                        char *text,
                        size_t capacity);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* KLAMM_H */
