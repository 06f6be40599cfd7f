/* What the examples share: giving up with the library's own words, and a home directory that is
 * removed at the end. */
#ifndef BOARD_H
#define BOARD_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vug.h"

/* Ends the program if `status` is an error. */
static inline vug_status_t ok(vug_status_t status) {
    char text[1024];

    if (status < 0) {
        vug_last_error(text, sizeof(text), NULL);
        fprintf(stderr, "%s\n", text);
        exit(1);
    }
    return status;
}

/* A region of the node at `home`. The node handle is not needed any more. */
static inline vug_region_t *open_region(const char *home, const char *name) {
    vug_region_options_t options = VUG_REGION_OPTIONS_INIT;
    vug_node_t *node;
    vug_region_t *region;

    options.max_bytes = 16 << 20;
    ok(vug_node_open(home, &node));
    ok(vug_region_open_or_create(node, name, &options, &region));
    ok(vug_node_close(node));
    return region;
}

/* Starts this program again as another process. */
static inline pid_t start(char **argv, const char *role, const char *home) {
    pid_t child = fork();

    if (child == 0) {
        execl("/proc/self/exe", argv[0], role, home, (char *)NULL);
        _exit(127);
    }
    return child;
}

static inline void finish(pid_t child) {
    int status;

    if (waitpid(child, &status, 0) != child || status != 0) {
        fprintf(stderr, "the other process failed\n");
        exit(1);
    }
}

/* A new home directory, and its end with its one region. */
static inline char *make_home(void) {
    static char home[] = "/dev/shm/vug-example-XXXXXX";

    if (mkdtemp(home) == NULL) {
        perror("mkdtemp");
        exit(1);
    }
    return home;
}

static inline void remove_home(const char *home, vug_region_t *region) {
    char path[256];

    ok(vug_region_destroy(region));
    ok(vug_region_close(region));
    snprintf(path, sizeof(path), "%s/node", home);
    unlink(path);
    snprintf(path, sizeof(path), "%s/bell", home);
    unlink(path);
    rmdir(home);
}

#endif
