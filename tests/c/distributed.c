/* A node whose bridge is the test: what writes tell of nodes that left, and reads that ask other
 * nodes. The region "acked" acknowledges nine positions, which 7 (the second, the third) and 65535
 * (the third) left instead; nobody answers for the region "asking".
 *
 *     distributed <home> */
#include <string.h>

#include "check.h"

static void check_departed(const vug_departed_t *departed, uint32_t count, uint16_t first,
                           uint16_t second) {
    CHECK(departed->count == count && departed->reserved == 0);
    CHECK(departed->nodes[0] == first && departed->nodes[1] == second);
    CHECK(departed->nodes[VUG_DEPARTED_MAX - 1] == 0);
}

static void departures(vug_region_t *region) {
    vug_write_options_t options = VUG_WRITE_OPTIONS_INIT;
    vug_departed_t departed;
    vug_pair_t pair = { "c", 1, "v", 1 };
    vug_result_t result;
    vug_token_t token;

    memset(&departed, 7, sizeof(departed));
    options.departed = &departed;
    CHECK_OK(vug_put_with(region, "a", 1, "v", 1, &options, NULL));
    check_departed(&departed, 0, 0, 0);
    CHECK_OK(vug_create(region, "b", 1, "v", 1, &options, &token));
    check_departed(&departed, 1, 7, 0);
    CHECK(token.version != 0);
    CHECK_OK(vug_put_all(region, &pair, 1, &options, &result));
    check_departed(&departed, 2, 7, 65535);
    CHECK_OK(vug_remove_with(region, "c", 1, &options, NULL));
    check_departed(&departed, 0, 0, 0);
    CHECK_STATUS(VUG_NOT_FOUND, vug_remove_with(region, "c", 1, &options, NULL));
    check_departed(&departed, 0, 0, 0);

    /* A program that knows nothing of it, and one that passes no object of the type. */
    memset(&departed, 7, sizeof(departed));
    options.struct_size = 24;
    CHECK_OK(vug_put_with(region, "a", 1, "v", 1, &options, NULL));
    CHECK(departed.count == 0x07070707);
    options.struct_size = sizeof(options);
    options.departed = (vug_departed_t *)((char *)&departed + 1);
    CHECK_STATUS(VUG_ERR_ARGUMENT, vug_put_with(region, "a", 1, "v", 1, &options, NULL));
}

static void searches(vug_region_t *region) {
    vug_read_options_t options = VUG_READ_OPTIONS_INIT;
    vug_view_t view;
    uint64_t limit;

    CHECK_STATUS(VUG_NOT_FOUND, vug_get_local(region, "k", 1, &view));
    options.local = VUG_ON;
    CHECK_STATUS(VUG_NOT_FOUND, vug_get_with(region, "k", 1, &options, &view));
    options.local = 0;
    options.search_within_ns = 1000000;
    CHECK_STATUS(VUG_ERR_SEARCH_TIMEOUT, vug_get_with(region, "k", 1, &options, &view));
    CHECK(view.data == NULL && view.pin == NULL);

    CHECK_OK(vug_region_search_timeout(region, &limit));
    CHECK(limit == UINT64_C(300000000000));
    CHECK_OK(vug_region_set_search_timeout(region, 2000000));
    CHECK_OK(vug_region_search_timeout(region, &limit));
    CHECK(limit == 2000000);
    CHECK_STATUS(VUG_ERR_SEARCH_TIMEOUT, vug_get(region, "k", 1, &view));
    CHECK_STATUS(VUG_ERR_SEARCH_TIMEOUT, vug_get_with(region, "k", 1, NULL, &view));
    CHECK_STATUS(VUG_NOT_FOUND, vug_get_local(region, "k", 1, &view));
    CHECK_OK(vug_region_set_search_timeout(region, VUG_FOREVER));
    CHECK_OK(vug_region_search_timeout(region, &limit));
    CHECK(limit == VUG_FOREVER);
}

int main(int argc, char **argv) {
    vug_node_t *node;
    vug_region_t *region;

    CHECK(argc == 2);
    CHECK_OK(vug_node_open(argv[1], &node));
    CHECK_OK(vug_region_open(node, "acked", NULL, &region));
    departures(region);
    CHECK_OK(vug_region_close(region));
    CHECK_OK(vug_region_open(node, "asking", NULL, &region));
    searches(region);
    CHECK_OK(vug_region_close(region));
    CHECK_OK(vug_node_close(node));
    puts("distributed=ok");
    return 0;
}
