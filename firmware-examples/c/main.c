/* Readings of sensors into Kafka, in C on a Cortex-M3 with 64 KiB of RAM: klamm.h and a network stack, no libc, no heap,
 * no operating system. The run loop is `turn`; what is said of each batch is what the Rust firmware says.
 *
 * Settings are words behind QEMU's `-semihosting-config arg=`: bootstrap=10.0.2.2:9092, topic=readings, records=1000,
 * pace_ms=0. Record n has a key (one of four sensors), the value n with zeros in front, and a header. */
#include "board.h"
#include "klamm.h"
#include "line.h"
#include "network.h"

enum { CONNECTIONS = NETWORK_SOCKETS, SENSORS = 4, LINGER_MS = 20 };
enum { NOT_DELIVERED = 1, WRONG_SETTINGS = 2, UNUSABLE = 3, KLAMM_PANICKED = 101, NETWORK_PANICKED = 104 };

static struct {
    const char *bootstrap, *topic;
    uint32_t records, pace_ms;
} settings = {"10.0.2.2:9092", "readings", 1000, 0};

/* klamm's own: four batches of 1,400 bytes, four partitions, one connection; klamm_init says if that is too little. */
static uint8_t memory[10240];
static klamm_producer *producer;
static network *net;
static uint32_t delivered, failed;

void klamm_panicked(void) {
    board_exit(KLAMM_PANICKED);
}

void network_panicked(void) {
    board_exit(NETWORK_PANICKED);
}

static enum { IDLE, DIALING, OPEN } phases[CONNECTIONS];

static void disconnect(uint8_t connection) {
    network_close(net, connection);
    phases[connection] = IDLE;
    klamm_handle_disconnected(producer, connection, board_now_us());
}

static void begin_connecting(uint8_t connection) {
    char host[65];
    uint16_t port;
    if (klamm_address(producer, connection, host, sizeof host, &port) != KLAMM_STATUS_OK) {
        return;
    }
    klamm_handle_dialing(producer, connection, board_now_us());
    phases[connection] = DIALING;
    /* Names would be looked up here. What is no address is tried again after a while, like a broker that is gone. */
    if (!network_connect(net, connection, host, port)) {
        disconnect(connection);
    }
}

static void end_connecting(uint8_t connection) {
    switch (network_state(net, connection)) {
    case NETWORK_OPEN:
        phases[connection] = OPEN;
        klamm_handle_connected(producer, connection, board_now_us());
        break;
    case NETWORK_CLOSED:
        disconnect(connection);
        break;
    default:
        break;
    }
}

/* Hands over what the socket takes. */
static void transmit(uint8_t connection) {
    while (klamm_demand_of(producer, connection) == KLAMM_DEMAND_TRANSMIT) {
        const uint8_t *data;
        size_t len, written;
        klamm_transmit(producer, connection, board_now_us(), &data, &len);
        written = len == 0 ? 0 : network_send(net, connection, data, len);
        if (written == 0) {
            return;
        }
        klamm_transmitted(producer, connection, written, board_now_us());
    }
}

/* Hands in what has arrived. False if the connection is at its end. */
static bool receive(uint8_t connection) {
    uint8_t bytes[64];
    size_t got;
    while ((got = network_receive(net, connection, bytes, sizeof bytes)) > 0) {
        if (klamm_handle_received(producer, connection, bytes, got, board_now_us()) != KLAMM_STATUS_OK) {
            return false;
        }
    }
    return network_state(net, connection) == NETWORK_OPEN;
}

/* What a connection wants, as far as it can be had without waiting. */
static void serve(uint8_t connection) {
    switch (klamm_demand_of(producer, connection)) {
    case KLAMM_DEMAND_CONNECT:
        begin_connecting(connection);
        return;
    case KLAMM_DEMAND_CLOSE:
        disconnect(connection);
        return;
    default:
        break;
    }
    if (phases[connection] == DIALING) {
        end_connecting(connection);
    } else if (phases[connection] == OPEN) {
        transmit(connection);
        if (!receive(connection)) {
            disconnect(connection);
        }
    }
}

/* `ack partition offset records` for each batch that is in the log. */
static void take_reports(void) {
    klamm_report report;
    while (klamm_poll_report(producer, &report)) {
        struct line line = {{0}, 0};
        bool is_delivered = report.outcome == KLAMM_OUTCOME_DELIVERED;
        line_text(&line, is_delivered ? "ack " : "failed ");
        line_number(&line, report.partition);
        line_text(&line, " ");
        if (is_delivered) {
            line_number(&line, report.base_offset);
            delivered += report.records;
        } else {
            line_text(&line, klamm_outcome_name(report.outcome));
            failed += report.records;
        }
        line_text(&line, " ");
        line_number(&line, report.records);
        line_text(&line, "\n");
        board_print(line.text);
    }
}

/* One turn of the run loop: everything that can be done without waiting. */
static void turn(void) {
    uint8_t c;
    network_poll(net, board_now_us());
    klamm_handle_timeout(producer, board_now_us());
    for (c = 0; c < CONNECTIONS; c++) {
        serve(c);
    }
    take_reports();
    /* What was handed over leaves now. */
    network_poll(net, board_now_us());
}

