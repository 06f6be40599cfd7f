/* Following changes: subscriptions, listeners, waits.
 *
 *     events <home> */
#define _POSIX_C_SOURCE 200809L

#include <pthread.h>
#include <string.h>

#include "check.h"

static int is(const void *data, size_t len, const char *text) {
    return data != NULL && len == strlen(text) && memcmp(data, text, len) == 0;
}

static void next(vug_subscription_t *subscription, vug_event_t *event, uint32_t kind) {
    CHECK_OK(vug_subscription_wait(subscription, VUG_FOREVER, event, sizeof(*event)));
    if (event->kind != kind) {
        fprintf(stderr, "event %u in place of %u\n", (unsigned)event->kind, (unsigned)kind);
    }
    CHECK(event->kind == kind);
}

static void subscriptions(vug_node_t *node) {
    vug_region_options_t attributes = VUG_REGION_OPTIONS_INIT;
    vug_listen_options_t options = VUG_LISTEN_OPTIONS_INIT;
    vug_region_t *region;
    vug_subscription_t *all;
    vug_subscription_t *some;
    vug_event_t event;
    vug_token_t token;
    uint64_t missed = 7;
    uint32_t few[2];
    char prefix[] = "ab";

    attributes.old_values = VUG_ON;
    CHECK_OK(vug_region_create(node, "events", &attributes, &region));
    CHECK_OK(vug_put(region, "before", 6, "0", 1, NULL));
    CHECK_OK(vug_subscribe(region, NULL, &all));
    options.prefix = prefix;
    options.prefix_len = 2;
    options.content = VUG_ON;
    CHECK_OK(vug_subscribe(region, &options, &some));
    /* The prefix was copied. */
    memset(prefix, 'x', sizeof(prefix));
    CHECK_STATUS(VUG_TIMEOUT, vug_subscription_poll(all, &event, sizeof(event)));
    CHECK(event.kind == 0 && event.key == NULL);
    CHECK_STATUS(VUG_TIMEOUT, vug_subscription_wait(all, 1000, &event, sizeof(event)));

    CHECK_OK(vug_put(region, "abc", 3, "one", 3, &token));
    next(all, &event, VUG_EVENT_CREATE);
    CHECK(is(event.key, event.key_len, "abc") && is(event.value, event.value_len, "one"));
    CHECK(event.old_value_state == VUG_OLD_VALUE_NONE && event.origin == VUG_ORIGIN_THIS_MEMBER);
    CHECK(memcmp(&event.token, &token, sizeof(token)) == 0 && event.flags == 0);
    CHECK_OK(vug_put(region, "abc", 3, "two", 3, NULL));
    next(all, &event, VUG_EVENT_UPDATE);
    CHECK(event.old_value_state == VUG_OLD_VALUE_KNOWN);
    CHECK(is(event.old_value, event.old_value_len, "one"));
    CHECK(is(event.value, event.value_len, "two"));
    CHECK_OK(vug_put(region, "other", 5, "", 0, NULL));
    next(all, &event, VUG_EVENT_CREATE);
    CHECK(event.value != NULL && event.value_len == 0);
    CHECK_OK(vug_invalidate(region, "abc", 3, NULL));
    next(all, &event, VUG_EVENT_INVALIDATE);
    CHECK(event.value == NULL);
    CHECK_OK(vug_remove(region, "abc", 3, NULL));
    next(all, &event, VUG_EVENT_DESTROY);
    CHECK_OK(vug_region_clear(region));
    next(all, &event, VUG_EVENT_CLEAR);
    CHECK(event.key == NULL && event.key_len == 0);

    next(some, &event, VUG_EVENT_IN_SYNC);
    next(some, &event, VUG_EVENT_CREATE);
    next(some, &event, VUG_EVENT_UPDATE);
    next(some, &event, VUG_EVENT_INVALIDATE);
    next(some, &event, VUG_EVENT_DESTROY);
    next(some, &event, VUG_EVENT_CLEAR);

    /* A program that knows less of an event. */
    CHECK_OK(vug_put(region, "k", 1, "v", 1, NULL));
    CHECK_OK(vug_subscription_poll(all, (vug_event_t *)(void *)&event, 16));
    memcpy(few, &event, sizeof(few));
    CHECK(few[0] == VUG_EVENT_CREATE);
    CHECK_OK(vug_subscription_missed(all, &missed));
    CHECK(missed == 0);

    CHECK_OK(vug_region_destroy(region));
    next(all, &event, VUG_EVENT_REGION_DESTROY);
    CHECK_STATUS(VUG_END, vug_subscription_poll(all, &event, sizeof(event)));
    CHECK_STATUS(VUG_END, vug_subscription_wait(all, VUG_FOREVER, &event, sizeof(event)));
    CHECK_OK(vug_subscription_free(all));
    CHECK_OK(vug_subscription_free(some));
    CHECK_OK(vug_region_close(region));
}

