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

/* A handle of each kind, none of them valid. */
typedef struct {
    vug_node_t *node;
    vug_region_t *region;
    vug_iter_t *iter;
    vug_key_t *key;
    vug_values_t *values;
    vug_subscription_t *subscription;
    vug_listener_t *listener;
} handles_t;

#define REFUSED(call) CHECK_STATUS(VUG_ERR_HANDLE, call)

static void nodes_refuse(vug_node_t *node) {
    vug_region_t *opened = number(1);
    vug_node_info_t info;
    vug_recovery_t recovery;
    vug_maintenance_t done;
    char buffer[8];
    size_t len = 7;

    REFUSED(vug_region_create(node, "r", NULL, &opened));
    CHECK(opened == NULL);
    REFUSED(vug_region_open(node, "r", NULL, &opened));
    REFUSED(vug_region_open_or_create(node, "r", NULL, &opened));
    REFUSED(vug_node_info(node, &info, sizeof(info)));
    REFUSED(vug_node_regions(node, buffer, sizeof(buffer), &len, NULL));
    CHECK(len == 0);
    REFUSED(vug_node_recover(node, &recovery, sizeof(recovery)));
    REFUSED(vug_node_maintain(node, NULL, &done, sizeof(done)));
    REFUSED(vug_node_remove_region(node, "r"));
    REFUSED(vug_node_close(node));
}

static void no_event(void *user, const vug_event_t *event, size_t size) {
    (void)user;
    (void)event;
    (void)size;
}

static void wholes_refuse(vug_region_t *region) {
    vug_region_options_t options = VUG_REGION_OPTIONS_INIT;
    vug_statistics_t statistics;
    vug_maintenance_t done;
    vug_recovery_t recovery;
    vug_iter_t *iter = number(1);
    vug_subscription_t *subscription = number(1);
    vug_listener_t *listener = number(1);
    vug_key_t *key = number(1);
    char name[8];
    uint64_t count = 7;
    size_t len = 7;

    REFUSED(vug_region_close_all(region));
    REFUSED(vug_region_name(region, name, sizeof(name), &len));
    REFUSED(vug_region_attributes(region, &options, sizeof(options)));
    options.struct_size = sizeof(options);
    REFUSED(vug_region_alter(region, &options));
    REFUSED(vug_region_destroy(region));
    REFUSED(vug_region_local_destroy(region));
    REFUSED(vug_region_clear(region));
    REFUSED(vug_region_local_clear(region));
    REFUSED(vug_region_invalidate(region));
    REFUSED(vug_region_local_invalidate(region));
    REFUSED(vug_region_recover(region, &recovery, sizeof(recovery)));
    REFUSED(vug_region_maintain(region, NULL, &done, sizeof(done)));
    REFUSED(vug_region_release_memory(region, &count));
    REFUSED(vug_region_set_search_timeout(region, 1));
    REFUSED(vug_region_search_timeout(region, &count));
    REFUSED(vug_max_value_len(region, 1, &count));
    REFUSED(vug_region_statistics(region, &statistics, sizeof(statistics)));
    REFUSED(vug_len(region, &count));
    CHECK(count == 0);
    REFUSED(vug_iter_new(region, &iter));
    REFUSED(vug_iter_new_keys(region, &iter));
    REFUSED(vug_subscribe(region, NULL, &subscription));
    REFUSED(vug_listen(region, NULL, no_event, NULL, NULL, &listener));
    REFUSED(vug_key_new(region, "k", 1, &key));
    CHECK(iter == NULL && subscription == NULL && listener == NULL && key == NULL);
    REFUSED(vug_position(region, &count));
    REFUSED(vug_wait_for_region_change(region, 0, VUG_FOREVER, &count));
    REFUSED(vug_region_close(region));
}

