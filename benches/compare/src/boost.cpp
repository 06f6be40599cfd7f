// The peer with Boost.Interprocess: an unordered map in a mapped file, under one shared mutex.
// Values are vectors, as they would be if lengths differed, and are overwritten in place.

#include <boost/functional/hash.hpp>
#include <boost/interprocess/allocators/allocator.hpp>
#include <boost/interprocess/containers/vector.hpp>
#include <boost/interprocess/managed_mapped_file.hpp>
#include <boost/interprocess/sync/interprocess_sharable_mutex.hpp>
#include <boost/interprocess/sync/scoped_lock.hpp>
#include <boost/interprocess/sync/sharable_lock.hpp>
#include <boost/unordered_map.hpp>

#include <array>
#include <cstdint>
#include <cstring>

namespace ipc = boost::interprocess;

namespace {

using Segment = ipc::managed_mapped_file;
using Key = std::array<std::uint64_t, 2>;

struct Hash {
    std::size_t operator()(const Key &key) const {
        std::uint64_t h = key[0] * 0x9e3779b97f4a7c15u ^ key[1];
        h = (h ^ (h >> 30)) * 0xbf58476d1ce4e5b9u;
        h = (h ^ (h >> 27)) * 0x94d049bb133111ebu;
        return h ^ (h >> 31);
    }
};

template <class T> using Allocator = ipc::allocator<T, Segment::segment_manager>;
using Value = ipc::vector<std::uint8_t, Allocator<std::uint8_t>>;
using Map = boost::unordered_map<Key, Value, Hash, std::equal_to<Key>,
                                 Allocator<std::pair<const Key, Value>>>;
using Mutex = ipc::interprocess_sharable_mutex;

struct Store {
    Segment segment;
    Map *map;
    Mutex *mutex;
};

Key key_of(const std::uint8_t *bytes) {
    Key key;
    std::memcpy(key.data(), bytes, sizeof key);
    return key;
}

} // namespace

extern "C" {

void *vug_compare_boost_create(const char *path, std::size_t bytes, std::size_t entries) try {
    Segment segment(ipc::create_only, path, bytes);
    auto manager = segment.get_segment_manager();
    auto *map = segment.construct<Map>("map")(entries, Hash(), std::equal_to<Key>(),
                                              Map::allocator_type(manager));
    auto *mutex = segment.construct<Mutex>("mutex")();
    return new Store{std::move(segment), map, mutex};
} catch (const std::exception &) {
    return nullptr;
}

void *vug_compare_boost_open(const char *path) try {
    Segment segment(ipc::open_only, path);
    auto *map = segment.find<Map>("map").first;
    auto *mutex = segment.find<Mutex>("mutex").first;
    return new Store{std::move(segment), map, mutex};
} catch (const std::exception &) {
    return nullptr;
}

void vug_compare_boost_close(void *handle) { delete static_cast<Store *>(handle); }

bool vug_compare_boost_get(void *handle, const std::uint8_t *key, std::uint8_t *value,
                           std::size_t len) {
    auto *store = static_cast<Store *>(handle);
    ipc::sharable_lock<Mutex> lock(*store->mutex);
    auto found = store->map->find(key_of(key));
    if (found == store->map->end())
        return false;
    std::memcpy(value, found->second.data(), std::min(len, found->second.size()));
    return true;
}

bool vug_compare_boost_put(void *handle, const std::uint8_t *key, const std::uint8_t *value,
                           std::size_t len) try {
    auto *store = static_cast<Store *>(handle);
    ipc::scoped_lock<Mutex> lock(*store->mutex);
    auto found = store->map->find(key_of(key));
    if (found == store->map->end()) {
        Allocator<std::uint8_t> allocator(store->segment.get_segment_manager());
        store->map->emplace(key_of(key), Value(value, value + len, allocator));
    } else {
        found->second.assign(value, value + len);
    }
    return true;
} catch (const std::exception &) {
    return false;
}
}
