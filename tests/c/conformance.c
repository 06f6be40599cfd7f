/* Replays steps of the conformance suite, which `tests/c_abi/conformance.rs` reads and compares.
 *
 *     conformance <home>
 *
 * A line of standard input is a step: words with a blank between them, the operation, the region,
 * its arguments; bytes as `x` and hexadecimal digits, `-` for what is not given. Each is answered
 * by a line of JSON, `{"result": ...}` or `{"error": code}`. */
#define _POSIX_C_SOURCE 200809L

#include <string.h>

#include "check.h"

enum { WORDS = 512, NAMES = 16, NAME = 40 };

typedef struct {
    void *data;
    size_t len;
} blob_t;

static vug_node_t *node;
static char *words[WORDS];
static int count;

static struct {
    char name[NAME];
    vug_region_t *region;
} regions[NAMES];
static struct {
    char name[NAME];
    vug_subscription_t *subscription;
} subscriptions[NAMES];
static struct {
    char name[NAME];
    vug_token_t token;
} tokens[NAMES];

/* The place of a name in one of the tables, or the first free one. */
#define PLACE(table, wanted)                                                  \
    do {                                                                      \
        for (place = 0; place < NAMES && table[place].name[0] != 0            \
                        && strcmp(table[place].name, wanted) != 0; place++) { \
        }                                                                     \
        CHECK(place < NAMES && strlen(wanted) < NAME);                        \
        strcpy(table[place].name, wanted);                                    \
    } while (0)

static vug_region_t **region_of(const char *name) {
    int place;

    PLACE(regions, name);
    return &regions[place].region;
}

static vug_subscription_t **subscription_of(const char *name) {
    int place;

    PLACE(subscriptions, name);
    return &subscriptions[place].subscription;
}

static vug_token_t *token_of(const char *name) {
    int place;

    PLACE(tokens, name);
    return &tokens[place].token;
}

static const char *word(int index) {
    return index < count ? words[index] : "-";
}

static blob_t blob(int index) {
    const char *digits = word(index);
    blob_t blob;
    size_t i;

    CHECK(digits[0] == 'x');
    blob.len = strlen(digits + 1) / 2;
    blob.data = malloc(blob.len + 1);
    CHECK(blob.data != NULL);
    for (i = 0; i < blob.len; i++) {
        char pair[3] = { digits[1 + 2 * i], digits[2 + 2 * i], 0 };

        ((unsigned char *)blob.data)[i] = (unsigned char)strtoul(pair, NULL, 16);
    }
    return blob;
}

static uint64_t number(int index) {
    return strtoull(word(index), NULL, 10);
}

static void say_bytes(const void *data, size_t len) {
    size_t i;

    if (data == NULL) {
        printf("null");
        return;
    }
    printf("{\"hex\": \"");
    for (i = 0; i < len; i++) {
        printf("%02x", ((const unsigned char *)data)[i]);
    }
    printf("\"}");
}

static const char *kind_of(const vug_token_t *token) {
    static const char *const names[] = { "null", "\"value\"", "\"invalid\"", "\"local-invalid\"",
                                         "\"tombstone\"", "\"transit\"" };

    CHECK(token->kind < 6);
    return names[token->kind];
}

/* Whether the step failed; then it is answered. */
static int failed(vug_status_t status) {
    if (status < 0) {
        printf("{\"error\": %d}\n", -status);
    }
    return status < 0;
}

static void say_bool(int yes) {
    printf("{\"result\": %s}\n", yes ? "true" : "false");
}

static void say_null(vug_status_t status) {
    if (!failed(status)) {
        printf("{\"result\": null}\n");
    }
}

/* Keeps a token under the name that the step gives, if it does and there is one. */
static void keep(const char *name, const vug_token_t *token) {
    if (strcmp(name, "-") != 0 && token->kind != 0) {
        *token_of(name) = *token;
    }
}

