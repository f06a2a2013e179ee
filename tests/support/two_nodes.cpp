#include "support/two_nodes.hpp"
#include "support/paths.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "support/sql.hpp"

namespace gsync::test {

namespace {

/// Sanitizers and a loaded machine are slow.
constexpr std::chrono::minutes patience{3};

std::string text_of(const std::vector<Cells>& rows) {
  std::string text;
  for (const auto& row : rows) {
    for (const auto& cell : row) text += cell.value_or("NULL") + "\x1f";
    text += '\n';
  }
  return text;
}

bool has_table(Sql& sql, const std::string& name) {
  return sql.number(fmt::format("SELECT count(*) FROM sqlite_master WHERE type='table' AND name='{}'", name)) == 1;
}

/// The names of the groups that a row of `table` is in, as one column.
std::string groups_of(const std::string& table) {
  return fmt::format(
      "(SELECT group_concat(name, '|') FROM (SELECT CASE g.id WHEN 0 THEN '' ELSE g.name END AS name FROM {0}_by_group b JOIN \"group\" g "
      "ON g.id = b.group_id WHERE b.{0}_id = {0}.id ORDER BY 1))",
      table);
}

std::string lists_of(Sql& sql) {
  const bool typed = sql.number("SELECT count(*) FROM pragma_table_info('adlist') WHERE name='type'") == 1;
  return text_of(sql.rows("SELECT id = 0, name, enabled, coalesce(description, '') FROM \"group\" ORDER BY 1, 2")) +
         text_of(sql.rows(fmt::format("SELECT address, {}, enabled, coalesce(comment, ''), {} FROM adlist ORDER BY 1, 2",
                                      typed ? "type" : "0", groups_of("adlist")))) +
         text_of(sql.rows(fmt::format("SELECT domain, type, enabled, coalesce(comment, ''), {} FROM domainlist ORDER BY 1, 2",
                                      groups_of("domainlist")))) +
         text_of(sql.rows(fmt::format("SELECT ip, coalesce(comment, ''), {} FROM client ORDER BY 1", groups_of("client"))));
}

std::string blocklist_of(Sql& sql) {
  std::string text;
  for (const std::string table : {"gravity", "antigravity"}) {
    if (has_table(sql, table))
      text +=
          text_of(sql.rows(fmt::format("SELECT t.domain, a.address FROM {} t JOIN adlist a ON a.id = t.adlist_id ORDER BY 1, 2", table)));
  }
  return text;
}

}  // namespace

std::string lists_of(const std::string& gravity) {
  Sql sql(gravity, Sql::Mode::read_only);
  return lists_of(sql);
}

std::string blocklist_of(const std::string& gravity) {
  Sql sql(gravity, Sql::Mode::read_only);
  return blocklist_of(sql);
}

std::string content_of(const std::string& gravity) {
  // One connection, so that both halves are of one version.
  Sql sql(gravity, Sql::Mode::read_only);
  return lists_of(sql) + blocklist_of(sql);
}

Household small_household(std::uint64_t seed) {
  HouseholdSize size;
  size.adlists = 8;
  size.domains = 80;
  size.clients = 12;
  size.gravity = 3'000;
  return realistic(seed, size);
}

PiholeOptions small_pihole(std::string name, std::uint64_t numbering, const Household& household) {
  PiholeOptions options;
  options.name = std::move(name);
  options.gravity = GravityBuilder().household(household).numbering(numbering);
  return options;
}

TwoNodesOptions::TwoNodesOptions() : ph1(small_pihole("ph1", 0, small_household())) {
  auto edited = small_household();
  drift(edited, 2, 36);
  ph2 = small_pihole("ph2", 7, edited);
  ph2.dns_hosts.push_back("192.168.1.9 only-on-ph2.lan");
}

TwoNodesOptions same_lists() {
  TwoNodesOptions options;
  options.ph2 = small_pihole("ph2", 7, small_household());
  return options;
}

TwoNodes::TwoNodes(const TwoNodesOptions& options) : ph1(options.ph1), ph2(options.ph2), sshd(options.sshd) {
  set_peer({});
  write_text(known_hosts(), sshd.known_hosts_line(), 0600);
}

CommandResult TwoNodes::run_on(const PiholeDirectory& pihole, const std::vector<std::string>& arguments,
                               std::map<std::string, std::string> environment) const {
  util::Command command;
  command.argv = {paths::binary, "--config", pihole.config()};
  command.argv.insert(command.argv.end(), arguments.begin(), arguments.end());
  environment.emplace("PATH", pihole.path_variable());
  command.environment = std::move(environment);
  return util::run(command, util::Deadline::in(patience));
}

std::string TwoNodes::agent_command() const {
  const auto environment = ph1.options().container ? fmt::format("env PATH={} ", ph1.path_variable()) : "";
  return fmt::format("{}{} --config {} agent --peer ph2", environment, paths::binary, ph1.config());
}

void TwoNodes::set_peer(const PeerOptions& peer) {
  ph2.set_peers({fmt::format(
      "[[peer]]\nname = \"ph1\"\nhost = {}\nport = {}\nuser = {}\nidentity = {}\nremote_command = {}\n"
      "connect_timeout_seconds = 60\n{}\n",
      toml_string(sshd.address()), peer.port.value_or(sshd.port()), toml_string(peer.user.value_or(sshd.user())),
      toml_string(peer.identity.value_or(sshd.client_key())), toml_string(peer.remote_command.value_or(agent_command())), peer.lines)});
}

void deny(const PiholeDirectory& pihole, const std::string& domain) {
  execute(pihole.gravity(), fmt::format("INSERT INTO domainlist (type, domain, comment) VALUES (1, '{}', 'by hand')", domain));
}

void settle_empty_adlists(const PiholeDirectory& pihole) {
  execute(
      pihole.gravity(),
      "UPDATE adlist SET status = 1, number = 0 WHERE id NOT IN (SELECT adlist_id FROM gravity UNION SELECT adlist_id FROM antigravity)");
}

bool denies(const PiholeDirectory& pihole, const std::string& domain) {
  return number(pihole.gravity(), fmt::format("SELECT count(*) FROM domainlist WHERE type = 1 AND domain = '{}'", domain)) == 1;
}

std::vector<std::string> files_below(const std::vector<std::string>& directories) {
  std::vector<std::string> lines;
  auto add = [&](const std::string& path) {
    struct stat st {};
    if (::lstat(path.c_str(), &st) != 0) return;
    lines.push_back(fmt::format("{}: inode {} size {} mtime {}.{:09} mode {:o} owner {}:{}", path, st.st_ino, st.st_size, st.st_mtim.tv_sec,
                                st.st_mtim.tv_nsec, st.st_mode, st.st_uid, st.st_gid));
  };
  for (const auto& directory : directories) {
    add(directory);
    for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) add(entry.path());
  }
  std::sort(lines.begin(), lines.end());
  return lines;
}

std::vector<std::string> own_files(const PiholeDirectory& pihole) {
  std::vector<std::string> names;
  const auto directory = pihole.directory() + "/.gravity-sync";
  if (!std::filesystem::exists(directory)) return names;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) names.push_back(entry.path().filename());
  std::sort(names.begin(), names.end());
  return names;
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace gsync::test
