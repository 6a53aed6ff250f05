TickType_t xTaskGetTickCount(void);
void vTaskDelay(const TickType_t ticks);
void stand_in_disable_interrupts(void);
#define taskDISABLE_INTERRUPTS() stand_in_disable_interrupts()
