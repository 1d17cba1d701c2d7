package accept

import "syscall"

// Of the errors of accept(2) one is Linux's own.
func init() { gone = append(gone, syscall.ENONET) }
