#pragma once
#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "gsync/util/codec.hpp"
#include "gsync/util/error.hpp"

namespace gsync::protocol {

/// About how much memory a payload takes when it is decoded, found by walking over it without keeping anything. A row of five bytes becomes
/// an object of several hundred, so that a message within its limit could still fill a small Pi's memory, and the kernel might end FTL to
/// make room. Walks the `fields` that the codec decodes; what is malformed is the decoder's to name, so the walk just ends there.
class DecodedSize {
 public:
  /// True when the value takes more than `limit` bytes.
  template <class T>
  static bool exceeds(std::string_view payload, std::uint64_t limit) {
    DecodedSize walk(payload, limit);
    try {
      T value{};
      walk.skim(value);
    } catch (const Stop&) {
    }
    return walk.size_ > limit;
  }

  template <class... T>
  void operator()(T&... values) {
    (skim(values), ...);
  }

 private:
  struct Stop {};
  /// What a node of a tree, or the growth of a vector, costs beside the element.
  static constexpr std::uint64_t overhead = 48;

  DecodedSize(std::string_view in, std::uint64_t limit) : in_(in), limit_(limit) {}

  void take(std::uint64_t bytes) {
    size_ += bytes;
    if (size_ > limit_) throw Stop{};
  }
  std::uint64_t number() {
    std::uint64_t n = 0;
    for (unsigned shift = 0; shift < 64 && !in_.empty(); shift += 7) {
      auto byte = static_cast<unsigned char>(in_.front());
      in_.remove_prefix(1);
      n |= std::uint64_t{byte & 0x7Fu} << shift;
      if (!(byte & 0x80)) return n;
    }
    throw Stop{};
  }
  template <class Element>
  void skim_each() {
    for (auto n = number(); n > 0; --n) {
      take(sizeof(Element) + overhead);
      Element element{};
      skim(element);
    }
  }
  void skim(std::string&) {
    auto n = number();
    if (n > in_.size()) throw Stop{};
    take(n);
    in_.remove_prefix(static_cast<std::size_t>(n));
  }
  template <class T>
  void skim(std::vector<T>&) {
    skim_each<T>();
  }
  template <class T>
  void skim(std::set<T>&) {
    skim_each<T>();
  }
  template <class K, class V>
  void skim(std::map<K, V>&) {
    for (auto n = number(); n > 0; --n) {
      take(sizeof(K) + sizeof(V) + overhead);
      K key{};
      skim(key);
      V value{};
      skim(value);
    }
  }
  template <class T>
  void skim(T& value) {
    if constexpr (std::is_integral_v<T> || std::is_enum_v<T>) {
      number();
    } else if constexpr (util::IsOptional<T>::value) {
      if (number() == 0) return;
      typename T::value_type inner{};
      skim(inner);
    } else if constexpr (util::IsArray<T>::value) {
      for (auto& element : value) skim(element);
    } else {
      fields(*this, value);
    }
  }

  std::string_view in_;
  std::uint64_t limit_;
  std::uint64_t size_ = 0;
};

}  // namespace gsync::protocol
