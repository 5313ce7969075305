// Preloaded into ranks that are all on one machine. TensorFlow's server listens on every interface, whatever address it is
// told, and asks nobody for a password; here whoever asks to listen on all gets loopback.
#include <dlfcn.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstring>

extern "C" int bind(int socket, const sockaddr* address, socklen_t length) {
  using Bind = int (*)(int, const sockaddr*, socklen_t);
  static const Bind next = reinterpret_cast<Bind>(dlsym(RTLD_NEXT, "bind"));
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
