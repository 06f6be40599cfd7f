// vug.hpp - C++17 over vug.h: handles that close themselves, views that release themselves.
//
// Header only; link with libvug. What the operations mean, what may be used by which thread and
// what a fork does, vug.h says. Objects of this header are move-only and belong to whoever has
// them; one that was moved from may be assigned to or destroyed, nothing else.
//
// Every operation comes twice. `region.put(key, value)` throws a vug::error;
// `region.try_put(key, value)` throws nothing and returns a vug::result, which has a value or a
// vug::error. "There is no such key" is no error: it is an empty std::optional, or a false.
//
//     auto node = vug::node::open();
//     auto quotes = node.open_or_create("quotes");
//     quotes.put("ibm", "241.5");
//     if (auto value = quotes.get("ibm")) {         // a vug::view: no copy
//         std::cout << value->bytes() << '\n';
//     }
//
//     if (auto put = quotes.try_put("ibm", "241.5"); !put) {
//         std::cerr << put.error().what() << '\n' << put.error().help() << '\n';
//     }
//
// Compiled without exceptions, the forms that would throw end the process.
#ifndef VUG_HPP
#define VUG_HPP

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "vug.h"
#include "vug/options.hpp"
#include "vug/result.hpp"

namespace vug {

// A value in shared memory. The bytes do not change and stay while it exists. A view of
// region::get stays on its thread, one of region::get_owned may go to another.
class view {
public:
    view() noexcept = default;
    explicit view(const vug_view_t &raw) noexcept : raw_(raw) {}
    view(view &&other) noexcept : raw_(std::exchange(other.raw_, vug_view_t VUG_VIEW_INIT)) {}
    view &operator=(view &&other) noexcept {
        if (this != &other) {
            release();
            raw_ = std::exchange(other.raw_, vug_view_t VUG_VIEW_INIT);
        }
        return *this;
    }
    ~view() { release(); }

    // Bound to the view: not of one that is about to go.
    vug::bytes bytes() const & noexcept { return detail::view_of(raw_.data, raw_.len); }
    vug::bytes bytes() const && = delete;
    const void *data() const & noexcept { return raw_.data; }
    const void *data() const && = delete;
    std::size_t size() const noexcept { return raw_.len; }
    const vug::token &token() const noexcept { return raw_.token; }
    std::string copy() const { return std::string(bytes()); }

    void release() noexcept {
        if (raw_.pin != nullptr) {
            vug_view_release(&raw_);
        }
    }

private:
    vug_view_t raw_ = VUG_VIEW_INIT;
};

// What became of a change that has a condition.
struct change {
    bool done;
    vug::token token;  // of the state after the call; zeros if there is no entry

    explicit operator bool() const noexcept { return done; }
};

// The values of many keys, in their order; the bytes stay until its next use.
class values {
public:
    std::size_t size() const noexcept { return found_.size(); }
    // Nothing if the key has no value.
    std::optional<bytes> operator[](std::size_t index) const & {
        const vug_value_t &found = found_[index];
        if (found.data == nullptr) {
            return std::nullopt;
        }
        return detail::view_of(found.data, found.len);
    }
    const vug::token &token(std::size_t index) const { return found_[index].token; }

private:
    friend class region;
    detail::handle<vug_values_t, vug_values_free> handle_;
    std::vector<vug_value_t> found_;
};

// A key that is read often. Stays on its thread.
class hot_key {
public:
    result<std::optional<view>> try_get() const {
        vug_view_t found = VUG_VIEW_INIT;
        status code = vug_key_get(handle_.get(), &found);
        return detail::give_found(code, view(found));
    }
    std::optional<view> get() const { return try_get().value(); }

