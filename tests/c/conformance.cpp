// Replays steps of the conformance suite with vug.hpp: the same lines as conformance.c.
//
//     conformance <home>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "vug.hpp"

namespace {

using words = std::vector<std::string>;

std::map<std::string, vug::region> regions;
std::map<std::string, vug::subscription> subscriptions;
std::map<std::string, vug::token> tokens;

std::string blob(const std::string &word) {
    std::string bytes;
    for (std::size_t at = 1; at + 1 < word.size(); at += 2) {
        bytes += static_cast<char>(std::stoi(word.substr(at, 2), nullptr, 16));
    }
    return bytes;
}

std::string shown(vug::bytes bytes) {
    std::string text = "{\"hex\": \"";
    char digits[3];
    for (char byte : bytes) {
        std::snprintf(digits, sizeof(digits), "%02x", static_cast<unsigned char>(byte));
        text += digits;
    }
    return text + "\"}";
}

std::string shown(const std::optional<vug::bytes> &bytes) { return bytes ? shown(*bytes) : "null"; }
std::string shown(bool yes) { return yes ? "true" : "false"; }

std::string kind(const vug::token &token) {
    static const char *const names[] = {"null", "\"value\"", "\"invalid\"", "\"local-invalid\"",
                                        "\"tombstone\"", "\"transit\""};
    return names[token.kind];
}

std::string list(const std::vector<std::string> &parts) {
    std::string text = "[";
    for (const std::string &part : parts) {
        text += (text.size() > 1 ? ", " : "") + part;
    }
    return text + "]";
}

void keep(const std::string &name, const vug::token &token) {
    if (name != "-" && token.kind != 0) {
        tokens[name] = token;
    }
}

vug_region_options_t options_of(const words &step) {
    vug_region_options_t o = vug::region_options();
    const std::map<std::string, std::uint32_t *> small = {
        {"data_policy", &o.data_policy}, {"scope", &o.scope},
        {"concurrency_checks", &o.concurrency_checks}, {"eviction", &o.eviction},
        {"interest", &o.interest}, {"early_ack", &o.early_ack}, {"old_values", &o.old_values},
        {"entry_ttl_action", &o.entry_ttl_action}, {"entry_idle_action", &o.entry_idle_action}};
    const std::map<std::string, std::uint64_t *> large = {
        {"max_bytes", &o.max_bytes}, {"segment_bytes", &o.segment_bytes},
        {"max_entries", &o.max_entries}, {"alignment", &o.alignment},
        {"entry_ttl_ns", &o.entry_ttl_ns}, {"entry_idle_ns", &o.entry_idle_ns}};
    for (std::size_t at = 2; at < step.size(); at++) {
        std::size_t equals = step[at].find('=');
        std::string name = step[at].substr(0, equals);
        std::uint64_t value = std::stoull(step[at].substr(equals + 1));
        if (small.count(name) != 0) {
            *small.at(name) = static_cast<std::uint32_t>(value);
        } else {
            *large.at(name) = value;
        }
    }
    return o;
}

std::string attributes(const vug::region &region) {
    vug_region_options_t o = region.attributes();
    std::ostringstream text;
    text << '[' << o.data_policy << ", " << o.scope << ", " << o.early_ack << ", "
         << o.concurrency_checks << ", " << o.interest << ", " << o.old_values << ", "
         << o.max_bytes << ", " << o.segment_bytes << ", " << o.alignment << ", "
         << o.entry_ttl_ns << ", " << o.entry_ttl_action << ", " << o.entry_idle_ns << ", "
         << o.entry_idle_action << ", " << o.eviction << ", " << o.max_entries << ']';
    return text.str();
}

std::string alter(vug::region &region, const words &step) {
    vug_region_options_t o = vug::region_options();
    std::uint64_t value = std::stoull(step[2]);
    if (step[0] == "set_max_entries") {
        o.max_entries = value;
    } else if (step[0] == "set_entry_ttl") {
        o.entry_ttl_ns = value;
        o.entry_ttl_action = static_cast<std::uint32_t>(std::stoul(step[3]));
    } else {
        o.entry_idle_ns = value;
        o.entry_idle_action = static_cast<std::uint32_t>(std::stoul(step[3]));
    }
    region.alter(o);
    return "null";
}

// By all ways to read one, which agree.
std::string get(const vug::region &region, const std::string &key) {
    std::optional<vug::view> view = region.get(key);
    std::optional<vug::view> owned = region.get_owned(key);
    vug::hot_key handle = region.key(key);
    std::optional<vug::view> held = handle.get();
    vug::values many = region.get_all({key});
    std::optional<vug::bytes> value = many[0];
    bool same = !view ? !owned && !held && !value
                      : owned->bytes() == view->bytes() && held->bytes() == view->bytes()
                            && value == view->bytes();
    if (!same) {
        std::cerr << "the ways to read differ\n";
        std::exit(1);
    }
    return view ? shown(view->bytes()) : "null";
}

std::string entry(const vug::region &region, const std::string &key) {
    std::optional<vug_entry_info_t> info = region.info(key);
    if (!info) {
        return "null";
    }
    std::optional<vug::view> view = region.get(key);
    return "{\"kind\": " + kind(info->token) + ", \"value\": "
           + (view ? shown(view->bytes()) : "null") + ", \"expires\": "
           + shown(info->expires_ns != 0) + "}";
}

std::string iterate(vug::entries all, bool keys) {
    std::vector<std::string> parts;
    for (const vug::entry &entry : all) {
        parts.push_back(keys ? shown(entry.key) : list({shown(entry.key), shown(entry.value)}));
    }
    return list(parts);
}

std::string put_all(vug::region &region, const words &step) {
    std::vector<std::string> blobs;
    for (std::size_t at = 3; at < step.size(); at++) {
        blobs.push_back(blob(step[at]));
    }
    std::vector<std::pair<vug::bytes, vug::bytes>> entries;
    std::map<std::string, bool> present;
    std::vector<bool> created;
    for (std::size_t at = 0; at < blobs.size(); at += 2) {
        entries.emplace_back(blobs[at], blobs[at + 1]);
        bool there = present[blobs[at]] || region.try_contains(blobs[at]).code() != VUG_OK
                     || region.contains(blobs[at]);
        created.push_back(!there);
        present[blobs[at]] = true;
    }
    vug::write how;
    how.ttl(std::chrono::nanoseconds(std::stoll(step[2])));
    std::vector<std::string> parts;
    for (const vug_result_t &result : region.put_all(entries, how)) {
        parts.push_back(result.status < 0
                            ? "{\"error\": " + std::to_string(-result.status) + "}"
                            : "{\"created\": " + shown(created[parts.size()]) + "}");
    }
    return list(parts);
}

std::string many(vug::region &region, const words &step) {
    std::size_t first = step[0] == "get_all" ? 2 : 3;
    std::vector<std::string> blobs;
    for (std::size_t at = first; at < step.size(); at++) {
        blobs.push_back(blob(step[at]));
    }
    std::vector<vug::bytes> keys(blobs.begin(), blobs.end());
    std::vector<std::string> parts;
    if (step[0] == "get_all") {
        vug::values found = region.get_all(keys);
        for (std::size_t at = 0; at < found.size(); at++) {
            parts.push_back(shown(found[at]));
        }
        return list(parts);
    }
    for (const vug_result_t &result : region.remove_all(keys)) {
        parts.push_back(result.status < 0 ? "{\"error\": " + std::to_string(-result.status) + "}"
                                          : shown(result.status == VUG_OK));
    }
    return list(parts);
}

std::string events(vug::subscription &subscription) {
    std::vector<std::string> parts;
    while (std::optional<vug::event> event = subscription.poll()) {
        const vug_event_t &raw = event->raw();
        std::string part = "{\"kind\": " + std::to_string(raw.kind);
        if (raw.key != nullptr) {
            part += ", \"key\": " + shown(event->key()) + ", \"value\": " + shown(event->value());
        }
        if (raw.old_value_state != VUG_OLD_VALUE_NOT_AVAILABLE) {
            part += ", \"old\": " + shown(event->old_value());
        }
        part += (raw.flags & VUG_EVENT_FLAG_BULK) != 0 ? ", \"bulk\": true" : "";
        part += (raw.flags & VUG_EVENT_FLAG_EXPIRATION) != 0 ? ", \"expired\": true" : "";
        parts.push_back(part + "}");
    }
    return list(parts);
}

std::string changed(const vug::change &change, const std::string &save) {
    keep(save, change.token);
    return change.done ? "{\"done\": true}"
                       : "{\"done\": false, \"found\": " + kind(change.token) + "}";
}

std::string on_entry(vug::region &region, const words &step) {
    const std::string &op = step[0], &save = step[2], &extra = step[6];
    std::string key = blob(step[3]), value = blob(step[4]);
    vug::write how;
    how.ttl(std::chrono::nanoseconds(std::stoll(step[5])));
    auto absent = region.try_contains(key);
    auto created = [&](const vug::token &token, bool yes) {
        keep(save, token);
        return "{\"created\": " + shown(yes) + "}";
    };
    bool is_new = absent && !*absent;
    if (op == "put") return created(region.put(key, value, how), is_new);
    if (op == "create") return created(region.create(key, value, how), true);
    if (op == "create_invalid") return created(region.create_invalid(key), true);
    if (op == "destroy") return created(region.destroy(key), false);
    if (op == "local_destroy") return created(region.local_destroy(key), false);
    if (op == "swap_value") {
        auto [token, old] = region.swap_value(key, value);
        keep(save, token);
        return "{\"created\": " + shown(is_new) + ", \"old\": "
               + (old ? shown(old->bytes()) : "null") + "}";
    }
    if (op == "replace") {
        std::optional<vug::token> token = region.replace(key, value, how);
        keep(save, token.value_or(vug::token{}));
        return shown(token.has_value());
    }
    if (op == "remove") return shown(region.remove(key));
    if (op == "invalidate") return shown(region.invalidate(key));
    if (op == "local_invalidate") return shown(region.local_invalidate(key));
    if (op == "compare_and_swap") {
        return changed(region.compare_and_swap(key, tokens.at(extra), value, how), save);
    }
    if (op == "remove_if") return changed(region.remove_if(key, tokens.at(extra)), save);
    if (op == "replace_if") return changed(region.replace_if(key, blob(extra), value, how), save);
    if (op == "remove_if_value") return changed(region.remove_if_value(key, blob(extra)), save);
    if (op == "put_if_absent") {
        vug::change put = region.put_if_absent(key, value, how);
        keep(save, put.token);
        if (put) return "{\"created\": true}";
        std::optional<vug::view> view = region.get(key);
        return "{\"created\": false, \"value\": " + (view ? shown(view->bytes()) : "null") + "}";
    }
    if (op == "get") return get(region, key);
    if (op == "entry") return entry(region, key);
    if (op == "contains_key") return shown(region.contains(key));
    if (op == "contains_value_for_key") return shown(region.contains_value(key));
    if (op == "increment") return std::to_string(region.increment(key, std::stoll(extra), how));
    if (op == "token") {
        vug::token token = region.token(key).value_or(vug::token{});
        keep(save, token);
        return kind(token);
    }
    if (op == "until_absent") {
        while (region.get(key)) {
        }
        return "null";
    }
    if (op != "wait_for_change") {
        std::cerr << op << " is no operation\n";
        std::exit(1);
    }
    vug::token since = extra == "-" ? vug::token{} : tokens.at(extra);
    std::optional<vug::token> now =
        region.wait_for_change(key, since, std::chrono::nanoseconds(0));
    if (!now) return "\"timeout\"";
    keep(save, *now);
    return "{\"changed\": " + kind(*now) + "}";
}

std::string on_region(vug::region &region, const words &step) {
    const std::string &op = step[0];
    const std::map<std::string, vug_status_t (*)(vug_region_t *)> calls = {
        {"close", vug_region_close_all},
        {"destroy_region", vug_region_destroy},
        {"local_destroy_region", vug_region_local_destroy},
        {"clear", vug_region_clear},
        {"local_clear", vug_region_local_clear},
        {"invalidate_region", vug_region_invalidate},
        {"local_invalidate_region", vug_region_local_invalidate}};
    if (auto call = calls.find(op); call != calls.end()) {
        vug::detail::done(call->second(region.raw())).value();
        return "null";
    }
    if (op == "attributes") return attributes(region);
    if (op.rfind("set_", 0) == 0) return alter(region, step);
    if (op == "len") return std::to_string(region.size());
    if (op == "sweep") {
        vug_maintenance_t done{};
        vug::detail::done(vug_region_maintain(region.raw(), nullptr, &done, sizeof(done))).value();
        return std::to_string(done.entries_expired);
    }
    if (op == "keys") return iterate(region.keys(), true);
    if (op == "entries") return iterate(region.entries(), false);
    if (op == "put_all") return put_all(region, step);
    if (op == "get_all" || op == "remove_all") return many(region, step);
    if (op == "subscribe") {
        std::string prefix = blob(step[3]);
        vug_listen_options_t options = vug::listen_options();
        options.prefix = prefix.data();
        options.prefix_len = prefix.size();
        options.content = step[4] == "1" ? VUG_ON : 0;
        options.resynchronise = step[5] == "1" ? VUG_ON : 0;
        subscriptions.insert_or_assign(step[2], region.subscribe(options));
        return "null";
    }
    if (op == "events") return events(subscriptions.at(step[2]));
    return on_entry(region, step);
}

std::string run(vug::node &node, const words &step) {
    const std::string &op = step[0];
    auto opened = [&](vug::region region) {
        regions.insert_or_assign(step[1], std::move(region));
        return "null";
    };
    if (op == "create_region") return opened(node.create(step[1], options_of(step)));
    if (op == "open_region") return opened(node.try_region(step[1], options_of(step)).value());
    if (op == "open_or_create_region") {
        return opened(node.open_or_create(step[1], options_of(step)));
    }
    if (op == "remove_region") {
        node.remove_region(step[1]);
        return "null";
    }
    if (op == "regions") {
        std::vector<std::string> names;
        for (const std::string &name : node.regions()) {
            names.push_back('"' + name + '"');
        }
        return list(names);
    }
    return on_region(regions.at(step[1]), step);
}

}  // namespace

int main(int argc, char **argv) {
    if (argc != 2) {
        return 2;
    }
    vug::node node = vug::node::open(std::string(argv[1]));
    for (std::string line; std::getline(std::cin, line);) {
        words step;
        std::istringstream in(line);
        for (std::string word; in >> word;) {
            step.push_back(word);
        }
        try {
            std::string result = run(node, step);
            std::cout << "{\"result\": " << result << "}" << std::endl;
        } catch (const vug::error &failed) {
            std::cout << "{\"error\": " << -failed.code() << "}" << std::endl;
        }
    }
    return 0;
}
