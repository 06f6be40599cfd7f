// vug.hpp, every class of it, in both ways of telling errors.
//
//     wrapper <home>
#include <condition_variable>
#include <cstring>
#include <iostream>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <type_traits>

#include "vug.hpp"

namespace {

[[noreturn]] void fail(const char *file, int line, const char *what) {
    std::cerr << file << ':' << line << ": " << what << '\n';
    std::exit(1);
}

#define CHECK(condition)                                  \
    do {                                                  \
        if (!(condition)) fail(__FILE__, __LINE__, #condition); \
    } while (false)

template <class T> constexpr bool move_only =
    std::is_nothrow_move_constructible_v<T> && std::is_nothrow_move_assignable_v<T>
    && !std::is_copy_constructible_v<T> && !std::is_copy_assignable_v<T>;
static_assert(move_only<vug::node> && move_only<vug::region> && move_only<vug::view>);
static_assert(move_only<vug::hot_key> && move_only<vug::subscription>);
static_assert(std::is_nothrow_copy_constructible_v<vug::error>);

template <class F> vug::status thrown_by(F call) {
    try {
        call();
    } catch (const vug::error &failed) {
        CHECK(std::strlen(failed.what()) > 0 && std::strlen(failed.help()) > 0);
        CHECK(std::strchr(failed.what(), '\n') == nullptr);
        return failed.code();
    }
    return VUG_OK;
}

void errors(vug::node &node, vug::region &region) {
    CHECK(thrown_by([&] { region.put("", "value"); }) == VUG_ERR_INVALID_KEY);
    CHECK(thrown_by([&] { node["nowhere"]; }) == VUG_ERR_REGION_NOT_FOUND);
    CHECK(thrown_by([&] { region.destroy("absent"); }) == VUG_ERR_ENTRY_NOT_FOUND);
    auto put = region.try_put("", "value");
    CHECK(!put && put.code() == VUG_ERR_INVALID_KEY && put.error().code() == put.code());
    CHECK(std::string(put.error().what()).rfind("VUG-0202: ", 0) == 0);
    auto opened = node.try_region("nowhere");
    CHECK(!opened.has_value());
    CHECK(std::string(opened.error().what()).find("nowhere") != std::string::npos);
    CHECK(thrown_by([&] { (void)std::move(opened).value(); }) == VUG_ERR_REGION_NOT_FOUND);
    auto fine = region.try_put("fine", "value");
    CHECK(fine && fine.code() == VUG_OK && fine->version != 0);
    region.remove("fine");
}

void entries(vug::region &region) {
    CHECK(!region.get("a") && !region.contains("a") && !region.token("a") && !region.info("a"));
    vug::token first = region.create("a", "one");
    CHECK(region.get("a")->token().version == first.version);
    std::optional<vug::view> old = region.get("a");
    vug::view moved = std::move(*old);
    CHECK(region.replace("a", "two")->version > first.version);
    CHECK(moved.bytes() == "one" && moved.size() == 3 && moved.copy() == "one");
    moved = *region.get_owned("a");
    std::thread([view = std::move(moved)] { CHECK(view.bytes() == "two"); }).join();
    CHECK(!region.compare_and_swap("a", first, "no"));
    vug::change now = region.compare_and_swap("a", *region.token("a"), "three");
    CHECK(now && now.token.version == region.token("a")->version);
    CHECK(!region.replace_if("a", "two", "no") && region.replace_if("a", "three", ""));
    CHECK(region.get("a")->bytes().empty());
    CHECK(!region.put_if_absent("a", "x") && region.put_if_absent("b", "x"));
    CHECK(!region.remove_if_value("b", "y") && region.remove_if_value("b", "x"));
    CHECK(region.remove_if("a", *region.token("a")).done && !region.remove("a"));
    auto [swapped, before] = region.swap_value("s", "new");
    CHECK(swapped.version != 0 && !before);
    CHECK(region.swap_value("s", "newer").second->bytes() == "new" && region.remove("s"));
    CHECK(region.try_swap_value("", "x").code() == VUG_ERR_INVALID_KEY);
    vug_departed_t departed{};
    departed.count = 7;
    region.put("t", "x", vug::write().departed(departed));
    CHECK(departed.count == 0 && region.get_local("t")->bytes() == "x" && !region.get_local("no"));
    CHECK(region.get("t", vug::reading().local())->bytes() == "x");
    CHECK(!region.get("no", vug::reading().search_within(std::chrono::milliseconds(1))));
    region.put("t", "x", vug::write().ttl(std::chrono::hours(1)));
    CHECK(region.info("t")->expires_ns != 0 && region.info("t")->value_len == 1);
    CHECK(region.invalidate("t") && !region.invalidate("t") && region.contains("t"));
    CHECK(!region.contains_value("t"));
    region.local_destroy("t");
    region.create_invalid("t");
    region.destroy("t");
    CHECK(region.increment("n", 40) == 40 && region.increment("n", 2) == 42);
    region.remove("n");
    std::string zeros("k\0k", 3);
    region.put(zeros, zeros);
    CHECK(region.get(zeros)->bytes() == zeros && region.size() == 1);
    char buffer[2];
    CHECK(*region.read(zeros, buffer, sizeof(buffer)) == 3 && !region.read("no", buffer, 2));
    region.clear();
    CHECK(region.size() == 0);
}

void batches(vug::region &region) {
    auto put = region.put_all({{"1", "one"}, {"2", ""}, {"3", "three"}});
    CHECK(put.size() == 3 && put[2].status == VUG_OK);
    vug::values found = region.get_all({"3", "absent", "2", "1"});
    CHECK(found.size() == 4 && *found[0] == "three" && !found[1] && found[2]->empty());
    CHECK(found.token(3).version == put[0].token.version);
    region.try_get_all({"1"}, found).value();
    CHECK(found.size() == 1 && *found[0] == "one");

    std::size_t seen = 0;
    for (const vug::entry &entry : region.entries()) {
        CHECK(entry.key.size() == 1 && entry.token.version != 0);
        seen += entry.value.size();
    }
    CHECK(seen == 8);
    vug::entries keys = region.keys();
    CHECK(keys.next() && keys.next() && keys.next() && !keys.next());

    vug::hot_key key = region.key("1");
    char buffer[8];
    CHECK(key.get()->bytes() == "one" && *key.read(buffer, sizeof(buffer)) == 3);
    region.put("1", "uno");
    CHECK(key.get()->bytes() == "uno");

    auto removed = region.remove_all({"1", "absent", "2", "3"});
    CHECK(removed[0].status == VUG_OK && removed[1].status == VUG_NOT_FOUND);
    CHECK(region.size() == 0 && !key.get());
}

void events(vug::region &region) {
    vug_listen_options_t only = vug::listen_options();
    only.prefix = "e";
    only.prefix_len = 1;
    vug::subscription changes = region.subscribe(only);
    CHECK(!changes.poll() && !changes.ended());

    std::mutex mutex;
    std::condition_variable heard;
    int calls = 0;
    vug::listener listener = region.listen(
        [&](const vug::event &event) {
            std::lock_guard<std::mutex> lock(mutex);
            CHECK(event.key() == "event");
            calls++;
            heard.notify_one();
            throw std::runtime_error("on purpose");
        },
        only);
    region.put("event", "one");
    region.put("other", "one");
    region.remove("event");
    {
        std::unique_lock<std::mutex> lock(mutex);
        heard.wait(lock, [&] { return calls == 2; });
    }
    listener.stop();
    CHECK(listener.exceptions() == 2);

    std::optional<vug::event> event = changes.next();
    CHECK(event->kind() == VUG_EVENT_CREATE && event->value() == "one");
    CHECK(changes.next(std::chrono::hours(1))->kind() == VUG_EVENT_DESTROY);
    CHECK(!changes.next(std::chrono::milliseconds(1)));

    CHECK(!region.wait_for_change("later", {}, std::chrono::milliseconds(0)));
    std::thread writer([&] { region.put("later", "x"); });
    CHECK(region.wait_for_change("later")->version != 0);
    writer.join();
}

void wholes(vug::node &node, const char *home) {
    vug_region_options_t options = vug::region_options();
    options.max_bytes = 4 << 20;
    vug::region region = node.create("whole", options);
    CHECK(region.name() == "whole" && region.attributes().max_bytes == 4 << 20);
    region.put("k", "v");
    CHECK(region.statistics().puts == 1);
    region.invalidate_all();
    CHECK(!region.contains_value("k"));
    options = vug::region_options();
    options.entry_ttl_ns = 1000000000;
    region.alter(options);
    CHECK(region.attributes().entry_ttl_ns == 1000000000);
    region.maintain();
    CHECK(region.search_timeout() == std::chrono::minutes(5));
    region.set_search_timeout(std::chrono::seconds(1));
    CHECK(region.search_timeout() == std::chrono::seconds(1));
    region.set_search_timeout({});
    CHECK(region.search_timeout() > std::chrono::hours(1000));
    CHECK(region.max_value_size(1) > 1000 && region.max_value_size(1) < 4 << 20);
    node.create("removed");
    node.remove_region("removed");
    CHECK(node.try_remove_region("removed").code() == VUG_ERR_REGION_NOT_FOUND);
    CHECK(node.regions() == (std::vector<std::string>{"whole", "wrapper"}));
    CHECK(node.info().members == 1);

    vug_node_options_t reading = vug::node_options();
    reading.access = VUG_ACCESS_READ_ONLY;
    reading.home = home;
    vug::node reader = vug::node::open(reading);
    vug::region seen = reader["wrapper"];
    CHECK(seen.try_put("k", "v").code() == VUG_ERR_NOT_ALLOWED);

    vug::region same = node["whole"];
    region.destroy_region();
    CHECK(same.try_size().code() == VUG_ERR_REGION_DESTROYED);
    same = node.open_or_create("whole");
    same.close_all();
    CHECK(same.try_get("k").code() == VUG_ERR_REGION_CLOSED);
}

}  // namespace

int main(int argc, char **argv) {
    CHECK(argc == 2);
    vug::node node = vug::node::open(std::string(argv[1]));
    vug::region region = node.create("wrapper");
    errors(node, region);
    entries(region);
    batches(region);
    events(region);
    wholes(node, argv[1]);
    std::cout << "wrapper=ok\n";
    return 0;
}