    // Copies as much as there is room for, and returns the length of the whole value.
    result<std::optional<std::size_t>> try_read(void *buffer, std::size_t capacity) const {
        std::size_t len = 0;
        status code = vug_key_get_copy(handle_.get(), buffer, capacity, &len);
        return detail::give_found(code == VUG_ERR_BUFFER ? VUG_OK : code, len);
    }
    std::optional<std::size_t> read(void *buffer, std::size_t capacity) const {
        return try_read(buffer, capacity).value();
    }

private:
    friend class region;
    explicit hot_key(vug_key_t *raw) : handle_(raw) {}
    detail::handle<vug_key_t, vug_key_free> handle_;
};

// An entry as an iteration shows it: valid until the next one.
struct entry {
    bytes key;
    bytes value;
    vug::token token;
};

// An iteration over entries, or over keys: a range for one loop.
class entries {
public:
    // The next one; nothing at the end.
    result<std::optional<entry>> try_next() {
        vug_entry_t shown;
        status code = vug_iter_next(handle_.get(), &shown);
        return detail::give_found(code, entry{detail::view_of(shown.key, shown.key_len),
                                              detail::view_of(shown.value, shown.value_len),
                                              shown.token});
    }
    std::optional<entry> next() { return try_next().value(); }

    class iterator {
    public:
        using iterator_category = std::input_iterator_tag;
        using value_type = entry;
        using difference_type = std::ptrdiff_t;
        using pointer = const entry *;
        using reference = const entry &;

        iterator() = default;
        explicit iterator(entries *of) : of_(of) { ++*this; }
        const entry &operator*() const { return *now_; }
        const entry *operator->() const { return &*now_; }
        iterator &operator++() {
            now_ = of_->next();
            of_ = now_ ? of_ : nullptr;
            return *this;
        }
        bool operator==(const iterator &other) const { return of_ == other.of_; }
        bool operator!=(const iterator &other) const { return of_ != other.of_; }

    private:
        entries *of_ = nullptr;
        std::optional<entry> now_;
    };
    iterator begin() { return iterator(this); }
    iterator end() { return iterator(); }

private:
    friend class region;
    explicit entries(vug_iter_t *raw) : handle_(raw) {}
    detail::handle<vug_iter_t, vug_iter_free> handle_;
};

// An event: valid until the next one, or until the listener's function returns.
class event {
public:
    explicit event(const vug_event_t &raw) noexcept : raw_(raw) {}
    std::uint32_t kind() const noexcept { return raw_.kind; }
    bytes key() const noexcept { return detail::view_of(raw_.key, raw_.key_len); }
    std::optional<bytes> value() const noexcept { return optional(raw_.value, raw_.value_len); }
    std::optional<bytes> old_value() const noexcept {
        return optional(raw_.old_value, raw_.old_value_len);
    }
    const vug::token &token() const noexcept { return raw_.token; }
    const vug_event_t &raw() const noexcept { return raw_; }

private:
    static std::optional<bytes> optional(const void *data, std::size_t len) noexcept {
        return data == nullptr ? std::nullopt : std::optional<bytes>(detail::view_of(data, len));
    }
    vug_event_t raw_;
};

// The changes of a region, asked for one by one.
class subscription {
public:
    // Nothing: there was none in time, or (`ended`) there will be none.
    result<std::optional<event>> try_next(timeout within = {}) {
        vug_event_t shown;
        status code =
            vug_subscription_wait(handle_.get(), within.raw(), &shown, sizeof(shown));
        ended_ = code == VUG_END;
        return detail::give_found(code, event(shown));
    }
    std::optional<event> next(timeout within = {}) { return try_next(within).value(); }
    std::optional<event> poll() { return next(std::chrono::nanoseconds(0)); }
    bool ended() const noexcept { return ended_; }

private:
    friend class region;
    explicit subscription(vug_subscription_t *raw) : handle_(raw) {}
    detail::handle<vug_subscription_t, vug_subscription_free> handle_;
    bool ended_ = false;
};

// A function that is called with every change, on a thread of its own, until this is destroyed. An
// exception that leaves the function is caught and counted.
class listener {
public:
    std::uint64_t exceptions() const noexcept { return state_->exceptions.load(); }
    vug_listener_info_t info() const {
        vug_listener_info_t info{};
        detail::done(vug_listener_info(handle_.get(), &info, sizeof(info))).value();
        return info;
    }
    void stop() noexcept { handle_.reset(); }

private:
    friend class region;
    struct state {
        std::function<void(const event &)> function;
        std::atomic<std::uint64_t> exceptions{0};
    };
    static void call(void *user, const vug_event_t *shown, std::size_t) noexcept {
        auto &mine = **static_cast<std::shared_ptr<state> *>(user);
#if defined(__cpp_exceptions)
        try {
            mine.function(event(*shown));
        } catch (...) {
            mine.exceptions.fetch_add(1);
        }
#else
        mine.function(event(*shown));
#endif
    }
    static void drop(void *user) noexcept { delete static_cast<std::shared_ptr<state> *>(user); }

