#include "fuzz/wire.hpp"

#include <zstd.h>

#include <algorithm>
#include <thread>

#include "../src/protocol/hello.hpp"
#include "gsync/util/error.hpp"
#include "support/memory_stream.hpp"

namespace gsync::fuzz {
namespace {

std::string compressed(std::string_view plain) {
  std::unique_ptr<ZSTD_CCtx, decltype(&ZSTD_freeCCtx)> context(ZSTD_createCCtx(), ZSTD_freeCCtx);
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_windowLog, 18);
  std::string out(ZSTD_compressBound(plain.size()) + 64, '\0');
  ZSTD_inBuffer in{plain.data(), plain.size(), 0};
  ZSTD_outBuffer to{out.data(), out.size(), 0};
  GSYNC_ASSERT(ZSTD_compressStream2(context.get(), &to, &in, ZSTD_e_flush) == 0);
  out.resize(to.pos);
  return out;
}

std::string decompressed(std::string_view bytes) {
  std::unique_ptr<ZSTD_DCtx, decltype(&ZSTD_freeDCtx)> context(ZSTD_createDCtx(), ZSTD_freeDCtx);
  std::string out;
  ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
  std::string block(ZSTD_DStreamOutSize(), '\0');
  for (std::size_t left = 1; in.pos < in.size || left != 0;) {
    ZSTD_outBuffer to{block.data(), block.size(), 0};
    left = ZSTD_decompressStream(context.get(), &to, &in);
    GSYNC_ASSERT(!ZSTD_isError(left));
    out.append(block, 0, to.pos);
    if (to.pos < to.size && in.pos == in.size) break;
  }
  return out;
}

std::string without_hello(const std::string& bytes) {
  const auto end = bytes.find('\n');
  GSYNC_ASSERT(end != std::string::npos);
  return decompressed(std::string_view(bytes).substr(end + 1));
}

/// Keeps what passes in either direction.
class Tap final : public util::ByteStream {
 public:
  struct Heard {
    std::string read;
    std::string written;
  };
  Tap(std::unique_ptr<util::ByteStream> inner, Heard& heard) : inner_(std::move(inner)), heard_(heard) {}
  std::size_t read(std::span<std::byte> buffer, util::Deadline deadline) override {
    const auto n = inner_->read(buffer, deadline);
    heard_.read.append(reinterpret_cast<const char*>(buffer.data()), n);
    return n;
  }
  void write(std::span<const std::byte> data, util::Deadline deadline) override {
    heard_.written.append(reinterpret_cast<const char*>(data.data()), data.size());
    inner_->write(data, deadline);
  }
  Ready wait(int other, util::Deadline deadline) override { return inner_->wait(other, deadline); }
  void close_write() noexcept override { inner_->close_write(); }
  std::uint64_t bytes_sent() const override { return inner_->bytes_sent(); }
  std::uint64_t bytes_received() const override { return inner_->bytes_received(); }

 private:
  std::unique_ptr<util::ByteStream> inner_;
  Heard& heard_;
};

Tap::Heard conversation(model::Node& served, const std::function<void(model::Node&)>& talk) {
  auto pair = test::stream_pair();
  Tap::Heard heard;
  std::thread agent([&served, stream = std::move(pair.server)] {
    try {
      protocol::serve(served, *stream, agent_options());
    } catch (const Error&) {
      // The client hears of it as well.
    }
  });
  {
    protocol::RemoteNode remote(std::make_unique<Tap>(std::move(pair.client), heard), "ph1", client_hello(), {});
    try {
      talk(remote);
    } catch (const Error&) {
      // What was said until then is a conversation too.
    }
  }
  agent.join();
  return heard;
}

struct Frame {
  unsigned type = 0;
  std::string payload;
};

constexpr std::size_t header_bytes = 5;

/// The last one may be shorter than it says.
std::vector<Frame> frames_in(std::string_view bytes) {
  std::vector<Frame> frames;
  while (bytes.size() >= header_bytes) {
    std::size_t length = 0;
    for (std::size_t i = 4; i-- > 0;) length = length << 8 | static_cast<unsigned char>(bytes[i]);
    frames.push_back({static_cast<unsigned char>(bytes[4]), std::string(bytes.substr(header_bytes, length))});
    bytes.remove_prefix(std::min(bytes.size(), header_bytes + length));
  }
  return frames;
}

void change_one(std::vector<Frame>& frames, test::Random& random, const ChangeBytes& change_bytes) {
  constexpr unsigned types[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 32, 33, 34, 35, 36, 37, 64, 65, 66, 67};
  const auto at = random.below(frames.size());
  const auto other = random.below(frames.size());
  const auto place = [&](std::size_t i) { return frames.begin() + static_cast<std::ptrdiff_t>(i); };
  switch (random.below(12)) {
    case 0:
      frames.erase(place(at));
      break;
    case 1:
      frames.insert(place(at), Frame(frames[other]));
      break;
    case 2:
      std::swap(frames[at], frames[other]);
      break;
    case 3:
      frames[at].type = types[random.below(std::size(types))];
      break;
    case 4:
      frames.insert(place(at), {types[random.below(std::size(types))], ""});
      break;
    case 5:  // in two
      if (const auto half = random.below(frames[at].payload.size() + 1); half > 0) {
        const Frame first{frames[at].type | 0x80, frames[at].payload.substr(0, half)};
        frames[at].payload.erase(0, half);
        frames.insert(place(at), first);
      }
      break;
    default:
      change_bytes(frames[at].payload);
  }
}

}  // namespace

