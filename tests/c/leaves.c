/* A process that ends with everything open, in one of the ways in which processes end.
 *
 *     leaves <home> <return | exit | _exit | thread | abort> */
#define _POSIX_C_SOURCE 200809L

#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "check.h"

static vug_region_t *region;
static vug_view_t views[10];

static void look(void *user, const vug_event_t *event, size_t size) {
    (void)user;
    (void)event;
    (void)size;
}

/* Reads what it held, after main has returned and the thread's own views have ended. */
static void at_exit(void) {
    vug_view_t view;
    vug_key_t *key;
    int i;

    for (i = 0; i < 10; i += 2) {
        CHECK(views[i].len == 5 && memcmp(views[i].data, "value", 5) == 0);
    }
    CHECK_OK(vug_get(region, "k", 1, &view));
    CHECK_OK(vug_put(region, "last", 4, "words", 5, NULL));
    CHECK(view.len == 5 && memcmp(view.data, "value", 5) == 0);
    CHECK_OK(vug_view_release(&view));
    key = NULL;
    CHECK(vug_key_new(region, "k", 1, &key) <= VUG_OK);
}

static void *end_with_views(void *unused) {
    vug_view_t view;

    (void)unused;
    CHECK_OK(vug_get(region, "k", 1, &view));
    CHECK_OK(vug_get_owned(region, "k", 1, &view));
    exit(0);
}

int main(int argc, char **argv) {
    vug_node_t *node;
    vug_iter_t *iter;
    vug_key_t *key;
    vug_entry_t entry;
    vug_subscription_t *subscription;
    vug_listener_t *listener;
    pthread_t thread;
    int i;

    CHECK(argc == 3);
    CHECK_OK(vug_node_open(argv[1], &node));
    CHECK_OK(vug_region_open_or_create(node, "leaves", NULL, &region));
    CHECK_OK(vug_put(region, "k", 1, "value", 5, NULL));
    for (i = 0; i < 10; i++) {
        CHECK_OK(i % 2 ? vug_get(region, "k", 1, &views[i])
                       : vug_get_owned(region, "k", 1, &views[i]));
    }
    CHECK_OK(vug_iter_new(region, &iter));
    CHECK_OK(vug_iter_next(iter, &entry));
    CHECK_OK(vug_key_new(region, "k", 1, &key));
    CHECK_OK(vug_subscribe(region, NULL, &subscription));
    CHECK_OK(vug_listen(region, NULL, look, NULL, NULL, &listener));
    atexit(at_exit);
    puts("leaves");
    fflush(stdout);
    if (strcmp(argv[2], "exit") == 0) {
        exit(0);
    } else if (strcmp(argv[2], "_exit") == 0) {
        _exit(0);
    } else if (strcmp(argv[2], "abort") == 0) {
        abort();
    } else if (strcmp(argv[2], "thread") == 0) {
        CHECK(pthread_create(&thread, NULL, end_with_views, NULL) == 0);
        CHECK(pthread_join(thread, NULL) == 0);
    }
    return 0;
}
