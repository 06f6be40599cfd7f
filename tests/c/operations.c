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
    CHECK_STATUS(VUG_NOT_FOUND, vug_replace(region, "a", 1, "1", 1, NULL, &first));
    CHECK(first.version == 0);
    CHECK_STATUS(VUG_NOT_FOUND, vug_remove(region, "a", 1, NULL));
    CHECK_OK(vug_create(region, "a", 1, "one", 3, NULL, &first));
    CHECK(first.version != 0 && first.kind == 1);
    CHECK_STATUS(VUG_ERR_ENTRY_EXISTS, vug_create(region, "a", 1, "1", 1, NULL, &second));
    CHECK(second.version == 0);
    check_value(region, "a", "one");
    CHECK_OK(vug_replace(region, "a", 1, "two", 3, NULL, &second));
    CHECK(second.version > first.version);
    check_value(region, "a", "two");
    CHECK_OK(vug_put(region, "b", 1, NULL, 0, NULL));
    check_value(region, "b", "");
    CHECK_OK(vug_len(region, &len));
    CHECK(len == 2);
    CHECK_OK(vug_remove(region, "a", 1, &first));
    CHECK(first.version > second.version);
    check_absent(region, "a");
    CHECK_OK(vug_len(region, &len));
    CHECK(len == 1);
    CHECK_OK(vug_remove(region, "b", 1, NULL));
}

static void compare_and_swap(vug_region_t *region) {
    vug_token_t old;
    vug_token_t token;

    CHECK_OK(vug_put(region, "c", 1, "one", 3, &old));
    token = old;
    CHECK_OK(vug_compare_and_swap(region, "c", 1, &token, "two", 3, NULL, &token));
    CHECK(token.version > old.version);
    check_value(region, "c", "two");
    CHECK_STATUS(VUG_CHANGED, vug_compare_and_swap(region, "c", 1, &old, "three", 5, NULL, &old));
    CHECK(memcmp(&old, &token, sizeof(token)) == 0);
    check_value(region, "c", "two");
    CHECK_OK(vug_remove(region, "c", 1, NULL));
    CHECK_STATUS(VUG_CHANGED, vug_compare_and_swap(region, "c", 1, &old, "four", 4, NULL, NULL));
    check_absent(region, "c");
}

static void conditions_on_values(vug_region_t *region) {
    vug_token_t first;
    vug_token_t token;

    CHECK_OK(vug_put_if_absent(region, "d", 1, "one", 3, NULL, &first));
    CHECK_STATUS(VUG_PRESENT, vug_put_if_absent(region, "d", 1, "two", 3, NULL, &token));
    CHECK(memcmp(&first, &token, sizeof(token)) == 0);
    check_value(region, "d", "one");
    CHECK_STATUS(VUG_CHANGED, vug_replace_if(region, "d", 1, "two", 3, "3", 1, NULL, &token));
    CHECK(memcmp(&first, &token, sizeof(token)) == 0);
    CHECK_OK(vug_replace_if(region, "d", 1, "one", 3, NULL, 0, NULL, &token));
    check_value(region, "d", "");
    CHECK_STATUS(VUG_CHANGED, vug_remove_if_value(region, "d", 1, "one", 3, NULL, NULL));
    CHECK_STATUS(VUG_CHANGED, vug_remove_if(region, "d", 1, &first, NULL, &first));
    CHECK(memcmp(&first, &token, sizeof(token)) == 0);
    CHECK_OK(vug_remove_if(region, "d", 1, &first, NULL, &token));
    check_absent(region, "d");
    CHECK_STATUS(VUG_CHANGED, vug_replace_if(region, "d", 1, "x", 1, "y", 1, NULL, &token));
    CHECK(token.version == 0 && token.kind == 0);
    CHECK_OK(vug_put(region, "d", 1, "one", 3, NULL));
    CHECK_OK(vug_remove_if_value(region, "d", 1, "one", 3, NULL, NULL));
    check_absent(region, "d");
}

