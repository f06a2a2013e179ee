#pragma once
#include "gsync/config/config.hpp"
#include "gsync/setup/finding.hpp"

namespace gsync::setup {

/// What a configuration that can be read names and that is not there, or that everybody may change. Looks at files, and changes nothing.
Findings check_configuration(const config::Config& config);

}  // namespace gsync::setup
