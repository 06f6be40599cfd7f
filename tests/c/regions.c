/* Nodes and regions as a whole: attributes, altering, clearing, destroying, reading only.
 *
 *     regions <home> */
#include <string.h>

#include "check.h"

static const uint64_t SECOND = UINT64_C(1000000000);

static uint64_t count(vug_region_t *region) {
    uint64_t len;

    CHECK_OK(vug_len(region, &len));
    return len;
}

/* Every attribute is taken and read back, and what was read back makes the same region. */
static void attributes(vug_node_t *node) {
    vug_region_options_t options = VUG_REGION_OPTIONS_INIT;
    vug_region_options_t found;
    vug_region_options_t again;
    vug_region_t *region;
    vug_view_t view;

    options.data_policy = VUG_DATA_POLICY_NORMAL;
    options.scope = VUG_SCOPE_LOCAL;
    options.concurrency_checks = VUG_OFF;
    options.max_bytes = 8 << 20;
    options.segment_bytes = 128 << 10;
    options.max_entries = 1000;
    options.alignment = 64;
    options.eviction = VUG_EVICTION_S3_FIFO;
    options.interest = VUG_INTEREST_ALL;
    options.early_ack = VUG_OFF;
    options.old_values = VUG_ON;
    options.entry_ttl_ns = 3600 * SECOND;
    options.entry_idle_ns = 60 * SECOND;
    options.entry_ttl_action = VUG_EXPIRY_INVALIDATE;
    options.entry_idle_action = VUG_EXPIRY_LOCAL_DESTROY;
    CHECK_OK(vug_region_create(node, "attributes", &options, &region));
    CHECK_OK(vug_region_attributes(region, &found, sizeof(found)));
    CHECK(memcmp(&options, &found, sizeof(options)) == 0);
    CHECK_OK(vug_put(region, "k", 1, "v", 1, NULL));
    CHECK_OK(vug_get(region, "k", 1, &view));
    CHECK((uintptr_t)view.data % 64 == 0);
    CHECK_OK(vug_view_release(&view));
    CHECK_OK(vug_region_close(region));
    CHECK_OK(vug_region_open(node, "attributes", &found, &region));
    CHECK_OK(vug_region_close(region));
    CHECK_OK(vug_region_create(node, "attributes2", &found, &region));
    CHECK_OK(vug_region_attributes(region, &again, sizeof(again)));
    CHECK(memcmp(&again, &found, sizeof(again)) == 0);
    CHECK_OK(vug_region_destroy(region));
    CHECK_OK(vug_region_close(region));

    options.alignment = 32;
    CHECK_STATUS(VUG_ERR_ATTRIBUTES_DIFFER, vug_region_open(node, "attributes", &options, &region));
    options.alignment = 63;
    CHECK_STATUS(VUG_ERR_INVALID_ATTRIBUTES, vug_region_create(node, "x", &options, &region));
    options.alignment = 0;
    options.early_ack = VUG_ON;
    CHECK_STATUS(VUG_ERR_INVALID_ATTRIBUTES, vug_region_create(node, "x", &options, &region));
    options.early_ack = 3;
    CHECK_STATUS(VUG_ERR_ARGUMENT, vug_region_create(node, "x", &options, &region));
    options.early_ack = 0;
    options.entry_ttl_action = 9;
    CHECK_STATUS(VUG_ERR_ARGUMENT, vug_region_create(node, "x", &options, &region));
}

