#pragma once
#include <string>
#include <string_view>

namespace gsync::ssh {

/// A public key as a line of a .pub file has it.
struct PublicKey {
  std::string type;         ///< "ssh-ed25519"
  std::string base64;       ///< the key itself
  std::string comment;      ///< may be empty
  std::string fingerprint;  ///< "SHA256:…"

  /// "type base64 comment", without a newline.
  std::string line() const;
};

/// Reads one bare public key: a type that we know, the key, and perhaps a comment, on one line. Options in front, further lines, control
/// characters and what does not decode to a key of that type are Error{config}, since the line ends in an authorized_keys file. `source` is
/// for messages.
PublicKey parse_public_key(std::string_view text, std::string_view source);

/// A new ed25519 key without a passphrase.
struct KeyPair {
  std::string private_key;  ///< OpenSSH's format, with its newlines
  PublicKey public_key;
};
KeyPair generate_key(const std::string& comment);

/// The public half of what a private key file holds. Error{config} for what is no private key, and for one with a passphrase.
PublicKey public_half(const std::string& private_key, const std::string& path);

}  // namespace gsync::ssh
