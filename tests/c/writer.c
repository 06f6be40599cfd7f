/* Writes entries to a region, and creates it if there is none.
 *
 *     writer <home> <region> <n> <prefix>
 *
 * Entry i of 0 to n-1 has the key "<prefix>i" and the value "value i of <prefix>". Prints
 * "written=<n>". */
#include <stdio.h>
#include <stdlib.h>

#include "vug.h"

static int failed(const char *what) {
    char text[1024];

    vug_last_error(text, sizeof(text), NULL);
    fprintf(stderr, "writer: %s: %s\n", what, text);
    return 1;
}

static int write_all(vug_region_t *region, long n, const char *prefix) {
    char key[256];
    char value[256];
    long i;

    for (i = 0; i < n; i++) {
        int key_len = snprintf(key, sizeof(key), "%s%ld", prefix, i);
        int value_len = snprintf(value, sizeof(value), "value %ld of %s", i, prefix);

        if (key_len >= (int)sizeof(key) || value_len >= (int)sizeof(value)) {
            fprintf(stderr, "writer: the prefix is too long\n");
            return 2;
        }
        if (vug_put(region, key, (size_t)key_len, value, (size_t)value_len, NULL) != VUG_OK) {
            return failed(key);
        }
    }
    return 0;
}

int main(int argc, char **argv) {
    vug_node_t *node;
    vug_region_t *region;
    char *end;
    long n;
    int result;

    if (argc != 5) {
        fprintf(stderr, "usage: writer <home> <region> <n> <prefix>\n");
        return 2;
    }
    n = strtol(argv[3], &end, 10);
    if (*end != '\0' || n < 0) {
        fprintf(stderr, "writer: %s is not a number of entries\n", argv[3]);
        return 2;
    }
    if (vug_node_open(argv[1], &node) != VUG_OK) {
        return failed(argv[1]);
    }
    if (vug_region_open_or_create(node, argv[2], NULL, &region) != VUG_OK) {
        vug_node_close(node);
        return failed(argv[2]);
    }
    result = write_all(region, n, argv[4]);
    if (result == 0) {
        printf("written=%ld\n", n);
    }
    vug_region_close(region);
    vug_node_close(node);
    return result;
}
