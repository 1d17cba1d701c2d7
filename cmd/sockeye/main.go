// Command sockeye opens sockets at a terminal.
package main

func main() {}
