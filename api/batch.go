package api

import (
	musterv1 "github.com/muster-queue/muster/api/muster/v1"
	"github.com/muster-queue/muster/job"
)

func toBatch(m *musterv1.Batch) *job.Batch {
	return &job.Batch{
		Name: m.Name, User: m.User, Comment: m.Comment,
		Stdin: m.Stdin, Stdout: m.Stdout, Stderr: m.Stderr, Append: m.Append,
		Array: m.Array, Index: m.Index, Place: m.Place,
	}
}

func (w *writer) batch(b *job.Batch) *musterv1.Batch {
	if b == nil {
		return nil
	}
	return &musterv1.Batch{
		Name: w.text(b.Name), User: w.text(b.User), Comment: w.text(b.Comment),
		Stdin: w.text(b.Stdin), Stdout: w.text(b.Stdout), Stderr: w.text(b.Stderr), Append: b.Append,
		Array: w.text(b.Array), Index: b.Index, Place: b.Place,
	}
}