    std::shared_ptr<state> state_;
    detail::handle<vug_listener_t, vug_listener_stop> handle_;
};

// A region. May be used by all threads at once.
class region {
public:
    explicit region(vug_region_t *raw) noexcept : handle_(raw) {}
    vug_region_t *raw() const noexcept { return handle_.get(); }

    // Reading.

    result<std::optional<view>> try_get(bytes key) const { return viewed(vug_get, key); }
    std::optional<view> get(bytes key) const { return try_get(key).value(); }
    result<std::optional<view>> try_get(bytes key, const reading &how) const {
        vug_view_t shown = VUG_VIEW_INIT;
        status code = vug_get_with(raw(), detail::key_of(key), key.size(), how.raw(), &shown);
        return detail::give_found(code, view(shown));
    }
    std::optional<view> get(bytes key, const reading &how) const {
        return try_get(key, how).value();
    }
    // Of what is on this node: never waits.
    result<std::optional<view>> try_get_local(bytes key) const {
        return viewed(vug_get_local, key);
    }
    std::optional<view> get_local(bytes key) const { return try_get_local(key).value(); }
    result<std::optional<view>> try_get_owned(bytes key) const {
        return viewed(vug_get_owned, key);
    }
    std::optional<view> get_owned(bytes key) const { return try_get_owned(key).value(); }

    // Copies as much as there is room for, and returns the length of the whole value.
    result<std::optional<std::size_t>> try_read(bytes key, void *buffer, std::size_t room) const {
        std::size_t len = 0;
        status code = vug_get_copy(raw(), detail::key_of(key), key.size(), buffer, room, &len);
        return detail::give_found(code == VUG_ERR_BUFFER ? VUG_OK : code, len);
    }
    std::optional<std::size_t> read(bytes key, void *buffer, std::size_t room) const {
        return try_read(key, buffer, room).value();
    }

    result<void> try_get_all(const std::vector<bytes> &keys, values &into) const {
        if (into.handle_.get() == nullptr) {
            vug_values_t *made = nullptr;
            if (auto fresh = detail::done(vug_values_new(&made)); !fresh) {
                return fresh;
            }
            into.handle_ = detail::handle<vug_values_t, vug_values_free>(made);
        }
        std::vector<vug_bytes_t> raw_keys = raws(keys);
        into.found_.assign(keys.size(), vug_value_t{});
        return detail::done(vug_get_all(raw(), raw_keys.data(), keys.size(), into.handle_.get(),
                                        into.found_.data()));
    }
    values get_all(const std::vector<bytes> &keys) const {
        values found;
        try_get_all(keys, found).value();
        return found;
    }

    result<std::optional<vug::token>> try_token(bytes key) const {
        return found([&](vug::token *to) {
            return vug_token(raw(), detail::key_of(key), key.size(), to);
        });
    }
    std::optional<vug::token> token(bytes key) const { return try_token(key).value(); }

    result<bool> try_contains(bytes key) const {
        return flag(vug_contains_key(raw(), detail::key_of(key), key.size()), VUG_OK);
    }
    bool contains(bytes key) const { return try_contains(key).value(); }
    result<bool> try_contains_value(bytes key) const {
        return flag(vug_contains_value_for_key(raw(), detail::key_of(key), key.size()), VUG_OK);
    }
    bool contains_value(bytes key) const { return try_contains_value(key).value(); }

    result<std::optional<vug_entry_info_t>> try_info(bytes key) const {
        vug_entry_info_t info{};
        status code =
            vug_entry_info(raw(), detail::key_of(key), key.size(), &info, sizeof(info));
        return detail::give_found(code, info);
    }
    std::optional<vug_entry_info_t> info(bytes key) const { return try_info(key).value(); }

    // Writing. What is returned is the token of the new state.

