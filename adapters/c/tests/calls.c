/* The header as C and C++ see it: sizes, names, and a producer that never gets a connection. Needs no broker. */
#include "klamm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int failures;

static void check(bool holds, const char *what, int line) {
    if (!holds) {
        fprintf(stderr, "calls.c:%d: %s\n", line, what);
        failures++;
    }
}

#define CHECK(condition) check(condition, #condition, __LINE__)

static void send_and_give_up(klamm_producer *producer) {
    uint16_t topic = 99;
    klamm_record record = KLAMM_RECORD;
    klamm_record_id id;
    klamm_report report;
    klamm_stats stats;
    uint32_t ticket;
    CHECK(klamm_topic(producer, "readings", &topic) == KLAMM_STATUS_OK && topic == 0);
    CHECK(record.partition == KLAMM_ANY_PARTITION && record.timestamp_ms == KLAMM_NOW);
    record.topic = topic;
    record.partition = 0;
    record.value = "21.5";
    record.value_len = strlen("21.5");
    CHECK(klamm_send(producer, &record, 1000, &id) == KLAMM_STATUS_OK && id.index == 0);
    ticket = klamm_flush(producer, 2000);
    CHECK(!klamm_is_flushed(producer, ticket));
    CHECK(klamm_next_deadline(producer) != KLAMM_NEVER);
    CHECK(!klamm_poll_report(producer, &report));
    klamm_purge(producer, 3000);
    memset(&report, 0xff, sizeof report);
    CHECK(klamm_poll_report(producer, &report));
    CHECK(report.slot == id.slot && report.generation == id.generation && report.records == 1);
    CHECK(report.outcome == KLAMM_OUTCOME_NOT_PERSISTED && report.reason == KLAMM_REASON_PURGED);
    CHECK(report.error == 0 && report.base_offset == KLAMM_UNKNOWN && report.partition == 0);
    CHECK(klamm_is_flushed(producer, ticket));
    klamm_get_stats(producer, &stats);
    CHECK(stats.accepted == 1 && stats.not_persisted == 1 && stats.buffered == 0);
    CHECK(strcmp(klamm_reason_name(report.reason), "purged") == 0);
}

static void refuse_an_option(void *memory, size_t size, const klamm_limits *limits) {
    klamm_config config;
    klamm_fault fault;
    klamm_producer *producer = NULL;
    klamm_config_init(&config);
    config.bootstrap_servers = "10.0.0.2:9092";
    config.max_in_flight_requests_per_connection = 6;
    CHECK(klamm_init(memory, size, limits, &config, 1, 0, &producer, &fault) == KLAMM_STATUS_CONFIG);
    CHECK(producer == NULL && fault.min == 1 && fault.max == 5);
    CHECK(fault.option_len == strlen("max_in_flight_requests_per_connection") &&
          strncmp(fault.option, "max_in_flight", 13) == 0);
}

int main(void) {
    klamm_limits limits;
    klamm_config config;
    klamm_producer *producer = NULL;
    size_t size;
    void *memory;
    CHECK(sizeof(klamm_status) == 4 && sizeof(klamm_outcome) == 4 && sizeof(klamm_demand) == 4);
    klamm_limits_init(&limits);
    klamm_config_init(&config);
    CHECK(limits.struct_size == sizeof limits && config.struct_size == sizeof config);
    CHECK(strcmp(config.client_id, "klamm") == 0 && config.linger_ms == 5 && config.acks == -1);
    config.bootstrap_servers = "10.0.0.2:9092";
    size = klamm_size(&limits);
    memory = malloc(size);
    CHECK(size > limits.buffer_memory && memory != NULL);
    CHECK(klamm_init(memory, size, &limits, &config, 1, 0, &producer, NULL) == KLAMM_STATUS_OK);
    send_and_give_up(producer);
    klamm_deinit(producer);
    CHECK(klamm_connections(producer) == 0);
    CHECK(klamm_init(memory, size / 2, &limits, &config, 1, 0, &producer, NULL) == KLAMM_STATUS_MEMORY);
    refuse_an_option(memory, size, &limits);
    free(memory);
    printf("klamm %s: %lu bytes by default, %d failures\n", klamm_version(), (unsigned long)size, failures);
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
