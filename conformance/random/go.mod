module sockeye/conformance/random

go 1.26.0

require (
	golang.org/x/sys v0.49.0
	pgregory.net/rapid v1.3.0
	sockeye v0.0.0
)

replace sockeye => ../..
