// Options of vug.hpp, which includes this: how operations are done, and how long they wait.
#ifndef VUG_OPTIONS_HPP
#define VUG_OPTIONS_HPP

#include <chrono>
#include <cstdint>

#include "vug.h"

namespace vug {

inline vug_region_options_t region_options() { return VUG_REGION_OPTIONS_INIT; }
inline vug_node_options_t node_options() { return VUG_NODE_OPTIONS_INIT; }
inline vug_listen_options_t listen_options() { return VUG_LISTEN_OPTIONS_INIT; }

// Options of one write: vug::write().ttl(std::chrono::seconds(5)).
class write {
public:
    write &ttl(std::chrono::nanoseconds time) {
        raw_.ttl_ns = static_cast<std::uint64_t>(time.count());
        return *this;
    }
    write &ack_within(std::chrono::nanoseconds time) {
        raw_.ack_within_ns = static_cast<std::uint64_t>(time.count());
        return *this;
    }
    // Receives the nodes that left the cluster instead of acknowledging; for one call at a time.
    write &departed(vug_departed_t &to) noexcept {
        raw_.departed = &to;
        return *this;
    }
    const vug_write_options_t *raw() const noexcept { return &raw_; }

private:
    vug_write_options_t raw_ = VUG_WRITE_OPTIONS_INIT;
};

// Options of one read: vug::reading().search_within(std::chrono::seconds(1)).
class reading {
public:
    // Only what is on this node.
    reading &local() noexcept {
        raw_.local = VUG_ON;
        return *this;
    }
    reading &search_within(std::chrono::nanoseconds time) {
        auto nanos = time.count();
        if (nanos <= 0) {
            return local();
        }
        raw_.search_within_ns = static_cast<std::uint64_t>(nanos);
        return *this;
    }
    const vug_read_options_t *raw() const noexcept { return &raw_; }

private:
    vug_read_options_t raw_ = VUG_READ_OPTIONS_INIT;
};

// How long to wait: without a limit, or for a time.
class timeout {
public:
    timeout() noexcept = default;
    template <class R, class P> timeout(std::chrono::duration<R, P> time) {
        auto nanos = std::chrono::duration_cast<std::chrono::nanoseconds>(time).count();
        raw_ = nanos < 0 ? 0 : static_cast<std::uint64_t>(nanos);
    }
    std::uint64_t raw() const noexcept { return raw_; }

private:
    std::uint64_t raw_ = VUG_FOREVER;
};

}  // namespace vug

#endif
