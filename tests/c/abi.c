/* Sizes, offsets and numbers that compiled programs rely on. Needs no node.
 *
 *     abi <version> <ABI version> <format version>      as Rust knows them */
#include <stdlib.h>
#include <string.h>

#include "check.h"

#define AT(type, field, offset) CHECK(offsetof(type, field) == (offset))

static void check_layout(void) {
    CHECK(sizeof(vug_status_t) == 4);
    CHECK((vug_status_t)-1 < 0);

    CHECK(sizeof(vug_token_t) == 16);
    AT(vug_token_t, version, 0);
    AT(vug_token_t, origin, 8);
    AT(vug_token_t, kind, 10);
    AT(vug_token_t, reserved, 11);

    CHECK(sizeof(vug_view_t) == 40);
    AT(vug_view_t, data, 0);
    AT(vug_view_t, len, 8);
    AT(vug_view_t, token, 16);
    AT(vug_view_t, pin, 32);

    CHECK(sizeof(vug_departed_t) == 24);
    AT(vug_departed_t, count, 0);
    AT(vug_departed_t, reserved, 4);
    AT(vug_departed_t, nodes, 8);

    CHECK(sizeof(vug_bytes_t) == 16);
    AT(vug_bytes_t, data, 0);
    AT(vug_bytes_t, len, 8);

    CHECK(sizeof(vug_pair_t) == 32);
    AT(vug_pair_t, key, 0);
    AT(vug_pair_t, key_len, 8);
    AT(vug_pair_t, value, 16);
    AT(vug_pair_t, value_len, 24);

    CHECK(sizeof(vug_result_t) == 24);
    AT(vug_result_t, status, 0);
    AT(vug_result_t, reserved, 4);
    AT(vug_result_t, token, 8);

    CHECK(sizeof(vug_value_t) == 32);
    AT(vug_value_t, data, 0);
    AT(vug_value_t, len, 8);
    AT(vug_value_t, token, 16);

    CHECK(sizeof(vug_entry_t) == 48);
    AT(vug_entry_t, key, 0);
    AT(vug_entry_t, key_len, 8);
    AT(vug_entry_t, value, 16);
    AT(vug_entry_t, value_len, 24);
    AT(vug_entry_t, token, 32);

    CHECK(sizeof(vug_node_options_t) == 24);
    AT(vug_node_options_t, struct_size, 0);
    AT(vug_node_options_t, access, 4);
    AT(vug_node_options_t, home, 8);
    AT(vug_node_options_t, group, 16);
    AT(vug_node_options_t, reserved, 20);

    CHECK(sizeof(vug_region_options_t) == 88);
    AT(vug_region_options_t, struct_size, 0);
    AT(vug_region_options_t, data_policy, 4);
    AT(vug_region_options_t, scope, 8);
    AT(vug_region_options_t, concurrency_checks, 12);
    AT(vug_region_options_t, max_bytes, 16);
    AT(vug_region_options_t, segment_bytes, 24);
    AT(vug_region_options_t, max_entries, 32);
    AT(vug_region_options_t, alignment, 40);
    AT(vug_region_options_t, eviction, 48);
    AT(vug_region_options_t, interest, 52);
    AT(vug_region_options_t, early_ack, 56);
    AT(vug_region_options_t, old_values, 60);
    AT(vug_region_options_t, entry_ttl_ns, 64);
    AT(vug_region_options_t, entry_idle_ns, 72);
    AT(vug_region_options_t, entry_ttl_action, 80);
    AT(vug_region_options_t, entry_idle_action, 84);

    CHECK(sizeof(vug_write_options_t) == 32);
    AT(vug_write_options_t, struct_size, 0);
    AT(vug_write_options_t, reserved, 4);
    AT(vug_write_options_t, ttl_ns, 8);
    AT(vug_write_options_t, ack_within_ns, 16);
    AT(vug_write_options_t, departed, 24);

    CHECK(sizeof(vug_read_options_t) == 16);
    AT(vug_read_options_t, struct_size, 0);
    AT(vug_read_options_t, local, 4);
    AT(vug_read_options_t, search_within_ns, 8);

    CHECK(sizeof(vug_listen_options_t) == 32);
    AT(vug_listen_options_t, struct_size, 0);
    AT(vug_listen_options_t, interest, 4);
    AT(vug_listen_options_t, prefix, 8);
    AT(vug_listen_options_t, prefix_len, 16);
    AT(vug_listen_options_t, resynchronise, 24);
    AT(vug_listen_options_t, content, 28);

    CHECK(sizeof(vug_maintain_options_t) == 24);
    AT(vug_maintain_options_t, struct_size, 0);
    AT(vug_maintain_options_t, compact, 4);
    AT(vug_maintain_options_t, copy_bytes, 8);
    AT(vug_maintain_options_t, sweep, 16);

    CHECK(sizeof(vug_node_info_t) == 32);
    AT(vug_node_info_t, id, 0);
    AT(vug_node_info_t, origin, 16);
    AT(vug_node_info_t, access, 20);
    AT(vug_node_info_t, members, 24);
    AT(vug_node_info_t, bridge_pid, 28);

    CHECK(sizeof(vug_entry_info_t) == 48);
    AT(vug_entry_info_t, token, 0);
    AT(vug_entry_info_t, value_len, 16);
    AT(vug_entry_info_t, expires_ns, 24);
    AT(vug_entry_info_t, modified_ns, 32);
    AT(vug_entry_info_t, accessed_ns, 40);

    CHECK(sizeof(vug_event_t) == 104);
    AT(vug_event_t, kind, 0);
    AT(vug_event_t, flags, 4);
    AT(vug_event_t, position, 8);
    AT(vug_event_t, from, 16);
    AT(vug_event_t, key, 24);
    AT(vug_event_t, key_len, 32);
    AT(vug_event_t, value, 40);
    AT(vug_event_t, value_len, 48);
    AT(vug_event_t, old_value, 56);
    AT(vug_event_t, old_value_len, 64);
    AT(vug_event_t, old_value_state, 72);
    AT(vug_event_t, origin, 76);
    AT(vug_event_t, origin_number, 80);
    AT(vug_event_t, reserved, 84);
    AT(vug_event_t, token, 88);

    CHECK(sizeof(vug_listener_info_t) == 24);
    AT(vug_listener_info_t, delivered, 0);
    AT(vug_listener_info_t, missed, 8);
    AT(vug_listener_info_t, finished, 16);
    AT(vug_listener_info_t, error, 20);

    CHECK(sizeof(vug_recovery_t) == 40);
    AT(vug_recovery_t, members, 0);
    AT(vug_recovery_t, threads, 8);
    AT(vug_recovery_t, inserts_finished, 16);
    AT(vug_recovery_t, events_announced, 24);
    AT(vug_recovery_t, segments_released, 32);

    CHECK(sizeof(vug_maintenance_t) == 88);
    AT(vug_maintenance_t, recovery, 0);
    AT(vug_maintenance_t, entries_seen, 40);
    AT(vug_maintenance_t, entries_expired, 48);
    AT(vug_maintenance_t, segments_cleaned, 56);
    AT(vug_maintenance_t, records_moved, 64);
    AT(vug_maintenance_t, bytes_moved, 72);
    AT(vug_maintenance_t, segments_freed, 80);

    CHECK(sizeof(vug_statistics_t) == 584);
    AT(vug_statistics_t, entries, 0);
    AT(vug_statistics_t, max_bytes, 8);
    AT(vug_statistics_t, state, 320);
    AT(vug_statistics_t, gets, 328);
    AT(vug_statistics_t, events_dropped, 560);
    AT(vug_statistics_t, listener_panics, 568);
    AT(vug_statistics_t, tombstones, 576);
}

