#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "gsync/model/records.hpp"

/// Keys of v6's pihole.toml that may travel, where both of two nodes list them in `[sync] settings`. A setting is a line of the kind
/// RecordKind::setting: `dns.upstreams = ["1.1.1.1","9.9.9.9"]`, the value as compact JSON. The lines of a node are sorted, with each key
/// once. A key that one of two nodes does not have says nothing about the other's: settings are changed, never added or removed.
namespace gsync::model {

using SettingValue = std::variant<bool, std::int64_t, std::string, std::vector<std::string>>;

/// Those that may travel, in alphabetical order.
std::vector<std::string_view> setting_keys();
/// Error{config} that says why `key` cannot travel (it belongs to its host, names a path, is secret, is a kind of record), or which key is
/// meant.
void require_setting_key(std::string_view key);

/// The line in canonical form. Error{refused} for a key that cannot travel and a value that is not one of those which the table in
/// src/model/setting.cpp allows: FTL wraps integers, and a newline in a value would begin a line of dnsmasq's configuration.
std::string setting_line(std::string_view key, const SettingValue& value);

/// "dns.upstreams" of a line in canonical form.
std::string_view setting_key_of(std::string_view line);
/// The value of such a line as `pihole-FTL --config` takes it: arrays as JSON, all else bare.
std::string setting_argument(std::string_view line);
/// Whether FTL restarts for a change of the setting in such a line, and DNS pauses.
bool restarts_ftl(std::string_view line);

/// `there`, in which each key that `from` has as well has the value of `from`.
RecordLines with_values_of(const RecordLines& from, RecordLines there);

}  // namespace gsync::model
