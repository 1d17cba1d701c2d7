package tcp

// A State is the state of a connection (RFC 9293 section 3.3.2), numbered as Linux does.
type State uint8

// The states.
const (
	Established State = iota + 1
	SynSent
	SynReceived
	FinWait1
	FinWait2
	InTimeWait
	Closed
	CloseWait
	LastAck
	Listen
	Closing
)

var stateNames = [...]string{
	"", "ESTABLISHED", "SYN-SENT", "SYN-RECEIVED", "FIN-WAIT-1", "FIN-WAIT-2", "TIME-WAIT",
	"CLOSED", "CLOSE-WAIT", "LAST-ACK", "LISTEN", "CLOSING",
}

// String is RFC 9293's name of the state, such as SYN-SENT.
func (s State) String() string {
	if int(s) < len(stateNames) && s > 0 {
		return stateNames[s]
	}
	return "no state"
}

// A stateSet is a set of states.
type stateSet uint16

func states(list ...State) (set stateSet) {
	for _, s := range list {
		set |= 1 << s
	}
	return set
}

var (
	// canSend has the states in which data goes out.
	canSend = states(Established, CloseWait, FinWait1, Closing, LastAck)
	// canWrite has those in which the user may add to it.
	canWrite = states(Established, CloseWait, SynSent, SynReceived)
	// synchronized has the states past the handshake (RFC 9293 section 3.5.2).
	synchronized = states(Established, FinWait1, FinWait2, CloseWait, LastAck, Closing)
)

func (c *Conn) in(set stateSet) bool { return set&(1<<c.state) != 0 }
