/* ESP-IDF, whose sockets are lwIP's by their POSIX names. */
#include <stdlib.h>
#include <sys/select.h>

#include "esp_random.h"
#include "esp_sleep.h"
#include "esp_timer.h"
#include "freertos/FreeRTOS.h"
#include "freertos/task.h"

#include "klamm.h"
#include "port.h"

uint64_t port_now_us(void) {
    return (uint64_t)esp_timer_get_time();
}

/* Random only while Wi-Fi or Bluetooth is on, else pseudo-random: good enough for this. */
uint64_t port_seed(void) {
    return (uint64_t)esp_random() << 32 | esp_random();
}

void port_wait(int socket, bool writes, uint32_t timeout_ms) {
    fd_set readable, writable;
    struct timeval timeout;
    if (socket < 0) {
        vTaskDelay(pdMS_TO_TICKS(timeout_ms));
        return;
    }
    timeout.tv_sec = (time_t)(timeout_ms / 1000u);
    timeout.tv_usec = (suseconds_t)(timeout_ms % 1000u * 1000u);
    FD_ZERO(&readable);
    FD_ZERO(&writable);
    FD_SET(socket, &readable);
    if (writes) {
        FD_SET(socket, &writable);
    }
    select(socket + 1, &readable, &writable, NULL, &timeout);
}

/* Light sleep until klamm wants to be called: Wi-Fi has to be off, and everything sent. */
void sleep_until_deadline(const klamm_producer *producer) {
    uint64_t deadline = klamm_next_deadline(producer), now = port_now_us();
    if (deadline != KLAMM_NEVER && deadline > now) {
        esp_sleep_enable_timer_wakeup(deadline - now);
        esp_light_sleep_start();
    }
}

void klamm_panicked(void) {
    abort();
}
