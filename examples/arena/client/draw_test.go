package client_test

import (
	"fmt"
	"strings"

	"sockeye/examples/arena/client"
	"sockeye/examples/arena/game"
)

func ExampleDraw() {
	at := func(column, row int16) game.Point { return game.Point{X: column * game.Cell, Y: row * game.Cell} }
	v := client.View{
		Known:  true,
		Own:    game.Player{Point: at(12, 2), Facing: game.Right},
		Others: []game.Player{{ID: 1, Point: at(30, 2), Facing: game.Left}, {ID: 2, Point: at(20, 5), Facing: game.Up}},
		Shots:  []game.Shot{{Point: at(17, 2)}, {Point: at(24, 2)}},
	}
	for _, line := range strings.Split(client.Draw(v), "\n")[:7] {
		fmt.Println(line)
	}
	// Output:
	// ██████████████████████████████████████████████████████████████████████████████
	// █                                                                            █
	// █           ▶    ·      ·     ◁                                              █
	// █        ████                          ██                          ████      █
	// █        █                             ██                             █      █
	// █        █          △                                                 █      █
	// █                          █                      █                          █
}
