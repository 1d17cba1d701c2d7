package sockeye

import "time"

// The options of IPPROTO_TCP (tcp(7)).
var (
	TCP_NODELAY            = Option[bool]{SOL_TCP, 1, "TCP_NODELAY", ReadWrite, &boolCodec}
	TCP_MAXSEG             = Option[int]{SOL_TCP, 2, "TCP_MAXSEG", ReadWrite, &intCodec}
	TCP_CORK               = Option[bool]{SOL_TCP, 3, "TCP_CORK", ReadWrite, &boolCodec}
	TCP_KEEPIDLE           = Option[time.Duration]{SOL_TCP, 4, "TCP_KEEPIDLE", ReadWrite, &seconds}
	TCP_KEEPINTVL          = Option[time.Duration]{SOL_TCP, 5, "TCP_KEEPINTVL", ReadWrite, &seconds}
	TCP_KEEPCNT            = Option[int]{SOL_TCP, 6, "TCP_KEEPCNT", ReadWrite, &intCodec}
	TCP_SYNCNT             = Option[int]{SOL_TCP, 7, "TCP_SYNCNT", ReadWrite, &intCodec}
	TCP_LINGER2            = Option[time.Duration]{SOL_TCP, 8, "TCP_LINGER2", ReadWrite, &seconds}
	TCP_DEFER_ACCEPT       = Option[time.Duration]{SOL_TCP, 9, "TCP_DEFER_ACCEPT", ReadWrite, &seconds}
	TCP_WINDOW_CLAMP       = Option[int]{SOL_TCP, 10, "TCP_WINDOW_CLAMP", ReadWrite, &intCodec}
	TCP_INFO               = Option[TCPInfo]{SOL_TCP, 11, "TCP_INFO", ReadOnly, &tcpInfoCodec}
	TCP_QUICKACK           = Option[bool]{SOL_TCP, 12, "TCP_QUICKACK", ReadWrite, &boolCodec}
	TCP_CONGESTION         = Option[string]{SOL_TCP, 13, "TCP_CONGESTION", ReadWrite, &nameCodec}
	TCP_USER_TIMEOUT       = Option[time.Duration]{SOL_TCP, 18, "TCP_USER_TIMEOUT", ReadWrite, &milliseconds}
	TCP_FASTOPEN           = Option[int]{SOL_TCP, 23, "TCP_FASTOPEN", ReadWrite, &intCodec}
	TCP_TIMESTAMP          = Option[int]{SOL_TCP, 24, "TCP_TIMESTAMP", ReadWrite, &intCodec}
	TCP_NOTSENT_LOWAT      = Option[int]{SOL_TCP, 25, "TCP_NOTSENT_LOWAT", ReadWrite, &intCodec}
	TCP_SAVE_SYN           = Option[int]{SOL_TCP, 27, "TCP_SAVE_SYN", ReadWrite, &intCodec}
	TCP_FASTOPEN_CONNECT   = Option[bool]{SOL_TCP, 30, "TCP_FASTOPEN_CONNECT", ReadWrite, &boolCodec}
	TCP_FASTOPEN_KEY       = Option[[]byte]{SOL_TCP, 33, "TCP_FASTOPEN_KEY", ReadWrite, &fastOpenKeyCodec}
	TCP_FASTOPEN_NO_COOKIE = Option[bool]{SOL_TCP, 34, "TCP_FASTOPEN_NO_COOKIE", ReadWrite, &boolCodec}
	TCP_INQ                = Option[bool]{SOL_TCP, 36, "TCP_INQ", ReadWrite, &boolCodec}
	TCP_TX_DELAY           = Option[int]{SOL_TCP, 37, "TCP_TX_DELAY", ReadWrite, &intCodec}
)

// The options of IPPROTO_UDP (udp(7)).
var (
	UDP_CORK         = Option[bool]{SOL_UDP, 1, "UDP_CORK", ReadWrite, &boolCodec}
	UDP_NO_CHECK6_TX = Option[bool]{SOL_UDP, 101, "UDP_NO_CHECK6_TX", ReadWrite, &boolCodec}
	UDP_NO_CHECK6_RX = Option[bool]{SOL_UDP, 102, "UDP_NO_CHECK6_RX", ReadWrite, &boolCodec}
	UDP_SEGMENT      = Option[int]{SOL_UDP, 103, "UDP_SEGMENT", ReadWrite, &intCodec}
	UDP_GRO          = Option[bool]{SOL_UDP, 104, "UDP_GRO", ReadWrite, &boolCodec}
)
