module sockeye/bench

go 1.26.0

require sockeye v0.0.0

replace sockeye => ..
