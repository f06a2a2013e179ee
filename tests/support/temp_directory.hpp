#pragma once
#include <string>

namespace gsync::test {

/// A directory of its own under $TMPDIR or /tmp, made with mkdtemp (mode 0700) and removed with everything in it by the destructor.
class TempDirectory {
 public:
  TempDirectory();
  ~TempDirectory();
  TempDirectory(TempDirectory&& other) noexcept;
  TempDirectory(const TempDirectory&) = delete;
  TempDirectory& operator=(const TempDirectory&) = delete;
  TempDirectory& operator=(TempDirectory&&) = delete;

  const std::string& path() const { return path_; }
  /// path() + "/" + name.
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

/// The whole file. Throws std::runtime_error when it cannot be read.
std::string read_text(const std::string& path);
/// Makes or truncates the file.
void write_text(const std::string& path, const std::string& text, unsigned mode = 0644);
/// Writes beside the file and renames over it.
void replace_text(const std::string& path, const std::string& text, unsigned mode = 0644);

}  // namespace gsync::test