/* What a listener's function finds, for the test's thread. */
typedef struct {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    vug_region_t *region;
    int events;
    int dropped;
} heard_t;

static void hear(void *user, const vug_event_t *event, size_t size) {
    heard_t *heard = user;

    CHECK(size >= sizeof(*event));
    /* It may use the library, also the same region. */
    CHECK_OK(vug_put(heard->region, "echo", 4, event->key, event->key_len, NULL));
    pthread_mutex_lock(&heard->mutex);
    if (!is(event->key, event->key_len, "echo")) {
        heard->events++;
    }
    pthread_cond_signal(&heard->changed);
    pthread_mutex_unlock(&heard->mutex);
}

static void forget(void *user) {
    heard_t *heard = user;

    pthread_mutex_lock(&heard->mutex);
    heard->dropped++;
    pthread_cond_signal(&heard->changed);
    pthread_mutex_unlock(&heard->mutex);
}

static void listeners(vug_node_t *node) {
    heard_t heard;
    vug_listen_options_t options = VUG_LISTEN_OPTIONS_INIT;
    vug_listener_info_t info;
    vug_listener_t *listener;
    int i;

    memset(&heard, 0, sizeof(heard));
    pthread_mutex_init(&heard.mutex, NULL);
    pthread_cond_init(&heard.changed, NULL);
    CHECK_OK(vug_region_create(node, "heard", NULL, &heard.region));
    options.prefix = "k";
    options.prefix_len = 1;
    CHECK_OK(vug_listen(heard.region, &options, hear, &heard, forget, &listener));
    for (i = 0; i < 100; i++) {
        CHECK_OK(vug_put(heard.region, "k", 1, &i, sizeof(i), NULL));
    }
    pthread_mutex_lock(&heard.mutex);
    while (heard.events < 100) {
        pthread_cond_wait(&heard.changed, &heard.mutex);
    }
    CHECK(heard.dropped == 0);
    pthread_mutex_unlock(&heard.mutex);
    CHECK_OK(vug_listener_info(listener, &info, sizeof(info)));
    CHECK(info.delivered >= 99 && info.finished == VUG_OFF && info.error == VUG_OK);
    CHECK_OK(vug_listener_stop(listener));
    CHECK(heard.dropped == 1 && heard.events == 100);
    CHECK_STATUS(VUG_ERR_HANDLE, vug_listener_stop(listener));
    CHECK_STATUS(VUG_ERR_HANDLE, vug_listener_info(listener, &info, sizeof(info)));

    /* A call that fails lets go of `user` as well. */
    CHECK_STATUS(VUG_ERR_NULL, vug_listen(heard.region, NULL, NULL, &heard, forget, &listener));
    CHECK(heard.dropped == 2 && listener == NULL);
    options.interest = 5;
    CHECK_STATUS(VUG_ERR_ARGUMENT,
                 vug_listen(heard.region, &options, hear, &heard, forget, &listener));
    CHECK(heard.dropped == 3);
    CHECK_OK(vug_region_destroy(heard.region));
    CHECK_STATUS(VUG_ERR_REGION_DESTROYED,
                 vug_listen(heard.region, NULL, hear, &heard, forget, &listener));
    CHECK(heard.dropped == 4);
    CHECK_OK(vug_region_close(heard.region));
}

/* A function that stops its own listener. */
typedef struct {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    vug_listener_t *listener;
    int calls;
    int dropped;
} once_t;

static void stop_myself(void *user, const vug_event_t *event, size_t size) {
    once_t *once = user;

    (void)event;
    (void)size;
    pthread_mutex_lock(&once->mutex);
    once->calls++;
    CHECK_OK(vug_listener_stop(once->listener));
    pthread_mutex_unlock(&once->mutex);
}

