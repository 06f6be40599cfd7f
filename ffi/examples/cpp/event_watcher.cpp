// A listener and a writer in one process, with vug.hpp.
//
//     ffi/examples/run cpp/event_watcher
//
// prints
//
//     create pears = 3
//     update pears = 4
//     destroy pears
#include <condition_variable>
#include <cstdio>
#include <iostream>
#include <mutex>
#include <string>

#include <unistd.h>

#include "vug.hpp"

namespace {

std::string line_of(const vug::event &event) {
    const char *what = event.kind() == VUG_EVENT_CREATE   ? "create "
                       : event.kind() == VUG_EVENT_UPDATE ? "update "
                                                          : "destroy ";
    std::string line = what + std::string(event.key());
    if (auto value = event.value()) {
        line += " = " + std::string(*value);
    }
    return line;
}

void watch(const std::string &home) {
    vug::region stock = vug::node::open(home).open_or_create("stock");
    std::mutex mutex;
    std::condition_variable heard;
    int events = 0;
    vug::listener listener = stock.listen([&](const vug::event &event) {
        std::cout << line_of(event) << '\n';
        std::lock_guard<std::mutex> lock(mutex);
        events++;
        heard.notify_one();
    });
    stock.put("pears", "3");
    stock.put("pears", "4");
    stock.destroy("pears");
    std::unique_lock<std::mutex> lock(mutex);
    heard.wait(lock, [&] { return events == 3; });
}

}  // namespace

int main() {
    std::string home = "/dev/shm/vug-example-" + std::to_string(getpid());
    watch(home);
    for (const char *file : {"/stock.region", "/node", "/bell", ""}) {
        std::remove((home + file).c_str());
    }
    return 0;
}