static void altering(vug_node_t *node) {
    vug_region_options_t options = VUG_REGION_OPTIONS_INIT;
    vug_region_options_t found;
    vug_region_t *region;

    CHECK_OK(vug_region_open(node, "attributes", NULL, &region));
    CHECK_OK(vug_region_alter(region, &options));
    options.entry_ttl_ns = VUG_NEVER;
    options.entry_idle_ns = 5 * SECOND;
    options.max_entries = 500;
    CHECK_OK(vug_region_alter(region, &options));
    CHECK_OK(vug_region_attributes(region, &found, sizeof(found)));
    CHECK(found.entry_ttl_ns == VUG_NEVER && found.entry_idle_ns == 5 * SECOND);
    CHECK(found.entry_idle_action == VUG_EXPIRY_DESTROY && found.max_entries == 500);
    options.max_bytes = 1 << 20;
    CHECK_STATUS(VUG_ERR_ARGUMENT, vug_region_alter(region, &options));
    CHECK_OK(vug_region_close(region));
    CHECK_OK(vug_region_open_or_create(node, "plain", NULL, &region));
    options.max_bytes = 0;
    CHECK_STATUS(VUG_ERR_INVALID_ATTRIBUTES, vug_region_alter(region, &options));
    CHECK_OK(vug_region_close(region));
}

static void clearing(vug_node_t *node) {
    vug_region_t *region;
    char name[16];
    size_t needed = 0;

    CHECK_OK(vug_region_open_or_create(node, "plain", NULL, &region));
    CHECK_OK(vug_region_name(region, name, sizeof(name), &needed));
    CHECK(strcmp(name, "plain") == 0 && needed == 6);
    CHECK_STATUS(VUG_ERR_BUFFER, vug_region_name(region, name, 3, &needed));
    CHECK(strcmp(name, "pl") == 0 && needed == 6);
    CHECK_OK(vug_put(region, "a", 1, "1", 1, NULL));
    CHECK_OK(vug_put(region, "b", 1, "2", 1, NULL));
    CHECK_OK(vug_region_invalidate(region));
    CHECK(count(region) == 2);
    CHECK_OK(vug_contains_key(region, "a", 1));
    CHECK_STATUS(VUG_NOT_FOUND, vug_contains_value_for_key(region, "a", 1));
    CHECK_OK(vug_put(region, "a", 1, "1", 1, NULL));
    CHECK_OK(vug_region_local_invalidate(region));
    CHECK_STATUS(VUG_NOT_FOUND, vug_contains_value_for_key(region, "a", 1));
    CHECK_OK(vug_region_clear(region));
    CHECK(count(region) == 0);
    CHECK_OK(vug_put(region, "a", 1, "1", 1, NULL));
    CHECK_OK(vug_region_local_clear(region));
    CHECK(count(region) == 0);
    CHECK_OK(vug_region_close(region));
}

/* The end of a region: views stay, handles say what happened and are closed as always. */
static void the_end(vug_node_t *node) {
    vug_region_t *one;
    vug_region_t *two;
    vug_view_t view;
    vug_token_t token;

    CHECK_OK(vug_region_create(node, "short", NULL, &one));
    CHECK_OK(vug_region_open(node, "short", NULL, &two));
    CHECK_OK(vug_put(one, "k", 1, "value", 5, NULL));
    CHECK_OK(vug_get(one, "k", 1, &view));
    CHECK_OK(vug_region_close_all(one));
    CHECK_STATUS(VUG_ERR_REGION_CLOSED, vug_put(two, "k", 1, "other", 5, NULL));
    CHECK_STATUS(VUG_ERR_REGION_CLOSED, vug_region_close_all(two));
    CHECK(memcmp(view.data, "value", 5) == 0);
    CHECK_OK(vug_region_close(one));
    CHECK_OK(vug_region_close(two));
    CHECK(memcmp(view.data, "value", 5) == 0);
    CHECK_OK(vug_region_open(node, "short", NULL, &one));
    CHECK_OK(vug_region_open(node, "short", NULL, &two));
    CHECK_OK(vug_contains_key(one, "k", 1));
    CHECK_OK(vug_region_destroy(two));
    CHECK_STATUS(VUG_ERR_REGION_DESTROYED, vug_put(one, "k", 1, "other", 5, &token));
    CHECK_STATUS(VUG_ERR_REGION_DESTROYED, vug_region_local_destroy(one));
    CHECK(memcmp(view.data, "value", 5) == 0);
    CHECK_OK(vug_view_release(&view));
    CHECK_OK(vug_region_close(one));
    CHECK_OK(vug_region_close(two));
    CHECK_STATUS(VUG_ERR_REGION_NOT_FOUND, vug_region_open(node, "short", NULL, &one));
    CHECK_OK(vug_region_create(node, "short", NULL, &one));
    CHECK(count(one) == 0);
    CHECK_OK(vug_region_local_destroy(one));
    CHECK_OK(vug_region_close(one));
}

