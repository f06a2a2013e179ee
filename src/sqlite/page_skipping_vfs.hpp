#pragma once

namespace gsync::sqlite {

/// The name of the VFS, registered on first use. It forwards everything to the VFS that is the default at that moment.
const char* page_skipping_vfs();

}  // namespace gsync::sqlite