    result<vug::token> try_put(bytes key, bytes value) {
        return made([&](vug::token *to) {
            return vug_put(raw(), detail::key_of(key), key.size(), value.data(), value.size(), to);
        });
    }
    vug::token put(bytes key, bytes value) { return try_put(key, value).value(); }
    result<vug::token> try_put(bytes key, bytes value, const write &how) {
        return made([&](vug::token *to) {
            return vug_put_with(raw(), detail::key_of(key), key.size(), value.data(), value.size(),
                                how.raw(), to);
        });
    }
    vug::token put(bytes key, bytes value, const write &how) {
        return try_put(key, value, how).value();
    }

    // The value that was replaced comes with the token; nothing if there was none.
    using swapped = std::pair<vug::token, std::optional<view>>;
    result<swapped> try_swap_value(bytes key, bytes value) {
        vug::token to{};
        vug_view_t old = VUG_VIEW_INIT;
        status code = vug_swap_value(raw(), detail::key_of(key), key.size(), value.data(),
                                     value.size(), &to, &old);
        auto found = old.pin == nullptr ? std::nullopt : std::optional<view>(view(old));
        return detail::give(code, swapped(to, std::move(found)));
    }
    swapped swap_value(bytes key, bytes value) { return try_swap_value(key, value).value(); }

    result<vug::token> try_create(bytes key, bytes value, const write &how = {}) {
        return made([&](vug::token *to) {
            return vug_create(raw(), detail::key_of(key), key.size(), value.data(), value.size(),
                              how.raw(), to);
        });
    }
    vug::token create(bytes key, bytes value, const write &how = {}) {
        return try_create(key, value, how).value();
    }
    result<vug::token> try_create_invalid(bytes key) {
        return made([&](vug::token *to) {
            return vug_create_invalid(raw(), detail::key_of(key), key.size(), to);
        });
    }
    vug::token create_invalid(bytes key) { return try_create_invalid(key).value(); }

    // Not done: the key was there, and `token` is of what is there.
    result<change> try_put_if_absent(bytes key, bytes value, const write &how = {}) {
        return changed([&](vug::token *to) {
            return vug_put_if_absent(raw(), detail::key_of(key), key.size(), value.data(),
                                     value.size(), how.raw(), to);
        });
    }
    change put_if_absent(bytes key, bytes value, const write &how = {}) {
        return try_put_if_absent(key, value, how).value();
    }

    // Nothing: the key is not there.
    result<std::optional<vug::token>> try_replace(bytes key, bytes value, const write &how = {}) {
        return found([&](vug::token *to) {
            return vug_replace(raw(), detail::key_of(key), key.size(), value.data(), value.size(),
                               how.raw(), to);
        });
    }
    std::optional<vug::token> replace(bytes key, bytes value, const write &how = {}) {
        return try_replace(key, value, how).value();
    }

    result<change> try_replace_if(bytes key, bytes expected, bytes value, const write &how = {}) {
        return changed([&](vug::token *to) {
            return vug_replace_if(raw(), detail::key_of(key), key.size(), expected.data(),
                                  expected.size(), value.data(), value.size(), how.raw(), to);
        });
    }
    change replace_if(bytes key, bytes expected, bytes value, const write &how = {}) {
        return try_replace_if(key, expected, value, how).value();
    }

    result<change> try_compare_and_swap(bytes key, const vug::token &expected, bytes value,
                                        const write &how = {}) {
        return changed([&](vug::token *to) {
            return vug_compare_and_swap(raw(), detail::key_of(key), key.size(), &expected,
                                        value.data(), value.size(), how.raw(), to);
        });
    }
    change compare_and_swap(bytes key, const vug::token &expected, bytes value,
                            const write &how = {}) {
        return try_compare_and_swap(key, expected, value, how).value();
    }

    result<std::int64_t> try_increment(bytes key, std::int64_t delta, const write &how = {}) {
        std::int64_t sum = 0;
        status code =
            vug_increment(raw(), detail::key_of(key), key.size(), delta, how.raw(), &sum);
        return detail::give(code, sum);
    }
    std::int64_t increment(bytes key, std::int64_t delta, const write &how = {}) {
        return try_increment(key, delta, how).value();
    }

