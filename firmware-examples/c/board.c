/* Start-up, SysTick and semihosting of a Cortex-M3, without a libc. */
#include "board.h"

extern uint32_t data_start[], data_end[], data_load[], bss_start[], bss_end[], stack_top[];

void reset(void);
int main(void);

/* What the processor runs at after a reset, and how often SysTick interrupts. */
enum { CORE_HZ = 12500000, TICK_HZ = 1000 };

#define SYST_CONTROL (*(volatile uint32_t *)0xE000E010)
#define SYST_RELOAD (*(volatile uint32_t *)0xE000E014)
#define SYST_CURRENT (*(volatile uint32_t *)0xE000E018)

static const uint32_t PAINT = 0xCCCCCCCC;
/* Below the stack pointer as it is painted: what the painting itself takes. */
enum { UNPAINTED = 64 };

/* Thousandths of a second: two words, which the handler changes between the reading of one and the other. */
static volatile uint32_t ticks[2];

static void count(void) {
    ticks[0]++;
    if (ticks[0] == 0) {
        ticks[1]++;
    }
}

/* Faults end in it: QEMU ends with a code that no test takes for success. */
static void fault(void) {
    board_exit(102);
}

/* The stack's top, where the processor begins, then the exceptions up to SysTick. No other interrupt is switched on. */
static const struct {
    uint32_t *stack;
    void (*handlers[15])(void);
} vectors __attribute__((section(".vectors"), used)) = {
    stack_top,
    {reset, fault, fault, fault, fault, fault, 0, 0, 0, 0, fault, fault, 0, fault, count},
};

void reset(void) {
    uint32_t *from = data_load, *to;
    for (to = data_start; to < data_end; to++) {
        *to = *from++;
    }
    for (to = bss_start; to < bss_end; to++) {
        *to = 0;
    }
    for (to = bss_end; (uintptr_t)to + UNPAINTED < (uintptr_t)__builtin_frame_address(0); to++) {
        *(volatile uint32_t *)to = PAINT;
    }
    main();
    board_exit(103);
}

void board_start(void) {
    SYST_RELOAD = CORE_HZ / TICK_HZ - 1;
    SYST_CURRENT = 0;
    SYST_CONTROL = 7;
}

uint64_t board_now_us(void) {
    uint32_t high, low;
    do {
        high = ticks[1];
        low = ticks[0];
    } while (high != ticks[1]);
    return ((uint64_t)high << 32 | low) * (1000000 / TICK_HZ);
}

void board_sleep(void) {
    __asm__ volatile("wfi");
}

size_t board_stack_used(void) {
    const volatile uint32_t *at = bss_end;
    while (at < stack_top && *at == PAINT) {
        at++;
    }
    return (uintptr_t)stack_top - (uintptr_t)at;
}

/* Semihosting: the debugger, here QEMU, does something for the program. */
static uint32_t host(uint32_t operation, const void *argument) {
    register uint32_t r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

enum { SYS_OPEN = 0x01, SYS_WRITE = 0x05, SYS_TIME = 0x11, SYS_GET_CMDLINE = 0x15, SYS_EXIT_EXTENDED = 0x20 };

int64_t board_wall_ms(void) {
    return (int64_t)host(SYS_TIME, NULL) * 1000;
}

void board_arguments(char *text, size_t capacity) {
    uint32_t block[2] = {(uintptr_t)text, (uint32_t)capacity};
    if (host(SYS_GET_CMDLINE, block) != 0) {
        text[0] = 0;
    }
}

void board_print(const char *text) {
    /* The host's standard output has this name, opened to write. */
    static const char name[] = ":tt";
    const uint32_t terminal[3] = {(uintptr_t)name, 4, sizeof name - 1};
    static uint32_t output;
    uint32_t block[3];
    size_t len = 0;
    if (output == 0) {
        output = host(SYS_OPEN, terminal);
    }
    while (text[len] != 0) {
        len++;
    }
    block[0] = output;
    block[1] = (uintptr_t)text;
    block[2] = len;
    host(SYS_WRITE, block);
}

void board_exit(unsigned code) {
    const uint32_t block[2] = {0x20026, code};
    for (;;) {
        host(SYS_EXIT_EXTENDED, block);
    }
}