static void nodes(const char *home, vug_node_t *node) {
    vug_node_options_t options = VUG_NODE_OPTIONS_INIT;
    vug_node_info_t info;
    vug_node_info_t same;
    vug_node_t *other;
    vug_recovery_t recovery;
    vug_maintenance_t done;
    vug_maintain_options_t how = VUG_MAINTAIN_OPTIONS_INIT;
    char names[64];
    size_t needed;
    size_t regions;

    CHECK_OK(vug_node_info(node, &info, sizeof(info)));
    CHECK(info.access == VUG_ACCESS_MEMBER && info.members == 1 && info.bridge_pid == 0);
    options.home = home;
    CHECK_OK(vug_node_open_with(&options, &other));
    CHECK_OK(vug_node_info(other, &same, sizeof(same)));
    CHECK(memcmp(same.id, info.id, sizeof(info.id)) == 0);
    CHECK_OK(vug_node_close(other));
    options.group = VUG_ON;
    CHECK_STATUS(VUG_ERR_NOT_BUILT_YET, vug_node_open_with(&options, &other));
    CHECK(other == NULL);
    options.group = 0;
    options.access = 3;
    CHECK_STATUS(VUG_ERR_ARGUMENT, vug_node_open_with(&options, &other));
    options.access = 0;
    options.home = "";
    CHECK_STATUS(VUG_ERR_ARGUMENT, vug_node_open_with(&options, &other));

    CHECK_OK(vug_node_regions(node, names, sizeof(names), &needed, &regions));
    CHECK(regions == 2 && needed == 17 && memcmp(names, "attributes\0plain", 17) == 0);
    CHECK_STATUS(VUG_ERR_BUFFER, vug_node_regions(node, names, 16, &needed, NULL));
    CHECK(needed == 17);

    CHECK_OK(vug_node_recover(node, &recovery, sizeof(recovery)));
    CHECK(recovery.members == 0);
    how.compact = VUG_ON;
    how.sweep = 100;
    how.copy_bytes = 1 << 20;
    CHECK_OK(vug_node_maintain(node, &how, &done, sizeof(done)));
    how.compact = 7;
    CHECK_STATUS(VUG_ERR_ARGUMENT, vug_node_maintain(node, &how, &done, sizeof(done)));
}

static void statistics(vug_node_t *node) {
    vug_statistics_t before;
    vug_statistics_t after;
    vug_region_t *region;
    vug_view_t view;
    uint64_t released;

    CHECK_OK(vug_region_open(node, "plain", NULL, &region));
    CHECK_OK(vug_region_statistics(region, &before, sizeof(before)));
    CHECK_OK(vug_put(region, "s", 1, "statistics", 10, NULL));
    CHECK_OK(vug_get_owned(region, "s", 1, &view));
    CHECK_STATUS(VUG_NOT_FOUND, vug_contains_key(region, "t", 1));
    CHECK_OK(vug_region_statistics(region, &after, sizeof(after)));
    CHECK(after.entries == before.entries + 1 && after.puts == before.puts + 1);
    CHECK(after.gets == before.gets + 1 && after.hits == before.hits + 1 && after.pins == 1);
    CHECK(after.bytes_written == before.bytes_written + 11);
    CHECK(after.state == VUG_REGION_STATE_READY && after.members == 1);
    CHECK(after.max_bytes == 64 << 20);
    CHECK_OK(vug_view_release(&view));
    CHECK_OK(vug_region_release_memory(region, &released));
    CHECK_OK(vug_region_close(region));
}

