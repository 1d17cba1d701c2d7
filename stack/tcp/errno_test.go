package tcp_test

import (
	"errors"
	"syscall"
)

var errnos = map[string]syscall.Errno{
	"EPIPE": syscall.EPIPE, "ECONNRESET": syscall.ECONNRESET, "ECONNREFUSED": syscall.ECONNREFUSED,
	"ETIMEDOUT": syscall.ETIMEDOUT, "ENOTCONN": syscall.ENOTCONN, "EINVAL": syscall.EINVAL, "EAGAIN": syscall.EAGAIN,
	"ECONNABORTED": syscall.ECONNABORTED, "EHOSTUNREACH": syscall.EHOSTUNREACH, "ENETUNREACH": syscall.ENETUNREACH,
}

func errName(err error) string {
	for name, e := range errnos {
		if errors.Is(err, e) {
			return name
		}
	}
	return err.Error()
}
