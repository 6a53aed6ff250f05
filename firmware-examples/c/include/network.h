/* TCP on QEMU's lm3s6965evb: smoltcp, DHCP and an Ethernet driver behind eight functions. It stands where lwIP,
 * FreeRTOS-Plus-TCP or a modem's commands stand in another firmware; none of klamm depends on it.
 *
 * No function blocks. All of them are called by one thread, with the network that network_start gave. Sockets are
 * numbered from 0 to NETWORK_SOCKETS - 1. */
#ifndef NETWORK_H
#define NETWORK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NETWORK_SOCKETS 1

enum { NETWORK_CLOSED, NETWORK_CONNECTING, NETWORK_OPEN };

typedef struct network network;

/* To be defined by the program: the network stack does not go on. Do not return: reset, or stop. */
void network_panicked(void);

/* Switches the card on, and begins to ask for an address. `seed` feeds sequence and port numbers. Null the second
 * time. */
network *network_start(uint64_t seed, uint64_t now_us);

/* Moves frames both ways; to be called again and again. */
void network_poll(network *net, uint64_t now_us);

/* Does the machine have an address? */
bool network_is_up(const network *net);

/* Begins to connect a closed socket to an IPv4 address like `10.0.2.2`. False if that cannot be one, or there is no
 * address of our own yet. */
bool network_connect(network *net, uint8_t socket, const char *host, uint16_t port);

/* NETWORK_CLOSED also after the peer has closed, once everything was received. */
int network_state(const network *net, uint8_t socket);

/* Takes as many bytes as there is room for, and says how many. */
size_t network_send(network *net, uint8_t socket, const uint8_t *data, size_t len);

/* Gives bytes that have arrived, at most `capacity`, and says how many. */
size_t network_receive(network *net, uint8_t socket, uint8_t *data, size_t capacity);

/* Closes at once, with a reset. */
void network_close(network *net, uint8_t socket);

#endif
