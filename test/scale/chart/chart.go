// Package chart draws lines over a common axis into SVG files.
//
// Contract: equal charts give equal bytes, so that a plot that is drawn again from the same
// figures is no change. A chart without a point, and a logarithmic axis with a value that
// has no logarithm, are errors.
package chart

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/plotutil"
	"gonum.org/v1/plot/vg"
)

const width, height = 16 * vg.Centimeter, 9 * vg.Centimeter

// Chart is one plot.
type Chart struct {
	Title, X, Y string
	LogX, LogY  bool
	Lines       []Line
}

// Line is one series of points, in the order of X. A modelled one is dashed, so that
// nobody takes it for a measured one.
type Line struct {
	Name     string
	Modelled bool
	Points   []Point
}

// Point is one value.
type Point struct{ X, Y float64 }

// Save writes the chart as SVG.
func (c Chart) Save(file string) error {
	p, err := c.draw()
	if err != nil {
		return fmt.Errorf("chart %q: %w", c.Title, err)
	}
	if err := p.Save(width, height, file); err != nil {
		return fmt.Errorf("writing chart %q: %w", c.Title, err)
	}
	return nil
}

func (c Chart) draw() (*plot.Plot, error) {
	p := plot.New()
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = c.Title, c.X, c.Y
	p.Title.Padding = vg.Millimeter
	p.Legend.Top, p.Legend.Left = true, true
	p.Add(plotter.NewGrid())
	var xs, ys []float64
	for i, l := range c.Lines {
		for _, pt := range l.Points {
			if err := c.fits(pt); err != nil {
				return nil, fmt.Errorf("line %q: %w", l.Name, err)
			}
			xs, ys = append(xs, pt.X), append(ys, pt.Y)
		}
		if err := l.add(p, i); err != nil {
			return nil, fmt.Errorf("line %q: %w", l.Name, err)
		}
	}
	if len(xs) == 0 {
		return nil, errors.New("there is no point to draw")
	}
	p.X.Tick.Marker, p.Y.Tick.Marker = ticks(c.LogX, xs), ticks(c.LogY, ys)
	if c.LogX {
		p.X.Scale = plot.LogScale{}
	} else {
		p.X.Min = 0
	}
	if c.LogY {
		p.Y.Scale = plot.LogScale{}
		p.Y.Max *= 4 // room for the legend
	} else {
		p.Y.Min = 0
		p.Y.Max *= 1.3
	}
	widen(&p.X)
	widen(&p.Y)
	return p, nil
}

// widen gives an axis on which everything is at one place some length.
func widen(a *plot.Axis) {
	if a.Min == a.Max {
		a.Max = a.Min*2 + 1
	}
}

// fits reports why a point cannot be drawn.
func (c Chart) fits(p Point) error {
	for _, a := range []struct {
		log bool
		v   float64
	}{{c.LogX, p.X}, {c.LogY, p.Y}} {
		if math.IsNaN(a.v) || math.IsInf(a.v, 0) || (a.log && a.v <= 0) {
			return fmt.Errorf("%g has no place on its axis", a.v)
		}
	}
	return nil
}

func (l Line) add(p *plot.Plot, i int) error {
	if len(l.Points) == 0 {
		return nil
	}
	xys := make(plotter.XYs, len(l.Points))
	for j, pt := range l.Points {
		xys[j] = plotter.XY{X: pt.X, Y: pt.Y}
	}
	line, dots, err := plotter.NewLinePoints(xys)
	if err != nil {
		return err
	}
	line.Color, dots.Color, dots.Shape = plotutil.Color(i), plotutil.Color(i), plotutil.Shape(i)
	if l.Modelled {
		line.Dashes = []vg.Length{vg.Points(5), vg.Points(3)}
	}
	p.Add(line, dots)
	p.Legend.Add(l.Name, line, dots)
	return nil
}

// ticks are at the values themselves on a logarithmic axis with few of them, else where
// the library thinks best.
func ticks(log bool, values []float64) plot.Ticker {
	if !log {
		return plain{}
	}
	slices.Sort(values)
	values = slices.Compact(values)
	if len(values) > 12 {
		return plot.LogTicks{Prec: -1}
	}
	var marks plot.ConstantTicks
	for _, v := range values {
		marks = append(marks, plot.Tick{Value: v, Label: short(v)})
	}
	return marks
}

// plain are the library's ticks with short labels.
type plain struct{ plot.DefaultTicks }

// Ticks implements plot.Ticker.
func (t plain) Ticks(lo, hi float64) []plot.Tick {
	marks := t.DefaultTicks.Ticks(lo, hi)
	for i, m := range marks {
		if m.Label != "" {
			marks[i].Label = short(m.Value)
		}
	}
	return marks
}

// short writes 5000000 as 5M and 10000 as 10k.
func short(v float64) string {
	switch {
	case v >= 1e6:
		return strconv.FormatFloat(v/1e6, 'g', 4, 64) + "M"
	case v >= 1e4:
		return strconv.FormatFloat(v/1e3, 'g', 4, 64) + "k"
	}
	return strconv.FormatFloat(v, 'g', 4, 64)
}
