// Package game is the arena and its rules: players on a field with walls, who swim and shoot. It knows no network, no
// clock and no chance but its seed: the same turns give the same world, so that a client can work out what its own
// player does before the server has told it.
package game
