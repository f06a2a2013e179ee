#include <cstdlib>
#include <exception>
#include <iostream>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/ftl_config_command.hpp"
#include "support/ftl_daemon.hpp"
#include "support/ftl_gravity_run.hpp"
#include "support/ftl_v5.hpp"

namespace {

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

gsync::test::DaemonOptions daemon_options(const std::vector<std::string>& arguments) {
  gsync::test::DaemonOptions options;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string& option = arguments[i];
    const auto value = [&] {
      if (i + 1 == arguments.size()) throw std::runtime_error(option + " needs a value");
      return arguments[++i];
    };
    if (option == "--directory") {
      options.directory = value();
    } else if (option == "--v5") {
      options.dnsmasq_directory = value();
    } else if (option == "--dns-port-file") {
      options.port_file = value();
    } else if (option == "--port") {
      options.port = static_cast<std::uint16_t>(std::stoul(value()));
    } else if (option == "--musl") {
      options.musl = true;
    } else if (option == "--no-poll") {
      options.poll = false;
    } else if (option == "--never-reload") {
      options.reload = false;
    } else if (option == "--hang-after-reload") {
      options.hang_after_reload = true;
    } else if (option == "--in-container") {
      options.in_container = true;
    } else if (option == "--end-with-stdin") {
      options.end_with_stdin = true;
    } else {
      throw std::runtime_error("unknown option " + option);
    }
  }
  if (options.directory.empty() || options.port_file.empty()) throw std::runtime_error("--directory and --dns-port-file are needed");
  return options;
}

/// FTL 5 knows neither --config nor sigrtmin.
int v5_command(const std::string& dnsmasq_directory, const std::string& command) {
  if (command == "version" || command == "-v") {
    std::cout << "v5.25.2\n";
    return 0;
  }
  if (command != "dnsmasq-test") return 1;
  const auto problem = gsync::test::v5_problem(dnsmasq_directory);
  std::cerr << "dnsmasq: " << (problem.empty() ? "syntax check OK." : problem) << "\n";
  return problem.empty() ? 0 : 1;
}

}  // namespace

/// pihole-FTL's part in tests: the daemon (--daemon …), and the command line of the directory in FTL_STAND_IN_DIRECTORY.
int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  const std::string command = arguments.empty() ? "" : arguments[0];
  const std::vector<std::string> rest(arguments.begin() + (arguments.empty() ? 0 : 1), arguments.end());
  try {
    if (command == "--daemon") return gsync::test::run_daemon(daemon_options(rest));
    if (command == "run-gravity") return gsync::test::run_gravity(environment("FTL_STAND_IN_DIRECTORY"));
    if (const auto directory = environment("FTL_STAND_IN_DNSMASQ_DIRECTORY"); !directory.empty()) return v5_command(directory, command);
    if (command == "--config") return gsync::test::config_command(environment("FTL_STAND_IN_DIRECTORY"), rest);
  } catch (const std::exception& e) {
    std::cerr << "ftl-stand-in: " << e.what() << "\n";
    return 1;
  }
  if (command == "sigrtmin") {
    std::cout << (environment("FTL_STAND_IN_MUSL") == "1" ? 35 : 34) << "\n";
    return 0;
  }
  if (command == "version" || command == "-v") {
    std::cout << "v6.4.1\n";
    return 0;
  }
  std::cerr << "usage: ftl-stand-in --daemon … | --config KEY [VALUE] | sigrtmin | version\n";
  return 1;
}