static void open_with(vug_status_t (*open)(vug_node_t *, const char *,
                                           const vug_region_options_t *, vug_region_t **)) {
    vug_region_options_t options = VUG_REGION_OPTIONS_INIT;
    vug_region_t *region;
    vug_status_t status;
    int i;

    for (i = 2; i < count; i++) {
        char *equals = strchr(words[i], '=');
        uint64_t value;

        CHECK(equals != NULL);
        *equals = 0;
        value = strtoull(equals + 1, NULL, 10);
#define OPTION(field, type)                                    \
    if (strcmp(words[i], #field) == 0) {                       \
        options.field = (type)value;                           \
        continue;                                              \
    }
        OPTION(data_policy, uint32_t)
        OPTION(scope, uint32_t)
        OPTION(concurrency_checks, uint32_t)
        OPTION(max_bytes, uint64_t)
        OPTION(segment_bytes, uint64_t)
        OPTION(max_entries, uint64_t)
        OPTION(alignment, uint64_t)
        OPTION(eviction, uint32_t)
        OPTION(interest, uint32_t)
        OPTION(early_ack, uint32_t)
        OPTION(old_values, uint32_t)
        OPTION(entry_ttl_ns, uint64_t)
        OPTION(entry_idle_ns, uint64_t)
        OPTION(entry_ttl_action, uint32_t)
        OPTION(entry_idle_action, uint32_t)
        fprintf(stderr, "no option %s\n", words[i]);
        exit(1);
    }
    status = open(node, words[1], &options, &region);
    if (!failed(status)) {
        vug_region_t **known = region_of(words[1]);

        if (*known != NULL) {
            CHECK_OK(vug_region_close(*known));
        }
        *known = region;
        printf("{\"result\": null}\n");
    }
}

static void say_names(void) {
    char names[4096];
    size_t needed;
    size_t found;
    size_t at;

    if (!failed(vug_node_regions(node, names, sizeof(names), &needed, &found))) {
        printf("{\"result\": [");
        for (at = 0; at < needed; at += strlen(names + at) + 1) {
            printf("%s\"%s\"", at == 0 ? "" : ", ", names + at);
        }
        printf("]}\n");
    }
}

static void say_attributes(vug_region_t *region) {
    vug_region_options_t o;

    if (failed(vug_region_attributes(region, &o, sizeof(o)))) {
        return;
    }
    printf("{\"result\": [%u, %u, %u, %u, %u, %u, %lu, %lu, %lu, %lu, %u, %lu, %u, %u, %lu]}\n",
           o.data_policy, o.scope, o.early_ack, o.concurrency_checks, o.interest, o.old_values,
           (unsigned long)o.max_bytes, (unsigned long)o.segment_bytes, (unsigned long)o.alignment,
           (unsigned long)o.entry_ttl_ns, o.entry_ttl_action, (unsigned long)o.entry_idle_ns,
           o.entry_idle_action, o.eviction, (unsigned long)o.max_entries);
}

static void alter(vug_region_t *region) {
    vug_region_options_t options = VUG_REGION_OPTIONS_INIT;

    if (strcmp(words[0], "set_entry_ttl") == 0) {
        options.entry_ttl_ns = number(2);
        options.entry_ttl_action = (uint32_t)number(3);
    } else if (strcmp(words[0], "set_entry_idle") == 0) {
        options.entry_idle_ns = number(2);
        options.entry_idle_action = (uint32_t)number(3);
    } else {
        options.max_entries = number(2);
    }
    say_null(vug_region_alter(region, &options));
}

/* The value by all ways to read one, which agree. */
static void get(vug_region_t *region, blob_t key) {
    vug_view_t view;
    vug_view_t owned;
    vug_view_t held;
    vug_key_t *handle;
    vug_values_t *values;
    vug_bytes_t name;
    vug_value_t found;
    char *copy;
    size_t len;
    vug_status_t status = vug_get(region, key.data, key.len, &view);

    if (failed(status)) {
        return;
    }
    CHECK_STATUS(status, vug_get_owned(region, key.data, key.len, &owned));
    copy = malloc(view.len + 1);
    CHECK_STATUS(status, vug_get_copy(region, key.data, key.len, copy, view.len, &len));
    CHECK(len == view.len && owned.len == len);
    CHECK_OK(vug_key_new(region, key.data, key.len, &handle));
    CHECK_STATUS(status, vug_key_get(handle, &held));
    name.data = key.data;
    name.len = key.len;
    CHECK_OK(vug_values_new(&values));
    CHECK_OK(vug_get_all(region, &name, 1, values, &found));
    CHECK((found.data == NULL) == (status == VUG_NOT_FOUND) && found.len == len);
    if (status == VUG_OK) {
        CHECK(held.len == len && memcmp(held.data, view.data, len) == 0);
        CHECK(memcmp(owned.data, view.data, len) == 0 && memcmp(copy, view.data, len) == 0);
        CHECK(memcmp(found.data, view.data, len) == 0);
    }
    printf("{\"result\": ");
    say_bytes(view.data, view.len);
    printf("}\n");
    if (status == VUG_OK) {
        CHECK_OK(vug_view_release(&view));
        CHECK_OK(vug_view_release(&owned));
        CHECK_OK(vug_view_release(&held));
    }
    CHECK_OK(vug_key_free(handle));
    CHECK_OK(vug_values_free(values));
    free(copy);
}

static void say_entry(vug_region_t *region, blob_t key) {
    vug_entry_info_t info;
    vug_view_t view = VUG_VIEW_INIT;
    vug_status_t status = vug_entry_info(region, key.data, key.len, &info, sizeof(info));

    if (failed(status)) {
        return;
    }
    if (status == VUG_NOT_FOUND) {
        printf("{\"result\": null}\n");
        return;
    }
    CHECK(vug_get(region, key.data, key.len, &view) >= 0 && view.len == info.value_len);
    printf("{\"result\": {\"kind\": %s, \"value\": ", kind_of(&info.token));
    say_bytes(view.data, view.len);
    printf(", \"expires\": %s}}\n", info.expires_ns != 0 ? "true" : "false");
    vug_view_release(&view);
}

/* An iteration as a set of numbers would be printed unsorted: the test sorts. */
static void iterate(vug_region_t *region, int keys) {
    vug_iter_t *iter;
    vug_entry_t entry;
    vug_status_t status;
    int first = 1;

    CHECK_OK(keys ? vug_iter_new_keys(region, &iter) : vug_iter_new(region, &iter));
    status = vug_iter_next(iter, &entry);
    if (!failed(status)) {
        printf("{\"result\": [");
        for (; status == VUG_OK; status = vug_iter_next(iter, &entry)) {
            printf(first ? "" : ", ");
            printf(keys ? "" : "[");
            say_bytes(entry.key, entry.key_len);
            if (!keys) {
                printf(", ");
                say_bytes(entry.value, entry.value_len);
                printf("]");
            }
            first = 0;
        }
        CHECK_STATUS(VUG_END, status);
        printf("]}\n");
    }
    CHECK_OK(vug_iter_free(iter));
}

static void get_all(vug_region_t *region) {
    vug_bytes_t keys[WORDS];
    vug_value_t found[WORDS];
    vug_values_t *values;
    int i;

    for (i = 2; i < count; i++) {
        blob_t key = blob(i);

        keys[i - 2].data = key.data;
        keys[i - 2].len = key.len;
    }
    CHECK_OK(vug_values_new(&values));
    if (!failed(vug_get_all(region, keys, (size_t)count - 2, values, found))) {
        printf("{\"result\": [");
        for (i = 0; i < count - 2; i++) {
            printf(i == 0 ? "" : ", ");
            say_bytes(found[i].data, found[i].len);
        }
        printf("]}\n");
    }
    CHECK_OK(vug_values_free(values));
}

static void write_all(vug_region_t *region, int put) {
    vug_write_options_t options = VUG_WRITE_OPTIONS_INIT;
    vug_bytes_t keys[WORDS];
    vug_pair_t pairs[WORDS];
    vug_result_t results[WORDS];
    int present[WORDS];
    vug_status_t status;
    int keyed = 0;
    int i;
    int k;

    options.ttl_ns = number(2);
    for (i = 3; i < count; i += put ? 2 : 1) {
        blob_t key = blob(i);

        keys[keyed].data = pairs[keyed].key = key.data;
        keys[keyed].len = pairs[keyed].key_len = key.len;
        present[keyed] = vug_contains_key(region, key.data, key.len) == VUG_OK;
        for (k = 0; k < keyed; k++) {
            present[keyed] |= keys[k].len == key.len && memcmp(keys[k].data, key.data, key.len) == 0;
        }
        if (put) {
            blob_t value = blob(i + 1);

            pairs[keyed].value = value.data;
            pairs[keyed].value_len = value.len;
        }
        keyed++;
    }
    status = put ? vug_put_all(region, pairs, (size_t)keyed, &options, results)
                 : vug_remove_all(region, keys, (size_t)keyed, NULL, results);
    if (status != VUG_ERR_BULK_FAILED && failed(status)) {
        return;
    }
    printf("{\"result\": [");
    for (i = 0; i < keyed; i++) {
        printf(i == 0 ? "" : ", ");
        if (results[i].status < 0) {
            printf("{\"error\": %d}", -results[i].status);
        } else if (put) {
            printf("{\"created\": %s}", present[i] ? "false" : "true");
        } else {
            printf(results[i].status == VUG_OK ? "true" : "false");
        }
    }
    printf("]}\n");
}

static void subscribe(vug_region_t *region) {
    vug_listen_options_t options = VUG_LISTEN_OPTIONS_INIT;
    blob_t prefix = blob(3);

    options.prefix = prefix.data;
    options.prefix_len = prefix.len;
    options.content = number(4) ? VUG_ON : 0;
    options.resynchronise = number(5) ? VUG_ON : 0;
    say_null(vug_subscribe(region, &options, subscription_of(words[2])));
}

static void say_events(const char *name) {
    vug_subscription_t *subscription = *subscription_of(name);
    vug_event_t e;
    vug_status_t status = vug_subscription_poll(subscription, &e, sizeof(e));
    int first = 1;

    if (failed(status)) {
        return;
    }
    printf("{\"result\": [");
    for (; status == VUG_OK; status = vug_subscription_poll(subscription, &e, sizeof(e))) {
        printf("%s{\"kind\": %u", first ? "" : ", ", (unsigned)e.kind);
        if (e.key != NULL) {
            printf(", \"key\": ");
            say_bytes(e.key, e.key_len);
            printf(", \"value\": ");
            say_bytes(e.value, e.value_len);
        }
        if (e.old_value_state != VUG_OLD_VALUE_NOT_AVAILABLE) {
            printf(", \"old\": ");
            say_bytes(e.old_value, e.old_value_len);
        }
        printf("%s%s}", e.flags & VUG_EVENT_FLAG_BULK ? ", \"bulk\": true" : "",
               e.flags & VUG_EVENT_FLAG_EXPIRATION ? ", \"expired\": true" : "");
        first = 0;
    }
    printf("]}\n");
}

static int is(const char *name) {
    return strcmp(words[0], name) == 0;
}

/* Operations on an entry: what to save, key, value, time to live, then what the operation has. */
static int write_step(vug_region_t *r) {
    vug_write_options_t o = VUG_WRITE_OPTIONS_INIT;
    vug_token_t token = { 0, 0, 0, { 0, 0, 0, 0, 0 } };
    const char *save = word(2);
    blob_t k = blob(3);
    blob_t v = blob(4);
    int absent = vug_contains_key(r, k.data, k.len) == VUG_NOT_FOUND;
    int created = 0;
    int swap = 0;
    vug_status_t s;

    o.ttl_ns = number(5);
    if (is("put")) {
        s = vug_put_with(r, k.data, k.len, v.data, v.len, &o, &token);
        created = 1;
    } else if (is("create")) {
        s = vug_create(r, k.data, k.len, v.data, v.len, &o, &token);
        created = 1;
    } else if (is("create_invalid")) {
        s = vug_create_invalid(r, k.data, k.len, &token);
        created = 1;
    } else if (is("destroy")) {
        s = vug_destroy(r, k.data, k.len, &token);
        created = 1;
    } else if (is("local_destroy")) {
        s = vug_local_destroy(r, k.data, k.len, &token);
        created = 1;
    } else if (is("replace")) {
        s = vug_replace(r, k.data, k.len, v.data, v.len, &o, &token);
    } else if (is("remove")) {
        s = vug_remove(r, k.data, k.len, &token);
    } else if (is("invalidate")) {
        s = vug_invalidate(r, k.data, k.len, &token);
    } else if (is("local_invalidate")) {
        s = vug_local_invalidate(r, k.data, k.len, &token);
    } else if (is("compare_and_swap")) {
        s = vug_compare_and_swap(r, k.data, k.len, token_of(word(6)), v.data, v.len, &o, &token);
        swap = 1;
    } else if (is("remove_if")) {
        s = vug_remove_if(r, k.data, k.len, token_of(word(6)), NULL, &token);
        swap = 1;
    } else if (is("replace_if")) {
        blob_t e = blob(6);

        s = vug_replace_if(r, k.data, k.len, e.data, e.len, v.data, v.len, &o, &token);
        swap = 1;
    } else if (is("remove_if_value")) {
        blob_t e = blob(6);

        s = vug_remove_if_value(r, k.data, k.len, e.data, e.len, NULL, &token);
        swap = 1;
    } else if (is("swap_value")) {
        vug_view_t old;

        s = vug_swap_value(r, k.data, k.len, v.data, v.len, &token, &old);
        if (!failed(s)) {
            printf("{\"result\": {\"created\": %s, \"old\": ", absent ? "true" : "false");
            say_bytes(old.data, old.len);
            printf("}}\n");
            CHECK(old.pin == NULL || vug_view_release(&old) == VUG_OK);
            keep(save, &token);
        }
        return 1;
    } else if (is("put_if_absent")) {
        s = vug_put_if_absent(r, k.data, k.len, v.data, v.len, &o, &token);
        if (!failed(s)) {
            vug_view_t view = VUG_VIEW_INIT;

            CHECK(s == VUG_OK || vug_get(r, k.data, k.len, &view) >= 0);
            printf("{\"result\": {\"created\": %s", s == VUG_OK ? "true" : "false");
            if (s == VUG_PRESENT) {
                printf(", \"value\": ");
                say_bytes(view.data, view.len);
                vug_view_release(&view);
            }
            printf("}}\n");
            keep(save, &token);
        }
        return 1;
    } else {
        return 0;
    }
    if (failed(s)) {
        return 1;
    }
    keep(save, &token);
    if (created) {
        int new_key = absent && !is("destroy") && !is("local_destroy");

        printf("{\"result\": {\"created\": %s}}\n", new_key ? "true" : "false");
    } else if (swap && s == VUG_CHANGED) {
        printf("{\"result\": {\"done\": false, \"found\": %s}}\n", kind_of(&token));
    } else if (swap) {
        printf("{\"result\": {\"done\": true}}\n");
    } else {
        say_bool(s == VUG_OK);
    }
    return 1;
}

static void read_step(vug_region_t *r) {
    vug_token_t token;
    blob_t k = blob(3);
    vug_status_t s;

    if (is("get")) {
        get(r, k);
    } else if (is("entry")) {
        say_entry(r, k);
    } else if (is("contains_key")) {
        s = vug_contains_key(r, k.data, k.len);
        if (!failed(s)) {
            say_bool(s == VUG_OK);
        }
    } else if (is("contains_value_for_key")) {
        s = vug_contains_value_for_key(r, k.data, k.len);
        if (!failed(s)) {
            say_bool(s == VUG_OK);
        }
    } else if (is("token")) {
        if (!failed(vug_token(r, k.data, k.len, &token))) {
            keep(word(2), &token);
            printf("{\"result\": %s}\n", kind_of(&token));
        }
    } else if (is("increment")) {
        vug_write_options_t o = VUG_WRITE_OPTIONS_INIT;
        int64_t sum;

        o.ttl_ns = number(5);
        if (!failed(vug_increment(r, k.data, k.len, strtoll(word(6), NULL, 10), &o, &sum))) {
            printf("{\"result\": %ld}\n", (long)sum);
        }
    } else if (is("until_absent")) {
        do {
            s = vug_get_copy(r, k.data, k.len, NULL, 0, &(size_t){ 0 });
        } while (s == VUG_ERR_BUFFER || s == VUG_OK);
        say_null(s);
    } else {
        const char *since = word(6);

        CHECK(is("wait_for_change"));
        s = vug_wait_for_change(r, k.data, k.len, strcmp(since, "-") ? token_of(since) : NULL, 0,
                                &token);
        if (s == VUG_TIMEOUT) {
            printf("{\"result\": \"timeout\"}\n");
        } else if (!failed(s)) {
            keep(word(2), &token);
            printf("{\"result\": {\"changed\": %s}}\n", kind_of(&token));
        }
    }
}

static int whole_step(vug_region_t *r) {
    static const struct {
        const char *name;
        vug_status_t (*call)(vug_region_t *);
    } calls[] = {
        { "close", vug_region_close_all },
        { "destroy_region", vug_region_destroy },
        { "local_destroy_region", vug_region_local_destroy },
        { "clear", vug_region_clear },
        { "local_clear", vug_region_local_clear },
        { "invalidate_region", vug_region_invalidate },
        { "local_invalidate_region", vug_region_local_invalidate },
    };
    vug_maintenance_t done;
    uint64_t len;
    size_t i;

    for (i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        if (is(calls[i].name)) {
            say_null(calls[i].call(r));
            return 1;
        }
    }
    if (is("attributes")) {
        say_attributes(r);
    } else if (is("set_entry_ttl") || is("set_entry_idle") || is("set_max_entries")) {
        alter(r);
    } else if (is("len")) {
        if (!failed(vug_len(r, &len))) {
            printf("{\"result\": %lu}\n", (unsigned long)len);
        }
    } else if (is("sweep")) {
        if (!failed(vug_region_maintain(r, NULL, &done, sizeof(done)))) {
            printf("{\"result\": %lu}\n", (unsigned long)done.entries_expired);
        }
    } else if (is("keys") || is("entries")) {
        iterate(r, is("keys"));
    } else if (is("get_all")) {
        get_all(r);
    } else if (is("put_all") || is("remove_all")) {
        write_all(r, is("put_all"));
    } else if (is("subscribe")) {
        subscribe(r);
    } else if (is("events")) {
        say_events(words[2]);
    } else {
        return 0;
    }
    return 1;
}

static void step(void) {
    if (is("create_region")) {
        open_with(vug_region_create);
    } else if (is("open_region")) {
        open_with(vug_region_open);
    } else if (is("open_or_create_region")) {
        open_with(vug_region_open_or_create);
    } else if (is("regions")) {
        say_names();
    } else if (is("remove_region")) {
        say_null(vug_node_remove_region(node, words[1]));
    } else {
        vug_region_t *region = *region_of(words[1]);

        if (!whole_step(region) && !write_step(region)) {
            read_step(region);
        }
    }
}

int main(int argc, char **argv) {
    char *line = NULL;
    size_t room = 0;

    CHECK(argc == 2);
    CHECK_OK(vug_node_open(argv[1], &node));
    while (getline(&line, &room, stdin) > 0) {
        char *next = strtok(line, " \n");

        for (count = 0; next != NULL; next = strtok(NULL, " \n")) {
            CHECK(count < WORDS);
            words[count++] = next;
        }
        step();
        fflush(stdout);
    }
    return 0;
}
