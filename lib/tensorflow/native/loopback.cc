// Preloaded into ranks that are all on one machine. TensorFlow's server listens on every interface, whatever address it is
// told, and asks nobody for a password; here whoever asks to listen on all gets loopback.
#include <dlfcn.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstring>

namespace {

using Bind = int (*)(int, const sockaddr*, socklen_t);

int BindToLoopback(Bind next, int socket, const sockaddr* address, socklen_t length) {
  // A port of 0 is a client's, which must reach other machines.
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
      // 127.0.0.1 as IPv6 writes it: the socket serves both.
      const unsigned char loopback[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1};
      std::memcpy(&own.sin6_addr, loopback, sizeof loopback);
      return next(socket, reinterpret_cast<const sockaddr*>(&own), sizeof own);
    }
  }
  return next(socket, address, length);
}

}  // namespace

#if defined(__APPLE__)

// macOS binds each library's references to the library that was linked, so a function of the same name replaces nothing: the loader
// replaces those that this section lists. References of this file itself stay.
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
