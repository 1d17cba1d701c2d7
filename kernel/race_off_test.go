//go:build linux && !race

package kernel_test

const raceDetector = false
