/* What `calls.c` needs on QEMU's mps2-an385: newlib's start-up does the rest. */
#include "klamm.h"

#include <stdlib.h>

extern void _start(void);

/* The stack's top, and where the processor begins. */
__attribute__((section(".vectors"))) void *const vectors[] = {(void *)0x20400000, (void *)_start};

void klamm_panicked(void) {
    abort();
}
