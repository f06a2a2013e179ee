#pragma once
#include <string>

#include "output.hpp"

namespace gsync::cli {

/// Whether a person is there to answer.
bool can_ask();
/// Asks on the terminal; `otherwise` is what Enter means. Error{cancelled} at the end of the input.
std::string ask(Output& output, const std::string& question, const std::string& otherwise = {});
/// Without showing what is typed. Error{cancelled} when there is no answer.
std::string ask_secret(Output& output, const std::string& question);
/// "yes" in whole; anything else is no.
bool confirm(Output& output, const std::string& question);

}  // namespace gsync::cli
