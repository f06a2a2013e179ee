#pragma once

namespace gsync::cli {

/// The whole program: parses the command line, runs the command, prints errors. Returns the exit code (see exit_code.hpp).
int run(int argc, char** argv);

}  // namespace gsync::cli
