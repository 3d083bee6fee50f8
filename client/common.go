package client

import (
	"maps"

	"google.golang.org/protobuf/proto"

	musterv1 "github.com/muster-queue/muster/api/muster/v1"
)

// common finds what the jobs of a batch have in common, which is then sent and
// read once: half the cost of adding jobs of one kind, which most lists are.
type common struct {
	base   *musterv1.Job // what goes into the batch's defaults
	misses int           // batches that were ended because a job differed
}

// maxMisses is how often a job may differ before no more is taken out: a list of
// mixed jobs is not cut into small batches for it.
const maxMisses = 4

// fits tells whether m can be sent in a batch with this base: it must not lack
// what the base has, which would be given to it.
func (c *common) fits(m *musterv1.Job) bool {
	b := c.base
	if b == nil || len(m.Encoded) > 0 {
		return true
	}
	return (len(b.Needs) == 0 || maps.Equal(b.Needs, m.Needs)) &&
		has(b.Group, m.Group) && has(b.Kind, m.Kind) && has(b.Queue, m.Queue) &&
		(b.Time == nil || m.Time != nil) &&
		(m.Command == nil || has(b.Command.GetDir(), m.Command.Dir) && has(b.Command.GetEnvId(), m.Command.EnvId))
}

func has(common, own string) bool { return common == "" || own != "" }

// begin makes m the base of a batch that begins with it.
func (c *common) begin(m *musterv1.Job) *musterv1.Job {
	c.base = nil
	if c.misses > maxMisses || len(m.Encoded) > 0 {
		return nil
	}
	c.base = &musterv1.Job{Needs: m.Needs, Group: m.Group, Kind: m.Kind, Queue: m.Queue, Time: m.Time}
	if m.Command != nil {
		c.base.Command = &musterv1.Command{Dir: m.Command.Dir, EnvId: m.Command.EnvId}
	}
	return c.base
}

// take takes out of m what the base has.
func (c *common) take(m *musterv1.Job) {
	b := c.base
	if b == nil || len(m.Encoded) > 0 {
		return
	}
	if len(b.Needs) > 0 {
		m.Needs = nil
	}
	drop(&m.Group, b.Group)
	drop(&m.Kind, b.Kind)
	drop(&m.Queue, b.Queue)
	if proto.Equal(m.Time, b.Time) {
		m.Time = nil
	}
	if m.Command != nil && b.Command != nil {
		drop(&m.Command.Dir, b.Command.Dir)
		drop(&m.Command.EnvId, b.Command.EnvId)
	}
}

func drop(own *string, common string) {
	if *own == common {
		*own = ""
	}
}
