/* A line of words and numbers, without a libc. */
#ifndef LINE_H
#define LINE_H

#include <stddef.h>
#include <stdint.h>

/* What does not fit is left out. Begin with `struct line line = {0};`. */
struct line {
    char text[200];
    size_t len;
};

void line_text(struct line *line, const char *text);
void line_number(struct line *line, int64_t number);

/* Writes the last digits of a number, with zeros in front. */
void digits(char *to, size_t count, uint32_t number);

#endif
