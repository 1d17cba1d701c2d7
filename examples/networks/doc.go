// Package networks holds tests of what people meet on networks, each told in one file: what
// goes wrong, how it looks from both ends, and what helps. They run in virtual time, so that a
// day of waiting takes no time; `go test -v` prints the ladders that some of them draw.
package networks
