package datagram

import "syscall"

// Of the errors that ICMP leads to one is Linux's own (icmp(7)).
func init() { passing = append(passing, syscall.ENONET) }