/* Sends reading `number`. */
static klamm_status send_reading(uint16_t topic, uint32_t number) {
    char key[] = "sensor-000", value[16];
    klamm_header unit = {"unit", "celsius", 7};
    klamm_record record = KLAMM_RECORD;
    digits(key + 7, 3, number % SENSORS);
    digits(value, sizeof value, number);
    record.topic = topic;
    record.key = key;
    record.key_len = sizeof key - 1;
    record.value = value;
    record.value_len = sizeof value;
    record.headers = &unit;
    record.header_count = 1;
    return klamm_send(producer, &record, board_now_us(), NULL);
}

/* Sends all readings, as there is room and the pace says. False if the topic cannot be used. */
static bool send_all(uint16_t topic) {
    uint32_t sent = 0;
    uint64_t next = 0;
    while (sent < settings.records) {
        klamm_status status = KLAMM_STATUS_OK;
        turn();
        while (sent < settings.records && next <= board_now_us()) {
            status = send_reading(topic, sent);
            if (status != KLAMM_STATUS_OK) {
                break;
            }
            sent++;
            next = settings.pace_ms == 0 ? 0 : board_now_us() + settings.pace_ms * 1000u;
        }
        if (status != KLAMM_STATUS_OK && status != KLAMM_STATUS_FULL &&
            status != KLAMM_STATUS_TOPIC_PENDING) {
            board_print(klamm_status_name(status));
            return false;
        }
        /* A device that has nothing else to do sleeps until a frame arrives or klamm_next_deadline. */
        board_sleep();
    }
    return true;
}

static void flush(void) {
    uint32_t ticket = klamm_flush(producer, board_now_us());
    while (!klamm_is_flushed(producer, ticket)) {
        board_sleep();
        turn();
    }
    take_reports();
}

static void say_end(uint64_t begin) {
    struct line line = {{0}, 0};
    klamm_stats stats;
    klamm_get_stats(producer, &stats);
    line_text(&line, "end boots=1 accepted=");
    line_number(&line, (int64_t)stats.accepted);
    line_text(&line, " delivered=");
    line_number(&line, delivered);
    line_text(&line, " failed=");
    line_number(&line, failed);
    line_text(&line, " written_off=0 refused=0 retries=");
    line_number(&line, (int64_t)stats.retries);
    line_text(&line, " connects=");
    line_number(&line, (int64_t)stats.connects);
    line_text(&line, " ms=");
    line_number(&line, (int64_t)(board_now_us() - begin) / 1000);
    line_text(&line, " stack=");
    line_number(&line, (int64_t)board_stack_used());
    line_text(&line, "\n");
    board_print(line.text);
}

static klamm_status start(void) {
    klamm_limits limits;
    klamm_config config;
    klamm_limits_init(&limits);
    limits.connections = CONNECTIONS;
    limits.brokers = 4;
    limits.topics = 1;
    klamm_config_init(&config);
    config.bootstrap_servers = settings.bootstrap;
    config.client_id = "klamm-c-firmware";
    config.linger_ms = LINGER_MS;
    config.request_timeout_ms = 5000;
    /* A device in the field takes a random number for a seed, lest all of them retry at the same time. */
    return klamm_init(memory, sizeof memory, &limits, &config, 1, board_now_us(), &producer, NULL);
}

/* What stands behind a prefix; null if it does not begin so. */
static char *after(const char *prefix, char *text) {
    while (*prefix != 0) {
        if (*prefix++ != *text++) {
            return NULL;
        }
    }
    return text;
}

static uint32_t to_number(const char *text) {
    uint32_t number = 0;
    while (*text >= '0' && *text <= '9') {
        number = number * 10 + (uint32_t)(*text++ - '0');
    }
    return number;
}

/* Of words `name=value` with spaces between them; what is not said stays as it is. False for another word. */
static bool parse(char *words) {
    while (*words != 0) {
        char *name = words, *value;
        while (*words != 0 && *words != ' ') {
            words++;
        }
        if (*words == ' ') {
            *words++ = 0;
        }
        if ((value = after("bootstrap=", name)) != NULL) {
            settings.bootstrap = value;
        } else if ((value = after("topic=", name)) != NULL) {
            settings.topic = value;
        } else if ((value = after("records=", name)) != NULL) {
            settings.records = to_number(value);
        } else if ((value = after("pace_ms=", name)) != NULL) {
            settings.pace_ms = to_number(value);
        } else {
            return false;
        }
    }
    return true;
}

int main(void) {
    static char arguments[256];
    uint64_t begin;
    uint16_t topic;
    klamm_status status;
    board_start();
    board_arguments(arguments, sizeof arguments);
    net = network_start(1, board_now_us());
    if (!parse(arguments) || net == NULL) {
        board_exit(WRONG_SETTINGS);
    }
    board_print("boot\n");
    status = start();
    if (status == KLAMM_STATUS_OK) {
        status = klamm_topic(producer, settings.topic, &topic);
    }
    if (status != KLAMM_STATUS_OK) {
        board_print(klamm_status_name(status));
        board_exit(UNUSABLE);
    }
    klamm_set_clock(producer, board_wall_ms(), board_now_us());
    while (!network_is_up(net)) {
        network_poll(net, board_now_us());
        board_sleep();
    }
    board_print("address\n");
    begin = board_now_us();
    if (!send_all(topic)) {
        board_exit(UNUSABLE);
    }
    flush();
    say_end(begin);
    board_exit(failed == 0 ? 0 : NOT_DELIVERED);
}
