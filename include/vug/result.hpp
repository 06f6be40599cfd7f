// Errors and results of vug.hpp, and the handles behind its classes. Include vug.hpp.
#ifndef VUG_RESULT_HPP
#define VUG_RESULT_HPP

#include <cstddef>
#include <cstdlib>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

#include "vug.h"

namespace vug {

using status = vug_status_t;
using token = vug_token_t;
using bytes = std::string_view;

// What went wrong: the fact in what(), the remedy in help(), the number of vug.h in code().
class error : public std::exception {
public:
    // The last error of the calling thread, of a call that returned `code`.
    static error last(status code) {
        return error(code, text(vug_last_error), text(vug_last_help));
    }

    status code() const noexcept { return code_; }
    const char *what() const noexcept override { return text_->first.c_str(); }
    const char *help() const noexcept { return text_->second.c_str(); }

private:
    error(status code, std::string what, std::string help)
        : code_(code), text_(std::make_shared<const std::pair<std::string, std::string>>(
                           what.substr(0, what.find("\nhelp: ")), std::move(help))) {}

    static std::string text(status (*of)(char *, std::size_t, std::size_t *)) {
        std::size_t needed = 0;
        of(nullptr, 0, &needed);
        std::string text(needed, '\0');
        of(text.data(), text.size(), &needed);
        text.resize(text.empty() ? 0 : text.size() - 1);
        return text;
    }

    status code_;
    // Shared: a copy of an exception must not throw.
    std::shared_ptr<const std::pair<std::string, std::string>> text_;
};

namespace detail {
[[noreturn]] inline void raise(const error &failed) {
#if defined(__cpp_exceptions)
    throw failed;
#else
    static_cast<void>(failed);
    std::abort();
#endif
}

struct nothing {};
}  // namespace detail

// A value or an error.
template <class T> class [[nodiscard]] result {
    using content = std::conditional_t<std::is_void_v<T>, detail::nothing, T>;

public:
    result(content value) : content_(std::in_place_index<0>, std::move(value)) {}
    result(vug::error failed) : content_(std::in_place_index<1>, std::move(failed)) {}

    bool has_value() const noexcept { return content_.index() == 0; }
    explicit operator bool() const noexcept { return has_value(); }

    // VUG_OK if there is a value.
    status code() const noexcept { return has_value() ? VUG_OK : std::get_if<1>(&content_)->code(); }

    // Only if there is one.
    const vug::error &error() const & noexcept { return *std::get_if<1>(&content_); }

    // Throws the error if there is no value.
    template <class U = T> std::enable_if_t<!std::is_void_v<U>, U &> value() & {
        return check(), *std::get_if<0>(&content_);
    }
    template <class U = T> std::enable_if_t<!std::is_void_v<U>, U> value() && {
        return check(), std::move(*std::get_if<0>(&content_));
    }
    template <class U = T> std::enable_if_t<std::is_void_v<U>> value() const { check(); }

    // Only if there is a value.
    template <class U = T> std::enable_if_t<!std::is_void_v<U>, U &> operator*() & noexcept {
        return *std::get_if<0>(&content_);
    }
    template <class U = T> std::enable_if_t<!std::is_void_v<U>, U *> operator->() noexcept {
        return std::get_if<0>(&content_);
    }

private:
    void check() const {
        if (!has_value()) {
            detail::raise(*std::get_if<1>(&content_));
        }
    }

    std::variant<content, vug::error> content_;
};

namespace detail {
// A handle that is closed once.
template <class T, status (*Close)(T *)> class handle {
public:
    handle() noexcept = default;
    explicit handle(T *raw) noexcept : raw_(raw) {}
    handle(handle &&other) noexcept : raw_(std::exchange(other.raw_, nullptr)) {}
    handle &operator=(handle &&other) noexcept {
        if (this != &other) {
            reset();
            raw_ = std::exchange(other.raw_, nullptr);
        }
        return *this;
    }
    ~handle() { reset(); }

    T *get() const noexcept { return raw_; }
    void reset() noexcept {
        if (raw_ != nullptr) {
            Close(std::exchange(raw_, nullptr));
        }
    }

private:
    T *raw_ = nullptr;
};

inline result<void> done(status code) {
    return code < 0 ? result<void>(error::last(code)) : result<void>(nothing{});
}

// What a call returned, unless it failed.
template <class T> result<T> give(status code, T value) {
    return code < 0 ? result<T>(error::last(code)) : result<T>(std::move(value));
}

// The same where VUG_OK alone means that there is something.
template <class T> result<std::optional<T>> give_found(status code, T value) {
    return give(code, code == VUG_OK ? std::optional<T>(std::move(value)) : std::nullopt);
}

inline vug_bytes_t raw(bytes text) { return {text.data(), text.size()}; }
inline bytes view_of(const void *data, std::size_t len) {
    return {static_cast<const char *>(data), len};
}

// A key: never a null pointer, so that an empty one is told apart from a missing one.
inline const void *key_of(bytes key) { return key.data() == nullptr ? "" : key.data(); }
}  // namespace detail

}  // namespace vug

#endif
