/* Every operation on entries once, with all its answers.
 *
 *     operations <home> */
#include <string.h>

#include "check.h"

static void check_value(vug_region_t *region, const char *key, const char *value) {
    vug_view_t view;
    char buffer[64];
    size_t len;

    CHECK_OK(vug_get(region, key, strlen(key), &view));
    CHECK(view.len == strlen(value) && memcmp(view.data, value, view.len) == 0);
    CHECK(view.token.version != 0 && view.token.kind == 1);
    CHECK_OK(vug_view_release(&view));
    CHECK_OK(vug_get_copy(region, key, strlen(key), buffer, sizeof(buffer), &len));
    CHECK(len == strlen(value) && memcmp(buffer, value, len) == 0);
}

static void check_absent(vug_region_t *region, const char *key) {
    vug_view_t view;
    size_t len = 7;

    CHECK_STATUS(VUG_NOT_FOUND, vug_get(region, key, strlen(key), &view));
    CHECK(view.data == NULL && view.len == 0 && view.pin == NULL && view.token.version == 0);
    CHECK_STATUS(VUG_NOT_FOUND, vug_get_copy(region, key, strlen(key), NULL, 0, &len));
    CHECK(len == 0);
}

static void create_replace_delete(vug_region_t *region) {
    vug_token_t first;
    vug_token_t second;
    uint64_t len;

    check_absent(region, "a");
    CHECK_STATUS(VUG_NOT_FOUND, vug_replace(region, "a", 1, "1", 1, &first));
    CHECK(first.version == 0);
    CHECK_STATUS(VUG_NOT_FOUND, vug_delete(region, "a", 1, NULL));
    CHECK_OK(vug_create(region, "a", 1, "one", 3, &first));
    CHECK(first.version != 0 && first.kind == 1);
    CHECK_STATUS(VUG_ERR_ENTRY_EXISTS, vug_create(region, "a", 1, "1", 1, &second));
    CHECK(second.version == 0);
    check_value(region, "a", "one");
    CHECK_OK(vug_replace(region, "a", 1, "two", 3, &second));
    CHECK(second.version > first.version);
    check_value(region, "a", "two");
    CHECK_OK(vug_put(region, "b", 1, NULL, 0, NULL));
    check_value(region, "b", "");
    CHECK_OK(vug_len(region, &len));
    CHECK(len == 2);
    CHECK_OK(vug_delete(region, "a", 1, &first));
    CHECK(first.version > second.version);
    check_absent(region, "a");
    CHECK_OK(vug_len(region, &len));
    CHECK(len == 1);
    CHECK_OK(vug_delete(region, "b", 1, NULL));
}

static void compare_and_swap(vug_region_t *region) {
    vug_token_t old;
    vug_token_t token;

    CHECK_OK(vug_put(region, "c", 1, "one", 3, &old));
    token = old;
    CHECK_OK(vug_compare_and_swap(region, "c", 1, &token, "two", 3, &token));
    CHECK(token.version > old.version);
    check_value(region, "c", "two");
    CHECK_STATUS(VUG_CHANGED, vug_compare_and_swap(region, "c", 1, &old, "three", 5, &old));
    CHECK(memcmp(&old, &token, sizeof(token)) == 0);
    check_value(region, "c", "two");
    CHECK_OK(vug_delete(region, "c", 1, NULL));
    CHECK_STATUS(VUG_CHANGED, vug_compare_and_swap(region, "c", 1, &old, "four", 4, NULL));
    check_absent(region, "c");
}

/* A view shows the old value until it is released, even when all other memory of the region has
 * been used again several times. */
static void views_stay(vug_node_t *node) {
    vug_region_options_t options = VUG_REGION_OPTIONS_INIT;
    vug_region_t *region;
    vug_view_t old;
    vug_view_t copy;
    int i;

    options.max_bytes = 4 << 20;
    options.segment_bytes = 64 << 10;
    CHECK_OK(vug_region_create(node, "views", &options, &region));
    CHECK_OK(vug_put(region, "v", 1, "old value", 9, NULL));
    CHECK_OK(vug_get(region, "v", 1, &old));
    CHECK_OK(vug_get(region, "v", 1, &copy));
    CHECK_OK(vug_view_release(&copy));
    for (i = 0; i < 300000; i++) {
        CHECK_OK(vug_put(region, "v", 1, "new value", 9, NULL));
    }
    CHECK_OK(vug_delete(region, "v", 1, NULL));
    CHECK(old.len == 9 && memcmp(old.data, "old value", 9) == 0);
    CHECK_OK(vug_view_release(&old));
    CHECK_OK(vug_region_close(region));
}

