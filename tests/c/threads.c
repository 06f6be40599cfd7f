/* Views go from thread to thread; a child process opens the node anew.
 *
 *     threads <home> */
#define _POSIX_C_SOURCE 200809L

#include <pthread.h>
#include <string.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

enum { THREADS = 100, ROUNDS = 300 };

static vug_region_t *shared;

static void *release(void *view) {
    vug_view_t *theirs = view;

    CHECK(theirs->len == 5 && memcmp(theirs->data, "value", 5) == 0);
    CHECK_OK(vug_view_release(theirs));
    return NULL;
}

static void release_in_another_thread(void) {
    pthread_t thread;
    vug_view_t view;
    vug_view_t copy;

    CHECK_OK(vug_put(shared, "k", 1, "value", 5, NULL));
    CHECK_OK(vug_get_owned(shared, "k", 1, &view));
    copy = view;
    CHECK(pthread_create(&thread, NULL, release, &view) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK_STATUS(VUG_ERR_HANDLE, vug_view_release(&copy));
}

/* What belongs to a thread. */
typedef struct {
    vug_view_t view;
    vug_view_t owned;
    vug_key_t *key;
} mine_t;

static void *not_mine(void *argument) {
    mine_t *theirs = argument;
    vug_view_t view;
    char buffer[8];
    size_t len;

    CHECK(memcmp(theirs->view.data, "value", 5) == 0);
    CHECK_STATUS(VUG_ERR_THREAD, vug_view_release(&theirs->view));
    CHECK(theirs->view.pin != NULL && memcmp(theirs->view.data, "value", 5) == 0);
    CHECK_STATUS(VUG_ERR_THREAD, vug_key_get(theirs->key, &view));
    CHECK_STATUS(VUG_ERR_THREAD, vug_key_get_copy(theirs->key, buffer, sizeof(buffer), &len));
    CHECK_STATUS(VUG_ERR_THREAD, vug_key_free(theirs->key));
    return NULL;
}

static void *leaves_all(void *argument) {
    mine_t *mine = argument;

    CHECK_OK(vug_get(shared, "k", 1, &mine->view));
    CHECK_OK(vug_get_owned(shared, "k", 1, &mine->owned));
    CHECK_OK(vug_key_new(shared, "k", 1, &mine->key));
    return NULL;
}

static void what_belongs_to_a_thread(void) {
    pthread_t thread;
    mine_t mine;
    vug_statistics_t statistics;
    size_t len;

    leaves_all(&mine);
    CHECK(pthread_create(&thread, NULL, not_mine, &mine) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK_OK(vug_view_release(&mine.view));
    CHECK_OK(vug_view_release(&mine.owned));
    CHECK_OK(vug_key_free(mine.key));

    /* A thread that ends takes its views and keys along, owned views stay. */
    CHECK(pthread_create(&thread, NULL, leaves_all, &mine) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK_STATUS(VUG_ERR_HANDLE, vug_view_release(&mine.view));
    CHECK_STATUS(VUG_ERR_HANDLE, vug_key_get_copy(mine.key, NULL, 0, &len));
    CHECK_STATUS(VUG_ERR_HANDLE, vug_key_free(mine.key));
    CHECK(memcmp(mine.owned.data, "value", 5) == 0);
    CHECK_OK(vug_region_statistics(shared, &statistics, sizeof(statistics)));
    CHECK(statistics.pins == 1);
    CHECK_OK(vug_view_release(&mine.owned));
}

/* All threads use one handle; each finds its own errors only. */
static void *work(void *argument) {
    int me = *(const int *)argument;
    char text[512];
    int i;

    CHECK_STATUS(VUG_NOT_FOUND, vug_last_error(text, sizeof(text), NULL));
    CHECK(text[0] == '\0');
    for (i = 0; i < ROUNDS; i++) {
        int key[2];
        vug_view_t view;

        key[0] = me;
        key[1] = i % 50;
        CHECK_OK(vug_put(shared, key, sizeof(key), &i, sizeof(i), NULL));
        CHECK_OK(vug_get(shared, key, sizeof(key), &view));
        CHECK(view.len == sizeof(i) && memcmp(view.data, &i, sizeof(i)) == 0);
        CHECK_OK(vug_view_release(&view));
        CHECK_STATUS(VUG_ERR_HANDLE, vug_view_release(&view));
    }
    return NULL;
}

static void share_a_region(void) {
    pthread_t threads[THREADS];
    int numbers[THREADS];
    int i;

    for (i = 0; i < THREADS; i++) {
        numbers[i] = i;
        CHECK(pthread_create(&threads[i], NULL, work, &numbers[i]) == 0);
    }
    for (i = 0; i < THREADS; i++) {
        CHECK(pthread_join(threads[i], NULL) == 0);
    }
}

/* Threads use a handle while others close it: their calls succeed or say so. */
static vug_region_t *closing;

static void *use_while_it_closes(void *unused) {
    vug_status_t status;
    int done = 0;

    (void)unused;
    do {
        vug_view_t view;

        status = vug_get(closing, "k", 1, &view);
        if (status == VUG_OK) {
            CHECK(view.len == 5 && memcmp(view.data, "value", 5) == 0);
            CHECK_OK(vug_view_release(&view));
            status = vug_put(closing, "other", 5, "value", 5, NULL);
        }
        done++;
    } while (status == VUG_OK);
    CHECK_STATUS(VUG_ERR_HANDLE, status);
    return NULL;
}

static void close_while_in_use(vug_node_t *node) {
    enum { USERS = 4, TIMES = 50 };
    pthread_t users[USERS];
    int time;
    int i;

    for (time = 0; time < TIMES; time++) {
        CHECK_OK(vug_region_open_or_create(node, "closing", NULL, &closing));
        CHECK_OK(vug_put(closing, "k", 1, "value", 5, NULL));
        for (i = 0; i < USERS; i++) {
            CHECK(pthread_create(&users[i], NULL, use_while_it_closes, NULL) == 0);
        }
        CHECK_OK(vug_region_close(closing));
        for (i = 0; i < USERS; i++) {
            CHECK(pthread_join(users[i], NULL) == 0);
        }
    }
}

/* One iterator, one subscription, used by two threads at once: one of them is told so. */
static void *wait_with(void *subscription) {
    vug_event_t event;
    vug_status_t status;

    do {
        status = vug_subscription_wait(subscription, VUG_FOREVER, &event, sizeof(event));
    } while (status == VUG_ERR_BUSY);
    CHECK_STATUS(VUG_OK, status);
    return NULL;
}

static void one_at_a_time(void) {
    vug_subscription_t *subscription;
    vug_event_t event;
    vug_status_t status;
    uint64_t missed;
    pthread_t waiter;

    CHECK_OK(vug_subscribe(shared, NULL, &subscription));
    CHECK(pthread_create(&waiter, NULL, wait_with, subscription) == 0);
    do {
        status = vug_subscription_poll(subscription, &event, sizeof(event));
        CHECK(status == VUG_TIMEOUT || status == VUG_ERR_BUSY);
    } while (status != VUG_ERR_BUSY);
    CHECK_STATUS(VUG_ERR_BUSY, vug_subscription_missed(subscription, &missed));
    /* Freed while in use: the call that uses it goes on. */
    CHECK_OK(vug_subscription_free(subscription));
    CHECK_OK(vug_put(shared, "wake", 4, "up", 2, NULL));
    CHECK(pthread_join(waiter, NULL) == 0);
}

static vug_subscription_t *follower;
static vug_listener_t *listener;
static vug_key_t *key;

static void no_event(void *user, const vug_event_t *event, size_t size) {
    (void)user;
    (void)event;
    (void)size;
}

static void in_the_child(const char *home, vug_node_t *parents, vug_view_t *held) {
    vug_node_t *node;
    vug_region_t *region;
    vug_view_t view;
    vug_event_t event;
    size_t len;
    uint64_t count;

    CHECK_STATUS(VUG_ERR_FORKED_CHILD, vug_get(shared, "k", 1, &view));
    CHECK_STATUS(VUG_ERR_FORKED_CHILD, vug_put(shared, "k", 1, "wrong", 5, NULL));
    CHECK_STATUS(VUG_ERR_FORKED_CHILD, vug_get_copy(shared, "k", 1, NULL, 0, &len));
    CHECK_STATUS(VUG_ERR_FORKED_CHILD, vug_len(shared, &count));
    CHECK_STATUS(VUG_ERR_FORKED_CHILD, vug_region_destroy(shared));
    CHECK_STATUS(VUG_ERR_FORKED_CHILD, vug_region_open(parents, "forked", NULL, &region));
    CHECK_STATUS(VUG_ERR_FORKED_CHILD, vug_subscription_poll(follower, &event, sizeof(event)));
    CHECK_STATUS(VUG_ERR_FORKED_CHILD, vug_key_get_copy(key, NULL, 0, &len));
    CHECK_STATUS(VUG_ERR_FORKED_CHILD, vug_key_get(key, &view));
    CHECK_OK(vug_node_open(home, &node));
    CHECK_OK(vug_region_open(node, "forked", NULL, &region));
    CHECK_OK(vug_get(region, "k", 1, &view));
    CHECK(view.len == 5 && memcmp(view.data, "value", 5) == 0);
    CHECK_OK(vug_view_release(&view));
    CHECK_OK(vug_put(region, "k", 1, "child", 5, NULL));
    CHECK_OK(vug_region_close(region));
    CHECK_OK(vug_node_close(node));

    /* What the parent opened can be closed here, and the parent does not notice. */
    CHECK_OK(vug_view_release(&held[0]));
    CHECK_OK(vug_view_release(&held[1]));
    CHECK_OK(vug_key_free(key));
    CHECK_OK(vug_subscription_free(follower));
    CHECK_OK(vug_listener_stop(listener));
    CHECK_OK(vug_region_close(shared));
    CHECK_OK(vug_node_close(parents));
}

static void fork_a_child(const char *home, vug_node_t *node) {
    vug_view_t view;
    vug_view_t held[2];
    vug_region_options_t options = VUG_REGION_OPTIONS_INIT;
    pid_t child;
    int status;
    int i;

    options.max_bytes = 4 << 20;
    options.segment_bytes = 64 << 10;
    CHECK_OK(vug_region_create(node, "forked", &options, &shared));
    CHECK_OK(vug_put(shared, "k", 1, "value", 5, NULL));
    CHECK_OK(vug_get(shared, "k", 1, &held[0]));
    CHECK_OK(vug_get_owned(shared, "k", 1, &held[1]));
    CHECK_OK(vug_key_new(shared, "k", 1, &key));
    CHECK_OK(vug_subscribe(shared, NULL, &follower));
    CHECK_OK(vug_listen(shared, NULL, no_event, NULL, NULL, &listener));
    child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        in_the_child(home, node, held);
        _exit(0);
    }
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    CHECK_OK(vug_get(shared, "k", 1, &view));
    CHECK(view.len == 5 && memcmp(view.data, "child", 5) == 0);
    CHECK_OK(vug_view_release(&view));

    /* The child has not released the parent's views: all other memory is used again, not
     * this. */
    for (i = 0; i < 300000; i++) {
        CHECK_OK(vug_put(shared, "k", 1, "other", 5, NULL));
    }
    for (i = 0; i < 2; i++) {
        CHECK(memcmp(held[i].data, "value", 5) == 0);
        CHECK_OK(vug_view_release(&held[i]));
    }
    CHECK_OK(vug_key_free(key));
    CHECK_OK(vug_subscription_free(follower));
    CHECK_OK(vug_listener_stop(listener));
    CHECK_OK(vug_region_close(shared));
}

int main(int argc, char **argv) {
    vug_node_t *node;

    CHECK(argc == 2);
    CHECK_OK(vug_node_open(argv[1], &node));
    CHECK_OK(vug_region_create(node, "threads", NULL, &shared));
    release_in_another_thread();
    what_belongs_to_a_thread();
    one_at_a_time();
    share_a_region();
    CHECK_OK(vug_region_close(shared));
    close_while_in_use(node);
    fork_a_child(argv[1], node);
    CHECK_OK(vug_node_close(node));
    puts("threads=ok");
    return 0;
}
