// Command bench measures sockeye beside its peers.
package main

func main() {}
