package bench

import (
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/plotutil"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"
)

// Chart draws results: throughput over time, and below it latency by percentile. Each result is a line of
// one color in both.
type Chart struct {
	file    string
	image   func(w, h vg.Length) canvas
	results []Result
}

// canvas is what a drawing is made on.
type canvas interface {
	vg.CanvasSizer
	io.WriterTo
}

const chartWidth, chartHeight = 20 * vg.Centimeter, 20 * vg.Centimeter

// NewChart makes a chart for a file whose name ends with .svg or .png.
func NewChart(file string) (*Chart, error) {
	c := &Chart{file: file}
	switch strings.ToLower(filepath.Ext(file)) {
	case ".svg":
		c.image = func(w, h vg.Length) canvas { return vgsvg.New(w, h) }
	case ".png":
		c.image = func(w, h vg.Length) canvas { return vgimg.PngCanvas{Canvas: vgimg.New(w, h)} }
	default:
		return nil, fmt.Errorf("-plot=%s: want a name that ends with .svg or .png", file)
	}
	return c, nil
}

// Add adds the lines of a result.
func (c *Chart) Add(r Result) { c.results = append(c.results, r) }

// Save draws and writes the file, unless there is no result.
func (c *Chart) Save() error {
	if len(c.results) == 0 {
		return nil
	}
	img := c.image(chartWidth, chartHeight)
	if err := c.draw(draw.New(img)); err != nil {
		return fmt.Errorf("drawing the chart: %w", err)
	}
	f, err := os.Create(c.file)
	if err != nil {
		return fmt.Errorf("chart: %w", err)
	}
	_, err = img.WriteTo(f)
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return fmt.Errorf("writing the chart %s: %w", c.file, err)
	}
	return nil
}

func (c *Chart) draw(dc draw.Canvas) error {
	over, by := plot.New(), plot.New()
	over.Title.Text, over.X.Label.Text, over.Y.Label.Text = "Throughput", "seconds", "requests per second"
	by.Title.Text, by.X.Label.Text, by.Y.Label.Text = "Latency", "percentile", "milliseconds"
	by.X.Tick.Marker = plot.ConstantTicks(percentileTicks())
	by.Y.Scale, by.Y.Tick.Marker = plot.LogScale{}, plot.LogTicks{Prec: -1}
	for _, p := range []*plot.Plot{over, by} {
		p.Add(plotter.NewGrid())
		p.Legend.Top, p.Legend.Left = true, true
	}
	for i, r := range c.results {
		if err := line(over, i, r.Workload, throughput(r.Timeline)); err != nil {
			return err
		}
		if err := line(by, i, r.Workload, percentiles(r.Latency)); err != nil {
			return err
		}
	}
	over.X.Min, over.Y.Min, by.X.Min = 0, 0, 0
	for _, a := range []*plot.Axis{&over.X, &over.Y, &by.X, &by.Y} {
		spread(a)
	}
	over.Y.Max *= 1.3 // room for the legends
	by.Y.Max *= 4
	by.Y.Min = max(by.Y.Min, 0.001) // no latency is shorter, and a logarithmic axis has no zero
	tiles := draw.Tiles{Rows: 2, Cols: 1, PadY: vg.Centimeter, PadTop: vg.Points(5), PadBottom: vg.Points(5), PadLeft: vg.Points(5), PadRight: vg.Points(10)}
	canvases := plot.Align([][]*plot.Plot{{over}, {by}}, tiles, dc)
	over.Draw(canvases[0][0])
	by.Draw(canvases[1][0])
	return nil
}

// spread gives an axis on which there is nothing, or all at one place, some length.
func spread(a *plot.Axis) {
	if !(a.Min < a.Max) || math.IsInf(a.Min, 0) || math.IsInf(a.Max, 0) {
		if math.IsInf(a.Min, 0) {
			a.Min = 0
		}
		a.Max = 2*a.Min + 1
	}
}

func line(p *plot.Plot, i int, name string, points plotter.XYs) error {
	if len(points) == 0 {
		return nil
	}
	l, err := plotter.NewLine(points)
	if err != nil {
		return err
	}
	l.Color = plotutil.Color(i)
	p.Add(l)
	p.Legend.Add(name, l)
	return nil
}

func throughput(t Timeline) plotter.XYs {
	points := make(plotter.XYs, len(t.Counts))
	for i, n := range t.Counts {
		points[i] = plotter.XY{X: (float64(i) + 0.5) * t.SliceSeconds, Y: float64(n) / t.SliceSeconds}
	}
	return points
}

// nines is the place of a percentile on an axis where each nine more is one step: 0.9 is at 1, 0.99 at 2.
func nines(part float64) float64 { return -math.Log10(1 - part) }

// percentiles leaves out the last point, of the whole: it has infinitely many nines.
func percentiles(l Latency) plotter.XYs {
	var points plotter.XYs
	for _, q := range l.curve {
		if q.part < 1 {
			points = append(points, plotter.XY{X: nines(q.part), Y: max(q.ms, 0.001)})
		}
	}
	return points
}

func percentileTicks() []plot.Tick {
	var ticks []plot.Tick
	for _, t := range []struct {
		part  float64
		label string
	}{{0, "0"}, {0.5, "50"}, {0.9, "90"}, {0.99, "99"}, {0.999, "99.9"}, {0.9999, "99.99"}, {0.99999, "99.999"}, {0.999999, "99.9999"}} {
		ticks = append(ticks, plot.Tick{Value: nines(t.part), Label: t.label})
	}
	return ticks
}
