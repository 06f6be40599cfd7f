/* Wrong calls give an error and do no harm: NULL, closed handles, handles of another kind, random
 * numbers, double release, options of another size.
 *
 *     misuse            what needs no node
 *     misuse <home>     all of it */
#include <string.h>

#include "check.h"

/* A number as a handle. */
static void *number(uintptr_t value) {
    return (void *)value;
}

static void every_call_refuses(vug_node_t *node, vug_region_t *region, vug_iter_t *iter) {
    vug_region_t *opened = (vug_region_t *)number(1);
    vug_iter_t *walk = (vug_iter_t *)number(1);
    vug_view_t view = VUG_VIEW_INIT;
    vug_entry_t entry;
    vug_token_t token = { 1, 0, 1, { 0, 0, 0, 0, 0 } };
    char buffer[8];
    size_t len = 7;
    uint64_t count = 7;

    CHECK_STATUS(VUG_ERR_HANDLE, vug_region_create(node, "r", NULL, &opened));
    CHECK(opened == NULL);
    CHECK_STATUS(VUG_ERR_HANDLE, vug_region_open(node, "r", NULL, &opened));
    CHECK_STATUS(VUG_ERR_HANDLE, vug_region_open_or_create(node, "r", NULL, &opened));
    CHECK_STATUS(VUG_ERR_HANDLE, vug_node_close(node));

    CHECK_STATUS(VUG_ERR_HANDLE, vug_get(region, "k", 1, &view));
    CHECK(view.data == NULL && view.pin == NULL);
    CHECK_STATUS(VUG_ERR_HANDLE, vug_get_copy(region, "k", 1, buffer, sizeof(buffer), &len));
    CHECK(len == 0);
    CHECK_STATUS(VUG_ERR_HANDLE, vug_put(region, "k", 1, "v", 1, NULL));
    CHECK_STATUS(VUG_ERR_HANDLE, vug_create(region, "k", 1, "v", 1, NULL));
    CHECK_STATUS(VUG_ERR_HANDLE, vug_replace(region, "k", 1, "v", 1, NULL));
    CHECK_STATUS(VUG_ERR_HANDLE, vug_compare_and_swap(region, "k", 1, &token, "v", 1, NULL));
    CHECK_STATUS(VUG_ERR_HANDLE, vug_delete(region, "k", 1, &token));
    CHECK(token.version == 0 && token.kind == 0);
    CHECK_STATUS(VUG_ERR_HANDLE, vug_len(region, &count));
    CHECK(count == 0);
    CHECK_STATUS(VUG_ERR_HANDLE, vug_iter_new(region, &walk));
    CHECK(walk == NULL);
    CHECK_STATUS(VUG_ERR_HANDLE, vug_region_close(region));

    CHECK_STATUS(VUG_ERR_HANDLE, vug_iter_next(iter, &entry));
    CHECK(entry.key == NULL && entry.value == NULL);
    CHECK_STATUS(VUG_ERR_HANDLE, vug_iter_free(iter));
}

static void no_handles(void) {
    static int object;
    uintptr_t numbers[] = { 0, 1, 0x15, 0x25, 0x35, 0x45, 0x1000, UINTPTR_MAX, 0 };
    vug_view_t view = VUG_VIEW_INIT;
    size_t i;

    numbers[8] = (uintptr_t)&object;
    for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        void *handle = number(numbers[i]);

        every_call_refuses((vug_node_t *)handle, (vug_region_t *)handle, (vug_iter_t *)handle);
        view.pin = handle;
        CHECK_STATUS(VUG_ERR_HANDLE, vug_view_release(&view));
    }
}

