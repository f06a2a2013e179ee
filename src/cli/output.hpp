#pragma once
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "gsync/util/error.hpp"
#include "log.hpp"
#include "progress_bar.hpp"

namespace gsync::cli {

enum class Style { plain, heading, added, removed, changed, faint };

/// One line of text for a person. Colour belongs to the whole line.
struct Line {
  std::string text;
  Style style = Style::plain;
  bool operator==(const Line&) const = default;
};

/// What one run tells its user. Results go to stdout; errors, warnings and progress to stderr, so that `gravity-sync compare > file` holds
/// the differences and nothing else. Colours and the signs ✓ ! ✗ are for terminals; NO_COLOR turns colours off. Whatever a peer or a
/// database said is made printable here.
class Output {
 public:
  struct Options {
    bool json = false;   ///< stdout holds one JSON object and nothing else
    bool quiet = false;  ///< errors and warnings only
    bool verbose = false;
  };
  explicit Output(const Options& options) : Output(options, stdout, stderr) {}
  Output(const Options& options, std::FILE* out, std::FILE* err);

  const Options& options() const { return options_; }

  void line(const Line& line);
  void lines(const std::vector<Line>& lines);
  void say(std::string_view text) { line({std::string(text), Style::plain}); }
  /// A result that is good: with ✓.
  void done(std::string_view text);
  /// A line with a sign where a terminal can show it, else with a word. With --quiet only what is not Style::added.
  void mark(std::string_view sign, std::string_view word, std::string_view text, Style style);
  /// One step of the work as it begins.
  void step(std::string_view text);
  /// Only with --verbose.
  void detail(std::string_view text);
  void warn(std::string_view text);
  /// To stderr in words, and as {"error": …} to stdout with --json.
  void error(const Error& error);
  void json(const std::string& text);

  /// Draws or refreshes the bar (a terminal's stderr only). Any other line removes it first.
  void progress(const BarState& state);

  /// Flushes stdout. False when what was said did not arrive (a full disk): the caller's exit code must say so.
  bool finish();

 private:
  void print(std::FILE* to, bool terminal, std::string_view text, Style style);
  void print_marked(std::FILE* to, bool terminal, std::string_view sign, std::string_view word, std::string_view text, Style style);

  Options options_;
  std::FILE* out_;
  std::FILE* err_;
  bool out_terminal_;
  bool err_terminal_;
  bool colour_;
  Log log_;
  ProgressBar bar_;
};

}  // namespace gsync::cli
