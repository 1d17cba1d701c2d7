//go:build race

package tcp_test

// tapes is how many random tapes TestRandomPlay plays; the race detector makes it slow.
const tapes = 1000
