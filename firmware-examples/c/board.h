/* QEMU's lm3s6965evb: its clock, and the host that it runs on. */
#ifndef BOARD_H
#define BOARD_H

#include <stddef.h>
#include <stdint.h>

/* Starts the clock. */
void board_start(void);

/* Microseconds since the start, in steps of a thousand. */
uint64_t board_now_us(void);

/* Sleeps until the clock's next step. */
void board_sleep(void);

/* Bytes of the stack that have been used at most. */
size_t board_stack_used(void);

/* Milliseconds since 1970: the host's clock stands where a device has SNTP or an RTC. */
int64_t board_wall_ms(void);

/* What stands behind QEMU's `-semihosting-config arg=`, a space between two of them; empty if it does not fit. */
void board_arguments(char *text, size_t capacity);

/* Writes to the host's terminal. */
void board_print(const char *text);

/* Ends QEMU with this exit code. */
void board_exit(unsigned code) __attribute__((noreturn));

#endif
