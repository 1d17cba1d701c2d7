package main

import "github.com/spf13/cobra"

// commands are all there are, in the order of the help.
func (a *app) commands() []*cobra.Command {
	return []*cobra.Command{
		a.listenCommand(),
		a.connectCommand(),
		a.echoCommand(),
		a.pingCommand(),
		a.relayCommand(),
		a.runCommand(),
		a.chatCommand(),
		a.webCommand(),
		a.sendCommand(),
		a.receiveCommand(),
		a.upCommand(),
		a.faultCommand(),
		a.optionsCommand(),
		a.familiesCommand(),
	}
}
