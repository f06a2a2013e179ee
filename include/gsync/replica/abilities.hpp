#pragma once
#include <string>

namespace gsync::replica {

/// What the filesystem of a directory can do of what publishing would like to have.
struct Abilities {
  bool exchange = false;  ///< renameat2(RENAME_EXCHANGE); without it a publish is weaker
  bool leases = false;    ///< tells who has a file open; without it the old file is left to its last reader
};

/// Tries both with two files of its own in that directory, and removes them. Error{io, no_space, refused} when they cannot be made.
Abilities try_abilities(int directory);

/// Whether anybody has the file of that name in the directory open. False where the filesystem cannot tell, or the file is not ours to ask
/// about. Not for the live database.
bool is_open_elsewhere(int directory, const std::string& name);

}  // namespace gsync::replica
