#include "record_access.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>

#include "gsync/model/setting.hpp"
#include "gsync/pihole/ftl.hpp"
#include "gsync/util/error.hpp"

namespace gsync::pihole {
namespace {

/// FTL made a section of it in a later 6.x.
std::string_view other_shape_of(std::string_view key) {
  return key == "dns.domain" ? "dns.domain.name" : key == "dns.domain.name" ? "dns.domain" : "";
}

bool is_forced(const PiholeToml& toml, const std::string& variable) {
  return std::ranges::find(toml.forced, variable) != toml.forced.end();
}

/// v6: pihole.toml, which FTL alone writes.
class TomlRecords final : public RecordAccess {
 public:
  TomlRecords(const Installation& installation, std::vector<std::string> settings)
      : installation_(installation), settings_(std::move(settings)) {}

  std::string identity() const override {
    struct stat st {};
    if (::stat(installation_.toml_path().c_str(), &st) != 0) return {};
    return fmt::format("{:x}:{:x}:{:x}:{:x}.{:x}:{}:{}", st.st_dev, st.st_ino, st.st_size, st.st_mtim.tv_sec, st.st_mtim.tv_nsec,
                       why_no_records(installation_), fmt::join(settings_, ","));
  }

  Reading read() const override {
    Reading reading;
    if (auto why = why_no_records(installation_); !why.empty()) {
      reading.unavailable.fill(why);
      reading.no_settings(!settings_.empty(), why);
      return reading;
    }
    PiholeToml toml;
    try {
      toml = installation_.read_toml();
    } catch (const Error& error) {
      reading.unavailable.fill(error.what());
      reading.no_settings(!settings_.empty(), error.what());
      reading.passing = error.code() == ErrorCode::io;
      return reading;
    }
    for (auto kind : {model::RecordKind::dns, model::RecordKind::cname, model::RecordKind::dhcp}) {
      auto i = model::index_of(kind);
      if (const auto variable = variable_of(setting_of(kind)); is_forced(toml, variable)) {
        reading.read_only[i] =
            fmt::format("pihole-FTL has {} from {} in its environment, and then lets nobody set it", setting_of(kind), variable);
      }
      try {
        reading.records[i] = model::parse_records(kind, toml.records[i]);
      } catch (const Error& error) {
        reading.unavailable[i] = fmt::format("{}: {}", installation_.toml_path(), error.what());
      }
    }
    read_settings(toml, reading);
    return reading;
  }

  void require_settable(model::RecordKind kind, const model::RecordLines& lines) const override {
    pihole::require_settable(installation_, kind, lines);
  }

  std::vector<std::string> set(model::RecordKind kind, const model::RecordLines& lines, util::Deadline deadline) override {
    if (kind == model::RecordKind::setting)
      for (const auto& line : lines) set_setting(installation_, line, deadline);
    else
      set_records(installation_, kind, lines, deadline);
    return {};
  }

  // A wrong record is one name; a setting may keep dnsmasq from starting.
  void settle(const std::vector<model::RecordKind>& kinds, util::Deadline deadline) override {
    if (std::ranges::find(kinds, model::RecordKind::setting) == kinds.end()) return;
    const Ftl ftl(installation_);
    if (!ftl.serves() || ftl.answers(deadline)) return;
    throw Error(ErrorCode::timeout,
                fmt::format("FTL was given new settings and does not answer DNS questions on port {}", installation_.dns_port),
                "look into /var/log/pihole/FTL.log; `gravity-sync undo` brings the settings back as they were");
  }

  bool pauses_dns(model::RecordKind kind, const model::RecordLines& lines) const override {
    return kind == model::RecordKind::setting ? std::ranges::any_of(lines, model::restarts_ftl) : kind != model::RecordKind::dns;
  }

  // FTL re-reads and rewrites the file after each change; a second write in between is lost (PIHOLE.md §3).
  bool needs_spacing() const override { return true; }

 private:
  /// A key that cannot be given is none of this node's, and named.
  void read_settings(const PiholeToml& toml, Reading& reading) const {
    model::RecordLines lines;
    for (const auto& key : settings_) {
      const auto value = toml.settings.find(key);
      if (const auto variable = variable_of(key); is_forced(toml, variable)) {
        reading.notes.push_back(fmt::format("not synced: {}, which pihole-FTL has from {} in its environment", key, variable));
      } else if (value == toml.settings.end()) {
        const auto other = toml.settings.find(other_shape_of(key));
        reading.notes.push_back(fmt::format("not synced: {}, a setting that this pihole-FTL does not have{}", key,
                                            other == toml.settings.end() ? "" : fmt::format(" (here it is {})", other->first)));
      } else {
        try {
          lines.push_back(model::setting_line(key, value->second));
        } catch (const Error& error) {
          reading.notes.push_back(fmt::format("not synced: {}", error.what()));
        }
      }
    }
    std::ranges::sort(lines);
    reading.records[model::index_of(model::RecordKind::setting)] = std::move(lines);
  }

  const Installation& installation_;
  const std::vector<std::string> settings_;
};

}  // namespace

std::unique_ptr<RecordAccess> make_record_access(const Installation& installation, util::FileOps& files, RootActions* root,
                                                 const std::vector<std::string>& settings) {
  if (installation.generation == Generation::v5) return make_v5_record_access(installation, files, root, !settings.empty());
  return std::make_unique<TomlRecords>(installation, settings);
}

}  // namespace gsync::pihole
