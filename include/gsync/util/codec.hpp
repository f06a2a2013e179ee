#pragma once
#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "gsync/util/error.hpp"

/// A strict binary encoding of values: varints (LEB128, zigzag for signed), length-prefixed byte strings, containers with a count in front. A type takes part with one
/// function in its own namespace, used for both directions:
///
///     template <class Archive> void fields(Archive& a, Thing& t) { a(t.name, t.count); }
///
/// The decoder trusts nothing: a length or count larger than what is left of the input, an unknown enum value (types say their last one with
/// `constexpr T last_of(T)`), a non-canonical bool or a set out of order is Error{protocol}. It allocates no more than the input can fill.
namespace gsync::util {

template <class T>
struct IsOptional : std::false_type {};
template <class T>
struct IsOptional<std::optional<T>> : std::true_type {};
template <class T>
struct IsArray : std::false_type {};
template <class T, std::size_t N>
struct IsArray<std::array<T, N>> : std::true_type {};

class Encoder {
 public:
  template <class... T>
  void operator()(const T&... values) {
    (put(values), ...);
  }
  std::string take() { return std::move(out_); }
  const std::string& bytes() const { return out_; }

 private:
  void varint(std::uint64_t v) {
    while (v >= 0x80) {
      out_.push_back(static_cast<char>(v | 0x80));
      v >>= 7;
    }
    out_.push_back(static_cast<char>(v));
  }
  void put(const std::string& s) {
    varint(s.size());
    out_ += s;
  }
  template <class T>
  void put(const std::vector<T>& v) {
    varint(v.size());
    for (const auto& x : v) put(x);
  }
  template <class T>
  void put(const std::set<T>& v) {
    varint(v.size());
    for (const auto& x : v) put(x);
  }
  template <class K, class V>
  void put(const std::map<K, V>& v) {
    varint(v.size());
    for (const auto& [k, x] : v) {
      put(k);
      put(x);
    }
  }
  template <class T>
  void put(const T& v) {
    if constexpr (std::is_same_v<T, bool>) {
      varint(v ? 1 : 0);
    } else if constexpr (std::is_enum_v<T>) {
      varint(static_cast<std::uint64_t>(v));
    } else if constexpr (std::is_integral_v<T> && std::is_signed_v<T>) {
      auto u = static_cast<std::uint64_t>(v);
      varint((u << 1) ^ (v < 0 ? ~std::uint64_t{0} : 0));
    } else if constexpr (std::is_integral_v<T>) {
      varint(v);
    } else if constexpr (IsOptional<T>::value) {
      varint(v ? 1 : 0);
      if (v) put(*v);
    } else if constexpr (IsArray<T>::value) {
      for (const auto& x : v) put(x);
    } else {
      fields(*this, const_cast<T&>(v));  // `fields` serves both directions and so takes T&; an Encoder only reads
    }
  }

  std::string out_;
};

class Decoder {
 public:
  explicit Decoder(std::string_view in) : in_(in) {}

  template <class... T>
  void operator()(T&... values) {
    (get(values), ...);
  }
  /// Error{protocol} unless everything was read.
  void finish() const {
    if (!in_.empty()) malformed("bytes are left over");
  }

 private:
  [[noreturn]] static void malformed(const char* why) { throw Error(ErrorCode::protocol, std::string("malformed message: ") + why); }
  std::uint64_t varint() {
    std::uint64_t v = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      if (in_.empty()) malformed("it ends too early");
      auto byte = static_cast<unsigned char>(in_.front());
      in_.remove_prefix(1);
      if (shift == 63 && byte > 1) malformed("a number is too large");
      if (byte == 0 && shift > 0) malformed("a number is longer than it need be");
      v |= std::uint64_t{byte & 0x7Fu} << shift;
      if (!(byte & 0x80)) return v;
    }
    malformed("a number is too large");
  }
  /// Every element takes at least one byte, so a count beyond what is left is a lie.
  std::size_t count() {
    auto n = varint();
    if (n > in_.size()) malformed("a length exceeds the message");
    return static_cast<std::size_t>(n);
  }
  void get(std::string& s) {
    auto n = count();
    s.assign(in_.substr(0, n));
    in_.remove_prefix(n);
  }
  template <class T>
  void get(std::vector<T>& v) {
    v.clear();
    for (auto n = count(); n > 0; --n) get(v.emplace_back());
  }
  template <class T>
  void get(std::set<T>& v) {
    v.clear();
    for (auto n = count(); n > 0; --n) {
      T x{};
      get(x);
      if (!v.empty() && !(*v.rbegin() < x)) malformed("a set is out of order");
      v.insert(v.end(), std::move(x));
    }
  }
  template <class K, class V>
  void get(std::map<K, V>& v) {
    v.clear();
    for (auto n = count(); n > 0; --n) {
      K k{};
      get(k);
      if (!v.empty() && !(v.rbegin()->first < k)) malformed("a map is out of order");
      get(v.emplace_hint(v.end(), std::move(k), V{})->second);
    }
  }
  template <class T>
  void get(T& v) {
    if constexpr (std::is_same_v<T, bool>) {
      auto n = varint();
      if (n > 1) malformed("a truth value is neither 0 nor 1");
      v = n != 0;
    } else if constexpr (std::is_enum_v<T>) {
      auto n = varint();
      if (n > static_cast<std::uint64_t>(last_of(T{}))) malformed("an unknown enumeration value");
      v = static_cast<T>(n);
    } else if constexpr (std::is_integral_v<T> && std::is_signed_v<T>) {
      auto u = varint();
      auto wide = static_cast<std::int64_t>((u >> 1) ^ (~(u & 1) + 1));
      v = static_cast<T>(wide);
      if (v != wide) malformed("a number is out of range");
    } else if constexpr (std::is_integral_v<T>) {
      auto u = varint();
      v = static_cast<T>(u);
      if (v != u) malformed("a number is out of range");
    } else if constexpr (IsOptional<T>::value) {
      bool there = false;
      get(there);
      if (there)
        get(v.emplace());
      else
        v.reset();
    } else if constexpr (IsArray<T>::value) {
      for (auto& x : v) get(x);
    } else {
      fields(*this, v);
    }
  }

  std::string_view in_;
};

template <class T>
std::string encode(const T& value) {
  Encoder e;
  e(value);
  return e.take();
}

/// Error{protocol} on anything but exactly one T.
template <class T>
T decode(std::string_view bytes) {
  T value{};
  Decoder d(bytes);
  d(value);
  d.finish();
  return value;
}

}  // namespace gsync::util