/* Entries without a value, and what is known of entries. */
static void invalid_entries(vug_region_t *region) {
    vug_token_t token;
    vug_token_t same;
    vug_entry_info_t info;
    vug_view_t view;

    CHECK_STATUS(VUG_NOT_FOUND, vug_contains_key(region, "e", 1));
    CHECK_STATUS(VUG_NOT_FOUND, vug_token(region, "e", 1, &token));
    CHECK_STATUS(VUG_NOT_FOUND, vug_entry_info(region, "e", 1, &info, sizeof(info)));
    CHECK_STATUS(VUG_ERR_ENTRY_NOT_FOUND, vug_invalidate(region, "e", 1, NULL));
    CHECK_STATUS(VUG_ERR_ENTRY_NOT_FOUND, vug_destroy(region, "e", 1, NULL));
    CHECK_OK(vug_create_invalid(region, "e", 1, &token));
    CHECK(token.kind == VUG_KIND_INVALID);
    CHECK_OK(vug_contains_key(region, "e", 1));
    CHECK_STATUS(VUG_NOT_FOUND, vug_contains_value_for_key(region, "e", 1));
    CHECK_STATUS(VUG_NOT_FOUND, vug_get(region, "e", 1, &view));
    CHECK_OK(vug_token(region, "e", 1, &same));
    CHECK(memcmp(&token, &same, sizeof(token)) == 0);
    CHECK_STATUS(VUG_ERR_ENTRY_EXISTS, vug_create_invalid(region, "e", 1, NULL));
    CHECK_OK(vug_put(region, "e", 1, "12345", 5, &token));
    CHECK_OK(vug_contains_value_for_key(region, "e", 1));
    CHECK_OK(vug_entry_info(region, "e", 1, &info, sizeof(info)));
    CHECK(info.value_len == 5 && info.expires_ns == 0 && info.token.kind == VUG_KIND_VALUE);
    CHECK(memcmp(&info.token, &token, sizeof(token)) == 0);
    CHECK_OK(vug_invalidate(region, "e", 1, &token));
    CHECK_STATUS(VUG_CHANGED, vug_invalidate(region, "e", 1, &token));
    CHECK_OK(vug_put(region, "e", 1, "12345", 5, &token));
    CHECK_OK(vug_local_invalidate(region, "e", 1, &token));
    CHECK(token.kind == VUG_KIND_LOCAL_INVALID);
    CHECK_OK(vug_local_destroy(region, "e", 1, NULL));
    check_absent(region, "e");
    CHECK_OK(vug_create_invalid(region, "e", 1, NULL));
    CHECK_OK(vug_destroy(region, "e", 1, &token));
    CHECK(token.kind == VUG_KIND_TOMBSTONE);
    check_absent(region, "e");
}

static void counters(vug_region_t *region) {
    int64_t sum = 7;

    CHECK_OK(vug_increment(region, "n", 1, 5, NULL, &sum));
    CHECK(sum == 5);
    CHECK_OK(vug_increment(region, "n", 1, -7, NULL, &sum));
    CHECK(sum == -2);
    CHECK_OK(vug_increment(region, "n", 1, 0, NULL, NULL));
    CHECK_STATUS(VUG_ERR_COUNTER_OVERFLOW, vug_increment(region, "n", 1, INT64_MIN, NULL, &sum));
    CHECK(sum == 0);
    CHECK_OK(vug_put(region, "n", 1, "text", 4, NULL));
    CHECK_STATUS(VUG_ERR_NOT_A_COUNTER, vug_increment(region, "n", 1, 1, NULL, NULL));
    CHECK_OK(vug_remove(region, "n", 1, NULL));
}

/* A time to live of an entry, and options that mean nothing. */
static void write_options(vug_region_t *region) {
    vug_write_options_t options = VUG_WRITE_OPTIONS_INIT;
    vug_entry_info_t info;
    vug_token_t token;

    options.ttl_ns = UINT64_C(3600) * 1000000000;
    options.ack_within_ns = 1000;
    CHECK_OK(vug_put_with(region, "t", 1, "v", 1, &options, &token));
    CHECK_OK(vug_entry_info(region, "t", 1, &info, sizeof(info)));
    CHECK(info.expires_ns > UINT64_C(1700000000) * 1000000000);
    CHECK_OK(vug_compare_and_swap(region, "t", 1, &token, "w", 1, NULL, &token));
    CHECK_OK(vug_entry_info(region, "t", 1, &info, sizeof(info)));
    CHECK(info.expires_ns == 0);
    CHECK_OK(vug_replace(region, "t", 1, "x", 1, &options, NULL));
    CHECK_OK(vug_entry_info(region, "t", 1, &info, sizeof(info)));
    CHECK(info.expires_ns != 0);
    CHECK_OK(vug_remove_with(region, "t", 1, &options, NULL));
    options.ttl_ns = 1;
    CHECK_OK(vug_create(region, "t", 1, "v", 1, &options, NULL));
    /* Expiry is exact to one tick of the clock. */
    while (vug_contains_key(region, "t", 1) == VUG_OK) {
    }
    check_absent(region, "t");
    CHECK_OK(vug_region_clear(region));
    options.reserved = 1;
    CHECK_STATUS(VUG_ERR_ARGUMENT, vug_put_with(region, "t", 1, "v", 1, &options, NULL));
    options.struct_size = 3;
    CHECK_STATUS(VUG_ERR_ARGUMENT, vug_put_with(region, "t", 1, "v", 1, &options, NULL));
}

