// A listener's function that lets an exception out, through the C interface: the process ends with
// a message, and nothing else happens. `inside` catches it, `jumps` leaves by longjmp within the
// function: both are allowed.
//
//     throws <home> <out | inside | jumps>
#include <csetjmp>
#include <cstring>
#include <iostream>
#include <stdexcept>

#include "check.h"

namespace {

const char *way;

void jump_within() {
    std::jmp_buf back;

    if (setjmp(back) == 0) {
        std::longjmp(back, 1);
    }
}

void hear(void *, const vug_event_t *, size_t) {
    if (std::strcmp(way, "out") == 0) {
        throw std::runtime_error("on purpose");
    }
    if (std::strcmp(way, "jumps") == 0) {
        jump_within();
        return;
    }
    try {
        throw std::runtime_error("on purpose");
    } catch (const std::exception &) {
    }
}

}  // namespace

int main(int argc, char **argv) {
    vug_node_t *node;
    vug_region_t *region;
    vug_listener_t *listener;
    vug_listener_info_t info;

    CHECK(argc == 3);
    way = argv[2];
    CHECK_OK(vug_node_open(argv[1], &node));
    CHECK_OK(vug_region_open_or_create(node, "throws", nullptr, &region));
    CHECK_OK(vug_listen(region, nullptr, hear, nullptr, nullptr, &listener));
    CHECK_OK(vug_put(region, "k", 1, "value", 5, nullptr));
    // Returns when the process ends, or when the call is over.
    do {
        CHECK_OK(vug_listener_info(listener, &info, sizeof(info)));
    } while (info.delivered == 0);
    CHECK_OK(vug_listener_stop(listener));
    std::cout << "throws=ok\n";
    return 0;
}
