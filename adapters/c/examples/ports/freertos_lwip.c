/* FreeRTOS with lwIP's sockets (LWIP_SOCKET 1, LWIP_COMPAT_SOCKETS 0 or 1). */
#include "FreeRTOS.h"
#include "task.h"

#include "lwip/sockets.h"

#include "klamm.h"
#include "port.h"

/* Provided by the board: a hardware generator, or an ADC's noise. */
extern uint32_t board_random(void);
extern void board_reset(void);

/* Ticks have 32 bits, and wrap after 50 days at 1 kHz: called more often than that, by one task. */
uint64_t port_now_us(void) {
    static TickType_t last;
    static uint64_t ticks;
    TickType_t now = xTaskGetTickCount();
    ticks += (TickType_t)(now - last);
    last = now;
    return ticks * 1000000u / configTICK_RATE_HZ;
}

uint64_t port_seed(void) {
    return (uint64_t)board_random() << 32 | board_random();
}

/* A task that has sent a record is not noticed before the timeout: keep that short, or wake this with a datagram to a
 * UDP socket on 127.0.0.1 that is waited for, too. */
void port_wait(int socket, bool writes, uint32_t timeout_ms) {
    fd_set readable, writable;
    struct timeval timeout;
    if (socket < 0) {
        vTaskDelay((TickType_t)((uint64_t)timeout_ms * configTICK_RATE_HZ / 1000u));
        return;
    }
    timeout.tv_sec = (long)(timeout_ms / 1000u);
    timeout.tv_usec = (long)(timeout_ms % 1000u * 1000u);
    FD_ZERO(&readable);
    FD_ZERO(&writable);
    FD_SET(socket, &readable);
    if (writes) {
        FD_SET(socket, &writable);
    }
    lwip_select(socket + 1, &readable, &writable, NULL, &timeout);
}

void klamm_panicked(void) {
    taskDISABLE_INTERRUPTS();
    board_reset();
    for (;;) {
    }
}
