// Package interop is the proof that programs work over hosts in pure Go as they do over a
// machine's network: net/http, HTTP/2, TLS, gRPC, QUIC and NATS, their clients and servers on
// hosts of their own, far from each other and with loss, in the virtual time of testing/synctest.
// It holds tests alone, and is a module of its own since they need the libraries.
package interop
