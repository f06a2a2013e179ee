#include "gsync/pihole/root_actions.hpp"

#include <fcntl.h>
#include <fmt/core.h>

#include "gsync/pihole/container.hpp"
#include "gsync/util/codec.hpp"
#include "gsync/util/error.hpp"
#include "gsync/util/files.hpp"
#include "gsync/util/helper_process.hpp"
#include "gsync/util/subprocess.hpp"
#include "gsync/util/text.hpp"
#include "v5_record_file.hpp"

namespace gsync::pihole {
namespace {

constexpr std::size_t max_file = 16u << 20;
constexpr auto grace = std::chrono::seconds(2);  // for the answer of a child that has just reached its deadline
constexpr mode_t new_file_mode = 0644;           // what Pi-hole 5's installer gives custom.list

/// A record file, held by its directory: in /etc/pihole, which is not root's, a name may change its meaning at any time.
class FileInPlace {
 public:
  FileInPlace(util::FileOps& files, const std::string& path)
      : files_(files),
        path_(path),
        name_(path.substr(path.rfind('/') + 1)),
        directory_(util::open_directory(path.substr(0, path.rfind('/')))) {
    before_ = files_.stat_at(directory_.get(), name_);
    if (!before_) return;
    // Another name of the same file would go on meaning the old one, and a link may lead to a file that the one who made it may not read.
    if (!S_ISREG(before_->st_mode) || before_->st_nlink != 1)
      throw Error(ErrorCode::refused, fmt::format("{} is not a plain file of its own, and is not changed", path_),
                  "replace the link by the file itself");
    auto fd = files_.open_at(directory_.get(), name_, O_RDONLY | O_NONBLOCK);
    if (!same(files_.stat(fd.get()))) changed();
    text_ = util::read_file(fd, path_, max_file);
  }

  const std::string& text() const { return text_; }

  void replace(const std::string& text) {
    auto now = files_.stat_at(directory_.get(), name_);
    if (now.has_value() != before_.has_value() || (now && !same(*now))) changed();
    // The leading dot keeps dnsmasq, which reads whole directories, from reading it.
    util::replace_file(files_, directory_.get(), name_, "." + name_ + ".gravity-sync", text, new_file_mode);
    before_ = files_.stat_at(directory_.get(), name_);
    text_ = text;
  }

 private:
  bool same(const struct stat& st) const {
    return before_ && st.st_dev == before_->st_dev && st.st_ino == before_->st_ino && st.st_size == before_->st_size && st.st_nlink == 1 &&
           st.st_mtim.tv_sec == before_->st_mtim.tv_sec && st.st_mtim.tv_nsec == before_->st_mtim.tv_nsec;
  }
  [[noreturn]] void changed() const {
    throw Error(ErrorCode::conflict, fmt::format("{} was edited at the same moment", path_), "run it again");
  }

