/* The mock cluster of librdkafka listens on a port that the kernel chooses and offers no way to choose it; clients, however,
 * must find a restarted broker at the old address. Preloaded into the broker's process (LD_PRELOAD), this bind() gives the
 * port in $FIXED_PORT to every IPv4 stream socket that asks for any port on 127.0.0.1. All other calls pass unchanged. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>

int bind(int fd, const struct sockaddr *address, socklen_t length) {
  int (*next)(int, const struct sockaddr *, socklen_t) = (int (*)(int, const struct sockaddr *, socklen_t))dlsym(RTLD_NEXT, "bind");
  const char *port = getenv("FIXED_PORT");
  int type = 0;
  socklen_t size = sizeof type;
  if (port && address->sa_family == AF_INET && length >= sizeof(struct sockaddr_in) &&
      getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_STREAM) {
    struct sockaddr_in fixed = *(const struct sockaddr_in *)address;
    if (fixed.sin_port == 0 && fixed.sin_addr.s_addr == htonl(INADDR_LOOPBACK)) {
      fixed.sin_port = htons((unsigned short)atoi(port));
      return next(fd, (const struct sockaddr *)&fixed, sizeof fixed);
    }
  }
  return next(fd, address, length);
}
