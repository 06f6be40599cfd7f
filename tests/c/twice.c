/* Two copies of the shared library in one process are two members: each works, and neither takes
 * the handles of the other for its own.
 *
 *     twice <home> <copy> <other copy> */
#define _POSIX_C_SOURCE 200809L

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vug.h"

#define CHECK(condition)                                                      \
    do {                                                                      \
        if (!(condition)) {                                                   \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);   \
            exit(1);                                                          \
        }                                                                     \
    } while (0)

typedef struct {
    void *file;
    vug_status_t (*node_open)(const char *, vug_node_t **);
    vug_status_t (*node_close)(vug_node_t *);
    vug_status_t (*node_info)(const vug_node_t *, vug_node_info_t *, size_t);
    vug_status_t (*region)(vug_node_t *, const char *, const vug_region_options_t *,
                           vug_region_t **);
    vug_status_t (*region_close)(vug_region_t *);
    vug_status_t (*put)(vug_region_t *, const void *, size_t, const void *, size_t, vug_token_t *);
    vug_status_t (*get)(const vug_region_t *, const void *, size_t, vug_view_t *);
    vug_status_t (*release)(vug_view_t *);
    vug_node_t *node;
    vug_region_t *map;
} copy_t;

static void load(copy_t *copy, const char *path, const char *home) {
    copy->file = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (copy->file == NULL) {
        fprintf(stderr, "%s\n", dlerror());
        exit(1);
    }
    /* POSIX says that a function pointer fits. */
#define FIND(member, name) *(void **)(&copy->member) = dlsym(copy->file, name)
    FIND(node_open, "vug_node_open");
    FIND(node_close, "vug_node_close");
    FIND(node_info, "vug_node_info");
    FIND(region, "vug_region_open_or_create");
    FIND(region_close, "vug_region_close");
    FIND(put, "vug_put");
    FIND(get, "vug_get");
    FIND(release, "vug_view_release");
    CHECK(copy->node_open(home, &copy->node) == VUG_OK);
    CHECK(copy->region(copy->node, "twice", NULL, &copy->map) == VUG_OK);
}

static void read_back(copy_t *copy, const char *value) {
    vug_view_t view;

    CHECK(copy->get(copy->map, "k", 1, &view) == VUG_OK);
    CHECK(view.len == strlen(value) && memcmp(view.data, value, view.len) == 0);
    CHECK(copy->release(&view) == VUG_OK);
}

int main(int argc, char **argv) {
    copy_t one;
    copy_t two;
    vug_node_info_t info;
    vug_view_t view;
    int i;

    CHECK(argc == 4);
    load(&one, argv[2], argv[1]);
    load(&two, argv[3], argv[1]);
    CHECK(one.put != two.put);
    CHECK(two.node_info(two.node, &info, sizeof(info)) == VUG_OK);
    CHECK(info.members == 2);
    for (i = 0; i < 1000; i++) {
        CHECK(one.put(one.map, "k", 1, "one", 3, NULL) == VUG_OK);
        read_back(&two, "one");
        CHECK(two.put(two.map, "k", 1, "two", 3, NULL) == VUG_OK);
        read_back(&one, "two");
    }
    /* Handles that only the other copy has. */
    CHECK(one.get(one.map, "k", 1, &view) == VUG_OK);
    CHECK(one.region_close(one.map) == VUG_OK);
    CHECK(one.region(one.node, "twice", NULL, &one.map) == VUG_OK);
    CHECK(two.put(one.map, "k", 1, "wrong", 5, NULL) == VUG_ERR_HANDLE);
    CHECK(two.release(&view) == VUG_ERR_HANDLE);
    CHECK(view.len == 3 && memcmp(view.data, "two", 3) == 0);
    CHECK(one.release(&view) == VUG_OK);

    CHECK(one.region_close(one.map) == VUG_OK && one.node_close(one.node) == VUG_OK);
    read_back(&two, "two");
    CHECK(two.region_close(two.map) == VUG_OK && two.node_close(two.node) == VUG_OK);
    CHECK(dlclose(one.file) == 0 && dlclose(two.file) == 0);
    puts("twice=ok");
    return 0;
}
