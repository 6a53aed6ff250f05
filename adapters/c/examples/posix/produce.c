/* Writes records to a topic over POSIX sockets: the whole run loop, in one thread.
 *
 *     produce HOST:PORT TOPIC RECORDS
 *
 * Record n has the key `key-` n modulo 500, the value n, and a header. The exit code is 0 if every one was delivered,
 * and what was not is said on standard error.
 *
 *     cc -std=c99 -Iinclude examples/posix/produce.c libklamm_c.a -o produce
 */
#define _POSIX_C_SOURCE 200809L

#include "klamm.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CONNECTIONS = 4 };

/* One socket a connection of the producer. */
struct wire {
    int fd; /* -1: none */
    bool dialing;
};

static struct wire wires[CONNECTIONS];
static unsigned long undelivered;

static uint64_t now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

static int64_t wall_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void disconnect(klamm_producer *producer, uint8_t connection) {
    struct wire *wire = &wires[connection];
    if (wire->fd >= 0) {
        close(wire->fd);
    }
    wire->fd = -1;
    wire->dialing = false;
    klamm_handle_disconnected(producer, connection, now_us());
}

/* A socket that begins to connect to an address, or -1. */
static int dial(const char *host, uint16_t port) {
    char service[6];
    struct addrinfo hints, *found, *at;
    int fd = -1;
    memset(&hints, 0, sizeof hints);
    hints.ai_socktype = SOCK_STREAM;
    snprintf(service, sizeof service, "%u", port);
    if (getaddrinfo(host, service, &hints, &found) != 0) {
        return -1;
    }
    for (at = found; at != NULL && fd < 0; at = at->ai_next) {
        fd = socket(at->ai_family, at->ai_socktype, at->ai_protocol);
        if (fd < 0) {
            continue;
        }
        fcntl(fd, F_SETFL, O_NONBLOCK);
        if (connect(fd, at->ai_addr, at->ai_addrlen) != 0 && errno != EINPROGRESS) {
            close(fd);
            fd = -1;
        }
    }
    freeaddrinfo(found);
    return fd;
}

static void begin_connecting(klamm_producer *producer, uint8_t connection) {
    char host[65];
    uint16_t port;
    if (klamm_address(producer, connection, host, sizeof host, &port) != KLAMM_STATUS_OK) {
        return;
    }
    klamm_handle_dialing(producer, connection, now_us());
    wires[connection].fd = dial(host, port);
    wires[connection].dialing = true;
    if (wires[connection].fd < 0) {
        disconnect(producer, connection);
    }
}

