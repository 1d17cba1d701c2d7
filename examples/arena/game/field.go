package game

// The field, one rune a cell. Players are points; positions count in sub-cells.
var field = [Height]string{
	"##############################################################################",
	"#                                                                            #",
	"#                                                                            #",
	"#        ####                          ##                          ####      #",
	"#        #                             ##                             #      #",
	"#        #                                                            #      #",
	"#                          #                      #                          #",
	"#                          #                      #                          #",
	"#                          #                      #                          #",
	"#    ######                          ####                        ######      #",
	"#                                    ####                                    #",
	"#                          #                      #                          #",
	"#                          #                      #                          #",
	"#                          #                      #                          #",
	"#        #                                                            #      #",
	"#        #                             ##                             #      #",
	"#        ####                          ##                          ####      #",
	"#                                                                            #",
	"#                                                                            #",
	"##############################################################################",
}

const (
	Width, Height = 78, 20 // of the field, in cells: a terminal of 80 columns and 24 lines shows it all
	Cell          = 64     // sub-cells in a cell
)

// A Point is a position, in sub-cells from the upper left corner.
type Point struct{ X, Y int16 }

// At gives the cell of a point.
func (p Point) At() (column, row int) { return int(p.X) / Cell, int(p.Y) / Cell }

// Wall tells whether nobody can be at p.
func (p Point) Wall() bool {
	if p.X < 0 || p.Y < 0 || p.X >= Width*Cell || p.Y >= Height*Cell {
		return true
	}
	column, row := p.At()
	return field[row][column] == '#'
}

// toward gives the point that is n sub-cells from p.
func (p Point) toward(h Heading, n int16) Point {
	switch h {
	case Up:
		p.Y -= n
	case Down:
		p.Y += n
	case Left:
		p.X -= n
	case Right:
		p.X += n
	}
	return p
}

// near tells whether both coordinates differ by at most n.
func (p Point) near(q Point, n int16) bool {
	dx, dy := p.X-q.X, p.Y-q.Y
	return -n <= dx && dx <= n && -n <= dy && dy <= n
}
