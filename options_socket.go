package sockeye

import (
	"syscall"
	"time"
)

// The options of SOL_SOCKET (socket(7)).
var (
	SO_DEBUG         = Option[bool]{SOL_SOCKET, 1, "SO_DEBUG", ReadWrite, &boolCodec}
	SO_REUSEADDR     = Option[bool]{SOL_SOCKET, 2, "SO_REUSEADDR", ReadWrite, &boolCodec}
	SO_TYPE          = Option[Type]{SOL_SOCKET, 3, "SO_TYPE", ReadOnly, &typeCodec}
	SO_ERROR         = Option[syscall.Errno]{SOL_SOCKET, 4, "SO_ERROR", ReadOnly, &errnoCodec}
	SO_DONTROUTE     = Option[bool]{SOL_SOCKET, 5, "SO_DONTROUTE", ReadWrite, &boolCodec}
	SO_BROADCAST     = Option[bool]{SOL_SOCKET, 6, "SO_BROADCAST", ReadWrite, &boolCodec}
	SO_SNDBUF        = Option[int]{SOL_SOCKET, 7, "SO_SNDBUF", ReadWrite, &intCodec}
	SO_RCVBUF        = Option[int]{SOL_SOCKET, 8, "SO_RCVBUF", ReadWrite, &intCodec}
	SO_KEEPALIVE     = Option[bool]{SOL_SOCKET, 9, "SO_KEEPALIVE", ReadWrite, &boolCodec}
	SO_OOBINLINE     = Option[bool]{SOL_SOCKET, 10, "SO_OOBINLINE", ReadWrite, &boolCodec}
	SO_NO_CHECK      = Option[bool]{SOL_SOCKET, 11, "SO_NO_CHECK", ReadWrite, &boolCodec}
	SO_PRIORITY      = Option[int]{SOL_SOCKET, 12, "SO_PRIORITY", ReadWrite, &intCodec}
	SO_LINGER        = Option[Linger]{SOL_SOCKET, 13, "SO_LINGER", ReadWrite, &lingerCodec}
	SO_REUSEPORT     = Option[bool]{SOL_SOCKET, 15, "SO_REUSEPORT", ReadWrite, &boolCodec}
	SO_PASSCRED      = Option[bool]{SOL_SOCKET, 16, "SO_PASSCRED", ReadWrite, &boolCodec}
	SO_PEERCRED      = Option[Credentials]{SOL_SOCKET, 17, "SO_PEERCRED", ReadOnly, &ucredCodec}
	SO_RCVLOWAT      = Option[int]{SOL_SOCKET, 18, "SO_RCVLOWAT", ReadWrite, &intCodec}
	SO_SNDLOWAT      = Option[int]{SOL_SOCKET, 19, "SO_SNDLOWAT", ReadOnly, &intCodec}
	SO_RCVTIMEO      = Option[time.Duration]{SOL_SOCKET, 20, "SO_RCVTIMEO", ReadWrite, &timevalCodec}
	SO_SNDTIMEO      = Option[time.Duration]{SOL_SOCKET, 21, "SO_SNDTIMEO", ReadWrite, &timevalCodec}
	SO_BINDTODEVICE  = Option[string]{SOL_SOCKET, 25, "SO_BINDTODEVICE", ReadWrite, &nameCodec}
	SO_PEERNAME      = Option[Sockaddr]{SOL_SOCKET, 28, "SO_PEERNAME", ReadOnly, &sockaddrCodec}
	SO_TIMESTAMP     = Option[bool]{SOL_SOCKET, 29, "SO_TIMESTAMP", ReadWrite, &boolCodec}
	SO_ACCEPTCONN    = Option[bool]{SOL_SOCKET, 30, "SO_ACCEPTCONN", ReadOnly, &boolCodec}
	SO_SNDBUFFORCE   = Option[int]{SOL_SOCKET, 32, "SO_SNDBUFFORCE", WriteOnly, &intCodec}
	SO_RCVBUFFORCE   = Option[int]{SOL_SOCKET, 33, "SO_RCVBUFFORCE", WriteOnly, &intCodec}
	SO_PASSSEC       = Option[bool]{SOL_SOCKET, 34, "SO_PASSSEC", ReadWrite, &boolCodec}
	SO_TIMESTAMPNS   = Option[bool]{SOL_SOCKET, 35, "SO_TIMESTAMPNS", ReadWrite, &boolCodec}
	SO_MARK          = Option[int]{SOL_SOCKET, 36, "SO_MARK", ReadWrite, &intCodec}
	SO_TIMESTAMPING  = Option[int]{SOL_SOCKET, 37, "SO_TIMESTAMPING", ReadWrite, &intCodec}
	SO_PROTOCOL      = Option[Protocol]{SOL_SOCKET, 38, "SO_PROTOCOL", ReadOnly, &protocolCodec}
	SO_DOMAIN        = Option[Family]{SOL_SOCKET, 39, "SO_DOMAIN", ReadOnly, &familyCodec}
	SO_RXQ_OVFL      = Option[bool]{SOL_SOCKET, 40, "SO_RXQ_OVFL", ReadWrite, &boolCodec}
	SO_PEEK_OFF      = Option[int]{SOL_SOCKET, 42, "SO_PEEK_OFF", ReadWrite, &intCodec}
	SO_BUSY_POLL     = Option[int]{SOL_SOCKET, 46, "SO_BUSY_POLL", ReadWrite, &intCodec}
	SO_INCOMING_CPU  = Option[int]{SOL_SOCKET, 49, "SO_INCOMING_CPU", ReadWrite, &intCodec}
	SO_PEERGROUPS    = Option[[]uint32]{SOL_SOCKET, 59, "SO_PEERGROUPS", ReadOnly, &gidsCodec}
	SO_ZEROCOPY      = Option[bool]{SOL_SOCKET, 60, "SO_ZEROCOPY", ReadWrite, &boolCodec}
	SO_BINDTOIFINDEX = Option[int]{SOL_SOCKET, 62, "SO_BINDTOIFINDEX", ReadWrite, &intCodec}
)
