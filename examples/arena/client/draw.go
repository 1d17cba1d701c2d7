package client

import (
	"strings"

	"sockeye/examples/arena/game"
)

// Draw gives a view as lines of text: walls, shots, the others by their headings, and the player itself.
func Draw(v View) string {
	var cells [game.Height][game.Width]rune
	for row := range cells {
		for column := range cells[row] {
			cells[row][column] = ' '
			if (game.Point{X: int16(column * game.Cell), Y: int16(row * game.Cell)}).Wall() {
				cells[row][column] = '█'
			}
		}
	}
	put := func(p game.Point, r rune) {
		column, row := p.At()
		cells[row][column] = r
	}
	for _, s := range v.Shots {
		put(s.Point, '·')
	}
	for _, p := range v.Others {
		if p.Away == 0 {
			put(p.Point, []rune("◦△▽◁▷")[p.Facing])
		}
	}
	if v.Known {
		r := []rune("•▲▼◀▶")[v.Own.Facing]
		if v.Own.Away > 0 {
			r = '✝'
		}
		put(v.Own.Point, r)
	}
	var b strings.Builder
	for _, row := range cells {
		b.WriteString(string(row[:]) + "\n")
	}
	return b.String()
}
