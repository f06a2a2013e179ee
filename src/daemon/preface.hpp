#pragma once
#include <string>

#include "gsync/util/byte_stream.hpp"

namespace gsync::daemon {

/// What an agent that relays says first on agent.sock, in one line: whom it serves, and what he may.
struct Preface {
  std::string peer;
  bool read_only = false;
};

std::string to_line(const Preface& preface);
/// Reads one line, byte by byte: what follows is the protocol's. Error{protocol, timeout}.
Preface read_preface(util::ByteStream& stream, util::Deadline deadline);

}  // namespace gsync::daemon
