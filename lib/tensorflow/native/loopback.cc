// Preloaded into the ranks of a run on one machine. TensorFlow's server listens on all interfaces, whatever address is
// configured, and has no authentication. This replacement of `bind` restricts servers that listen on all interfaces to
// loopback.
#include <dlfcn.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstring>

namespace {

using Bind = int (*)(int, const sockaddr*, socklen_t);

int BindToLoopback(Bind next, int socket, const sockaddr* address, socklen_t length) {
  // Port 0 is bound by clients, which must reach other machines.
  if (address->sa_family == AF_INET && length >= sizeof(sockaddr_in)) {
    sockaddr_in own;
    std::memcpy(&own, address, sizeof own);
    if (own.sin_addr.s_addr == htonl(INADDR_ANY) && own.sin_port != 0) {
      own.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      return next(socket, reinterpret_cast<const sockaddr*>(&own), sizeof own);
    }
  }
  if (address->sa_family == AF_INET6 && length >= sizeof(sockaddr_in6)) {
    sockaddr_in6 own;
    std::memcpy(&own, address, sizeof own);
    if (IN6_IS_ADDR_UNSPECIFIED(&own.sin6_addr) && own.sin6_port != 0) {
      // 127.0.0.1 as an IPv4-mapped IPv6 address: the socket accepts both protocols.
      const unsigned char loopback[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1};
      std::memcpy(&own.sin6_addr, loopback, sizeof loopback);
      return next(socket, reinterpret_cast<const sockaddr*>(&own), sizeof own);
    }
  }
  return next(socket, address, length);
}

}  // namespace

#if defined(__APPLE__)

// macOS binds each reference to the library that was linked, so that a function of the same name replaces nothing. The
// loader replaces the functions listed in this section, except for references in this file.
extern "C" int tunebook_bind(int socket, const sockaddr* address, socklen_t length) {
  return BindToLoopback(bind, socket, address, length);
}

__attribute__((used, section("__DATA,__interpose"))) static const struct {
  Bind replacement;
  Bind replaced;
} interposed = {tunebook_bind, bind};

#else

extern "C" int bind(int socket, const sockaddr* address, socklen_t length) {
  static const Bind next = reinterpret_cast<Bind>(dlsym(RTLD_NEXT, "bind"));
  return BindToLoopback(next, socket, address, length);
}

#endif
