/// Runs a target without libFuzzer: what is kept in its corpus, its seeds, and a number of changes of them that a seed determines. It sees
/// no coverage, so it finds what lies near what is known: enough to notice that something broke. `run.sh` looks for more.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "fuzz/target.hpp"
#include "support/household.hpp"
#include "support/temp_directory.hpp"

namespace {

using gsync::test::Random;

std::string current;  // what runs, for the handler

/// Only what a signal handler may do.
void keep_the_input(int signal) {
  const int file = ::open("fuzz-failure", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (file >= 0) {
    for (std::string_view left = current; !left.empty();) {
      const auto written = ::write(file, left.data(), left.size());
      if (written <= 0) break;
      left.remove_prefix(static_cast<std::size_t>(written));
    }
    constexpr std::string_view words = "the input that did it is in ./fuzz-failure\n";
    if (::write(STDERR_FILENO, words.data(), words.size()) < 0) ::_exit(3);
  }
  std::signal(signal, SIG_DFL);
  ::raise(signal);
}

void run(const std::string& input) {
  current = input;
  gsync::fuzz::run(current);
}

class Mutator {
 public:
  Mutator(std::uint64_t seed, std::vector<std::string> inputs) : random_(seed), inputs_(std::move(inputs)), words_(gsync::fuzz::words()) {}

  std::string next() {
    auto input = inputs_[random_.below(inputs_.size())];
    for (auto changes = 1 + random_.below(6); changes > 0; --changes)
      gsync::fuzz::change(input, random_, [this](std::string& bytes) { change(bytes); });
    return input;
  }

 private:
  std::size_t place(const std::string& input) { return random_.below(input.size() + 1); }
  std::string piece(const std::string& input) {
    const auto from = place(input);
    return input.substr(from, random_.below(64));
  }

  void change(std::string& input) {
    constexpr char edges[] = {'\0', '\x01', '\x7F', '\x80', '\xFF', '\n', '"', ','};
    const auto at = place(input);
    switch (random_.below(8)) {
      case 0:
        if (at < input.size()) input[at] = static_cast<char>(input[at] ^ (1 << random_.below(8)));
        break;
      case 1:
        if (at < input.size()) input[at] = edges[random_.below(std::size(edges))];
        break;
      case 2:
        if (at < input.size()) input[at] = static_cast<char>(random_.next());
        break;
      case 3:
        input.erase(at, random_.below(16));
        break;
      case 4:
        input.insert(at, piece(input));
        break;
      case 5:
        input.insert(at, piece(inputs_[random_.below(inputs_.size())]));
        break;
      case 6:
        if (!words_.empty()) input.insert(at, words_[random_.below(words_.size())]);
        break;
      default:
        if (random_.one_in(4)) input.resize(at);
    }
  }

  Random random_;
  std::vector<std::string> inputs_;
  std::vector<std::string> words_;
};

std::vector<std::string> kept_in(const char* directory) {
  std::vector<std::string> paths;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) paths.push_back(entry.path());
  std::ranges::sort(paths);
  std::vector<std::string> inputs;
  for (const auto& path : paths) inputs.push_back(gsync::test::read_text(path));
  return inputs;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: %s RUNS SEED [CORPUS_DIRECTORY | FILE]...\n", argv[0]);
    return 2;
  }
  const auto runs = std::strtoull(argv[1], nullptr, 10);
  const auto seed = std::strtoull(argv[2], nullptr, 10);
  auto inputs = gsync::fuzz::seeds();
  for (int i = 3; i < argc; ++i) {
    if (!std::filesystem::is_directory(argv[i])) {
      inputs.push_back(gsync::test::read_text(argv[i]));
      continue;
    }
    for (auto& input : kept_in(argv[i])) inputs.push_back(std::move(input));
  }
  for (int signal : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGALRM}) std::signal(signal, keep_the_input);

  for (const auto& input : inputs) run(input);
  Mutator mutator(seed, inputs);
  for (std::uint64_t done = 0; done < runs; ++done) run(mutator.next());
  std::printf("%zu inputs as they are, %llu changes of them by seed %llu\n", inputs.size(), runs, seed);
  return 0;
}
