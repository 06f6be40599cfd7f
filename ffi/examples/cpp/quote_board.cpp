// A reader of the quotes that examples/c/quote_board writes, with vug.hpp.
//
//     ffi/examples/run cpp/quote_board <home>
//
// and in another shell: ffi/examples/run c/quote_board write <home>
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <iostream>

#include "vug.hpp"

namespace {

struct quote {
    double bid;
    double ask;
    std::uint64_t round;
};

// A copy, because bytes have no type; the compiler makes three loads of it.
quote quote_of(vug::bytes bytes) {
    quote quote{};
    std::memcpy(&quote, bytes.data(), std::min(bytes.size(), sizeof(quote)));
    return quote;
}

void read(const std::string &home) {
    vug_region_options_t options = vug::region_options();
    options.max_bytes = 16 << 20;
    vug::region quotes = vug::node::open(home).open_or_create("quotes", options);
    vug::token seen{};
    quote last{};
    // Sleeps until there is another quote.
    while (last.round < 20000) {
        seen = *quotes.wait_for_change("VUG", seen);
        if (auto view = quotes.get("VUG")) {
            last = quote_of(view->bytes());
        }
    }
    for (const char *symbol : {"ACME", "GEODE", "VUG"}) {
        quote now = quote_of(quotes.get(symbol)->bytes());
        std::printf("%-6s%8.2f%8.2f%8lu\n", symbol, now.bid, now.ask,
                    static_cast<unsigned long>(now.round));
    }
}

}  // namespace

int main(int argc, char **argv) {
    if (argc != 2) {
        std::cerr << "usage: quote_board <home>\n";
        return 2;
    }
    try {
        read(argv[1]);
    } catch (const vug::error &failed) {
        std::cerr << failed.what() << "\nhelp: " << failed.help() << '\n';
        return 1;
    }
    return 0;
}
