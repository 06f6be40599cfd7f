// Threads take numbered pieces of work from one counter: with vug.hpp, without exceptions of ours.
//
//     ffi/examples/run cpp/work_counter [home]
//
// prints "20000 pieces of work, each taken once". Run it in several shells with one home: then the
// processes share the work.
#include <atomic>
#include <cstdio>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

#include <unistd.h>

#include "vug.hpp"

namespace {

constexpr std::int64_t pieces = 20000;

// Whether all went well.
bool work(vug::region &region) {
    for (;;) {
        auto piece = region.try_increment("next", 1);
        if (!piece) {
            std::cerr << piece.error().what() << '\n';
            return false;
        }
        if (*piece > pieces) {
            return true;
        }
        auto taken = region.try_create(std::to_string(*piece), "taken");
        if (!taken) {
            std::cerr << taken.error().what() << '\n';
            return false;
        }
    }
}

int count(const std::string &home) {
    vug_region_options_t options = vug::region_options();
    options.max_bytes = 16 << 20;
    vug::region region = vug::node::open(home).open_or_create("pieces", options);
    std::vector<std::thread> workers;
    std::atomic<int> failed{0};
    for (int i = 0; i < 4; i++) {
        workers.emplace_back([&] { failed += !work(region); });
    }
    for (std::thread &worker : workers) {
        worker.join();
    }
    if (failed == 0 && region.size() == pieces + 1) {
        std::cout << pieces << " pieces of work, each taken once\n";
        return 0;
    }
    return 1;
}

}  // namespace

int main(int argc, char **argv) {
    if (argc > 1) {
        return count(argv[1]);
    }
    std::string home = "/dev/shm/vug-example-" + std::to_string(getpid());
    int result = count(home);
    for (const char *file : {"/pieces.region", "/node", "/bell", ""}) {
        std::remove((home + file).c_str());
    }
    return result;
}
