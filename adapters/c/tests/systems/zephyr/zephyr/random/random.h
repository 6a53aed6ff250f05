#include <stddef.h>
void sys_rand_get(void *dst, size_t len);
