/* Several processes take numbered pieces of work from one counter: each piece is taken once,
 * although nobody locks.
 *
 *     ffi/examples/run c/work_counter
 *
 * prints
 *
 *     4 workers took 20000 pieces of work
 *     every piece was taken once */
#define _DEFAULT_SOURCE

#include "board.h"

enum { WORKERS = 4, PIECES = 20000 };

/* Takes pieces until there are none left, and writes down who took which. */
static void work(const char *home) {
    vug_region_t *region = open_region(home, "work");
    long me = (long)getpid();
    int64_t piece;

    while (ok(vug_increment(region, "next", 4, 1, NULL, &piece)), piece <= PIECES) {
        /* Fails with VUG_ERR_ENTRY_EXISTS if somebody else took the same. */
        ok(vug_create(region, &piece, sizeof(piece), &me, sizeof(me), NULL, NULL));
    }
    ok(vug_region_close(region));
}

int main(int argc, char **argv) {
    const char *home;
    vug_region_t *region;
    pid_t workers[WORKERS];
    uint64_t entries;
    int64_t piece;
    int i;

    if (argc == 3) {
        work(argv[2]);
        return 0;
    }
    home = make_home();
    region = open_region(home, "work");
    for (i = 0; i < WORKERS; i++) {
        workers[i] = start(argv, "work", home);
    }
    for (i = 0; i < WORKERS; i++) {
        finish(workers[i]);
    }
    ok(vug_len(region, &entries));
    printf("%d workers took %lu pieces of work\n", WORKERS, (unsigned long)entries - 1);
    for (piece = 1; piece <= PIECES; piece++) {
        if (ok(vug_contains_key(region, &piece, sizeof(piece))) != VUG_OK) {
            printf("piece %ld was not taken\n", (long)piece);
            return 1;
        }
    }
    printf("every piece was taken once\n");
    remove_home(home, region);
    return 0;
}
