#include "support/node_fixture.hpp"

#include <sys/socket.h>

#include "gsync/protocol/remote_node.hpp"
#include "gsync/util/error.hpp"
#include "gsync/util/fd_stream.hpp"

namespace gsync::test {

LocalFixture::LocalFixture(PiholeOptions options) : LocalFixture(std::move(options), std::make_unique<util::PosixFileOps>()) {}

LocalFixture::LocalFixture(PiholeOptions options, std::unique_ptr<util::FileOps> file_ops)
    : directory(std::move(options)), files(std::move(file_ops)) {
  reopen();
}

void LocalFixture::reopen() {
  node.reset();
  config = config::load(directory.config());
  installation = pihole::detect(config.pihole);
  state = std::make_unique<replica::StateStore>(config.node.state_directory, clock);
  node = std::make_unique<pihole::LocalNode>(installation, config, *state, *files, clock, "0.1.0");
}

std::unique_ptr<pihole::LocalNode> LocalFixture::another() const {
  other_state_ = std::make_unique<replica::StateStore>(config.node.state_directory, clock);
  return std::make_unique<pihole::LocalNode>(installation, config, *other_state_, *files, clock, "0.1.0");
}

RemoteFixture::RemoteFixture(model::Node& served, const protocol::AgentOptions& options, const std::string& client) {
  int ends[2];
  GSYNC_ASSERT(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
  far_ = std::make_unique<util::FdStream>(util::Fd(ends[1]));
  agent_ = std::thread([this, &served, options] {
    try {
      protocol::serve(served, *far_, options);
    } catch (const Error&) {
      // The near end sees it as its own error, which is what the tests look at.
    }
    far_->close_write();
  });
  protocol::Hello hello;
  hello.software = "0.1.0";
  hello.node_id = client;
  hello.name = "client";
  remote_ = std::make_unique<protocol::RemoteNode>(std::make_unique<util::FdStream>(util::Fd(ends[0])), "far", hello, protocol::Limits{});
}

RemoteFixture::~RemoteFixture() {
  remote_.reset();
  agent_.join();
}

}  // namespace gsync::test