static void iterate(vug_region_t *region) {
    vug_iter_t *iter;
    vug_entry_t entry;
    vug_status_t status;
    unsigned char seen[100] = { 0 };
    int i;

    for (i = 0; i < 100; i++) {
        unsigned char byte = (unsigned char)i;

        CHECK_OK(vug_put(region, &byte, 1, &byte, 1, NULL));
    }
    CHECK_OK(vug_iter_new(region, &iter));
    while ((status = vug_iter_next(iter, &entry)) == VUG_OK) {
        unsigned char key = *(const unsigned char *)entry.key;

        CHECK(entry.key_len == 1 && entry.value_len == 1 && key < 100);
        CHECK(*(const unsigned char *)entry.value == key);
        CHECK(entry.token.version != 0);
        seen[key]++;
    }
    CHECK_STATUS(VUG_END, status);
    CHECK_OK(vug_iter_free(iter));
    for (i = 0; i < 100; i++) {
        CHECK(seen[i] == 1);
    }
}

/* The region's edges: sizes, names, attributes. */
static void limits(vug_node_t *node, vug_region_t *region) {
    vug_region_options_t options = VUG_REGION_OPTIONS_INIT;
    vug_region_t *other;
    vug_view_t view;
    static char key[65537];
    char text[512];

    memset(key, 'x', sizeof(key));
    CHECK_OK(vug_put(region, key, 65536, "long", 4, NULL));
    CHECK_OK(vug_get(region, key, 65536, &view));
    CHECK_OK(vug_view_release(&view));
    CHECK_STATUS(VUG_ERR_INVALID_KEY, vug_put(region, key, 65537, "long", 4, NULL));

    CHECK_STATUS(VUG_ERR_INVALID_REGION_NAME, vug_region_open(node, "a/b", NULL, &other));
    CHECK_STATUS(VUG_ERR_INVALID_REGION_NAME, vug_region_open(node, "", NULL, &other));
    CHECK_STATUS(VUG_ERR_INVALID_REGION_NAME, vug_region_open(node, "\xff", NULL, &other));
    CHECK_STATUS(VUG_ERR_REGION_NOT_FOUND, vug_region_open(node, "nowhere", NULL, &other));
    vug_last_error(text, sizeof(text), NULL);
    CHECK(strncmp(text, "VUG-0206: ", 10) == 0 && strstr(text, "nowhere") != NULL);
    CHECK(strstr(text, "\nhelp: ") != NULL);
    CHECK_STATUS(VUG_ERR_REGION_EXISTS, vug_region_create(node, "operations", NULL, &other));
    CHECK(other == NULL);
    options.data_policy = VUG_DATA_POLICY_REPLICATE;
    options.scope = VUG_SCOPE_DISTRIBUTED_NO_ACK;
    CHECK_STATUS(VUG_ERR_ATTRIBUTES_DIFFER, vug_region_open(node, "operations", &options, &other));
    CHECK_OK(vug_region_create(node, "other", &options, &other));
    CHECK_OK(vug_region_close(other));
    CHECK_OK(vug_region_open_or_create(node, "other", &options, &other));
    CHECK_OK(vug_region_close(other));
}

int main(int argc, char **argv) {
    vug_node_t *node;
    vug_region_t *region;

    CHECK(argc == 2);
    CHECK_OK(vug_node_open(argv[1], &node));
    CHECK_OK(vug_region_create(node, "operations", NULL, &region));
    create_replace_delete(region);
    compare_and_swap(region);
    views_stay(node);
    iterate(region);
    limits(node, region);
    CHECK_OK(vug_region_close(region));
    CHECK_OK(vug_node_close(node));
    puts("operations=ok");
    return 0;
}