static void swap_value(vug_region_t *region) {
    vug_token_t first;
    vug_token_t second;
    vug_view_t old;

    CHECK_OK(vug_swap_value(region, "s", 1, "one", 3, &first, &old));
    CHECK(old.data == NULL && old.pin == NULL && first.kind == VUG_KIND_VALUE);
    CHECK_OK(vug_swap_value(region, "s", 1, NULL, 0, &second, &old));
    CHECK(second.version > first.version);
    CHECK(old.len == 3 && memcmp(old.data, "one", 3) == 0 && old.token.version == 0);
    check_value(region, "s", "");
    CHECK_OK(vug_remove(region, "s", 1, NULL));
    CHECK(memcmp(old.data, "one", 3) == 0);
    CHECK_OK(vug_view_release(&old));
    CHECK_STATUS(VUG_ERR_HANDLE, vug_view_release(&old));

    /* An empty value is a value, an invalid entry has none. */
    CHECK_OK(vug_put(region, "s", 1, NULL, 0, NULL));
    CHECK_OK(vug_swap_value(region, "s", 1, "two", 3, NULL, &old));
    CHECK(old.data != NULL && old.len == 0);
    CHECK_OK(vug_view_release(&old));
    CHECK_OK(vug_invalidate(region, "s", 1, NULL));
    CHECK_OK(vug_swap_value(region, "s", 1, "three", 5, NULL, &old));
    CHECK(old.data == NULL && old.pin == NULL);
    CHECK_STATUS(VUG_ERR_INVALID_KEY, vug_swap_value(region, "s", 0, "x", 1, NULL, &old));
    CHECK(old.data == NULL && old.pin == NULL);
    CHECK_OK(vug_remove(region, "s", 1, NULL));
}

/* Where no other node is asked, the ways to read are one. */
static void local_reads(vug_region_t *region) {
    vug_read_options_t options = VUG_READ_OPTIONS_INIT;
    vug_view_t views[5];
    vug_view_t view;
    int i;

    options.search_within_ns = 1;
    CHECK_STATUS(VUG_NOT_FOUND, vug_get_local(region, "r", 1, &view));
    CHECK_STATUS(VUG_NOT_FOUND, vug_get_with(region, "r", 1, &options, &view));
    CHECK_OK(vug_put(region, "r", 1, "value", 5, NULL));
    CHECK_OK(vug_get_local(region, "r", 1, &views[0]));
    CHECK_OK(vug_get_with(region, "r", 1, NULL, &views[1]));
    for (i = 2; i < 5; i++) {
        CHECK_OK(vug_get_with(region, "r", 1, &options, &views[i]));
    }
    CHECK_STATUS(VUG_ERR_TOO_MANY_PINS, vug_get_local(region, "r", 1, &view));
    CHECK_STATUS(VUG_ERR_TOO_MANY_PINS, vug_get_with(region, "r", 1, NULL, &view));
    CHECK(view.data == NULL && view.pin == NULL);
    for (i = 0; i < 5; i++) {
        CHECK(views[i].len == 5 && memcmp(views[i].data, "value", 5) == 0);
        CHECK_OK(vug_view_release(&views[i]));
    }
    options.local = 3;
    CHECK_STATUS(VUG_ERR_ARGUMENT, vug_get_with(region, "r", 1, &options, &view));
    CHECK_OK(vug_remove(region, "r", 1, NULL));
}

/* A file that is removed: who has it open keeps it, and its name is free. */
static void remove_region(vug_node_t *node) {
    vug_region_t *old;
    vug_region_t *new;
    vug_view_t view;

    CHECK_OK(vug_region_create(node, "removed", NULL, &old));
    CHECK_OK(vug_put(old, "k", 1, "old", 3, NULL));
    CHECK_OK(vug_node_remove_region(node, "removed"));
    CHECK_STATUS(VUG_ERR_REGION_NOT_FOUND, vug_node_remove_region(node, "removed"));
    CHECK_STATUS(VUG_ERR_REGION_NOT_FOUND, vug_region_open(node, "removed", NULL, &new));
    CHECK_STATUS(VUG_ERR_INVALID_REGION_NAME, vug_node_remove_region(node, "../node"));
    CHECK_OK(vug_region_create(node, "removed", NULL, &new));
    CHECK_STATUS(VUG_NOT_FOUND, vug_get(new, "k", 1, &view));
    check_value(old, "k", "old");
    CHECK_OK(vug_put(old, "k", 1, "later", 5, NULL));
    CHECK_OK(vug_region_close(old));
    CHECK_OK(vug_region_close(new));
    CHECK_OK(vug_node_remove_region(node, "removed"));
}

