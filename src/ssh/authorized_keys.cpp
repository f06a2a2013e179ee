#include "gsync/ssh/authorized_keys.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "gsync/config/config.hpp"
#include "gsync/util/error.hpp"
#include "gsync/util/text.hpp"

namespace gsync::ssh {
namespace {

/// A line as sshd reads it: options, which may hold blanks in quotes, and what follows them.
struct KeyLine {
  std::vector<std::string> options;
  std::string type;
  std::string base64;
};

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  while (true) {
    const auto begin = text.find_first_not_of(" \t");
    if (begin == std::string_view::npos) return words;
    text.remove_prefix(begin);
    words.emplace_back(text.substr(0, text.find_first_of(" \t")));
    text.remove_prefix(words.back().size());
  }
}

/// Options end at the first blank outside of quotes; in quotes \" is a quote.
KeyLine parse(std::string_view line) {
  KeyLine result;
  line = util::trim(line);
  if (line.empty() || line.front() == '#') return result;
  std::string option;
  bool quoted = false;
  std::size_t i = 0;
  for (; i < line.size() && (quoted || (line[i] != ' ' && line[i] != '\t')); ++i) {
    if (quoted && line[i] == '\\' && i + 1 < line.size() && line[i + 1] == '"') {
      option += line[++i];
    } else if (line[i] == '"') {
      quoted = !quoted;
    } else if (line[i] == ',' && !quoted) {
      result.options.push_back(std::move(option));
      option.clear();
    } else {
      option += line[i];
    }
  }
  result.options.push_back(std::move(option));
  auto words = words_of(line.substr(i));
  // Without options the first word is the type, and the next one the key.
  const bool bare = !words.empty() && words.front().starts_with("AAAA");
  if (bare) result.options.clear();
  if (words.size() > (bare ? 0u : 1u)) result.base64 = words[bare ? 0 : 1];
  if (!bare && !words.empty()) result.type = words.front();
  return result;
}

std::optional<Admitted> admission_of(const KeyLine& line) {
  constexpr std::string_view command = "command=";
  Admitted result;
  bool ours = false;
  for (const auto& option : line.options) {
    if (option == "restrict") result.restricted = true;
    if (!option.starts_with(command)) continue;
    const auto words = words_of(std::string_view(option).substr(command.size()));
    for (std::size_t i = 0; i < words.size(); ++i) {
      if (words[i] == "gravity-sync" || words[i].ends_with("/gravity-sync")) ours = true;
      if (words[i] == "--peer" && i + 1 < words.size()) result.peer = words[i + 1];
      if (words[i] == "--read-only") result.read_only = true;
    }
  }
  if (!ours || result.peer.empty()) return std::nullopt;
  result.key = line.type + " " + line.base64;
  return result;
}

void require_plain_path(const std::string& path, std::string_view what) {
  constexpr std::string_view others = "/._+-";
  const bool plain =
      path.starts_with('/') && std::ranges::all_of(path, [&](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || others.find(c) != std::string_view::npos;
      });
  if (!plain)
    throw Error(ErrorCode::config, fmt::format("the path of {}, {}, cannot stand in authorized_keys", what, util::printable(path)),
                "it may hold letters, digits, '/', '.', '_', '+' and '-': move it to a path like that");
}

template <class Keep>
std::string filtered(std::string_view content, const Keep& keep) {
  std::string result;
  for (auto line : util::split(content, '\n')) {
    if (keep(parse(line))) result.append(line).append("\n");
  }
  // split() gives an empty part after the last newline.
  if (content.empty() || content.ends_with('\n')) result.pop_back();
  return result;
}

}  // namespace

std::string admitting_line(const Admission& admission, const PublicKey& key) {
  require_plain_path(admission.program, "gravity-sync");
  if (const auto fault = config::fault_in_name(admission.peer); !fault.empty())
    throw Error(ErrorCode::config, fmt::format("the name of a peer {}", fault), "letters, digits, '.', '_' and '-' may stand in it");
  std::string command = admission.program;
  if (!admission.config.empty()) {
    require_plain_path(admission.config, "the configuration");
    command += " --config " + admission.config;
  }
  return fmt::format("restrict,command=\"{} agent --peer {}{}\" {}", command, admission.peer, admission.read_only ? " --read-only" : "",
                     key.line());
}

std::string with_admission(std::string_view content, const std::string& peer, const PublicKey& key, const std::string& line) {
  auto result = filtered(content, [&](const KeyLine& each) {
    const auto who = admission_of(each);
    return !(who && who->peer == peer) && each.base64 != key.base64;
  });
  if (!result.empty() && !result.ends_with('\n')) result += '\n';
  return result + line + "\n";
}

std::optional<std::string> without_admission(std::string_view content, std::string_view peer) {
  bool found = false;
  auto result = filtered(content, [&](const KeyLine& each) {
    const auto who = admission_of(each);
    const bool theirs = who && who->peer == peer;
    found = found || theirs;
    return !theirs;
  });
  if (!found) return std::nullopt;
  return result;
}

std::vector<Admitted> admitted(std::string_view content) {
  std::vector<Admitted> result;
  for (auto line : util::split(content, '\n')) {
    if (auto who = admission_of(parse(line))) result.push_back(std::move(*who));
  }
  return result;
}

}  // namespace gsync::ssh
