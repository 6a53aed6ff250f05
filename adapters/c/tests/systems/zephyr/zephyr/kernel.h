#include <stdint.h>
typedef struct {
    int64_t ticks;
} k_timeout_t;
int64_t k_uptime_ticks(void);
uint64_t k_ticks_to_us_floor64(uint64_t ticks);
k_timeout_t stand_in_milliseconds(uint32_t ms);
#define K_MSEC(ms) stand_in_milliseconds(ms)
int32_t k_sleep(k_timeout_t timeout);
void stand_in_panic(void);
#define k_panic() stand_in_panic()
