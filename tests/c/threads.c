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

enum { THREADS = 4, ROUNDS = 2000 };

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
    CHECK_OK(vug_get(shared, "k", 1, &view));
    copy = view;
    CHECK(pthread_create(&thread, NULL, release, &view) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK_STATUS(VUG_ERR_HANDLE, vug_view_release(&copy));
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

static void in_the_child(const char *home, vug_node_t *parents, vug_view_t *held) {
    vug_node_t *node;
    vug_region_t *region;
    vug_view_t view;

    CHECK_STATUS(VUG_ERR_FORKED_CHILD, vug_get(shared, "k", 1, &view));
    CHECK_STATUS(VUG_ERR_FORKED_CHILD, vug_put(shared, "k", 1, "wrong", 5, NULL));
    CHECK_OK(vug_node_open(home, &node));
    CHECK_OK(vug_region_open(node, "forked", NULL, &region));
    CHECK_OK(vug_get(region, "k", 1, &view));
    CHECK(view.len == 5 && memcmp(view.data, "value", 5) == 0);
    CHECK_OK(vug_view_release(&view));
    CHECK_OK(vug_put(region, "k", 1, "child", 5, NULL));
    CHECK_OK(vug_region_close(region));
    CHECK_OK(vug_node_close(node));

    /* What the parent opened can be closed here, and the parent does not notice. */
    CHECK_OK(vug_view_release(held));
    CHECK_OK(vug_region_close(shared));
    CHECK_OK(vug_node_close(parents));
}

static void fork_a_child(const char *home, vug_node_t *node) {
    vug_view_t view;
    vug_view_t held;
    vug_region_options_t options = VUG_REGION_OPTIONS_INIT;
    pid_t child;
    int status;
    int i;

    options.max_bytes = 4 << 20;
    options.segment_bytes = 64 << 10;
    CHECK_OK(vug_region_create(node, "forked", &options, &shared));
    CHECK_OK(vug_put(shared, "k", 1, "value", 5, NULL));
    CHECK_OK(vug_get(shared, "k", 1, &held));
    child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        in_the_child(home, node, &held);
        _exit(0);
    }
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    CHECK_OK(vug_get(shared, "k", 1, &view));
    CHECK(view.len == 5 && memcmp(view.data, "child", 5) == 0);
    CHECK_OK(vug_view_release(&view));

    /* The child has not released the parent's view: all other memory is used again, not this. */
    for (i = 0; i < 300000; i++) {
        CHECK_OK(vug_put(shared, "k", 1, "other", 5, NULL));
    }
    CHECK(memcmp(held.data, "value", 5) == 0);
    CHECK_OK(vug_view_release(&held));
    CHECK_OK(vug_region_close(shared));
}

int main(int argc, char **argv) {
    vug_node_t *node;

    CHECK(argc == 2);
    CHECK_OK(vug_node_open(argv[1], &node));
    CHECK_OK(vug_region_create(node, "threads", NULL, &shared));
    release_in_another_thread();
    share_a_region();
    CHECK_OK(vug_region_close(shared));
    fork_a_child(argv[1], node);
    CHECK_OK(vug_node_close(node));
    puts("threads=ok");
    return 0;
}
