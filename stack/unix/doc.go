// Package unix is AF_UNIX on a Go host: stream, datagram and seqpacket sockets
// with path names, abstract names and unnamed pairs, passed descriptors and
// credentials (unix(7)). It follows what net/unix/af_unix.c of Linux 6 answers.
package unix
