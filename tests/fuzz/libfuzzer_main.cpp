#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "fuzz/target.hpp"
#include "support/temp_directory.hpp"

namespace {

/// For libFuzzer's dictionaries.
std::string quoted(const std::string& word) {
  std::string text = "\"";
  for (unsigned char c : word) {
    char code[5];
    std::snprintf(code, sizeof code, "\\x%02X", c);
    text += code;
  }
  return text + "\"\n";
}

}  // namespace

/// With GSYNC_FUZZ_SEEDS=DIRECTORY it only writes its seeds there, and its words beside it, into DIRECTORY.dict.
extern "C" int LLVMFuzzerInitialize(int*, char***) {
  const char* directory = std::getenv("GSYNC_FUZZ_SEEDS");
  if (!directory) return 0;
  std::size_t number = 0;
  for (const auto& seed : gsync::fuzz::seeds()) gsync::test::write_text(std::string(directory) + "/seed-" + std::to_string(number++), seed);
  std::string dictionary;
  for (const auto& word : gsync::fuzz::words()) dictionary += quoted(word);
  gsync::test::write_text(std::string(directory) + ".dict", dictionary);
  std::exit(0);
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  gsync::fuzz::run({reinterpret_cast<const char*>(data), size});
  return 0;
}