static void check_numbers(void) {
    CHECK(VUG_OK == 0 && VUG_NOT_FOUND == 1 && VUG_CHANGED == 2 && VUG_END == 3);
    CHECK(VUG_TIMEOUT == 4 && VUG_PRESENT == 5);
    CHECK(VUG_ERR_NOT_A_VUG_FILE == -101 && VUG_ERR_OTHER_NODE == -111);
    CHECK(VUG_ERR_INVALID_REGION_NAME == -201 && VUG_ERR_NOT_BUILT_YET == -208);
    CHECK(VUG_ERR_OUT_OF_SPACE == -301 && VUG_ERR_TOO_MANY_PINS == -305);
    CHECK(VUG_ERR_ENTRY_EXISTS == -401 && VUG_ERR_ACK_TIMEOUT == -404);
    CHECK(VUG_ERR_FORKED_CHILD == -501 && VUG_ERR_IO == -601 && VUG_ERR_SYSTEM == -602);
    CHECK(VUG_ERR_NULL == -701 && VUG_ERR_VERSION == -708 && VUG_ERR_BUSY == -710);
    CHECK(VUG_ON == 1 && VUG_OFF == 2 && VUG_FOREVER == UINT64_MAX && VUG_NEVER == UINT64_MAX);
    CHECK(VUG_EVENT_CREATE == 1 && VUG_EVENT_LOCAL_REGION_DESTROY == 16);
    CHECK(VUG_EVENT_LAPPED == 100 && VUG_EVENT_IN_SYNC == 101);
    CHECK(VUG_KIND_VALUE == 1 && VUG_KIND_TRANSIT == 5);
}

