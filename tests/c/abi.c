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

    CHECK(sizeof(vug_entry_t) == 48);
    AT(vug_entry_t, key, 0);
    AT(vug_entry_t, key_len, 8);
    AT(vug_entry_t, value, 16);
    AT(vug_entry_t, value_len, 24);
    AT(vug_entry_t, token, 32);

    CHECK(sizeof(vug_region_options_t) == 32);
    AT(vug_region_options_t, struct_size, 0);
    AT(vug_region_options_t, data_policy, 4);
    AT(vug_region_options_t, scope, 8);
    AT(vug_region_options_t, concurrency_checks, 12);
    AT(vug_region_options_t, max_bytes, 16);
    AT(vug_region_options_t, segment_bytes, 24);
}

static void check_numbers(void) {
    CHECK(VUG_OK == 0 && VUG_NOT_FOUND == 1 && VUG_CHANGED == 2 && VUG_END == 3);
    CHECK(VUG_ERR_NOT_A_VUG_FILE == -101 && VUG_ERR_OTHER_NODE == -111);
    CHECK(VUG_ERR_INVALID_REGION_NAME == -201 && VUG_ERR_NOT_BUILT_YET == -208);
    CHECK(VUG_ERR_OUT_OF_SPACE == -301 && VUG_ERR_TOO_MANY_PINS == -305);
    CHECK(VUG_ERR_ENTRY_EXISTS == -401 && VUG_ERR_ACK_TIMEOUT == -404);
    CHECK(VUG_ERR_FORKED_CHILD == -501 && VUG_ERR_IO == -601 && VUG_ERR_SYSTEM == -602);
    CHECK(VUG_ERR_NULL == -701 && VUG_ERR_VERSION == -708);
}

static void check_initialisers(void) {
    vug_region_options_t options = VUG_REGION_OPTIONS_INIT;
    vug_view_t view = VUG_VIEW_INIT;

    CHECK(options.struct_size == sizeof(options));
    CHECK(options.data_policy == 0 && options.scope == 0 && options.concurrency_checks == 0);
    CHECK(options.max_bytes == 0 && options.segment_bytes == 0);
    CHECK(view.data == NULL && view.len == 0 && view.pin == NULL && view.token.kind == 0);
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
