#include "gsync/setup/first_config.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <filesystem>
#include <map>

#include "gsync/config/settings.hpp"
#include "gsync/pihole/installation.hpp"
#include "gsync/util/error.hpp"
#include "gsync/util/files.hpp"
#include "gsync/util/text.hpp"

namespace gsync::setup {
namespace {

/// `toml` put into a text without settings: below the headers that stand there already, since a section may stand there once, and the rest
/// at the end.
std::string merged(const std::string& text, const std::string& toml) {
  std::map<std::string, std::string> below;
  std::string rest;
  std::string* to = &rest;
  for (auto line : util::split(toml, '\n')) {
    if (line.starts_with('[')) {
      const bool there = !line.starts_with("[[") && ("\n" + text).find(fmt::format("\n{}\n", line)) != std::string::npos;
      to = there ? &below[std::string(line)] : &rest;
      if (there) continue;
    }
    if (!line.empty()) *to += fmt::format("{}\n", line);
  }
  std::string result;
  for (auto line : util::split(text, '\n')) {
    result += fmt::format("{}\n", line);
    if (const auto found = below.find(std::string(line)); found != below.end()) result += found->second;
  }
  return result + rest;
}

void make_directory_of(const std::string& path) {
  const auto slash = path.rfind('/');
  if (slash == std::string::npos || slash == 0) return;
  const auto directory = path.substr(0, slash);
  if (::mkdir(directory.c_str(), 0755) != 0 && errno != EEXIST) throw_errno(errno, "cannot make the directory " + directory);
}

/// The file itself, where `path` leads to it by links: these may be how somebody keeps his configurations.
std::string followed(const std::string& path) {
  std::error_code error;
  const auto file = std::filesystem::canonical(path, error);
  return error ? path : file.string();
}

}  // namespace

std::vector<FoundPihole> find_piholes(const std::string& container) {
  std::vector<FoundPihole> found;
  for (auto runtime : {config::Runtime::automatic, config::Runtime::docker, config::Runtime::podman}) {
    config::PiholeConfig wanted;
    wanted.runtime = runtime;
    if (runtime != config::Runtime::automatic) wanted.container = container;
    try {
      const auto installation = pihole::detect(wanted);
      found.push_back({installation.container ? installation.container->label() : installation.directory, wanted});
    } catch (const Error&) {
      // What is not there, or not for us to look at, is none to choose from.
    }
  }
  return found;
}

std::string several_piholes(const config::Config& config) {
  if (config.pihole != config::PiholeConfig{}) return {};
  const auto found = find_piholes(config.pihole.container);
  if (found.size() < 2) return {};
  std::string names;
  for (const auto& each : found) names += (names.empty() ? "" : ", ") + each.what;
  return names;
}

Existing existing_configuration(const std::string& path) {
  const auto text = util::read_file(path);
  if (!text) return Existing::nothing;
  const auto settings = config::settings_of(config::parse(*text, path));
  for (const auto& setting : settings) {
    if (setting.line != 0) return Existing::settings;
  }
  return Existing::comments;
}

void write_configuration(const std::string& path, const std::string& toml, bool replace) {
  config::parse(toml, path);
  make_directory_of(path);
  const auto there = util::read_file(path);
  if (!there) {
    // Somebody may have been quicker; what he wrote is not ours to replace.
    if (util::create_file(path, toml, 0644)) return;
    throw Error(ErrorCode::conflict, fmt::format("{} was made by somebody else meanwhile", path), "look at it, and run this again");
  }
  if (existing_configuration(path) == Existing::comments) {
    const auto both = merged(*there, toml);
    config::parse(both, path);
    return util::replace_file(path, both);
  }
  if (!replace)
    throw Error(ErrorCode::refused, fmt::format("{} has settings already", path),
                "edit it, or say --force: it is then kept beside the new one");
  // Where there is no room for the new one, what was kept before stays as well.
  util::Replacement kept(path + ".old", *there);
  util::Replacement made(path, toml);
  kept.commit();
  made.commit();
}

bool write_peer(const std::string& path, const config::PeerConfig& peer) {
  const auto text = util::read_file(path).value_or("");
  for (const auto& there : config::parse(text, path).peers) {
    if (there.name == peer.name && there.host != peer.host)
      throw Error(ErrorCode::refused, fmt::format("{} has a peer {} already, which is {}", path, peer.name, there.host),
                  "give this one another name: --name NAME");
  }
  const auto edited = config::with_peer(text, path, peer);
  if (edited == text) return false;
  make_directory_of(path);
  util::replace_file(followed(path), edited);
  return true;
}

bool remove_peer(const std::string& path, const std::string& name) {
  const auto edited = config::without_peer(util::read_file(path).value_or(""), path, name);
  if (edited) util::replace_file(followed(path), *edited);
  return edited.has_value();
}

}  // namespace gsync::setup