  util::FileOps& files_;
  std::string path_;
  std::string name_;
  util::Fd directory_;
  std::optional<struct stat> before_;
  std::string text_;
};

/// Root's own, not that of whoever started us.
std::map<std::string, std::string> plain_environment() {
  return {{"PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}, {"LANG", "C"}};
}

class OwnRootActions final : public RootActions {
 public:
  OwnRootActions(const Installation& installation, util::FileOps& files) : installation_(installation), files_(files) {}

  void set_records(model::RecordKind kind, const model::RecordLines& lines, util::Deadline deadline) override {
    const auto path = installation_.record_file(kind);
    if (path.empty()) throw Error(ErrorCode::refused, "Pi-hole 5 has no file of settings");
    const auto records = model::parse_records(kind, lines);
    FileInPlace file(files_, path);
    const auto before = file.text();
    const auto text = V5RecordFile::parse(kind, before, path).with_records(records);
    GSYNC_ASSERT(V5RecordFile::parse(kind, text, path).records() == records);
    if (text == before) return;
    file.replace(text);
    // Bad hosts lines are skipped; a bad option keeps FTL from starting.
    if (kind == model::RecordKind::dns) return;
    try {
      require_valid_configuration(deadline);
    } catch (const Error&) {
      file.replace(before);
      throw;
    }
  }

  void run(PiholeCommand command, util::Deadline deadline) override {
    if (command == PiholeCommand::restart_dns) require_valid_configuration(deadline);
    const auto result = execute(command, deadline);
    if (result.exit_code == 0) return;
    const auto words = command == PiholeCommand::update_gravity ? util::last_words_of(result) : util::words_of(result);
    throw Error(ErrorCode::io, fmt::format("`{}` failed with exit code {}: {}", words_of(command), result.exit_code, words),
                "run it by hand, and look into FTL's log (/var/log/pihole/FTL.log)");
  }

 private:
  static std::string_view words_of(PiholeCommand command) {
    switch (command) {
      case PiholeCommand::restart_dns:
        return "pihole restartdns";
      case PiholeCommand::reload_hosts:
        return "pihole restartdns reload";
      case PiholeCommand::reload_lists:
        return "pihole restartdns reload-lists";
      case PiholeCommand::update_gravity:
        return "pihole -g";
      case PiholeCommand::test_configuration:
        break;
    }
    return "pihole-FTL dnsmasq-test";
  }

  util::CommandResult execute(PiholeCommand command, util::Deadline deadline) const {
    if (installation_.container) return installation_.container->run({action_of(command)}, deadline);
    const bool test = command == PiholeCommand::test_configuration;
    const auto& program = test ? installation_.ftl_binary : installation_.pihole_command;
    if (program.empty()) {
      throw Error(ErrorCode::not_found, fmt::format("`{}` cannot be run: there is no such program on this host", words_of(command)),
                  test ? "set [pihole] ftl_binary to where it is" : "set [pihole] pihole_command to where it is");
    }
    std::vector<std::string> argv{program};
    const auto words = util::split(words_of(command), ' ');
    argv.insert(argv.end(), words.begin() + 1, words.end());
    return util::run({.argv = std::move(argv), .environment = plain_environment(), .keep_end = command == PiholeCommand::update_gravity},
                     deadline);
  }

  static Container::Action action_of(PiholeCommand command) {
    switch (command) {
      case PiholeCommand::restart_dns:
        return Container::Action::restart_dns;
      case PiholeCommand::reload_hosts:
        return Container::Action::reload_dns;
      case PiholeCommand::reload_lists:
        return Container::Action::reload_lists;
      case PiholeCommand::update_gravity:
        return Container::Action::update_gravity;
      case PiholeCommand::test_configuration:
        break;
    }
    return Container::Action::test_configuration;
  }

  void require_valid_configuration(util::Deadline deadline) const {
    const auto result = execute(PiholeCommand::test_configuration, deadline);
    if (result.exit_code == 0) return;
    throw Error(
        ErrorCode::io,
        fmt::format("FTL would not start with the configuration in {}: {}", installation_.dnsmasq_directory, util::words_of(result)),
        "correct what it names, and see `pihole-FTL dnsmasq-test`");
  }

  const Installation& installation_;
  util::FileOps& files_;
};

/// What goes to the child.
struct Order {
  bool sets_records = false;  // else it runs `command`
  model::RecordKind kind = model::RecordKind::dns;
  model::RecordLines lines;
  PiholeCommand command = PiholeCommand::test_configuration;
  std::int64_t milliseconds = 0;
};
template <class Archive>
void fields(Archive& a, Order& o) {
  a(o.sets_records, o.kind, o.lines, o.command, o.milliseconds);
}

class HelpedActions final : public RootHelper {
 public:
  explicit HelpedActions(std::unique_ptr<util::HelperProcess> process) : process_(std::move(process)) {}

  void set_records(model::RecordKind kind, const model::RecordLines& lines, util::Deadline deadline) override {
    ask({true, kind, lines, {}, 0}, deadline);
  }
  void run(PiholeCommand command, util::Deadline deadline) override { ask({false, {}, {}, command, 0}, deadline); }
  util::Fd share() override { return process_->share(); }

 private:
  void ask(Order order, util::Deadline deadline) {
    order.milliseconds = deadline.remaining().count();
    process_->ask(util::encode(order), util::Deadline::in(deadline.remaining() + grace));
  }

  std::unique_ptr<util::HelperProcess> process_;
};

/// In the helper.
void carry_out(const Order& order, const Installation& installation) {
  util::PosixFileOps files;
  OwnRootActions actions(installation, files);
  const auto deadline = util::Deadline::in(std::chrono::milliseconds(order.milliseconds));
  if (order.sets_records)
    actions.set_records(order.kind, order.lines, deadline);
  else
    actions.run(order.command, deadline);
}

}  // namespace

std::unique_ptr<RootActions> make_root_actions(const Installation& installation, util::FileOps& files) {
  return std::make_unique<OwnRootActions>(installation, files);
}

std::unique_ptr<RootHelper> start_root_helper(const Installation& installation) {
  return std::make_unique<HelpedActions>(std::make_unique<util::HelperProcess>([&installation](const std::string& message) {
    carry_out(util::decode<Order>(message), installation);
    return std::string();
  }));
}

std::unique_ptr<RootHelper> join_root_helper(util::Fd connection) {
  return std::make_unique<HelpedActions>(std::make_unique<util::HelperProcess>(std::move(connection)));
}

}  // namespace gsync::pihole
