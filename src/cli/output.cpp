#include "output.hpp"

#include <fmt/format.h>
#include <string.h>
#include <unistd.h>

#include <cstdlib>

#include "gsync/util/text.hpp"
#include "json.hpp"

namespace gsync::cli {
namespace {

bool is_terminal(std::FILE* file) {
  if (::isatty(::fileno(file)) != 1) return false;
  const char* term = std::getenv("TERM");
  return term && std::string_view(term) != "dumb";
}

/// A terminal in an old locale would print two or three wrong letters for each.
bool shows_signs() {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const char* value = std::getenv(name);
    if (value && *value) return ::strcasestr(value, "utf-8") || ::strcasestr(value, "utf8");
  }
  return false;
}

/// https://no-color.org: set and not empty.
bool colour_wanted() {
  const char* no_colour = std::getenv("NO_COLOR");
  return !no_colour || !*no_colour;
}

std::string_view escape_of(Style style) {
  switch (style) {
    case Style::plain:
      return "";
    case Style::heading:
      return "\x1b[1m";
    case Style::added:
      return "\x1b[32m";
    case Style::removed:
      return "\x1b[31m";
    case Style::changed:
      return "\x1b[33m";
    case Style::faint:
      return "\x1b[2m";
  }
  return "";
}

}  // namespace

Output::Output(const Options& options, std::FILE* out, std::FILE* err)
    : options_(options),
      out_(out),
      err_(err),
      out_terminal_(is_terminal(out)),
      err_terminal_(is_terminal(err)),
      colour_(colour_wanted()),
      log_(options.verbose),
      bar_(err, err_terminal_ && !options.quiet) {}

void Output::line(const Line& line) {
  if (options_.json || options_.quiet) return;
  print(out_, out_terminal_, line.text, line.style);
}

void Output::lines(const std::vector<Line>& lines) {
  for (const auto& l : lines) line(l);
}

void Output::done(std::string_view text) {
  if (options_.json || options_.quiet) return;
  print_marked(out_, out_terminal_, "✓ ", "", text, Style::added);
}

void Output::mark(std::string_view sign, std::string_view word, std::string_view text, Style style) {
  if (options_.json || (options_.quiet && style == Style::added)) return;
  print_marked(out_, out_terminal_ && shows_signs(), sign, word, text, style);
}

void Output::step(std::string_view text) {
  if (options_.quiet || (options_.json && !options_.verbose)) return;
  print(err_, err_terminal_, text, Style::faint);
}

void Output::detail(std::string_view text) {
  if (!options_.verbose) return;
  bar_.clear();
  log_.line(util::printable(text));
}

void Output::warn(std::string_view text) {
  print_marked(err_, err_terminal_, "! ", "warning: ", text, Style::changed);
}

void Output::error(const Error& error) {
  print_marked(err_, err_terminal_, "✗ ", "error: ", error.what(), Style::removed);
  if (!error.hint().empty()) print(err_, err_terminal_, fmt::format("  {}", error.hint()), Style::plain);
  if (options_.json) json(error_json(error));
}

void Output::json(const std::string& text) {
  bar_.clear();
  std::fwrite(text.data(), 1, text.size(), out_);
  std::fputc('\n', out_);
}

void Output::progress(const BarState& state) {
  bar_.draw(state);
}

bool Output::finish() {
  bar_.clear();
  std::fflush(err_);
  return std::fflush(out_) == 0 && std::ferror(out_) == 0;
}

void Output::print(std::FILE* to, bool terminal, std::string_view text, Style style) {
  bar_.clear();
  auto escape = terminal && colour_ ? escape_of(style) : std::string_view();
  std::string all;
  // Line by line: a line break is the only control character that may pass.
  for (auto one : util::split(text, '\n'))
    fmt::format_to(std::back_inserter(all), "{}{}{}\n", escape, util::printable(one), escape.empty() ? "" : "\x1b[0m");
  std::fwrite(all.data(), 1, all.size(), to);
  if (to == out_ && terminal) std::fflush(to);
}

void Output::print_marked(std::FILE* to, bool terminal, std::string_view sign, std::string_view word, std::string_view text, Style style) {
  print(to, terminal, fmt::format("{}{}", terminal ? sign : word, text), style);
}

}  // namespace gsync::cli