static void no_pointers(void) {
    vug_token_t token;
    char text[256];
    size_t needed = 0;

    CHECK_STATUS(VUG_ERR_NULL, vug_node_open(NULL, NULL));
    CHECK_STATUS(VUG_ERR_NULL, vug_region_create(NULL, "r", NULL, NULL));
    CHECK_STATUS(VUG_ERR_NULL, vug_region_open(NULL, "r", NULL, NULL));
    CHECK_STATUS(VUG_ERR_NULL, vug_region_open_or_create(NULL, "r", NULL, NULL));
    CHECK_STATUS(VUG_ERR_NULL, vug_get(NULL, "k", 1, NULL));
    CHECK_STATUS(VUG_ERR_NULL, vug_get_copy(NULL, "k", 1, NULL, 0, NULL));
    CHECK_STATUS(VUG_ERR_NULL, vug_len(NULL, NULL));
    CHECK_STATUS(VUG_ERR_NULL, vug_iter_new(NULL, NULL));
    CHECK_STATUS(VUG_ERR_NULL, vug_iter_next(NULL, NULL));
    CHECK_STATUS(VUG_ERR_NULL, vug_view_release(NULL));

    CHECK_OK(vug_last_error(NULL, 0, &needed));
    CHECK(needed > 1 && needed <= sizeof(text));
    CHECK_OK(vug_last_error(text, needed, NULL));
    CHECK(strlen(text) + 1 == needed);
    CHECK(strncmp(text, "VUG-0701: `view` is NULL\nhelp: ", 31) == 0);
    CHECK_STATUS(VUG_ERR_BUFFER, vug_last_error(text, 9, NULL));
    CHECK(strcmp(text, "VUG-0701") == 0);
    CHECK_STATUS(VUG_ERR_NULL, vug_last_error(NULL, 5, NULL));
    CHECK_OK(vug_last_error(NULL, 0, NULL));

    CHECK_STATUS(VUG_ERR_ARGUMENT, vug_delete(NULL, "k", 1, (vug_token_t *)((char *)&token + 1)));
    CHECK_STATUS(VUG_ERR_ARGUMENT, vug_len(NULL, (uint64_t *)number(4097)));
}

static void wrong_arguments(vug_region_t *region) {
    vug_view_t view;
    vug_token_t token = { 0, 0, 0, { 0, 0, 0, 0, 0 } };
    size_t len = 0;
    char buffer[4];

    CHECK_STATUS(VUG_ERR_NULL, vug_put(region, NULL, 1, "v", 1, NULL));
    CHECK_STATUS(VUG_ERR_NULL, vug_put(region, NULL, 0, "v", 1, NULL));
    CHECK_STATUS(VUG_ERR_NULL, vug_put(region, "k", 1, NULL, 1, NULL));
    CHECK_STATUS(VUG_ERR_ARGUMENT, vug_put(region, "k", SIZE_MAX, "v", 1, NULL));
    CHECK_STATUS(VUG_ERR_ARGUMENT, vug_put(region, "k", 1, "v", SIZE_MAX, NULL));
    CHECK_STATUS(VUG_ERR_INVALID_KEY, vug_put(region, "k", 0, "v", 1, NULL));
    CHECK_STATUS(VUG_ERR_INVALID_KEY, vug_get(region, "k", 0, &view));
    CHECK_STATUS(VUG_ERR_NULL, vug_get(region, NULL, 1, &view));
    CHECK_STATUS(VUG_ERR_NULL, vug_delete(region, NULL, 1, NULL));
    CHECK_STATUS(VUG_ERR_NULL, vug_compare_and_swap(region, "k", 1, NULL, "v", 1, NULL));
    CHECK_STATUS(VUG_ERR_ARGUMENT, vug_compare_and_swap(region, "k", 1, &token, "v", 1, NULL));

    CHECK_OK(vug_put(region, "k", 1, "value", 5, NULL));
    CHECK_STATUS(VUG_ERR_NULL, vug_get_copy(region, "k", 1, NULL, 4, &len));
    CHECK_STATUS(VUG_ERR_BUFFER, vug_get_copy(region, "k", 1, NULL, 0, &len));
    CHECK(len == 5);
    CHECK_STATUS(VUG_ERR_BUFFER, vug_get_copy(region, "k", 1, buffer, sizeof(buffer), &len));
    CHECK(len == 5);
}

/* Options of a program that was compiled with a later vug.h. */
typedef struct {
    vug_region_options_t known;
    uint64_t unknown;
} newer_options_t;

