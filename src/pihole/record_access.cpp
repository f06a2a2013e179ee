#include "record_access.hpp"

#include <fmt/core.h>
#include <sys/stat.h>

#include <algorithm>

#include "gsync/pihole/ftl.hpp"
#include "gsync/util/error.hpp"

namespace gsync::pihole {
namespace {

/// With which a container's user sets a setting.
std::string variable_of(model::RecordKind kind) {
  std::string name = "FTLCONF_" + std::string(setting_of(kind));
  std::replace(name.begin(), name.end(), '.', '_');
  return name;
}

/// v6: pihole.toml, which FTL alone writes.
class TomlRecords final : public RecordAccess {
 public:
  explicit TomlRecords(const Installation& installation) : installation_(installation) {}

  std::string identity() const override {
    struct stat st {};
    if (::stat(installation_.toml_path().c_str(), &st) != 0) return {};
    return fmt::format("{:x}:{:x}:{:x}:{:x}.{:x}:{}", st.st_dev, st.st_ino, st.st_size, st.st_mtim.tv_sec, st.st_mtim.tv_nsec,
                       why_no_records(installation_));
  }

  Reading read() const override {
    Reading reading;
    if (auto why = why_no_records(installation_); !why.empty()) {
      reading.unavailable.fill(why);
      return reading;
    }
    PiholeToml toml;
    try {
      toml = installation_.read_toml();
    } catch (const Error& error) {
      reading.unavailable.fill(error.what());
      reading.passing = error.code() == ErrorCode::io;
      return reading;
    }
    for (auto kind : model::record_kinds) {
      auto i = model::index_of(kind);
      if (const auto variable = variable_of(kind); std::find(toml.forced.begin(), toml.forced.end(), variable) != toml.forced.end()) {
        reading.read_only[i] =
            fmt::format("pihole-FTL has {} from {} in its environment, and then lets nobody set it", setting_of(kind), variable);
      }
      try {
        reading.records[i] = model::parse_records(kind, toml.records[i]);
      } catch (const Error& error) {
        reading.unavailable[i] = fmt::format("{}: {}", installation_.toml_path(), error.what());
      }
    }
    return reading;
  }

  void require_settable(model::RecordKind kind, const model::RecordLines& lines) const override {
    pihole::require_settable(installation_, kind, lines);
  }

  std::vector<std::string> set(model::RecordKind kind, const model::RecordLines& lines, util::Deadline deadline) override {
    set_records(installation_, kind, lines, deadline);
    return {};
  }

  bool pauses_dns(model::RecordKind kind) const override { return kind != model::RecordKind::dns; }

  // FTL re-reads and rewrites the file after each change; a second write in between is lost (PIHOLE.md §3).
  bool needs_spacing() const override { return true; }

 private:
  const Installation& installation_;
};

}  // namespace

std::unique_ptr<RecordAccess> make_record_access(const Installation& installation, util::FileOps& files, RootActions* root) {
  if (installation.generation == Generation::v5) return make_v5_record_access(installation, files, root);
  return std::make_unique<TomlRecords>(installation);
}

}  // namespace gsync::pihole
