//go:build !race

package sockeye_test

const raceEnabled = false