    // Whether the key was there.
    result<bool> try_remove(bytes key, const write &how = {}) {
        return flag(
            vug_remove_with(raw(), detail::key_of(key), key.size(), how.raw(), nullptr), VUG_OK);
    }
    bool remove(bytes key, const write &how = {}) { return try_remove(key, how).value(); }
    result<change> try_remove_if(bytes key, const vug::token &expected, const write &how = {}) {
        return changed([&](vug::token *to) {
            return vug_remove_if(raw(), detail::key_of(key), key.size(), &expected, how.raw(), to);
        });
    }
    change remove_if(bytes key, const vug::token &expected, const write &how = {}) {
        return try_remove_if(key, expected, how).value();
    }
    result<change> try_remove_if_value(bytes key, bytes expected, const write &how = {}) {
        return changed([&](vug::token *to) {
            return vug_remove_if_value(raw(), detail::key_of(key), key.size(), expected.data(),
                                       expected.size(), how.raw(), to);
        });
    }
    change remove_if_value(bytes key, bytes expected, const write &how = {}) {
        return try_remove_if_value(key, expected, how).value();
    }

    // The key has to be there.
    result<vug::token> try_destroy(bytes key) { return keyed(vug_destroy, key); }
    vug::token destroy(bytes key) { return try_destroy(key).value(); }
    result<vug::token> try_local_destroy(bytes key) { return keyed(vug_local_destroy, key); }
    vug::token local_destroy(bytes key) { return try_local_destroy(key).value(); }
    // Whether it had a value.
    result<bool> try_invalidate(bytes key) {
        return flag(vug_invalidate(raw(), detail::key_of(key), key.size(), nullptr), VUG_OK);
    }
    bool invalidate(bytes key) { return try_invalidate(key).value(); }
    result<bool> try_local_invalidate(bytes key) {
        return flag(vug_local_invalidate(raw(), detail::key_of(key), key.size(), nullptr), VUG_OK);
    }
    bool local_invalidate(bytes key) { return try_local_invalidate(key).value(); }

    // Many entries: what became of each. Only what concerns all of them is an error.
    result<std::vector<vug_result_t>>
    try_put_all(const std::vector<std::pair<bytes, bytes>> &entries, const write &how = {}) {
        std::vector<vug_pair_t> pairs;
        for (const auto &[key, value] : entries) {
            pairs.push_back({detail::key_of(key), key.size(), value.data(), value.size()});
        }
        return each(pairs.size(), [&](vug_result_t *results) {
            return vug_put_all(raw(), pairs.data(), pairs.size(), how.raw(), results);
        });
    }
    std::vector<vug_result_t> put_all(const std::vector<std::pair<bytes, bytes>> &entries,
                                      const write &how = {}) {
        return try_put_all(entries, how).value();
    }
    result<std::vector<vug_result_t>> try_remove_all(const std::vector<bytes> &keys,
                                                     const write &how = {}) {
        std::vector<vug_bytes_t> raw_keys = raws(keys);
        return each(keys.size(), [&](vug_result_t *results) {
            return vug_remove_all(raw(), raw_keys.data(), keys.size(), how.raw(), results);
        });
    }
    std::vector<vug_result_t> remove_all(const std::vector<bytes> &keys, const write &how = {}) {
        return try_remove_all(keys, how).value();
    }

    // Hot keys, iteration, following changes.

    result<hot_key> try_key(bytes key) const {
        vug_key_t *made = nullptr;
        status code = vug_key_new(raw(), detail::key_of(key), key.size(), &made);
        return detail::give(code, hot_key(made));
    }
    hot_key key(bytes key) const { return try_key(key).value(); }

    result<vug::entries> try_entries() const { return walk(vug_iter_new); }
    vug::entries entries() const { return try_entries().value(); }
    result<vug::entries> try_keys() const { return walk(vug_iter_new_keys); }
    vug::entries keys() const { return try_keys().value(); }

    result<subscription>
    try_subscribe(const vug_listen_options_t &options = listen_options()) const {
        vug_subscription_t *made = nullptr;
        status code = vug_subscribe(raw(), &options, &made);
        return detail::give(code, subscription(made));
    }
    subscription subscribe(const vug_listen_options_t &options = listen_options()) const {
        return try_subscribe(options).value();
    }

