#pragma once
#include <functional>
#include <thread>

namespace gsync::util {

/// A thread that no signal is delivered to: signals belong to the program's own threads. To be joined by its owner.
std::thread thread_without_signals(std::function<void()> run);

}  // namespace gsync::util
