//go:build linux && race

package kernel_test

// raceDetector makes sync.Pool forget some of what it is given.
const raceDetector = true
