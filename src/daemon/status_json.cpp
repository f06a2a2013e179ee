#include <fmt/format.h>

#include <array>
#include <nlohmann/json.hpp>
#include <type_traits>

#include "gsync/daemon/status.hpp"
#include "gsync/util/codec.hpp"

namespace gsync::daemon {
namespace {

using Json = nlohmann::ordered_json;

template <class T>
struct IsVector : std::false_type {};
template <class T>
struct IsVector<std::vector<T>> : std::true_type {};

template <class T>
Json written(const T& value) {
  if constexpr (std::is_enum_v<T>) {
    return std::string(to_string(value));
  } else if constexpr (std::is_integral_v<T> || std::is_same_v<T, std::string>) {
    return value;
  } else if constexpr (util::IsOptional<T>::value) {
    return value ? written(*value) : Json();
  } else if constexpr (IsVector<T>::value) {
    auto array = Json::array();
    for (const auto& each : value) array.push_back(written(each));
    return array;
  } else {
    auto object = Json::object();
    each_field(const_cast<T&>(value), [&](const char* name, const auto& field) { object[name] = written(field); });
    return object;
  }
}

template <class T>
void read(const Json& json, T& value) {
  if constexpr (std::is_enum_v<T>) {
    const auto word = json.get<std::string>();
    for (unsigned i = 0; i <= static_cast<unsigned>(last_of(T{})); ++i) {
      if (to_string(static_cast<T>(i)) == word) value = static_cast<T>(i);
    }
  } else if constexpr (std::is_integral_v<T> || std::is_same_v<T, std::string>) {
    value = json.get<T>();
  } else if constexpr (util::IsOptional<T>::value) {
    if (!json.is_null()) read(json, value.emplace());
  } else if constexpr (IsVector<T>::value) {
    for (const auto& each : json) read(each, value.emplace_back());
  } else {
    each_field(value, [&](const char* name, auto& field) {
      if (const auto found = json.find(name); found != json.end()) read(*found, field);
    });
  }
}

/// Bytes that are not UTF-8 become U+FFFD: names and texts come from peers and databases.
std::string text_of(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

ErrorCode code_of(const std::string& word) {
  for (unsigned i = 0; i <= static_cast<unsigned>(ErrorCode::cancelled); ++i) {
    if (gsync::to_string(static_cast<ErrorCode>(i)) == word) return static_cast<ErrorCode>(i);
  }
  return ErrorCode::io;
}

template <class T>
T parsed(const std::string& text) {
  T value;
  try {
    const auto json = Json::parse(text);
    if (const auto error = json.find("error"); error != json.end())
      throw Error(code_of(error->at("code").get<std::string>()), error->at("what").get<std::string>(),
                  error->at("hint").get<std::string>());
    read(json, value);
  } catch (const Json::exception& error) {
    throw Error(ErrorCode::protocol, fmt::format("this is not what is said on status.sock: {}", error.what()));
  }
  return value;
}

}  // namespace

std::string to_json(const Status& status) {
  return text_of(written(status));
}
std::string to_json(const Event& event) {
  return text_of(written(event));
}
std::string to_json(const Request& request) {
  return text_of(written(request));
}
std::string to_json(const Error& error) {
  return text_of(
      Json{{"error", Json{{"code", std::string(gsync::to_string(error.code()))}, {"what", error.what()}, {"hint", error.hint()}}}});
}
Status status_from_json(const std::string& text) {
  return parsed<Status>(text);
}
Event event_from_json(const std::string& text) {
  return parsed<Event>(text);
}
Request request_from_json(const std::string& text) {
  return parsed<Request>(text);
}

}  // namespace gsync::daemon
