#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "gsync/config/config.hpp"

namespace gsync::config {

/// What the configuration of the gravity-sync script (up to 4.0, retired in 2024) becomes here.
struct Imported {
  std::string toml;                ///< what is to be in the configuration; always parses
  std::vector<std::string> taken;  ///< "REMOTE_HOST: [[peer]] host = \"10.0.0.2\""
  std::vector<std::string> left;   ///< what has no counterpart, a sentence each, with what to do
};

/// Reads assignments of a shell as text; nothing is run, and a value that a shell would make of others is left. Error{config} with file and
/// line for what is no assignment at all.
Imported import_script(std::string_view text, const std::string& path);

}  // namespace gsync::config