/* All zeros but the size, whatever the types of the fields. */
#define EMPTY(options)                                                     \
    do {                                                                   \
        CHECK((options).struct_size == sizeof(options));                   \
        (options).struct_size = 0;                                         \
        CHECK(is_zero(&(options), sizeof(options)));                       \
    } while (0)

static int is_zero(const void *object, size_t size) {
    const unsigned char *bytes = object;
    size_t i;

    for (i = 0; i < size; i++) {
        if (bytes[i] != 0) {
            return 0;
        }
    }
    return 1;
}

static void check_initialisers(void) {
    vug_node_options_t node = VUG_NODE_OPTIONS_INIT;
    vug_region_options_t region = VUG_REGION_OPTIONS_INIT;
    vug_write_options_t write = VUG_WRITE_OPTIONS_INIT;
    vug_read_options_t read = VUG_READ_OPTIONS_INIT;
    vug_listen_options_t listen = VUG_LISTEN_OPTIONS_INIT;
    vug_maintain_options_t maintain = VUG_MAINTAIN_OPTIONS_INIT;
    vug_view_t view = VUG_VIEW_INIT;

    EMPTY(node);
    EMPTY(region);
    EMPTY(write);
    EMPTY(read);
    EMPTY(listen);
    EMPTY(maintain);
    CHECK(is_zero(&view, sizeof(view)));
}

static void check_versions(char **argv) {
    char text[32];

    CHECK(VUG_VERSION_NUMBER
          == VUG_MAKE_VERSION(VUG_VERSION_MAJOR, VUG_VERSION_MINOR, VUG_VERSION_PATCH));
    CHECK(VUG_MAKE_VERSION(1, 2, 3) == 1002003);
    CHECK(VUG_MAKE_VERSION(0, 9, 999) < VUG_MAKE_VERSION(0, 10, 0));
    CHECK(VUG_MAKE_VERSION(0, 999, 999) < VUG_MAKE_VERSION(1, 0, 0));
    CHECK(vug_version_number() == VUG_VERSION_NUMBER);
    snprintf(text, sizeof(text), "%d.%d.%d", VUG_VERSION_MAJOR, VUG_VERSION_MINOR,
             VUG_VERSION_PATCH);
    CHECK(strcmp(vug_version(), text) == 0);
    CHECK(strcmp(vug_version(), argv[1]) == 0);

    CHECK(vug_abi_version() == VUG_ABI_VERSION);
    CHECK(vug_abi_version() == strtoul(argv[2], NULL, 10));
    CHECK(vug_format_version() == strtoul(argv[3], NULL, 10));
    CHECK_OK(vug_check_version(VUG_ABI_VERSION));
    CHECK_STATUS(VUG_ERR_VERSION, vug_check_version(VUG_ABI_VERSION + 1));
    CHECK_STATUS(VUG_ERR_VERSION, vug_check_version(0));
}

static void check_texts(void) {
    CHECK(strcmp(vug_strerror(VUG_OK), "success") == 0);
    CHECK(strcmp(vug_strerror(VUG_ERR_OUT_OF_SPACE), "region is full") == 0);
    CHECK(strcmp(vug_strerror(12345), "unknown status") == 0);
    CHECK(strcmp(vug_strerror(INT32_MIN), "unknown status") == 0);
}

int main(int argc, char **argv) {
    CHECK(argc == 4);
    check_layout();
    check_numbers();
    check_initialisers();
    check_versions(argv);
    check_texts();
    puts("abi=ok");
    return 0;
}