static void reads_refuse(vug_region_t *region) {
    vug_view_t view = VUG_VIEW_INIT;
    vug_token_t token = { 1, 0, 1, { 0, 0, 0, 0, 0 } };
    vug_entry_info_t info;
    vug_bytes_t name;
    vug_value_t found;
    vug_values_t *values;
    char buffer[8];
    size_t len = 7;

    REFUSED(vug_get(region, "k", 1, &view));
    CHECK(view.data == NULL && view.pin == NULL);
    REFUSED(vug_get_owned(region, "k", 1, &view));
    REFUSED(vug_get_local(region, "k", 1, &view));
    REFUSED(vug_get_with(region, "k", 1, NULL, &view));
    CHECK(view.data == NULL && view.pin == NULL);
    REFUSED(vug_get_copy(region, "k", 1, buffer, sizeof(buffer), &len));
    CHECK(len == 0);
    REFUSED(vug_token(region, "k", 1, &token));
    CHECK(token.version == 0);
    REFUSED(vug_contains_key(region, "k", 1));
    REFUSED(vug_contains_value_for_key(region, "k", 1));
    REFUSED(vug_entry_info(region, "k", 1, &info, sizeof(info)));
    REFUSED(vug_wait_for_change(region, "k", 1, NULL, VUG_FOREVER, &token));
    name.data = "k";
    name.len = 1;
    CHECK_OK(vug_values_new(&values));
    REFUSED(vug_get_all(region, &name, 1, values, &found));
    CHECK_OK(vug_values_free(values));
}

static void writes_refuse(vug_region_t *region) {
    vug_token_t token = { 1, 0, 1, { 0, 0, 0, 0, 0 } };
    vug_view_t old = VUG_VIEW_INIT;
    vug_bytes_t name;
    vug_pair_t pair;
    vug_result_t result;
    int64_t sum = 7;

    name.data = "k";
    name.len = 1;
    pair.key = pair.value = "k";
    pair.key_len = pair.value_len = 1;
    REFUSED(vug_put(region, "k", 1, "v", 1, NULL));
    REFUSED(vug_put_with(region, "k", 1, "v", 1, NULL, NULL));
    REFUSED(vug_create(region, "k", 1, "v", 1, NULL, NULL));
    REFUSED(vug_create_invalid(region, "k", 1, NULL));
    REFUSED(vug_put_if_absent(region, "k", 1, "v", 1, NULL, NULL));
    REFUSED(vug_replace(region, "k", 1, "v", 1, NULL, NULL));
    REFUSED(vug_replace_if(region, "k", 1, "v", 1, "w", 1, NULL, NULL));
    REFUSED(vug_compare_and_swap(region, "k", 1, &token, "v", 1, NULL, NULL));
    REFUSED(vug_increment(region, "k", 1, 1, NULL, &sum));
    CHECK(sum == 0);
    REFUSED(vug_remove_if(region, "k", 1, &token, NULL, NULL));
    REFUSED(vug_remove_if_value(region, "k", 1, "v", 1, NULL, NULL));
    REFUSED(vug_remove_with(region, "k", 1, NULL, NULL));
    REFUSED(vug_destroy(region, "k", 1, NULL));
    REFUSED(vug_local_destroy(region, "k", 1, NULL));
    REFUSED(vug_invalidate(region, "k", 1, NULL));
    REFUSED(vug_local_invalidate(region, "k", 1, NULL));
    REFUSED(vug_remove(region, "k", 1, &token));
    CHECK(token.version == 0 && token.kind == 0);
    REFUSED(vug_put_all(region, &pair, 1, NULL, &result));
    REFUSED(vug_swap_value(region, "k", 1, "v", 1, NULL, &old));
    CHECK(old.data == NULL && old.pin == NULL);
    REFUSED(vug_remove_all(region, &name, 1, NULL, &result));
}

