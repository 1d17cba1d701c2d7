module sockeye/examples/networks

go 1.26.0

replace sockeye => ../../

require (
	github.com/quic-go/quic-go v0.65.0
	sockeye v0.0.0
)

require (
	golang.org/x/crypto v0.58.0 // indirect
	golang.org/x/net v0.62.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
)
