// Package summary adds up what complete jobs of a group used: how many there were, how
// memory, disk, processor and wall time were spread, from the first start to the last
// end. A job can be taken away again, which the libraries for sketches cannot do: history
// is deleted, pruned and run again, and a summary must stay what a count of the records
// would be. It is pure; package engine feeds it.
package summary

import "github.com/muster-queue/muster/job"

// Item is a complete job as a summary counts it.
type Item struct {
	Group          job.GroupID
	Started, Ended job.Time
	Used           job.Usage
	// Gone takes it away again.
	Gone bool
}

// ItemOf is the item of a history record. Where nobody measured the wall time it is that
// from the start to the end.
func ItemOf(f *job.Finished) Item {
	i := Item{Group: f.Group, Started: f.Started, Ended: f.Ended, Used: f.Used}
	if i.Used.Wall == 0 && f.Started != 0 && f.Ended > f.Started {
		i.Used.Wall = f.Ended.Sub(f.Started)
	}
	return i
}

// Group is the sum of a group's complete jobs. Its zero value has none. It belongs to one
// goroutine.
type Group struct {
	Count int64
	// Memory and Disk are in bytes, CPU and Wall in nanoseconds. Jobs of which nobody
	// measured one are not in that.
	Memory, Disk, CPU, Wall Spread
	// First is when the first of them started, Last when the last of them ended.
	First, Last job.Time
	// Stale says that First or Last was of a job that was taken away: the records must
	// be read to know them.
	Stale bool
}

// Apply counts an item, or takes it away.
func (g *Group) Apply(i *Item) {
	by := int64(1)
	if i.Gone {
		by = -1
	}
	if g.Count += by; g.Count == 0 {
		*g = Group{}
		return
	}
	g.Memory.add(i.Used.Memory, by)
	g.Disk.add(i.Used.Disk, by)
	g.CPU.add(int64(i.Used.CPU), by)
	g.Wall.add(int64(i.Used.Wall), by)
	if i.Gone {
		g.Stale = g.Stale || i.Started != 0 && i.Started <= g.First || i.Ended >= g.Last
		return
	}
	if i.Started != 0 && (g.First == 0 || i.Started < g.First) {
		g.First = i.Started
	}
	g.Last = max(g.Last, i.Ended)
}

// Merge adds another group's jobs.
func (g *Group) Merge(o *Group) {
	g.Count += o.Count
	g.Memory.merge(&o.Memory)
	g.Disk.merge(&o.Disk)
	g.CPU.merge(&o.CPU)
	g.Wall.merge(&o.Wall)
	if o.First != 0 && (g.First == 0 || o.First < g.First) {
		g.First = o.First
	}
	g.Last = max(g.Last, o.Last)
	g.Stale = g.Stale || o.Stale
}