static void every_call_refuses(const handles_t *handles) {
    vug_entry_t entry;
    vug_event_t event;
    vug_listener_info_t info;
    vug_view_t view;
    char buffer[8];
    size_t len = 7;
    uint64_t missed = 7;

    nodes_refuse(handles->node);
    wholes_refuse(handles->region);
    reads_refuse(handles->region);
    writes_refuse(handles->region);

    REFUSED(vug_iter_next(handles->iter, &entry));
    CHECK(entry.key == NULL && entry.value == NULL);
    REFUSED(vug_iter_free(handles->iter));
    REFUSED(vug_key_get(handles->key, &view));
    CHECK(view.data == NULL && view.pin == NULL);
    REFUSED(vug_key_get_copy(handles->key, buffer, sizeof(buffer), &len));
    REFUSED(vug_key_free(handles->key));
    REFUSED(vug_values_free(handles->values));
    REFUSED(vug_subscription_poll(handles->subscription, &event, sizeof(event)));
    REFUSED(vug_subscription_wait(handles->subscription, VUG_FOREVER, &event, sizeof(event)));
    CHECK(event.kind == 0 && event.key == NULL);
    REFUSED(vug_subscription_missed(handles->subscription, &missed));
    REFUSED(vug_subscription_free(handles->subscription));
    REFUSED(vug_listener_info(handles->listener, &info, sizeof(info)));
    REFUSED(vug_listener_stop(handles->listener));
}

/* One number in the place of all handles. */
static void refuses_as_all(void *handle) {
    handles_t handles;
    vug_view_t view = VUG_VIEW_INIT;

    handles.node = handle;
    handles.region = handle;
    handles.iter = handle;
    handles.key = handle;
    handles.values = handle;
    handles.subscription = handle;
    handles.listener = handle;
    every_call_refuses(&handles);
    view.pin = handle;
    CHECK_STATUS(VUG_ERR_HANDLE, vug_view_release(&view));
}

static void no_handles(void) {
    static int object;
    uintptr_t kind;

    refuses_as_all(NULL);
    refuses_as_all(number(1));
    refuses_as_all(number(0x1000));
    refuses_as_all(number(UINTPTR_MAX));
    refuses_as_all(&object);
    for (kind = 0x15; kind <= 0xf5; kind += 0x10) {
        refuses_as_all(number(kind));
        refuses_as_all(number(UINTPTR_MAX << 8 | kind));
        refuses_as_all(number((uintptr_t)1 << 32 | kind));
    }
}

