#pragma once
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "support/household.hpp"

/// One thing that strangers' bytes reach. Each program of this folder defines these; `driver_main.cpp` (any compiler) or clang's
/// libFuzzer (`libfuzzer_main.cpp`) calls them.
namespace gsync::fuzz {

/// Takes one input. What it refuses it refuses with gsync::Error, which is fine; any other exception, a broken promise (GSYNC_ASSERT) and
/// what a sanitizer sees end the process.
void run(std::string_view input);

/// Inputs that are as they should be, for others to be made of.
std::vector<std::string> seeds();

/// Words that random changes would not find.
std::vector<std::string> words();

/// Changes bytes here and there, blindly.
using ChangeBytes = std::function<void(std::string&)>;
/// Changes an input so that it keeps the form that blind changes would break, if it has such a form.
void change(std::string& input, test::Random& random, const ChangeBytes& change_bytes);

}  // namespace gsync::fuzz