static void once_is_over(void *user) {
    once_t *once = user;

    pthread_mutex_lock(&once->mutex);
    once->dropped = 1;
    pthread_cond_signal(&once->changed);
    pthread_mutex_unlock(&once->mutex);
}

static void a_listener_that_stops_itself(vug_region_t *region) {
    once_t once;
    int i;

    memset(&once, 0, sizeof(once));
    pthread_mutex_init(&once.mutex, NULL);
    pthread_cond_init(&once.changed, NULL);
    pthread_mutex_lock(&once.mutex);
    CHECK_OK(vug_listen(region, NULL, stop_myself, &once, once_is_over, &once.listener));
    for (i = 0; i < 10; i++) {
        CHECK_OK(vug_put(region, "k", 1, "v", 1, NULL));
    }
    while (!once.dropped) {
        pthread_cond_wait(&once.changed, &once.mutex);
    }
    CHECK(once.calls == 1);
    pthread_mutex_unlock(&once.mutex);
    CHECK_STATUS(VUG_ERR_HANDLE, vug_listener_stop(once.listener));
}

static vug_region_t *watched;

static void *write_later(void *unused) {
    (void)unused;
    CHECK_OK(vug_put(watched, "w", 1, "later", 5, NULL));
    return NULL;
}

static void waits(vug_region_t *region) {
    vug_token_t token = { 7, 7, 1, { 0, 0, 0, 0, 0 } };
    vug_token_t now;
    vug_view_t view;
    pthread_t writer;
    uint64_t position;
    uint64_t behind;

    watched = region;
    CHECK_STATUS(VUG_TIMEOUT, vug_wait_for_change(region, "w", 1, NULL, 0, &token));
    CHECK(token.version == 0);
    CHECK_STATUS(VUG_TIMEOUT, vug_wait_for_change(region, "w", 1, &token, 1000, &token));
    CHECK_OK(vug_position(region, &position));
    CHECK_STATUS(VUG_TIMEOUT, vug_wait_for_region_change(region, position, 0, &behind));
    CHECK(pthread_create(&writer, NULL, write_later, NULL) == 0);
    CHECK_OK(vug_wait_for_change(region, "w", 1, NULL, VUG_FOREVER, &token));
    CHECK_OK(vug_get(region, "w", 1, &view));
    CHECK(view.len == 5 && memcmp(&view.token, &token, sizeof(token)) == 0);
    CHECK_OK(vug_view_release(&view));
    CHECK_OK(vug_wait_for_region_change(region, position, VUG_FOREVER, &behind));
    CHECK(behind > position);
    CHECK(pthread_join(writer, NULL) == 0);
    CHECK_OK(vug_remove(region, "w", 1, NULL));
    CHECK_OK(vug_wait_for_change(region, "w", 1, &token, VUG_FOREVER, &now));
    CHECK(now.version == 0 && now.kind == 0);
    token.kind = 99;
    CHECK_STATUS(VUG_ERR_ARGUMENT, vug_wait_for_change(region, "w", 1, &token, 0, &now));
}

/* Who waits hears that the region is closed. */
static void *wait_for_ever(void *region) {
    vug_token_t token;
    long status = vug_wait_for_change(region, "never", 5, NULL, VUG_FOREVER, &token);

    CHECK_STATUS(VUG_ERR_REGION_CLOSED, status);
    return NULL;
}

int main(int argc, char **argv) {
    vug_node_t *node;
    vug_region_t *region;
    pthread_t waiter;

    CHECK(argc == 2);
    CHECK_OK(vug_node_open(argv[1], &node));
    subscriptions(node);
    listeners(node);
    CHECK_OK(vug_region_create(node, "waits", NULL, &region));
    a_listener_that_stops_itself(region);
    waits(region);
    CHECK(pthread_create(&waiter, NULL, wait_for_ever, region) == 0);
    CHECK_OK(vug_region_close_all(region));
    CHECK(pthread_join(waiter, NULL) == 0);
    CHECK_OK(vug_region_close(region));
    CHECK_OK(vug_node_close(node));
    puts("events=ok");
    return 0;
}
