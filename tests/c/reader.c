/* Reads a region: goes through its entries, then reads each key again without a copy.
 *
 *     reader <home> <region>
 *
 * Prints "entries=<n> checksum=<16 hex digits>". The checksum is the sum, modulo 2^64, of one
 * FNV-1a (64 bit) per entry over: the key's length (8 bytes, little end first), the key, the
 * value. So it does not depend on the order of the entries. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "vug.h"

static uint64_t fnv1a(uint64_t hash, const void *data, size_t len) {
    const unsigned char *bytes = data;
    size_t i;

    for (i = 0; i < len; i++) {
        hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
    }
    return hash;
}

static uint64_t entry_checksum(const void *key, size_t key_len, const vug_view_t *value) {
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    unsigned char len[8];
    int i;

    for (i = 0; i < 8; i++) {
        len[i] = (unsigned char)((uint64_t)key_len >> (8 * i));
    }
    hash = fnv1a(hash, len, sizeof(len));
    hash = fnv1a(hash, key, key_len);
    return fnv1a(hash, value->data, value->len);
}

static int failed(const char *what) {
    char text[1024];

    vug_last_error(text, sizeof(text), NULL);
    fprintf(stderr, "reader: %s: %s\n", what, text);
    return 1;
}

/* Zero if every entry was read. */
static int read_all(vug_region_t *region, uint64_t *entries, uint64_t *checksum) {
    vug_iter_t *iter;
    vug_entry_t entry;
    vug_view_t view;
    vug_status_t status;

    if (vug_iter_new(region, &iter) != VUG_OK) {
        return failed("iterate");
    }
    while ((status = vug_iter_next(iter, &entry)) == VUG_OK) {
        status = vug_get(region, entry.key, entry.key_len, &view);
        if (status < 0) {
            break;
        }
        if (status == VUG_NOT_FOUND) {
            continue; /* removed since the iterator saw it */
        }
        *entries += 1;
        *checksum += entry_checksum(entry.key, entry.key_len, &view);
        vug_view_release(&view);
    }
    if (status != VUG_END) {
        vug_iter_free(iter);
        return failed("read");
    }
    vug_iter_free(iter);
    return 0;
}

int main(int argc, char **argv) {
    vug_node_t *node;
    vug_region_t *region;
    uint64_t entries = 0;
    uint64_t checksum = 0;
    int result;

    if (argc != 3) {
        fprintf(stderr, "usage: reader <home> <region>\n");
        return 2;
    }
    if (vug_check_version(VUG_ABI_VERSION) != VUG_OK) {
        return failed("library");
    }
    if (vug_node_open(argv[1], &node) != VUG_OK) {
        return failed(argv[1]);
    }
    if (vug_region_open(node, argv[2], NULL, &region) != VUG_OK) {
        vug_node_close(node);
        return failed(argv[2]);
    }
    result = read_all(region, &entries, &checksum);
    if (result == 0) {
        printf("entries=%" PRIu64 " checksum=%016" PRIx64 "\n", entries, checksum);
    }
    vug_region_close(region);
    vug_node_close(node);
    return result;
}