/* The socket can be written to: a connection that was begun is open, or has failed. */
static void end_connecting(klamm_producer *producer, uint8_t connection) {
    struct wire *wire = &wires[connection];
    int error = 0;
    socklen_t size = sizeof error;
    if (getsockopt(wire->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error != 0) {
        disconnect(producer, connection);
        return;
    }
    wire->dialing = false;
    klamm_handle_connected(producer, connection, now_us());
}

/* Writes until there is nothing more to write, or the socket takes no more. False if it is broken. */
static bool transmit(klamm_producer *producer, uint8_t connection) {
    while (klamm_demand_of(producer, connection) == KLAMM_DEMAND_TRANSMIT) {
        const uint8_t *data;
        size_t len;
        ssize_t written;
        klamm_transmit(producer, connection, now_us(), &data, &len);
        if (len == 0) {
            return true;
        }
        written = send(wires[connection].fd, data, len, 0);
        if (written < 0) {
            return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
        }
        klamm_transmitted(producer, connection, (size_t)written, now_us());
    }
    return true;
}

/* Hands in what there is to read. False if the connection is at its end. */
static bool receive(klamm_producer *producer, uint8_t connection) {
    char bytes[4096];
    for (;;) {
        ssize_t got = recv(wires[connection].fd, bytes, sizeof bytes, 0);
        klamm_status status;
        if (got == 0) {
            return false;
        }
        if (got < 0) {
            return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
        }
        status = klamm_handle_received(producer, connection, bytes, (size_t)got, now_us());
        if (status != KLAMM_STATUS_OK) {
            fprintf(stderr, "connection %u: %s\n", connection, klamm_status_name(status));
            return false;
        }
    }
}

/* What a connection wants, as far as it can be had without waiting. */
static void serve(klamm_producer *producer, uint8_t connection) {
    struct wire *wire = &wires[connection];
    switch (klamm_demand_of(producer, connection)) {
    case KLAMM_DEMAND_CONNECT:
        begin_connecting(producer, connection);
        break;
    case KLAMM_DEMAND_CLOSE:
        disconnect(producer, connection);
        break;
    default:
        if (wire->fd >= 0 && !wire->dialing &&
            !(transmit(producer, connection) && receive(producer, connection))) {
            disconnect(producer, connection);
        }
    }
}

/* Sleeps until a socket is ready or the producer has something to do. */
static void wait(klamm_producer *producer) {
    struct pollfd sockets[CONNECTIONS];
    uint64_t now = now_us(), deadline = klamm_next_deadline(producer);
    uint64_t left_ms = deadline <= now ? 0 : (deadline - now + 999) / 1000;
    int timeout = deadline == KLAMM_NEVER || left_ms > 60000 ? 60000 : (int)left_ms;
    uint8_t c;
    for (c = 0; c < CONNECTIONS; c++) {
        klamm_demand demand = klamm_demand_of(producer, c);
        bool writes = wires[c].dialing || demand == KLAMM_DEMAND_TRANSMIT;
        sockets[c].fd = wires[c].fd;
        sockets[c].events = (short)(writes ? POLLIN | POLLOUT : POLLIN);
        sockets[c].revents = 0;
        if (demand == KLAMM_DEMAND_CONNECT || demand == KLAMM_DEMAND_CLOSE) {
            timeout = 0;
        }
    }
    poll(sockets, CONNECTIONS, timeout);
    for (c = 0; c < CONNECTIONS; c++) {
        if (wires[c].dialing && sockets[c].revents != 0) {
            end_connecting(producer, c);
        }
    }
}

static void take_reports(klamm_producer *producer) {
    klamm_report report;
    while (klamm_poll_report(producer, &report)) {
        if (report.outcome != KLAMM_OUTCOME_DELIVERED) {
            char error[64];
            klamm_error_text(report.error, error, sizeof error);
            fprintf(stderr, "%u records %s: %s (%s)\n", report.records,
                    klamm_outcome_name(report.outcome), klamm_reason_name(report.reason), error);
            undelivered += report.records;
        }
    }
}

/* Sends record `number`; what cannot be sent now can be later, for KLAMM_STATUS_FULL and KLAMM_STATUS_TOPIC_PENDING. */
static klamm_status send_record(klamm_producer *producer, uint16_t topic, unsigned long number) {
    char key[32], value[32];
    klamm_header header;
    klamm_record record = KLAMM_RECORD;
    header.key = "made-by";
    header.value = "klamm.h";
    header.value_len = strlen("klamm.h");
    record.topic = topic;
    record.key = key;
    record.key_len = (size_t)snprintf(key, sizeof key, "key-%lu", number % 500);
    record.value = value;
    record.value_len = (size_t)snprintf(value, sizeof value, "%lu", number);
    record.headers = &header;
    record.header_count = 1;
    return klamm_send(producer, &record, now_us(), NULL);
}

/* One turn of the run loop: everything that can be done without waiting. */
static void turn(klamm_producer *producer) {
    uint8_t c;
    klamm_handle_timeout(producer, now_us());
    for (c = 0; c < klamm_connections(producer); c++) {
        serve(producer, c);
    }
    take_reports(producer);
}

static int produce(klamm_producer *producer, const char *name, unsigned long records) {
    unsigned long sent = 0;
    uint32_t ticket;
    klamm_stats stats;
    uint16_t topic;
    klamm_status status = klamm_topic(producer, name, &topic);
    if (status != KLAMM_STATUS_OK) {
        fprintf(stderr, "topic %s: %s\n", name, klamm_status_name(status));
        return EXIT_FAILURE;
    }
    while (sent < records) {
        turn(producer);
        while (sent < records) {
            status = send_record(producer, topic, sent);
            if (status != KLAMM_STATUS_OK) {
                break;
            }
            sent++;
        }
        if (status != KLAMM_STATUS_OK && status != KLAMM_STATUS_FULL &&
            status != KLAMM_STATUS_TOPIC_PENDING) {
            fprintf(stderr, "record %lu: %s\n", sent, klamm_status_name(status));
            return EXIT_FAILURE;
        }
        if (sent < records) {
            wait(producer);
        }
    }
    ticket = klamm_flush(producer, now_us());
    for (;;) {
        turn(producer);
        if (klamm_is_flushed(producer, ticket)) {
            break;
        }
        wait(producer);
    }
    take_reports(producer);
    klamm_get_stats(producer, &stats);
    printf("%" PRIu64 " accepted, %" PRIu64 " delivered, in %" PRIu64 " requests\n", stats.accepted,
           stats.delivered, stats.requests);
    return undelivered == 0 && stats.delivered == records ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv) {
    klamm_limits limits;
    klamm_config config;
    klamm_fault fault;
    klamm_producer *producer;
    klamm_status status;
    size_t size;
    void *memory;
    int result;
    uint8_t c;
    if (argc != 4) {
        fprintf(stderr, "usage: %s HOST:PORT TOPIC RECORDS\n", argv[0]);
        return EXIT_FAILURE;
    }
    /* A write to a connection that the peer has closed is an error of `send`, not the program's end. */
    signal(SIGPIPE, SIG_IGN);
    klamm_limits_init(&limits);
    limits.connections = CONNECTIONS;
    limits.partitions = 16;
    limits.batch_size = 4096;
    limits.buffer_memory = 64 * 1024;
    klamm_config_init(&config);
    config.bootstrap_servers = argv[1];
    config.client_id = "produce.c";
    size = klamm_size(&limits);
    memory = malloc(size);
    if (memory == NULL) {
        fprintf(stderr, "no memory\n");
        return EXIT_FAILURE;
    }
    for (c = 0; c < CONNECTIONS; c++) {
        wires[c].fd = -1;
    }
    status = klamm_init(memory, size, &limits, &config, now_us(), now_us(), &producer, &fault);
    if (status != KLAMM_STATUS_OK) {
        fprintf(stderr, "%s: %.*s\n", klamm_status_name(status), (int)fault.option_len, fault.option);
        free(memory);
        return EXIT_FAILURE;
    }
    klamm_set_clock(producer, wall_ms(), now_us());
    result = produce(producer, argv[2], strtoul(argv[3], NULL, 10));
    for (c = 0; c < CONNECTIONS; c++) {
        if (wires[c].fd >= 0) {
            close(wires[c].fd);
        }
    }
    klamm_deinit(producer);
    free(memory);
    return result;
}