static void batches(vug_region_t *region) {
    enum { COUNT = 50 };
    static char keys[COUNT][16];
    static char value[COUNT];
    vug_pair_t pairs[COUNT];
    vug_bytes_t names[COUNT];
    vug_result_t results[COUNT];
    vug_value_t found[COUNT];
    vug_values_t *values;
    uint64_t len;
    int i;

    for (i = 0; i < COUNT; i++) {
        snprintf(keys[i], sizeof(keys[i]), "b%d", i);
        value[i] = (char)i;
        names[i].data = keys[i];
        names[i].len = strlen(keys[i]);
        pairs[i].key = keys[i];
        pairs[i].key_len = names[i].len;
        pairs[i].value = i % 7 == 0 ? NULL : value;
        pairs[i].value_len = i % 7 == 0 ? 0 : (size_t)i;
    }
    CHECK_OK(vug_put_all(region, pairs, COUNT, NULL, results));
    for (i = 0; i < COUNT; i++) {
        CHECK(results[i].status == VUG_OK && results[i].token.kind == VUG_KIND_VALUE);
    }
    names[9].data = "nothing";
    names[9].len = 7;
    CHECK_OK(vug_values_new(&values));
    for (i = 0; i < 3; i++) {
        int k;

        CHECK_OK(vug_get_all(region, names, COUNT, values, found));
        for (k = 0; k < COUNT; k++) {
            size_t expected = k % 7 == 0 ? 0 : (size_t)k;

            if (k == 9) {
                CHECK(found[k].data == NULL && found[k].len == 0 && found[k].token.version == 0);
                continue;
            }
            CHECK(found[k].data != NULL && found[k].len == expected);
            CHECK(memcmp(found[k].data, value, expected) == 0);
            CHECK(memcmp(&found[k].token, &results[k].token, sizeof(vug_token_t)) == 0);
        }
    }
    CHECK_OK(vug_get_all(region, NULL, 0, values, NULL));
    CHECK_OK(vug_values_free(values));
    CHECK_STATUS(VUG_ERR_HANDLE, vug_values_free(values));
    CHECK_STATUS(VUG_ERR_HANDLE, vug_get_all(region, names, COUNT, values, found));
    CHECK(found[0].data == NULL);

    CHECK_OK(vug_remove_all(region, names, COUNT, NULL, results));
    for (i = 0; i < COUNT; i++) {
        CHECK(results[i].status == (i == 9 ? VUG_NOT_FOUND : VUG_OK));
    }
    CHECK_OK(vug_remove(region, "b9", 2, NULL));
    CHECK_OK(vug_put_all(region, NULL, 0, NULL, NULL));

    /* An impossible key: nothing is done. */
    pairs[COUNT - 1].key_len = 0;
    CHECK_STATUS(VUG_ERR_INVALID_KEY, vug_put_all(region, pairs, COUNT, NULL, results));
    CHECK(results[0].status == 0 && results[0].token.version == 0);
    CHECK_OK(vug_len(region, &len));
    CHECK(len == 0);
}

/* Some entries of many fail: the others are stored. */
static void a_batch_that_fails(vug_node_t *node) {
    enum { COUNT = 64 };
    static char value[64 << 10];
    vug_region_options_t options = VUG_REGION_OPTIONS_INIT;
    vug_region_t *region;
    vug_pair_t pairs[COUNT];
    vug_result_t results[COUNT];
    char keys[COUNT];
    char text[512];
    int stored = 0;
    int i;

    options.max_bytes = 2 << 20;
    CHECK_OK(vug_region_create(node, "narrow", &options, &region));
    for (i = 0; i < COUNT; i++) {
        keys[i] = (char)i;
        pairs[i].key = &keys[i];
        pairs[i].key_len = 1;
        pairs[i].value = value;
        pairs[i].value_len = sizeof(value);
    }
    CHECK_STATUS(VUG_ERR_BULK_FAILED, vug_put_all(region, pairs, COUNT, NULL, results));
    CHECK_OK(vug_last_error(text, sizeof(text), NULL));
    CHECK(strncmp(text, "VUG-0411: ", 10) == 0);
    for (i = 0; i < COUNT; i++) {
        vug_status_t there = vug_contains_key(region, &keys[i], 1);

        CHECK(results[i].status == VUG_OK || results[i].status == VUG_ERR_OUT_OF_SPACE);
        CHECK((results[i].status == VUG_OK) == (there == VUG_OK));
        stored += results[i].status == VUG_OK;
    }
    CHECK(stored > 0 && stored < COUNT);
    CHECK_OK(vug_region_close(region));
}

