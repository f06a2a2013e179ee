#pragma once
#include <string>
#include <string_view>

#include "gsync/protocol/remote_node.hpp"
#include "gsync/util/byte_stream.hpp"

namespace gsync::protocol {

/// Who of the two we are: the messages for people differ.
enum class Side { client, agent };

struct Greeting {
  Hello theirs;
  std::string received;  ///< bytes that came behind their hello
};

/// The line that a side introduces itself with, newline included.
std::string hello_line(const Hello& hello);

/// Sends our hello, with `behind` behind it, and reads theirs, both sides without waiting for the other. `peer` is what messages call the
/// far side. Errors: incompatible (another protocol version; they have our hello by then), protocol (anything but a hello), timeout,
/// unreachable.
Greeting exchange_hellos(util::ByteStream& stream, const Hello& ours, const Limits& limits, std::string_view peer, Side side,
                         std::string_view behind = {});

}  // namespace gsync::protocol