static void no_pointers(void) {
    vug_token_t token;
    char text[256];
    size_t needed = 0;
    vug_listener_t *listener;

    CHECK_STATUS(VUG_ERR_NULL, vug_node_open(NULL, NULL));
    CHECK_STATUS(VUG_ERR_NULL, vug_node_open_with(NULL, NULL));
    CHECK_STATUS(VUG_ERR_NULL, vug_node_info(NULL, NULL, 32));
    CHECK_STATUS(VUG_ERR_NULL, vug_node_regions(NULL, NULL, 0, NULL, NULL));
    CHECK_STATUS(VUG_ERR_NULL, vug_region_create(NULL, "r", NULL, NULL));
    CHECK_STATUS(VUG_ERR_NULL, vug_region_open(NULL, "r", NULL, NULL));
    CHECK_STATUS(VUG_ERR_NULL, vug_region_open_or_create(NULL, "r", NULL, NULL));
    CHECK_STATUS(VUG_ERR_NULL, vug_region_attributes(NULL, NULL, 88));
    CHECK_STATUS(VUG_ERR_NULL, vug_region_alter(NULL, NULL));
    CHECK_STATUS(VUG_ERR_NULL, vug_region_statistics(NULL, NULL, 8));
    CHECK_STATUS(VUG_ERR_NULL, vug_get(NULL, "k", 1, NULL));
    CHECK_STATUS(VUG_ERR_NULL, vug_get_owned(NULL, "k", 1, NULL));
    CHECK_STATUS(VUG_ERR_NULL, vug_get_local(NULL, "k", 1, NULL));
    CHECK_STATUS(VUG_ERR_NULL, vug_get_with(NULL, "k", 1, NULL, NULL));
    CHECK_STATUS(VUG_ERR_NULL, vug_swap_value(NULL, "k", 1, "v", 1, NULL, NULL));
    CHECK_STATUS(VUG_ERR_NULL, vug_region_search_timeout(NULL, NULL));
    CHECK_STATUS(VUG_ERR_NULL, vug_max_value_len(NULL, 1, NULL));
    CHECK_STATUS(VUG_ERR_NULL, vug_node_remove_region(NULL, NULL));
    CHECK_STATUS(VUG_ERR_NULL, vug_get_copy(NULL, "k", 1, NULL, 0, NULL));
    CHECK_STATUS(VUG_ERR_NULL, vug_token(NULL, "k", 1, NULL));
    CHECK_STATUS(VUG_ERR_NULL, vug_entry_info(NULL, "k", 1, NULL, 40));
    CHECK_STATUS(VUG_ERR_NULL, vug_wait_for_change(NULL, "k", 1, NULL, VUG_FOREVER, NULL));
    CHECK_STATUS(VUG_ERR_NULL, vug_position(NULL, NULL));
    CHECK_STATUS(VUG_ERR_NULL, vug_wait_for_region_change(NULL, 0, VUG_FOREVER, NULL));
    CHECK_STATUS(VUG_ERR_NULL, vug_len(NULL, NULL));
    CHECK_STATUS(VUG_ERR_NULL, vug_iter_new(NULL, NULL));
    CHECK_STATUS(VUG_ERR_NULL, vug_iter_new_keys(NULL, NULL));
    CHECK_STATUS(VUG_ERR_NULL, vug_iter_next(NULL, NULL));
    CHECK_STATUS(VUG_ERR_NULL, vug_key_new(NULL, "k", 1, NULL));
    CHECK_STATUS(VUG_ERR_NULL, vug_key_get(NULL, NULL));
    CHECK_STATUS(VUG_ERR_NULL, vug_key_get_copy(NULL, NULL, 0, NULL));
    CHECK_STATUS(VUG_ERR_NULL, vug_values_new(NULL));
    CHECK_STATUS(VUG_ERR_NULL, vug_get_all(NULL, NULL, 1, NULL, NULL));
    CHECK_STATUS(VUG_ERR_NULL, vug_put_all(NULL, NULL, 1, NULL, NULL));
    CHECK_STATUS(VUG_ERR_NULL, vug_remove_all(NULL, NULL, 1, NULL, NULL));
    CHECK_STATUS(VUG_ERR_NULL, vug_subscribe(NULL, NULL, NULL));
    CHECK_STATUS(VUG_ERR_NULL, vug_subscription_poll(NULL, NULL, 104));
    CHECK_STATUS(VUG_ERR_NULL, vug_subscription_wait(NULL, VUG_FOREVER, NULL, 104));
    CHECK_STATUS(VUG_ERR_NULL, vug_subscription_missed(NULL, NULL));
    CHECK_STATUS(VUG_ERR_NULL, vug_listen(NULL, NULL, no_event, NULL, NULL, NULL));
    CHECK_STATUS(VUG_ERR_NULL, vug_listen(NULL, NULL, NULL, NULL, NULL, &listener));
    CHECK_STATUS(VUG_ERR_NULL, vug_listener_info(NULL, NULL, 24));
    CHECK_STATUS(VUG_ERR_NULL, vug_view_release(NULL));

    CHECK_OK(vug_last_error(NULL, 0, &needed));
    CHECK(needed > 1 && needed <= sizeof(text));
    CHECK_OK(vug_last_error(text, needed, NULL));
    CHECK(strlen(text) + 1 == needed);
    CHECK(strncmp(text, "VUG-0701: `view` is NULL\nhelp: ", 31) == 0);
    CHECK_STATUS(VUG_ERR_BUFFER, vug_last_error(text, 9, NULL));
    CHECK(strcmp(text, "VUG-0701") == 0);
    CHECK_OK(vug_last_help(text, sizeof(text), NULL));
    CHECK(strncmp(text, "pass the address", 16) == 0);
    CHECK_OK(vug_last_help(NULL, 0, &needed));
    CHECK(needed == strlen(text) + 1);
    CHECK_STATUS(VUG_ERR_NULL, vug_last_error(NULL, 5, NULL));
    CHECK_OK(vug_last_error(NULL, 0, NULL));

    CHECK_STATUS(VUG_ERR_ARGUMENT, vug_remove(NULL, "k", 1, (vug_token_t *)((char *)&token + 1)));
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
    CHECK_STATUS(VUG_ERR_NULL, vug_remove(region, NULL, 1, NULL));
    CHECK_STATUS(VUG_ERR_NULL, vug_compare_and_swap(region, "k", 1, NULL, "v", 1, NULL, NULL));
    CHECK_STATUS(VUG_ERR_ARGUMENT, vug_compare_and_swap(region, "k", 1, &token, "v", 1, NULL, NULL));

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
    uint32_t refused[] = { 0, 1, 4, 7, 9, 30, 87, 89, 4104, UINT32_MAX };
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

/* A report of another size: as much as the caller knows, zeros beyond what the library knows. */
static void other_reports(vug_node_t *node, vug_region_t *region) {
    struct {
        vug_region_options_t known;
        uint64_t unknown[2];
    } options;
    vug_statistics_t statistics;
    uint64_t few[2] = { 7, 7 };

    memset(&options, 7, sizeof(options));
    CHECK_OK(vug_region_attributes(region, &options.known, sizeof(options)));
    CHECK(options.known.struct_size == sizeof(options) && options.unknown[1] == 0);
    CHECK(options.known.max_bytes == 64 << 20 && options.known.alignment == 8);
    CHECK_OK(vug_region_attributes(region, &options.known, 16));
    CHECK(options.known.struct_size == 16 && options.known.max_bytes == 64 << 20);
    CHECK_OK(vug_region_statistics(region, (vug_statistics_t *)few, 8));
    CHECK_OK(vug_region_statistics(region, &statistics, sizeof(statistics)));
    CHECK(few[0] == statistics.entries && few[1] == 7);
    CHECK_STATUS(VUG_ERR_ARGUMENT, vug_region_statistics(region, &statistics, 0));
    CHECK_STATUS(VUG_ERR_ARGUMENT, vug_region_statistics(region, &statistics, 7));
    CHECK_STATUS(VUG_ERR_ARGUMENT, vug_region_statistics(region, &statistics, 4104));
    CHECK_STATUS(VUG_ERR_ARGUMENT, vug_region_statistics(region, &statistics, SIZE_MAX));
    CHECK_OK(vug_node_recover(node, NULL, 0));
    CHECK_OK(vug_region_recover(region, NULL, 0));
    CHECK_OK(vug_region_maintain(region, NULL, NULL, 0));
    CHECK_OK(vug_region_release_memory(region, NULL));
}

/* Zero bytes in keys and values are like others; names and paths end there. */
static void embedded_zeros(vug_node_t *node, vug_region_t *region) {
    vug_region_t *same;
    vug_view_t view;
    uint64_t before;
    uint64_t after;

    CHECK_OK(vug_len(region, &before));
    CHECK_OK(vug_put(region, "a\0b", 3, "1\0002", 3, NULL));
    CHECK_OK(vug_put(region, "a\0c", 3, "3\0004", 3, NULL));
    CHECK_OK(vug_put(region, "\0", 1, "\0", 1, NULL));
    CHECK_OK(vug_get(region, "a\0b", 3, &view));
    CHECK(view.len == 3 && memcmp(view.data, "1\0002", 3) == 0);
    CHECK_OK(vug_view_release(&view));
    CHECK_OK(vug_len(region, &after));
    CHECK(after == before + 3);
    CHECK_OK(vug_region_open(node, "misuse\0other", NULL, &same));
    CHECK_OK(vug_contains_key(same, "a\0c", 3));
    CHECK_OK(vug_region_close(same));
}

static void open_all(vug_node_t *node, const char *name, handles_t *handles) {
    handles->node = node;
    CHECK_OK(vug_region_open_or_create(node, name, NULL, &handles->region));
    CHECK_OK(vug_put(handles->region, "k", 1, "value", 5, NULL));
    CHECK_OK(vug_iter_new(handles->region, &handles->iter));
    CHECK_OK(vug_key_new(handles->region, "k", 1, &handles->key));
    CHECK_OK(vug_values_new(&handles->values));
    CHECK_OK(vug_subscribe(handles->region, NULL, &handles->subscription));
    CHECK_OK(vug_listen(handles->region, NULL, no_event, NULL, NULL, &handles->listener));
}

static void close_all(const handles_t *handles) {
    CHECK_OK(vug_iter_free(handles->iter));
    CHECK_OK(vug_key_free(handles->key));
    CHECK_OK(vug_values_free(handles->values));
    CHECK_OK(vug_subscription_free(handles->subscription));
    CHECK_OK(vug_listener_stop(handles->listener));
}

/* Each in the place of another. */
static void exchanged(const handles_t *handles, void *pin) {
    void *all[8];
    int turn;

    all[0] = handles->node;
    all[1] = handles->region;
    all[2] = handles->iter;
    all[3] = handles->key;
    all[4] = handles->values;
    all[5] = handles->subscription;
    all[6] = handles->listener;
    all[7] = pin;
    for (turn = 1; turn < 8; turn++) {
        handles_t wrong;

        wrong.node = all[(0 + turn) % 8];
        wrong.region = all[(1 + turn) % 8];
        wrong.iter = all[(2 + turn) % 8];
        wrong.key = all[(3 + turn) % 8];
        wrong.values = all[(4 + turn) % 8];
        wrong.subscription = all[(5 + turn) % 8];
        wrong.listener = all[(6 + turn) % 8];
        every_call_refuses(&wrong);
    }
}

static void closed_handles(const char *home) {
    handles_t handles;
    handles_t others;
    vug_node_t *node;
    vug_view_t view;
    vug_view_t owned;
    vug_view_t copy;
    vug_entry_t entry;
    vug_event_t event;
    char buffer[8];
    size_t len;

    CHECK_OK(vug_node_open(home, &node));
    open_all(node, "misuse", &handles);
    CHECK_OK(vug_get(handles.region, "k", 1, &view));
    CHECK_OK(vug_get_owned(handles.region, "k", 1, &owned));
    exchanged(&handles, view.pin);
    exchanged(&handles, owned.pin);

    /* What was made from a handle outlives it. */
    CHECK_OK(vug_put(handles.region, "k", 1, "other", 5, NULL));
    CHECK_OK(vug_node_close(handles.node));
    CHECK_OK(vug_region_close(handles.region));
    CHECK(view.len == 5 && memcmp(view.data, "value", 5) == 0);
    CHECK(owned.len == 5 && memcmp(owned.data, "value", 5) == 0);
    CHECK_OK(vug_key_get_copy(handles.key, buffer, sizeof(buffer), &len));
    CHECK(len == 5 && memcmp(buffer, "other", 5) == 0);
    CHECK_OK(vug_subscription_poll(handles.subscription, &event, sizeof(event)));
    CHECK(event.kind == VUG_EVENT_UPDATE && event.value_len == 5);
    CHECK_OK(vug_iter_next(handles.iter, &entry));
    CHECK(entry.key_len == 1 && memcmp(entry.key, "k", 1) == 0);
    CHECK(entry.value_len == 5 && memcmp(entry.value, "other", 5) == 0);
    CHECK_STATUS(VUG_END, vug_iter_next(handles.iter, &entry));
    CHECK(entry.key == NULL);
    CHECK_STATUS(VUG_END, vug_iter_next(handles.iter, &entry));
    close_all(&handles);

    copy = view;
    CHECK_OK(vug_view_release(&view));
    CHECK(view.data == NULL && view.pin == NULL);
    CHECK_STATUS(VUG_ERR_HANDLE, vug_view_release(&view));
    CHECK_STATUS(VUG_ERR_HANDLE, vug_view_release(&copy));
    copy = owned;
    CHECK_OK(vug_view_release(&owned));
    CHECK_STATUS(VUG_ERR_HANDLE, vug_view_release(&copy));
    every_call_refuses(&handles);

    /* New handles take the places of closed ones; the closed ones stay closed. */
    CHECK_OK(vug_node_open(home, &node));
    open_all(node, "misuse", &others);
    every_call_refuses(&handles);
    wrong_arguments(others.region);
    other_reports(node, others.region);
    embedded_zeros(node, others.region);
    other_sizes(node);
    close_all(&others);
    CHECK_OK(vug_region_close(others.region));
    CHECK_OK(vug_node_close(others.node));
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