    result<listener> try_listen(std::function<void(const event &)> function,
                                const vug_listen_options_t &options = listen_options()) const {
        listener made;
        made.state_ = std::make_shared<listener::state>();
        made.state_->function = std::move(function);
        auto *user = new std::shared_ptr<listener::state>(made.state_);
        vug_listener_t *raw_listener = nullptr;
        // The library deletes `user`, also if the call fails.
        status code = vug_listen(raw(), &options, listener::call, user, listener::drop,
                                 &raw_listener);
        if (code < 0) {
            return error::last(code);
        }
        made.handle_ = detail::handle<vug_listener_t, vug_listener_stop>(raw_listener);
        return made;
    }
    listener listen(std::function<void(const event &)> function,
                    const vug_listen_options_t &options = listen_options()) const {
        return try_listen(std::move(function), options).value();
    }

    // The state that a key has after a change; nothing: there was none in time. A token of zeros
    // is the state of a key that is absent.
    result<std::optional<vug::token>> try_wait_for_change(bytes key, const vug::token &since,
                                                          timeout within = {}) const {
        vug::token now{};
        status code = vug_wait_for_change(raw(), detail::key_of(key), key.size(), &since,
                                          within.raw(), &now);
        return detail::give_found(code, now);
    }
    std::optional<vug::token> wait_for_change(bytes key, const vug::token &since = {},
                                              timeout within = {}) const {
        return try_wait_for_change(key, since, within).value();
    }

    // The region as a whole.

    result<std::uint64_t> try_size() const {
        std::uint64_t len = 0;
        status code = vug_len(raw(), &len);
        return detail::give(code, len);
    }
    std::uint64_t size() const { return try_size().value(); }
    std::string name() const {
        char name[129] = "";
        detail::done(vug_region_name(raw(), name, sizeof(name), nullptr)).value();
        return name;
    }
    vug_region_options_t attributes() const {
        vug_region_options_t options = VUG_REGION_OPTIONS_INIT;
        detail::done(vug_region_attributes(raw(), &options, sizeof(options))).value();
        return options;
    }
    vug_statistics_t statistics() const {
        vug_statistics_t statistics{};
        detail::done(vug_region_statistics(raw(), &statistics, sizeof(statistics))).value();
        return statistics;
    }
    result<void> try_alter(const vug_region_options_t &options) {
        return detail::done(vug_region_alter(raw(), &options));
    }
    void alter(const vug_region_options_t &options) { try_alter(options).value(); }
    // How long a read of what is not here may ask other nodes, for all processes of the node.
    result<void> try_set_search_timeout(timeout limit) {
        return detail::done(vug_region_set_search_timeout(raw(), limit.raw()));
    }
    void set_search_timeout(timeout limit) { try_set_search_timeout(limit).value(); }
    std::chrono::nanoseconds search_timeout() const {
        std::uint64_t limit = 0;
        detail::done(vug_region_search_timeout(raw(), &limit)).value();
        auto most = static_cast<std::uint64_t>(std::chrono::nanoseconds::max().count());
        return std::chrono::nanoseconds(limit < most ? limit : most);
    }
    std::uint64_t max_value_size(std::size_t key_size) const {
        std::uint64_t len = 0;
        detail::done(vug_max_value_len(raw(), key_size, &len)).value();
        return len;
    }
    result<void> try_clear() { return detail::done(vug_region_clear(raw())); }
    void clear() { try_clear().value(); }
    result<void> try_invalidate_all() { return detail::done(vug_region_invalidate(raw())); }
    void invalidate_all() { try_invalidate_all().value(); }
    result<void> try_destroy_region() { return detail::done(vug_region_destroy(raw())); }
    void destroy_region() { try_destroy_region().value(); }
    result<void> try_close_all() { return detail::done(vug_region_close_all(raw())); }
    void close_all() { try_close_all().value(); }
    void maintain() { detail::done(vug_region_maintain(raw(), nullptr, nullptr, 0)).value(); }

private:
    using reader = status (*)(const vug_region_t *, const void *, std::size_t, vug_view_t *);
    result<std::optional<view>> viewed(reader call, bytes key) const {
        vug_view_t shown = VUG_VIEW_INIT;
        status code = call(raw(), detail::key_of(key), key.size(), &shown);
        return detail::give_found(code, view(shown));
    }
    template <class F> static result<vug::token> made(F call) {
        vug::token to{};
        status code = call(&to);
        return detail::give(code, to);
    }
    template <class F> static result<std::optional<vug::token>> found(F call) {
        vug::token to{};
        status code = call(&to);
        return detail::give_found(code, to);
    }
    template <class F> static result<change> changed(F call) {
        vug::token to{};
        status code = call(&to);
        return detail::give(code, change{code == VUG_OK, to});
    }
    static result<bool> flag(status code, status yes) {
        return detail::give(code, code == yes);
    }
    template <class F> result<vug::token> keyed(F call, bytes key) {
        return made([&](vug::token *to) {
            return call(raw(), detail::key_of(key), key.size(), to);
        });
    }
    template <class F> static result<std::vector<vug_result_t>> each(std::size_t count, F call) {
        std::vector<vug_result_t> results(count);
        status code = call(results.data());
        if (code < 0 && code != VUG_ERR_BULK_FAILED) {
            return error::last(code);
        }
        return results;
    }
    static std::vector<vug_bytes_t> raws(const std::vector<bytes> &keys) {
        std::vector<vug_bytes_t> raws;
        for (bytes key : keys) {
            raws.push_back({detail::key_of(key), key.size()});
        }
        return raws;
    }
    result<vug::entries> walk(status (*begin)(const vug_region_t *, vug_iter_t **)) const {
        vug_iter_t *made = nullptr;
        status code = begin(raw(), &made);
        return detail::give(code, vug::entries(made));
    }