/* A key that is read often sees every change. */
static void hot_keys(vug_region_t *region) {
    vug_key_t *key;
    vug_view_t view;
    char buffer[8];
    size_t len = 7;
    int i;

    CHECK_OK(vug_key_new(region, "h", 1, &key));
    CHECK_STATUS(VUG_NOT_FOUND, vug_key_get(key, &view));
    CHECK_STATUS(VUG_NOT_FOUND, vug_key_get_copy(key, buffer, sizeof(buffer), &len));
    CHECK(len == 0);
    for (i = 0; i < 1000; i++) {
        CHECK_OK(vug_put(region, "h", 1, &i, sizeof(i), NULL));
        CHECK_OK(vug_key_get_copy(key, buffer, sizeof(buffer), &len));
        CHECK(len == sizeof(i) && memcmp(buffer, &i, sizeof(i)) == 0);
        CHECK_OK(vug_key_get(key, &view));
        CHECK(view.len == sizeof(i) && memcmp(view.data, &i, sizeof(i)) == 0);
        CHECK_OK(vug_view_release(&view));
    }
    CHECK_STATUS(VUG_ERR_BUFFER, vug_key_get_copy(key, buffer, 2, &len));
    CHECK(len == sizeof(i));
    CHECK_OK(vug_key_get(key, &view));
    CHECK_OK(vug_key_free(key));
    CHECK_STATUS(VUG_ERR_HANDLE, vug_key_free(key));
    CHECK_STATUS(VUG_ERR_HANDLE, vug_key_get_copy(key, buffer, sizeof(buffer), &len));
    i--;
    CHECK(view.len == sizeof(i) && memcmp(view.data, &i, sizeof(i)) == 0);
    CHECK_OK(vug_view_release(&view));
    CHECK_OK(vug_remove(region, "h", 1, NULL));
}

/* More views than a thread has places for, of both kinds, released in another order. */
static void many_views(vug_region_t *region) {
    enum { COUNT = 40 };
    vug_view_t views[COUNT];
    vug_key_t *key;
    int i;

    CHECK_OK(vug_put(region, "m", 1, "many", 4, NULL));
    CHECK_OK(vug_key_new(region, "m", 1, &key));
    for (i = 0; i < COUNT; i++) {
        CHECK_OK(i % 3 == 1 ? vug_get_owned(region, "m", 1, &views[i])
                            : vug_get(region, "m", 1, &views[i]));
    }
    CHECK_OK(vug_remove(region, "m", 1, NULL));
    for (i = 0; i < COUNT; i++) {
        vug_view_t *view = &views[(i * 7) % COUNT];

        CHECK(view->len == 4 && memcmp(view->data, "many", 4) == 0);
        CHECK_OK(vug_view_release(view));
        CHECK_STATUS(VUG_ERR_HANDLE, vug_view_release(view));
    }
    CHECK_OK(vug_key_free(key));
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
    CHECK_OK(vug_remove(region, "v", 1, NULL));
    CHECK(old.len == 9 && memcmp(old.data, "old value", 9) == 0);
    CHECK_OK(vug_view_release(&old));
    CHECK_OK(vug_region_close(region));
}

/* Keys without values, too. */
static void iterate_keys(vug_region_t *region) {
    vug_iter_t *iter;
    vug_entry_t entry;
    int seen = 0;

    CHECK_OK(vug_create_invalid(region, "invalid", 7, NULL));
    CHECK_OK(vug_iter_new_keys(region, &iter));
    while (vug_iter_next(iter, &entry) == VUG_OK) {
        CHECK(entry.key_len >= 1 && entry.value == NULL && entry.token.version == 0);
        seen++;
    }
    CHECK_OK(vug_iter_free(iter));
    CHECK(seen == 101);
    CHECK_OK(vug_destroy(region, "invalid", 7, NULL));
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
    conditions_on_values(region);
    invalid_entries(region);
    counters(region);
    write_options(region);
    swap_value(region);
    local_reads(region);
    remove_region(node);
    batches(region);
    a_batch_that_fails(node);
    hot_keys(region);
    many_views(region);
    views_stay(node);
    iterate(region);
    iterate_keys(region);
    limits(node, region);
    CHECK_OK(vug_region_close(region));
    CHECK_OK(vug_node_close(node));
    puts("operations=ok");
    return 0;
}
