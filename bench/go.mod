module sockeye/bench

go 1.26.3

require (
	golang.org/x/sys v0.49.0
	google.golang.org/grpc v1.85.0
	gvisor.dev/gvisor v0.0.0-20260905035102-160fafc42237
	sockeye v0.0.0
)

require (
	github.com/klauspost/compress v1.20.3 // indirect
	golang.org/x/net v0.62.0 // indirect
)

require (
	github.com/google/btree v1.1.2 // indirect
	golang.org/x/exp v0.0.0-20250711185948-6ae5c78190dc // indirect
	golang.org/x/time v0.16.0 // indirect
	sockeye/cmd/sockeye v0.0.0
)

replace sockeye => ..

replace sockeye/cmd/sockeye => ../cmd/sockeye