    detail::handle<vug_region_t, vug_region_close> handle_;
};

// A node. May be used by all threads at once.
class node {
public:
    static result<node> try_open(const vug_node_options_t &options = node_options()) {
        vug_node_t *made = nullptr;
        status code = vug_node_open_with(&options, &made);
        return detail::give(code, node(made));
    }
    static node open(const vug_node_options_t &options = node_options()) {
        return try_open(options).value();
    }
    static node open(const std::string &home) {
        vug_node_options_t options = node_options();
        options.home = home.c_str();
        return open(options);
    }
    vug_node_t *raw() const noexcept { return handle_.get(); }

    using options = vug_region_options_t;
    result<region> try_create(const std::string &name, const options &as = region_options()) {
        return to(vug_region_create, name, as);
    }
    region create(const std::string &name, const options &as = region_options()) {
        return try_create(name, as).value();
    }
    result<region> try_region(const std::string &name, const options &as = region_options()) {
        return to(vug_region_open, name, as);
    }
    region operator[](const std::string &name) { return try_region(name).value(); }
    // The file of a region; who has it open keeps it.
    result<void> try_remove_region(const std::string &name) {
        return detail::done(vug_node_remove_region(raw(), name.c_str()));
    }
    void remove_region(const std::string &name) { try_remove_region(name).value(); }
    result<region> try_open_or_create(const std::string &name,
                                      const options &as = region_options()) {
        return to(vug_region_open_or_create, name, as);
    }
    region open_or_create(const std::string &name, const options &as = region_options()) {
        return try_open_or_create(name, as).value();
    }

    vug_node_info_t info() const {
        vug_node_info_t info{};
        detail::done(vug_node_info(raw(), &info, sizeof(info))).value();
        return info;
    }
    std::vector<std::string> regions() const;

private:
    explicit node(vug_node_t *raw) noexcept : handle_(raw) {}

    using opener = status (*)(vug_node_t *, const char *, const options *, vug_region_t **);
    result<region> to(opener call, const std::string &name, const options &as) {
        vug_region_t *made = nullptr;
        status code = call(raw(), name.c_str(), &as, &made);
        return detail::give(code, region(made));
    }

    detail::handle<vug_node_t, vug_node_close> handle_;
};

inline std::vector<std::string> node::regions() const {
    std::string names;
    std::size_t needed = 0;
    status code = vug_node_regions(raw(), nullptr, 0, &needed, nullptr);
    // Others may create regions meanwhile.
    while (code == VUG_ERR_BUFFER) {
        names.resize(needed);
        code = vug_node_regions(raw(), names.data(), names.size(), &needed, nullptr);
    }
    detail::done(code).value();
    names.resize(needed);
    std::vector<std::string> all;
    for (std::size_t start = 0; start < names.size(); start += all.back().size() + 1) {
        all.emplace_back(names.c_str() + start);
    }
    return all;
}

}  // namespace vug

#endif
