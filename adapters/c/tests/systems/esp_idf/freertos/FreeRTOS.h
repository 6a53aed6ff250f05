#include <stdint.h>
typedef uint32_t TickType_t;
#define pdMS_TO_TICKS(ms) ((TickType_t)(((uint64_t)(ms) * 100u) / 1000u))
