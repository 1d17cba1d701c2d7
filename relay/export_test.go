package relay

import "time"

// SetIdle changes how long flows last without a datagram.
func SetIdle(d time.Duration) (restore func()) {
	was := idle
	idle = d
	return func() { idle = was }
}
