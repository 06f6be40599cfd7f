/* A board of quotes: a writer in C; readers in any language, here in C as well.
 *
 *     ffi/examples/run c/quote_board                  both, in two processes
 *     ffi/examples/run c/quote_board write <home>     the writer, for readers elsewhere
 *     ffi/examples/run c/quote_board read <home>      a reader
 *
 * A quote is 24 bytes under the symbol: bid and ask as double, round as uint64_t, in the order of
 * the machine. The reader looks at them in place and never sees half of one. */
#define _DEFAULT_SOURCE

#include "board.h"

typedef struct {
    double bid;
    double ask;
    uint64_t round;
} quote_t;

enum { SYMBOLS = 3, ROUNDS = 20000 };

static const char *const symbols[SYMBOLS] = { "ACME", "GEODE", "VUG" };
static const double last[SYMBOLS] = { 17.5, 9.5, 3.5 };

/* Prices go up and down and end where they began; ask is always bid + 1. */
static void write_quotes(const char *home) {
    vug_region_t *quotes = open_region(home, "quotes");
    quote_t quote;
    int i;

    for (quote.round = 1; quote.round <= ROUNDS; quote.round++) {
        for (i = 0; i < SYMBOLS; i++) {
            quote.bid = last[i] + (double)((ROUNDS - quote.round) % 100) / 100;
            quote.ask = quote.bid + 1;
            ok(vug_put(quotes, symbols[i], strlen(symbols[i]), &quote, sizeof(quote), NULL));
        }
    }
    ok(vug_region_close(quotes));
}

/* Reads all quotes until each of them had its last round. */
static void read_quotes(vug_region_t *quotes) {
    vug_key_t *keys[SYMBOLS];
    vug_view_t view;
    uint64_t torn = 0;
    int done;
    int i;

    for (i = 0; i < SYMBOLS; i++) {
        /* Looked up once, then found without hashing the key again and again. */
        ok(vug_key_new(quotes, symbols[i], strlen(symbols[i]), &keys[i]));
    }
    do {
        done = 0;
        for (i = 0; i < SYMBOLS; i++) {
            if (ok(vug_key_get(keys[i], &view)) == VUG_OK) {
                const quote_t *quote = view.data;

                torn += quote->ask != quote->bid + 1;
                done += quote->round == ROUNDS;
                ok(vug_view_release(&view));
            }
        }
    } while (done < SYMBOLS);
    printf("symbol     bid     ask   round\n");
    for (i = 0; i < SYMBOLS; i++) {
        ok(vug_key_get(keys[i], &view));
        {
            const quote_t *quote = view.data;

            printf("%-6s%8.2f%8.2f%8lu\n", symbols[i], quote->bid, quote->ask,
                   (unsigned long)quote->round);
        }
        ok(vug_view_release(&view));
        ok(vug_key_free(keys[i]));
    }
    printf("torn quotes: %lu\n", (unsigned long)torn);
}

int main(int argc, char **argv) {
    if (argc == 3 && strcmp(argv[1], "write") == 0) {
        write_quotes(argv[2]);
    } else if (argc == 3 && strcmp(argv[1], "read") == 0) {
        vug_region_t *quotes = open_region(argv[2], "quotes");

        read_quotes(quotes);
        ok(vug_region_close(quotes));
    } else {
        const char *home = make_home();
        vug_region_t *quotes = open_region(home, "quotes");
        pid_t writer = start(argv, "write", home);

        read_quotes(quotes);
        finish(writer);
        remove_home(home, quotes);
    }
    return 0;
}
