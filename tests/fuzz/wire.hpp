#pragma once
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "fuzz/target.hpp"
#include "gsync/protocol/agent.hpp"
#include "gsync/protocol/remote_node.hpp"
#include "support/fake_node.hpp"

/// Conversations of the protocol as bytes.
namespace gsync::fuzz {

/// What an input is put behind before it is sent.
enum class Layer : unsigned char {
  frames,  ///< hello and compression are as they should be
  stream,  ///< only the hello is
  all,     ///< nothing
};
inline constexpr unsigned layers = 3;

protocol::Hello client_hello();
protocol::AgentOptions agent_options();

/// `input` at this layer, as the side with that hello sends it.
std::string said(const protocol::Hello& hello, Layer layer, std::string_view input);
/// Inputs that say the same at each layer; the layer is the first byte.
std::vector<std::string> at_each_layer(const protocol::Hello& hello, const std::string& frames);
std::string frame(unsigned type, std::string_view payload);

/// The frames that the agent of `served` sends while `talk` runs, without hello and compression.
std::string frames_of_agent(model::Node& served, const std::function<void(model::Node&)>& talk);
/// The same of the client.
std::string frames_of_client(model::Node& served, const std::function<void(model::Node&)>& talk);

/// Changes what is behind the first `before` bytes of the input, the first of which is the layer: whole frames, or one's payload together
/// with its length.
void change_frames(std::string& input, std::size_t before, test::Random& random, const ChangeBytes& change_bytes);

/// A Pi-hole with a bit of everything.
void furnish(test::FakeNode& node);
/// That what it holds is what a Pi-hole may hold, whatever was asked of it.
void require_valid(const test::FakeNode& node);

}  // namespace gsync::fuzz
