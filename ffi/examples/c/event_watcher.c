/* One process changes a region, another follows the changes in order.
 *
 *     ffi/examples/run c/event_watcher
 *
 * prints
 *
 *     create   pears = 3
 *     create   apples = 5
 *     update   pears = 4 (was 3)
 *     destroy  apples
 *     the region is gone */
#define _DEFAULT_SOURCE

#include "board.h"

static void change(const char *home) {
    vug_region_t *stock = open_region(home, "stock");

    ok(vug_put(stock, "pears", 5, "3", 1, NULL));
    ok(vug_put(stock, "apples", 6, "5", 1, NULL));
    ok(vug_put(stock, "pears", 5, "4", 1, NULL));
    ok(vug_destroy(stock, "apples", 6, NULL));
    ok(vug_region_destroy(stock));
    ok(vug_region_close(stock));
}

static const char *name_of(uint32_t kind) {
    switch (kind) {
    case VUG_EVENT_CREATE:
        return "create";
    case VUG_EVENT_UPDATE:
        return "update";
    case VUG_EVENT_DESTROY:
        return "destroy";
    default:
        return "other";
    }
}

static void show(const vug_event_t *event) {
    printf("%-9s%.*s", name_of(event->kind), (int)event->key_len, (const char *)event->key);
    if (event->value != NULL) {
        printf(" = %.*s", (int)event->value_len, (const char *)event->value);
    }
    if (event->old_value != NULL && event->value != NULL) {
        printf(" (was %.*s)", (int)event->old_value_len, (const char *)event->old_value);
    }
    printf("\n");
}

int main(int argc, char **argv) {
    vug_region_options_t options = VUG_REGION_OPTIONS_INIT;
    vug_node_t *node;
    vug_region_t *stock;
    vug_subscription_t *changes;
    vug_event_t event;
    const char *home;
    char path[64];
    pid_t other;

    if (argc == 3) {
        change(argv[2]);
        return 0;
    }
    home = make_home();
    options.old_values = VUG_ON;
    options.max_bytes = 16 << 20;
    ok(vug_node_open(home, &node));
    ok(vug_region_create(node, "stock", &options, &stock));
    ok(vug_subscribe(stock, NULL, &changes));
    other = start(argv, "change", home);
    while (ok(vug_subscription_wait(changes, VUG_FOREVER, &event, sizeof(event))) == VUG_OK
           && event.kind != VUG_EVENT_REGION_DESTROY) {
        show(&event);
    }
    printf("the region is gone\n");
    finish(other);
    ok(vug_subscription_free(changes));
    ok(vug_region_close(stock));
    ok(vug_node_close(node));
    snprintf(path, sizeof(path), "%s/node", home);
    unlink(path);
    snprintf(path, sizeof(path), "%s/bell", home);
    unlink(path);
    rmdir(home);
    return 0;
}
