// Package sock is what every socket of a Go host has, whatever its family: a
// descriptor, the options of SOL_SOCKET, a pending error, and the waits of the
// calls that block. Families embed a [Socket] and add the rest.
package sock
