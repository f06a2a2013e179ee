#pragma once

/// For processes that live for months, or hold secrets.
namespace gsync::util {

/// From now on no core file is written of this process and of those that it starts, unless they ask for it: private keys would be in it.
void write_no_core_files();

/// Nor of this process by a program that the kernel hands core files to; and nobody but root may look into its memory. For one that holds
/// a password.
void hide_memory();

/// One heap for all threads, to be called before the first of them: those that come and go would each leave a heap behind, of which little
/// can be given back. Nothing, as the next one, where the C library is not glibc.
void keep_one_heap();

/// Before a long wait: returns what is free of the heap to the system, and lets go of the program's code. What will run again is mapped
/// again out of the page cache, at some microseconds a piece; what ran once (a configuration that was read, an SSH handshake) does not
/// count as ours any more, and the kernel, which parts with mapped code last, has it to give to others.
void give_memory_back();

}  // namespace gsync::util
