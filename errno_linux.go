package sockeye

import "syscall"

func init() {
	errnoNames[syscall.ENODATA] = "ENODATA" // which FreeBSD does not have
}
