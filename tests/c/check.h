/* What the C test programs share: CHECK ends the program with the place and the last error. */
#ifndef CHECK_H
#define CHECK_H

#include <stdio.h>
#include <stdlib.h>

#include "vug.h"

static inline void fail(const char *file, int line, const char *what, long found) {
    char text[512];

    vug_last_error(text, sizeof(text), NULL);
    fprintf(stderr, "%s:%d: %s (found %ld)\nlast error: %s\n", file, line, what, found, text);
    exit(1);
}

#define CHECK(condition)                                      \
    do {                                                      \
        if (!(condition)) {                                   \
            fail(__FILE__, __LINE__, #condition, 0);          \
        }                                                     \
    } while (0)

#define CHECK_STATUS(expected, call)                          \
    do {                                                      \
        long found_ = (long)(call);                           \
        if (found_ != (long)(expected)) {                     \
            fail(__FILE__, __LINE__, #call " gives " #expected, found_); \
        }                                                     \
    } while (0)

#define CHECK_OK(call) CHECK_STATUS(VUG_OK, call)

/* A text as bytes and length. */
#define BYTES(text) (text), sizeof(text) - 1

#endif
