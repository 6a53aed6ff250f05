/* Zephyr: CONFIG_NETWORKING, CONFIG_NET_TCP, CONFIG_NET_SOCKETS, CONFIG_ENTROPY_GENERATOR. */
#include <zephyr/kernel.h>
#include <zephyr/net/socket.h>
#include <zephyr/random/random.h>

#include "klamm.h"
#include "port.h"

uint64_t port_now_us(void) {
    return k_ticks_to_us_floor64((uint64_t)k_uptime_ticks());
}

uint64_t port_seed(void) {
    uint64_t seed;
    sys_rand_get(&seed, sizeof seed);
    return seed;
}

/* A thread that has sent a record is not noticed before the timeout: keep that short, or poll an eventfd, too. */
void port_wait(int socket, bool writes, uint32_t timeout_ms) {
    struct zsock_pollfd waited;
    if (socket < 0) {
        k_sleep(K_MSEC(timeout_ms));
        return;
    }
    waited.fd = socket;
    waited.events = (short)(writes ? ZSOCK_POLLIN | ZSOCK_POLLOUT : ZSOCK_POLLIN);
    waited.revents = 0;
    zsock_poll(&waited, 1, (int)timeout_ms);
}

void klamm_panicked(void) {
    k_panic();
    for (;;) {
    }
}
