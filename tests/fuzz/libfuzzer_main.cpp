#include <algorithm>
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
  for (char c : word) {
    char code[5];
    std::snprintf(code, sizeof code, "\\x%02X", static_cast<unsigned char>(c));
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

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size, unsigned seed) {
  std::string input(reinterpret_cast<const char*>(data), size);
  gsync::test::Random random(seed);
  gsync::fuzz::change(input, random, [max_size](std::string& bytes) {
    const auto before = bytes.size();
    bytes.resize(std::max(max_size, before));
    bytes.resize(LLVMFuzzerMutate(reinterpret_cast<std::uint8_t*>(bytes.data()), before, bytes.size()));
  });
  const auto length = std::min(input.size(), max_size);
  std::copy_n(input.begin(), length, data);
  return length;
}