/* A node that is open for reading only. */
static void read_only(const char *home, vug_node_t *member) {
    vug_node_options_t options = VUG_NODE_OPTIONS_INIT;
    vug_region_options_t wanted = VUG_REGION_OPTIONS_INIT;
    vug_node_t *node;
    vug_node_info_t info;
    vug_region_t *shared;
    vug_region_t *region;
    vug_statistics_t statistics;
    vug_values_t *values;
    vug_bytes_t names[2];
    vug_value_t found[2];
    vug_view_t view;
    vug_iter_t *iter;
    vug_entry_t entry;
    vug_token_t token;
    char buffer[16];
    size_t len;

    CHECK_OK(vug_region_open(member, "plain", NULL, &shared));
    CHECK_OK(vug_region_clear(shared));
    CHECK_OK(vug_put(shared, "k", 1, "value", 5, &token));
    options.access = VUG_ACCESS_READ_ONLY;
    options.home = home;
    CHECK_OK(vug_node_open_with(&options, &node));
    CHECK_OK(vug_node_info(node, &info, sizeof(info)));
    CHECK(info.access == VUG_ACCESS_READ_ONLY && info.members == 1);
    CHECK_STATUS(VUG_ERR_NOT_ALLOWED, vug_node_recover(node, NULL, 0));
    CHECK_STATUS(VUG_ERR_NOT_ALLOWED, vug_region_create(node, "new", NULL, &region));
    wanted.scope = VUG_SCOPE_LOCAL;
    CHECK_STATUS(VUG_ERR_NOT_ALLOWED, vug_region_open(node, "plain", &wanted, &region));
    CHECK_OK(vug_region_open(node, "plain", NULL, &region));

    CHECK_OK(vug_get(region, "k", 1, &view));
    CHECK(view.len == 5 && memcmp(view.data, "value", 5) == 0);
    CHECK(view.token.version == token.version);
    CHECK_OK(vug_view_release(&view));
    CHECK_OK(vug_get_copy(region, "k", 1, buffer, sizeof(buffer), &len));
    CHECK(len == 5 && memcmp(buffer, "value", 5) == 0);
    CHECK_STATUS(VUG_ERR_BUFFER, vug_get_copy(region, "k", 1, buffer, 3, &len));
    CHECK_STATUS(VUG_NOT_FOUND, vug_get(region, "x", 1, &view));
    CHECK_OK(vug_contains_key(region, "k", 1));
    CHECK_OK(vug_token(region, "k", 1, &token));
    CHECK(count(region) == 1);
    names[0].data = "k";
    names[1].data = "x";
    names[0].len = names[1].len = 1;
    CHECK_OK(vug_values_new(&values));
    CHECK_OK(vug_get_all(region, names, 2, values, found));
    CHECK(found[0].len == 5 && found[1].data == NULL);
    CHECK_OK(vug_values_free(values));
    CHECK_OK(vug_iter_new(region, &iter));
    CHECK_OK(vug_iter_next(iter, &entry));
    CHECK(entry.value_len == 5);
    CHECK_STATUS(VUG_END, vug_iter_next(iter, &entry));
    CHECK_OK(vug_iter_free(iter));
    CHECK_STATUS(VUG_ERR_NOT_ALLOWED, vug_iter_new_keys(region, &iter));
    CHECK_OK(vug_region_statistics(region, &statistics, sizeof(statistics)));
    CHECK(statistics.entries == 1);
    CHECK_STATUS(VUG_ERR_NOT_ALLOWED, vug_put(region, "k", 1, "wrong", 5, NULL));
    CHECK_STATUS(VUG_ERR_NOT_ALLOWED, vug_region_destroy(region));
    vug_last_help(buffer, sizeof(buffer), NULL);
    CHECK(strcmp(buffer, "open it as a me") == 0);
    CHECK_OK(vug_region_close(region));
    CHECK_OK(vug_region_close(shared));
    CHECK_OK(vug_node_close(node));
}

int main(int argc, char **argv) {
    vug_node_t *node;

    CHECK(argc == 2);
    CHECK_OK(vug_node_open(argv[1], &node));
    attributes(node);
    altering(node);
    clearing(node);
    the_end(node);
    nodes(argv[1], node);
    statistics(node);
    read_only(argv[1], node);
    CHECK_OK(vug_node_close(node));
    puts("regions=ok");
    return 0;
}
