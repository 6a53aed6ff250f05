/* What klamm's run loop needs of a system beside sockets. One of the files next to this has it for FreeRTOS with lwIP,
 * for Zephyr, and for ESP-IDF; the loop is that of ../posix/produce.c, with port_wait for `poll`. */
#ifndef PORT_H
#define PORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Microseconds, never back. */
uint64_t port_now_us(void);

/* Another number on each device and after each start. */
uint64_t port_seed(void);

/* Waits until a socket can be read, or written if `writes`, or so many milliseconds have passed. -1 for no socket. */
void port_wait(int socket, bool writes, uint32_t timeout_ms);

#endif
