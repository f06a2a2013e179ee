#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "gsync/pihole/container.hpp"
#include "gsync/pihole/ftl.hpp"
#include "gsync/pihole/root_actions.hpp"
#include "gsync/util/error.hpp"
#include "gsync/util/files.hpp"
#include "gsync/util/text.hpp"
#include "record_access.hpp"
#include "v5_record_file.hpp"

namespace gsync::pihole {
namespace {

constexpr const char* as_root =
    "start gravity-sync as root there (sudo gravity-sync …; an agent through root's authorized_keys): it keeps root's rights for nothing "
    "else";

constexpr std::array kinds_with_files{model::RecordKind::dns, model::RecordKind::cname, model::RecordKind::dhcp};

/// Why a process with our rights cannot replace this file as it is; empty when it can.
std::string why_not_replaceable(const std::string& path) {
  struct stat file {};
  if (::lstat(path.c_str(), &file) == 0) {
    // The file that takes its place must get its owner and group.
    if (file.st_uid != ::geteuid()) return fmt::format("{} belongs to another user (uid {})", path, file.st_uid);
    if (file.st_gid != ::getegid() && !::group_member(file.st_gid))
      return fmt::format("{} belongs to another group (gid {})", path, file.st_gid);
  }
  const auto directory = path.substr(0, path.rfind('/'));
  if (::access(directory.c_str(), W_OK | X_OK) != 0) return fmt::format("{} may not be written to", directory);
  return {};
}

/// The three files of PIHOLE.md §4. dnsmasq reads custom.list anew at SIGHUP, the other two only at its start.
class V5Records final : public RecordAccess {
 public:
  V5Records(const Installation& installation, util::FileOps& files, RootActions* root, bool settings_wanted)
      : installation_(installation),
        settings_wanted_(settings_wanted),
        ftl_(installation),
        own_(make_root_actions(installation, files)),
        root_(root) {}

  std::string identity() const override {
    std::string identity = fmt::format("v5:{}:{}:{}", ::geteuid(), root_ != nullptr, settings_wanted_);
    for (auto kind : kinds_with_files) {
      struct stat st {};
      if (::stat(installation_.record_file(kind).c_str(), &st) != 0) {
        identity += ":-";
        continue;
      }
      identity +=
          fmt::format(":{:x}:{:x}:{:x}:{:x}.{:x}:{}", st.st_dev, st.st_ino, st.st_size, st.st_mtim.tv_sec, st.st_mtim.tv_nsec, st.st_uid);
    }
    return identity;
  }

  Reading read() const override {
    Reading reading;
    reading.no_settings(settings_wanted_, "Pi-hole 5 keeps its settings in other files, which [sync] settings does not know");
    for (auto kind : kinds_with_files) {
      auto i = model::index_of(kind);
      const auto path = installation_.record_file(kind);
      if (path.substr(0, path.rfind('/')).empty()) {
        reading.unavailable[i] =
            "the container's /etc/dnsmasq.d is in its own layer, where this host does not reach it: mount a volume or directory there";
        continue;
      }
      try {
        const auto file = V5RecordFile::parse(kind, util::read_file(path).value_or(""), path);
        reading.records[i] = file.records();
        for (auto& note : file.notes()) reading.notes.push_back(std::move(note));
        reading.read_only[i] = why_not_settable(kind);
      } catch (const Error& error) {
        reading.unavailable[i] = error.what();
        reading.passing = reading.passing || error.code() == ErrorCode::io;
      }
    }
    return reading;
  }

  std::vector<std::string> set(model::RecordKind kind, const model::RecordLines& lines, util::Deadline deadline) override {
    actions().set_records(kind, lines, deadline);
    if (kind != model::RecordKind::dns) return {};
    // PIHOLE.md §4: the page takes a line of exactly two words.
    const auto hidden = static_cast<std::uint64_t>(
        std::count_if(lines.begin(), lines.end(), [](const auto& line) { return std::count(line.begin(), line.end(), ' ') != 1; }));
    if (hidden == 0) return {};
    return {fmt::format("{} with several names or a comment: FTL answers for {}, but the web page of Pi-hole 5 does not show {}",
                        util::plural(hidden, "DNS record"), hidden == 1 ? "it" : "them", hidden == 1 ? "it" : "them")};
  }

  void settle(const std::vector<model::RecordKind>& kinds, util::Deadline deadline) override {
    if (kinds.empty() || !ftl_.serves()) return;
    if (std::any_of(kinds.begin(), kinds.end(), restarts)) {
      actions().run(PiholeCommand::restart_dns, deadline);
      if (ftl_.answers(deadline)) return;
      throw Error(ErrorCode::timeout,
                  fmt::format("FTL was restarted for the new records and does not answer DNS questions on port {}", installation_.dns_port),
                  "look into /var/log/pihole/FTL.log; `gravity-sync undo` brings the records back as they were");
    }
    if (!ftl_.signal_hosts()) actions().run(PiholeCommand::reload_hosts, deadline);
  }

  bool pauses_dns(model::RecordKind kind, const model::RecordLines&) const override { return restarts(kind); }

 private:
  static bool restarts(model::RecordKind kind) { return kind != model::RecordKind::dns; }

  /// Without root's rights some files may still be ours.
  RootActions& actions() const { return root_ != nullptr ? *root_ : *own_; }

  std::string why_not_settable(model::RecordKind kind) const {
    if (root_ == nullptr) {
      if (auto why = why_not_replaceable(installation_.record_file(kind)); !why.empty()) return fmt::format("{}; {}", why, as_root);
      if (restarts(kind) && !installation_.container) return fmt::format("FTL must be restarted for them, which needs root; {}", as_root);
    }
    if (installation_.runtime == config::Runtime::volume)
      return "FTL runs in a container, and only a command in it can have it read them: set [pihole] runtime = \"docker\" or \"podman\" on "
             "its host";
    if (installation_.container)
      return installation_.container->inspection().running ? "" : installation_.container->label() + " does not run";
    if (!restarts(kind)) return {};
    if (installation_.pihole_command.empty()) return "FTL must be restarted for them, and the pihole command was not found on this host";
    if (installation_.ftl_binary.empty()) return "FTL must be restarted for them, and pihole-FTL was not found on this host";
    return {};
  }

  const Installation& installation_;
  const bool settings_wanted_;
  Ftl ftl_;
  std::unique_ptr<RootActions> own_;
  RootActions* root_;
};

}  // namespace

std::unique_ptr<RecordAccess> make_v5_record_access(const Installation& installation, util::FileOps& files, RootActions* root,
                                                    bool settings_wanted) {
  return std::make_unique<V5Records>(installation, files, root, settings_wanted);
}

}  // namespace gsync::pihole