static void other_sizes(vug_node_t *node) {
    newer_options_t newer = { VUG_REGION_OPTIONS_INIT, 0 };
    vug_region_options_t *options = &newer.known;
    vug_region_t *region;
    uint32_t refused[] = { 0, 1, 4, 7, 9, 30, 33, 4104, UINT32_MAX };
    size_t i;

    for (i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        options->struct_size = refused[i];
        CHECK_STATUS(VUG_ERR_ARGUMENT, vug_region_create(node, "sizes", options, &region));
        CHECK(region == NULL);
    }
    options->struct_size = sizeof(newer);
    newer.unknown = 1;
    CHECK_STATUS(VUG_ERR_ARGUMENT, vug_region_create(node, "sizes", options, &region));
    newer.unknown = 0;
    options->max_bytes = 4 << 20;
    CHECK_OK(vug_region_create(node, "sizes", options, &region));
    CHECK_OK(vug_region_close(region));

    /* An older program knows the first two groups of fields; what lies behind is not read. */
    options->struct_size = 16;
    options->max_bytes = 1;
    options->segment_bytes = 1;
    CHECK_OK(vug_region_open(node, "sizes", options, &region));
    CHECK_OK(vug_region_close(region));
    options->scope = 77;
    CHECK_STATUS(VUG_ERR_ARGUMENT, vug_region_open(node, "sizes", options, &region));
    options->scope = 0;
    options->data_policy = 77;
    CHECK_STATUS(VUG_ERR_ARGUMENT, vug_region_open(node, "sizes", options, &region));
    options->data_policy = 0;
    options->concurrency_checks = 77;
    CHECK_STATUS(VUG_ERR_ARGUMENT, vug_region_open(node, "sizes", options, &region));
}

static void closed_handles(const char *home) {
    vug_node_t *node;
    vug_region_t *region;
    vug_iter_t *iter;
    vug_view_t view;
    vug_view_t copy;
    vug_entry_t entry;

    CHECK_OK(vug_node_open(home, &node));
    CHECK_OK(vug_region_open_or_create(node, "misuse", NULL, &region));
    CHECK_OK(vug_put(region, "k", 1, "value", 5, NULL));
    CHECK_OK(vug_get(region, "k", 1, &view));
    CHECK_OK(vug_iter_new(region, &iter));

    /* Each in the place of another. */
    every_call_refuses((vug_node_t *)region, (vug_region_t *)iter, (vug_iter_t *)node);
    every_call_refuses((vug_node_t *)iter, (vug_region_t *)node, (vug_iter_t *)region);
    every_call_refuses((vug_node_t *)view.pin, (vug_region_t *)view.pin, (vug_iter_t *)view.pin);

    /* The view and the iterator outlive the handles they came from. */
    CHECK_OK(vug_node_close(node));
    CHECK_OK(vug_region_close(region));
    CHECK(view.len == 5 && memcmp(view.data, "value", 5) == 0);
    CHECK_OK(vug_iter_next(iter, &entry));
    CHECK(entry.key_len == 1 && memcmp(entry.key, "k", 1) == 0);
    CHECK(entry.value_len == 5 && memcmp(entry.value, "value", 5) == 0);
    CHECK_STATUS(VUG_END, vug_iter_next(iter, &entry));
    CHECK(entry.key == NULL);
    CHECK_STATUS(VUG_END, vug_iter_next(iter, &entry));
    CHECK_OK(vug_iter_free(iter));

    copy = view;
    CHECK_OK(vug_view_release(&view));
    CHECK(view.data == NULL && view.pin == NULL);
    CHECK_STATUS(VUG_ERR_HANDLE, vug_view_release(&view));
    CHECK_STATUS(VUG_ERR_HANDLE, vug_view_release(&copy));
    every_call_refuses(node, region, iter);

    /* New handles take the places of closed ones; the closed ones stay closed. */
    {
        vug_node_t *new_node;
        vug_region_t *new_region;
        vug_iter_t *new_iter;

        CHECK_OK(vug_node_open(home, &new_node));
        CHECK_OK(vug_region_open(new_node, "misuse", NULL, &new_region));
        CHECK_OK(vug_iter_new(new_region, &new_iter));
        every_call_refuses(node, region, iter);
        wrong_arguments(new_region);
        other_sizes(new_node);
        CHECK_OK(vug_iter_free(new_iter));
        CHECK_OK(vug_region_close(new_region));
        CHECK_OK(vug_node_close(new_node));
    }
}

int main(int argc, char **argv) {
    no_handles();
    no_pointers();
    if (argc > 1) {
        closed_handles(argv[1]);
    }
    puts("misuse=ok");
    return 0;
}
