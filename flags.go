package sockeye

// MsgFlags are the flags of one send or receive call, and those that recvmsg(2)
// gives back. The numbers are Linux's.
type MsgFlags int

// The flags of send(2), recv(2) and their kin.
const (
	MSG_OOB          MsgFlags = 0x1        // urgent data
	MSG_PEEK         MsgFlags = 0x2        // leave what is received in the queue
	MSG_DONTROUTE    MsgFlags = 0x4        // directly connected networks only
	MSG_CTRUNC       MsgFlags = 0x8        // given back: ancillary data did not fit
	MSG_TRUNC        MsgFlags = 0x20       // given back: the datagram did not fit; asked for: tell its true length
	MSG_DONTWAIT     MsgFlags = 0x40       // this call does not block
	MSG_EOR          MsgFlags = 0x80       // end of record
	MSG_WAITALL      MsgFlags = 0x100      // wait until the buffer is full
	MSG_CONFIRM      MsgFlags = 0x800      // the neighbour is reachable: do not probe it
	MSG_ERRQUEUE     MsgFlags = 0x2000     // receive from the error queue
	MSG_NOSIGNAL     MsgFlags = 0x4000     // EPIPE without SIGPIPE; always so here
	MSG_MORE         MsgFlags = 0x8000     // more is coming: hold a partial segment, grow the datagram
	MSG_WAITFORONE   MsgFlags = 0x10000    // recvmmsg: after the first message, do not block
	MSG_ZEROCOPY     MsgFlags = 0x4000000  // send without a copy; completion on the error queue
	MSG_FASTOPEN     MsgFlags = 0x20000000 // connect and send data in the SYN
	MSG_CMSG_CLOEXEC MsgFlags = 0x40000000 // received descriptors are close-on-exec; always so here
)

var msgFlagNames = bits{
	{int(MSG_OOB), "MSG_OOB"}, {int(MSG_PEEK), "MSG_PEEK"}, {int(MSG_DONTROUTE), "MSG_DONTROUTE"},
	{int(MSG_CTRUNC), "MSG_CTRUNC"}, {int(MSG_TRUNC), "MSG_TRUNC"}, {int(MSG_DONTWAIT), "MSG_DONTWAIT"},
	{int(MSG_EOR), "MSG_EOR"}, {int(MSG_WAITALL), "MSG_WAITALL"}, {int(MSG_CONFIRM), "MSG_CONFIRM"},
	{int(MSG_ERRQUEUE), "MSG_ERRQUEUE"}, {int(MSG_NOSIGNAL), "MSG_NOSIGNAL"}, {int(MSG_MORE), "MSG_MORE"},
	{int(MSG_WAITFORONE), "MSG_WAITFORONE"}, {int(MSG_ZEROCOPY), "MSG_ZEROCOPY"},
	{int(MSG_FASTOPEN), "MSG_FASTOPEN"}, {int(MSG_CMSG_CLOEXEC), "MSG_CMSG_CLOEXEC"},
}

// String is the Linux names, joined by |; 0 if there is no flag.
func (f MsgFlags) String() string { return msgFlagNames.String(int(f)) }

// Events are the conditions that poll(2) waits for and reports.
type Events uint16

// The events of poll(2). POLLERR, POLLHUP and POLLNVAL are reported whether
// asked for or not.
const (
	POLLIN     Events = 0x1
	POLLPRI    Events = 0x2
	POLLOUT    Events = 0x4
	POLLERR    Events = 0x8
	POLLHUP    Events = 0x10
	POLLNVAL   Events = 0x20
	POLLRDNORM Events = 0x40
	POLLRDBAND Events = 0x80
	POLLWRNORM Events = 0x100
	POLLWRBAND Events = 0x200
	POLLRDHUP  Events = 0x2000
)

var eventNames = bits{
	{int(POLLIN), "POLLIN"}, {int(POLLPRI), "POLLPRI"}, {int(POLLOUT), "POLLOUT"},
	{int(POLLERR), "POLLERR"}, {int(POLLHUP), "POLLHUP"}, {int(POLLNVAL), "POLLNVAL"},
	{int(POLLRDNORM), "POLLRDNORM"}, {int(POLLRDBAND), "POLLRDBAND"}, {int(POLLWRNORM), "POLLWRNORM"},
	{int(POLLWRBAND), "POLLWRBAND"}, {int(POLLRDHUP), "POLLRDHUP"},
}

// String is the Linux names, joined by |; 0 if there is no event.
func (e Events) String() string { return eventNames.String(int(e)) }
