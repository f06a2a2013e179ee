#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gsync/model/records.hpp"

namespace gsync::pihole {

/// One of Pi-hole 5's three record files (PIHOLE.md §4), line by line: custom.list holds hosts lines, the other two dnsmasq's options.
///
/// A line is a record; or it is this host's own (empty, a comment, another option of dnsmasq) and is neither synced nor touched; or it
/// looks like a record, but our grammar refuses it, and then so is the file.
class V5RecordFile {
 public:
  struct Line {
    std::string text;                   ///< as it stands there
    std::optional<std::string> record;  ///< in canonical form; nullopt: this host's own
  };

  /// `path` is for messages. Error{refused} naming the line.
  static V5RecordFile parse(model::RecordKind kind, std::string_view text, const std::string& path);

  const std::vector<Line>& lines() const { return lines_; }
  model::RecordLines records() const;

  /// The file with exactly these records, in this order. Lines that stay are left as they were written, with their comments and blanks, and
  /// the host's own lines stay where they are among them.
  std::string with_records(const model::RecordLines& records) const;

  /// What of it is not synced, one sentence each, a handful at most.
  std::vector<std::string> notes() const;

 private:
  V5RecordFile(model::RecordKind kind, std::string path) : kind_(kind), path_(std::move(path)) {}

  model::RecordKind kind_;
  std::string path_;
  std::vector<Line> lines_;
};

}  // namespace gsync::pihole