protocol::Hello client_hello() {
  return {protocol::protocol_version, "0.1.0", std::string(32, 'c'), "ph2"};
}

protocol::AgentOptions agent_options() {
  protocol::AgentOptions options;
  options.hello = {protocol::protocol_version, "0.1.0", std::string(32, 'a'), "ph1"};
  options.peer = "ph2";
  return options;
}

std::string said(const protocol::Hello& hello, Layer layer, std::string_view input) {
  if (layer == Layer::all) return std::string(input);
  return protocol::hello_line(hello) + (layer == Layer::stream ? std::string(input) : compressed(input));
}

std::vector<std::string> at_each_layer(const protocol::Hello& hello, const std::string& frames) {
  return {std::string(1, '\0') + frames, '\1' + compressed(frames), '\2' + said(hello, Layer::frames, frames)};
}

std::string frame(unsigned type, std::string_view payload) {
  std::string out;
  for (unsigned shift = 0; shift < 32; shift += 8) out.push_back(static_cast<char>(payload.size() >> shift & 0xFF));
  out.push_back(static_cast<char>(type));
  return out.append(payload);
}

std::string frames_of_agent(model::Node& served, const std::function<void(model::Node&)>& talk) {
  return without_hello(conversation(served, talk).read);
}

std::string frames_of_client(model::Node& served, const std::function<void(model::Node&)>& talk) {
  return without_hello(conversation(served, talk).written);
}

void change_frames(std::string& input, std::size_t before, test::Random& random, const ChangeBytes& change_bytes) {
  const bool has_frames =
      input.size() > before && static_cast<unsigned char>(input.front()) % layers == static_cast<unsigned>(Layer::frames);
  auto frames = has_frames ? frames_in(std::string_view(input).substr(before)) : std::vector<Frame>();
  if (frames.empty() || random.one_in(8)) return change_bytes(input);
  for (auto changes = 1 + random.below(3); changes > 0 && !frames.empty(); --changes) change_one(frames, random, change_bytes);
  input.resize(before);
  for (const auto& each : frames) input += frame(each.type, each.payload);
}

void furnish(test::FakeNode& node) {
  node.add_group("Kids");
  node.add_domain("ads.example.com", "said \"no\",\nthen left");
  node.add_domain("shop.example.org", "", model::kind::allow_exact);
  node.add_domain("(^|\\.)tracker\\.", "", model::kind::deny_regex);
  node.add_adlist("https://lists.example/a.txt", {"a.example", "b.example", "common.example"});
  node.add_adlist("https://lists.example/b.txt", {"common.example", "z.example"}, model::kind::allow_list);
  node.records_now[0] = model::RecordLines{"192.168.1.2 nas.lan", "fd00::2 nas.lan # over there"};
  node.records_now[1] = model::RecordLines{"www.lan,nas.lan", "files.lan,nas.lan,600"};
  node.records_now[2] = model::RecordLines{"aa:bb:cc:dd:ee:01,192.168.1.21,tv"};
}

void require_valid(const test::FakeNode& node) {
  model::check_lists(node.lists_now);
  for (auto kind : model::record_kinds) {
    const auto& lines = node.records_now[model::index_of(kind)];
    if (lines) model::parse_records(kind, *lines);
  }
}

}  // namespace gsync::fuzz
