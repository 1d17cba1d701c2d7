//go:build race

package sockeye_test

// raceEnabled says that sync.Pool drops at random what it is given, so that
// allocations cannot be counted.
const raceEnabled = true
