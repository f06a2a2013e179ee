#include "deliver.hpp"

#include <fmt/format.h>
#include <time.h>

#include <algorithm>
#include <chrono>

#include "gsync/util/error.hpp"
#include "run_support.hpp"

namespace gsync::sync {
namespace {

using std::chrono::nanoseconds;

nanoseconds processor_time_of_this_thread() {
  timespec t{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return std::chrono::seconds(t.tv_sec) + nanoseconds(t.tv_nsec);
}

/// The bytes of a copy for as long as that is quicker than rows. Building the blocklist from rows takes a target about three times as long
/// as it takes to send or to receive the copy, so it is as long as the link leaves this thread at work for half of the time.
class Pages final : public util::ByteReader {
 public:
  Pages(model::Node::Copy&& copy, const Options& options, std::string step)
      : patience_(options.copy_patience), bytes_(std::move(copy), options, std::move(step)) {}

  std::size_t read(std::span<std::byte> buffer) override {
    const auto n = bytes_.read(buffer);
    // From the first bytes on: what the far side does before is the same for rows.
    if (done_ == 0) began_ = std::chrono::steady_clock::now(), worked_ = processor_time_of_this_thread();
    done_ += n;
    // Later it is not worth beginning anew.
    if (done_ > undecided) return n;
    const auto time = std::chrono::steady_clock::now() - began_;
    const auto work = processor_time_of_this_thread() - worked_;
    too_slow_ = time > patience_ + work * times_as_long;
    if (too_slow_) throw Error(ErrorCode::cancelled, "rows are quicker over this link");
    return n;
  }

  bool too_slow() const { return too_slow_; }

 private:
  static constexpr std::uint64_t undecided = 8u << 20;
  static constexpr int times_as_long = 2;

  const nanoseconds patience_;
  ReportingBytes bytes_;
  std::uint64_t done_ = 0;
  std::chrono::steady_clock::time_point began_;
  nanoseconds worked_{};
  bool too_slow_ = false;
};

/// nullopt when it must be rows.
std::optional<model::ApplyReport> deliver_by_copy(const model::Plan& plan, model::Node& source, model::Node& target, const Options& options,
                                                  const std::string& step) {
  auto change = plan.change;
  change.copied = plan.by_copy;
  auto copy = source.copy(model::CopyOf::compiled_sets);
  change.copy_bytes = copy.bytes;
  change.copy_schema = copy.schema;
  Pages pages(std::move(copy), options, step);
  try {
    return target.apply(change, nullptr, &pages);
  } catch (const Error& error) {
    // Nothing is changed there. What is wrong with more than the copy is wrong with rows as well.
    const auto code = error.code();
    if (!pages.too_slow() && code != ErrorCode::incompatible && code != ErrorCode::conflict && code != ErrorCode::corrupt) throw;
    return std::nullopt;
  }
}

model::ApplyReport deliver_rows(const model::Change& change, model::Node& source, model::Node& target, const Options& options,
                                const std::string& step) {
  ReportingRows rows(source.blocklist_rows(change.wishes), options, step);
  return target.apply(change, &rows, nullptr);
}

}  // namespace

model::ApplyReport deliver(const model::Plan& plan, model::Node& source, model::Node& target, const Options& options) {
  if (plan.change.whole_copy) {
    auto step = fmt::format("copying the database of {} to {}", source.label(), target.label());
    begin_step(options, step);
    auto change = plan.change;
    auto copy = source.copy(model::CopyOf::live);
    change.copy_bytes = copy.bytes;
    ReportingBytes bytes(std::move(copy), options, std::move(step));
    return target.apply(change, nullptr, &bytes);
  }
  if (plan.change.wishes.empty()) {
    begin_step(options, fmt::format("publishing on {}", target.label()));
    return target.apply(plan.change, nullptr, nullptr);
  }
  auto step = fmt::format("copying the blocklist of {} to {}", source.label(), target.label());
  begin_step(options, step);
  if (!plan.by_copy.empty()) {
    if (auto report = deliver_by_copy(plan, source, target, options, step)) return std::move(*report);
  }
  try {
    return deliver_rows(plan.change, source, target, options, step);
  } catch (const Error& error) {
    const bool had_sets = std::ranges::any_of(plan.change.wishes, [](const auto& wish) { return wish.have.has_value(); });
    if (error.code() != ErrorCode::corrupt || !had_sets) throw;
  }
  // A change of a set did not lead from what the target has to what it shall have: nothing is changed there, and the whole set will do.
  auto change = plan.change;
  for (auto& wish : change.wishes) wish.have.reset();
  return deliver_rows(change, source, target, options, step);
}

}  // namespace gsync::sync
