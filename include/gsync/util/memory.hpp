#pragma once

/// For processes that live for months. Neither does anything where the C library is not glibc.
namespace gsync::util {

/// One heap for all threads, to be called before the first of them: those that come and go would each leave a heap behind, of which little
/// can be given back.
void keep_one_heap();

/// Returns what is free of the heap to the system, after something that took more than usual.
void give_memory_back();

}  // namespace gsync::util
