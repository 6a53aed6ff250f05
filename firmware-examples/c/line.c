/* A line of words and numbers, without a libc. */
#include "line.h"

void line_text(struct line *line, const char *text) {
    while (*text != 0 && line->len + 1 < sizeof line->text) {
        line->text[line->len++] = *text++;
    }
    line->text[line->len] = 0;
}

void line_number(struct line *line, int64_t number) {
    char text[21];
    size_t at = sizeof text - 1;
    uint64_t left = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    text[at] = 0;
    do {
        text[--at] = (char)('0' + left % 10);
        left /= 10;
    } while (left > 0);
    if (number < 0) {
        text[--at] = '-';
    }
    line_text(line, &text[at]);
}

void digits(char *to, size_t count, uint32_t number) {
    while (count > 0) {
        to[--count] = (char)('0' + number % 10);
        number /= 10;
    }
}
